//! `GET /user/entities` and `PATCH /user/entities/{id}`: one's own entities, over `parties`.

use super::envelope::Data;
use super::extract::{Body, Member, PathId};
use super::fields::{EntityFields, Faults};
use super::openapi::{Id, MANAGE};
use super::problem::Problem;
use super::views::OwnerView;
use crate::app::App;
use crate::audit::{Act, Action};
use crate::error::Error;
use crate::identity::Session;
use crate::parties::{self, Entity};
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(update))
}

/// One's own entities.
#[utoipa::path(
    get, path = "/user/entities", tag = MANAGE,
    security(("jwt" = [])),
    responses((status = 200, description = "OK", body = Data<Vec<OwnerView>>))
)]
async fn list(State(app): State<App>, Member(session): Member) -> Result<Data<Vec<OwnerView>>, Problem> {
    let mut data = vec![];
    for entity in parties::entities_of(&app.db, session.person).await? {
        data.push(OwnerView::of(&app, entity).await?);
    }
    Ok(Data { data })
}

/// Changes one's own entity. What is not given stays; offers and wants are replaced as a whole.
#[utoipa::path(
    patch, path = "/user/entities/{id}", tag = MANAGE,
    security(("jwt" = [])),
    params(Id),
    request_body = EntityFields,
    responses((status = 200, description = "OK", body = Data<OwnerView>))
)]
async fn update(
    State(app): State<App>,
    Member(session): Member,
    PathId(id): PathId,
    Body(fields): Body<EntityFields>,
) -> Result<Data<OwnerView>, Problem> {
    let entity = own(&app, session, id).await?;
    let mut faults = Faults::default();
    fields.refuse_fixed(&mut faults);
    fields.refuse_governed(&mut faults);
    let change = fields.change(&mut faults);
    faults.check()?;
    let act = Act::by(session.person, Action::EntityChanged);
    parties::update(&app.db, &entity, &change, act).await?;
    let entity = parties::entity(&app.db, entity.id).await?.ok_or(Error::Forbidden)?;
    Ok(Data { data: OwnerView::of(&app, entity).await? })
}

/// The entity of this id, if it is this person's. Whether it exists is nobody else's business.
pub(super) async fn own(app: &App, session: Session, id: Option<u128>) -> Result<Entity, Problem> {
    let id = id.ok_or_else(|| Problem::invalid("Please enter valid entity id."))?;
    let entity = parties::entity(&app.db, id).await?.filter(|entity| entity.person == session.person);
    entity.ok_or_else(|| Error::Forbidden.into())
}
