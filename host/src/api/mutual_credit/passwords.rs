//! `POST /password-change` and the administrators' one, over `identity`.

use super::extract::{Administrator, Body, Member};
use super::fields::Faults;
use super::problem::Problem;
use crate::app::App;
use crate::identity::Session;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::Deserialize;

pub(super) fn router() -> Router<App> {
    Router::new().route("/password-change", post(change)).route("/admin/password-change", post(change_as_administrator))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    password: Option<String>,
}

/// Gives one's own person another password. The sessions that they have elsewhere end.
async fn change(app: State<App>, Member(session): Member, Body(request): Body<Request>) -> Result<(), Problem> {
    change_to(&app, session, request).await
}

/// The same for an administrator.
async fn change_as_administrator(
    app: State<App>,
    Administrator(session): Administrator,
    Body(request): Body<Request>,
) -> Result<(), Problem> {
    change_to(&app, session, request).await
}

async fn change_to(app: &App, session: Session, request: Request) -> Result<(), Problem> {
    let mut faults = Faults::default();
    let password = faults.required("password", request.password);
    faults.check()?;
    let password = password.unwrap_or_default();
    faults.password(&password);
    faults.check()?;
    Ok(app.identity.change_password(session, password).await?)
}
