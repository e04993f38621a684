//! `/admin/categories`: making, renaming and deleting categories, over `directory`.

use super::envelope::Data;
use super::extract::{Administrator, Body, PathId};
use super::openapi::{ADMINISTRATION, Id};
use super::problem::Problem;
use super::terms::{Noun, TermRequest, TermView};
use crate::app::App;
use crate::directory;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const NOUN: Noun = Noun { first: "Category", within: "category" };

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(rename, delete))
}

/// Makes one.
#[utoipa::path(
    post, path = "/admin/categories", tag = ADMINISTRATION,
    security(("jwt" = [])),
    request_body = TermRequest,
    responses((status = 200, description = "OK", body = Data<TermView>))
)]
async fn create(
    State(app): State<App>,
    Administrator(session): Administrator,
    Body(request): Body<TermRequest>,
) -> Result<Data<TermView>, Problem> {
    let name = NOUN.name(request)?;
    Ok(Data { data: NOUN.changed(directory::create_category(&app.db, &name, session.person).await)? })
}

/// Renames one, also at every entity that has it.
#[utoipa::path(
    patch, path = "/admin/categories/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    request_body = TermRequest,
    responses((status = 200, description = "OK", body = Data<TermView>))
)]
async fn rename(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
    Body(request): Body<TermRequest>,
) -> Result<Data<TermView>, Problem> {
    let (id, name) = (NOUN.id(id)?, NOUN.name(request)?);
    Ok(Data { data: NOUN.changed(directory::rename_category(&app.db, id, &name, session.person).await)? })
}

/// Deletes one, also from every entity that has it, and tells what it was.
#[utoipa::path(
    delete, path = "/admin/categories/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK", body = Data<TermView>))
)]
async fn delete(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
) -> Result<Data<TermView>, Problem> {
    let id = NOUN.id(id)?;
    Ok(Data { data: NOUN.changed(directory::delete_category(&app.db, id, session.person).await)? })
}
