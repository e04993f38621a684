//! `GET /tags`: the words for what is offered and wanted, over `directory`.

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

/// Tags that match a fragment, the best first, or all by name.
#[utoipa::path(
    get, path = "/tags", tag = FIND,
    params(("fragment" = Option<String>, Query, description = "Fuzzy, partial or exact match of word or characters", example = "be"), Paging),
    responses((status = 200, description = "OK", body = List<TermView>))
)]
async fn list(State(app): State<App>, query: Query) -> Result<List<TermView>, Problem> {
    let page = query.page()?;
    let fragment = query.get("fragment").filter(|text| !text.trim().is_empty());
    let (tags, total) = directory::tags(&app.db, fragment, page.offset(), page.size).await?;
    Ok(page.of(tags.into_iter().map(TermView::of).collect(), total))
}
