//! `/admin/categories`: making, renaming and deleting categories, over `directory`.

use super::envelope::Data;
use super::extract::{Administrator, Body, PathId};
use super::problem::Problem;
use super::terms::{Noun, TermRequest, TermView};
use crate::app::App;
use crate::directory;
use axum::Router;
use axum::extract::State;
use axum::routing::{patch, post};

const NOUN: Noun = Noun { first: "Category", within: "category" };

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/categories", post(create)).route("/admin/categories/{id}", patch(rename).delete(delete))
}

/// Makes one.
async fn create(
    State(app): State<App>,
    _administrator: Administrator,
    Body(request): Body<TermRequest>,
) -> Result<Data<TermView>, Problem> {
    let name = NOUN.name(request)?;
    Ok(Data { data: NOUN.changed(directory::create_category(&app.db, &name).await)? })
}

/// Renames one, also at every entity that has it.
async fn rename(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
    Body(request): Body<TermRequest>,
) -> Result<Data<TermView>, Problem> {
    let (id, name) = (NOUN.id(id)?, NOUN.name(request)?);
    Ok(Data { data: NOUN.changed(directory::rename_category(&app.db, id, &name).await)? })
}

/// Deletes one, also from every entity that has it, and tells what it was.
async fn delete(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
) -> Result<Data<TermView>, Problem> {
    let id = NOUN.id(id)?;
    Ok(Data { data: NOUN.changed(directory::delete_category(&app.db, id).await)? })
}
