//! `GET /categories`: what entities are listed under, over `directory`.

use super::envelope::List;
use super::extract::Query;
use super::openapi::{FIND, Paging};
use super::problem::Problem;
use super::terms::TermView;
use crate::app::App;
use crate::directory;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Categories by name: those that begin with a prefix and have a fragment anywhere, or all.
#[utoipa::path(
    get, path = "/categories", tag = FIND,
    params(("prefix" = Option<String>, Query, description = "First letters of a category", example = "c"), ("fragment" = Option<String>, Query, description = "Partial match of word or characters", example = "sport"), Paging),
    responses((status = 200, description = "OK", body = List<TermView>))
)]
async fn list(State(app): State<App>, query: Query) -> Result<List<TermView>, Problem> {
    let page = query.page()?;
    let text = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (prefix, fragment) = (text("prefix"), text("fragment"));
    let (categories, total) = directory::categories(&app.db, prefix, fragment, page.offset(), page.size).await?;
    Ok(page.of(categories.into_iter().map(TermView::of).collect(), total))
}
