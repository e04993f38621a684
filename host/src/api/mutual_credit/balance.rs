//! `GET /balance`: what an entity's account has, over `accounts`.

use super::envelope::Data;
use super::extract::{Member, Query, id};
use super::openapi::{QueryingEntity, REVIEW};
use super::problem::Problem;
use super::user_entities::own;
use super::writing::number;
use crate::accounts;
use crate::app::App;
use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Balance)]
struct BalanceView {
    #[schema(example = "KES-MC")]
    unit: String,
    #[schema(value_type = f64, example = -1.23)]
    balance: Box<RawValue>,
}

/// The balance in every unit; there is one for now.
#[utoipa::path(get, path = "/balance", tag = REVIEW, security(("jwt" = [])), params(QueryingEntity),
    responses((status = 200, description = "OK", body = Data<Vec<BalanceView>>)))]
async fn read(
    State(app): State<App>,
    Member(session): Member,
    query: Query,
) -> Result<Data<Vec<BalanceView>>, Problem> {
    let entity =
        query.get("querying_entity_id").ok_or_else(|| Problem::invalid("Please specify the querying_entity_id."))?;
    let entity = own(&app, session, id(entity)).await?;
    let unit = &app.ledger.unit;
    let balance = accounts::account(&app.posting, entity.ledger, entity.account).await?.balance;
    Ok(Data { data: vec![BalanceView { unit: unit.code().to_owned(), balance: number(balance, unit) }] })
}
