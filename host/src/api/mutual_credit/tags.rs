//! `GET /tags`: the words for what is offered and wanted, over `directory`.

use super::envelope::List;
use super::extract::Query;
use super::problem::Problem;
use super::terms::TermView;
use crate::app::App;
use crate::directory;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

pub(super) fn router() -> Router<App> {
    Router::new().route("/tags", get(list))
}

/// Tags that match a fragment, the best first, or all by name.
async fn list(State(app): State<App>, query: Query) -> Result<List<TermView>, Problem> {
    let page = query.page()?;
    let fragment = query.get("fragment").filter(|text| !text.trim().is_empty());
    let (tags, total) = directory::tags(&app.db, fragment, page.offset(), page.size).await?;
    Ok(page.of(tags.into_iter().map(TermView::of).collect(), total))
}
