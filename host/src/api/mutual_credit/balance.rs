//! `GET /balance`: what an entity's account has, over `accounts`.

use super::envelope::Data;
use super::extract::{Member, Query, id};
use super::problem::Problem;
use super::user_entities::own;
use super::writing::number;
use crate::accounts;
use crate::app::App;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::value::RawValue;

pub(super) fn router() -> Router<App> {
    Router::new().route("/balance", get(read))
}

#[derive(Serialize)]
struct BalanceView {
    unit: String,
    balance: Box<RawValue>,
}

/// The balance in every unit; there is one for now.
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
