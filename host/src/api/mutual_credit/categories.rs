//! `GET /categories`: what entities are listed under, over `directory`.

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
    Router::new().route("/categories", get(list))
}

/// Categories by name: those that begin with a prefix and have a fragment anywhere, or all.
async fn list(State(app): State<App>, query: Query) -> Result<List<TermView>, Problem> {
    let page = query.page()?;
    let text = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (prefix, fragment) = (text("prefix"), text("fragment"));
    let (categories, total) = directory::categories(&app.db, prefix, fragment, page.offset(), page.size).await?;
    Ok(page.of(categories.into_iter().map(TermView::of).collect(), total))
}
