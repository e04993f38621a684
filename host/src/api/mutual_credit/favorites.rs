//! `POST /favorites`: entities that one's own wants to find again, over `directory`.

use super::extract::{Body, Member, id};
use super::fields::Faults;
use super::openapi::FIND;
use super::problem::Problem;
use super::user_entities::own;
use crate::app::App;
use crate::directory;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(set))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Favorite)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "addToEntityID")]
    #[schema(required = true, nullable = false, format = Uuid)]
    add_to: Option<String>,
    #[serde(rename = "favoriteEntityID")]
    #[schema(required = true, nullable = false, format = Uuid)]
    favorite: Option<String>,
    /// The document's reference reads the other name.
    #[serde(rename = "isFavorite", alias = "favorite")]
    #[schema(required = true, nullable = false)]
    is_favorite: Option<bool>,
}

const UNKNOWN: &str = "favoriteEntityID is incorrect.";

/// Adds a favorite or takes it away; doing so again changes nothing.
#[utoipa::path(
    post, path = "/favorites", tag = FIND,
    security(("jwt" = [])),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn set(State(app): State<App>, Member(session): Member, Body(request): Body<Request>) -> Result<(), Problem> {
    let mut faults = Faults::default();
    let add_to = faults.required("addToEntityID", request.add_to);
    let favorite = faults.required("favoriteEntityID", request.favorite);
    let is_favorite = faults.required("isFavorite", request.is_favorite).unwrap_or_default();
    faults.check()?;
    let (add_to, favorite) = (add_to.as_deref().and_then(id), favorite.as_deref().and_then(id));
    if add_to.is_none() {
        faults.add("addToEntityID is incorrect.");
    }
    if favorite.is_none() {
        faults.add(UNKNOWN);
    }
    faults.check()?;
    let entity = own(&app, session, add_to).await?;
    let favorite = favorite.unwrap_or_default();
    let set = directory::set_favorite(&app.db, entity.id, favorite, is_favorite, session.person).await?;
    if set { Ok(()) } else { Err(Problem::invalid(UNKNOWN)) }
}
