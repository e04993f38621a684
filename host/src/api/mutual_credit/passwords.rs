//! `POST /password-change`, `/password-reset` and the administrators' ones, over `identity` and `mail`.

use super::extract::{Administrator, Body, Member};
use super::fields::Faults;
use super::problem::Problem;
use crate::app::App;
use crate::identity::{Door, Session};
use crate::mail::{self, Mail};
use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::routing::post;
use serde::Deserialize;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/password-change", post(change))
        .route("/password-reset", post(ask))
        .route("/password-reset/{token}", post(reset))
        .route("/admin/password-change", post(change_as_administrator))
        .route("/admin/password-reset", post(ask_as_administrator))
        .route("/admin/password-reset/{token}", post(reset_as_administrator))
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
    Ok(app.identity.change_password(session, password(request)?).await?)
}

fn password(request: Request) -> Result<String, Problem> {
    let mut faults = Faults::default();
    let password = faults.required("password", request.password);
    faults.check()?;
    let password = password.unwrap_or_default();
    faults.password(&password);
    faults.check()?;
    Ok(password)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    email: Option<String>,
}

/// The token in the path. Text that is none reads as one that nobody was mailed.
struct Token(String);

impl FromRequestParts<App> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Token, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        Ok(Token(text.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// Mails a token to the person of this address. The answer is the same, and takes as long, when there is none.
async fn ask(app: State<App>, Body(request): Body<Forgotten>) -> Result<(), Problem> {
    ask_at(&app, Door::Member, request).await
}

/// The same for administrators.
async fn ask_as_administrator(app: State<App>, Body(request): Body<Forgotten>) -> Result<(), Problem> {
    ask_at(&app, Door::Administrator, request).await
}

async fn ask_at(app: &App, door: Door, request: Forgotten) -> Result<(), Problem> {
    let mut faults = Faults::default();
    let email = faults.required("email", request.email);
    faults.check()?;
    let email = email.unwrap_or_default();
    faults.email(&email);
    faults.check()?;
    Ok(mail::add(&app.db, vec![Mail::password_reset(&email, door)]).await?)
}

/// Gives whoever was mailed this token another password, once. All their sessions end.
async fn reset(app: State<App>, token: Token, Body(request): Body<Request>) -> Result<(), Problem> {
    reset_at(&app, Door::Member, token, request).await
}

/// The same for administrators.
async fn reset_as_administrator(app: State<App>, token: Token, Body(request): Body<Request>) -> Result<(), Problem> {
    reset_at(&app, Door::Administrator, token, request).await
}

async fn reset_at(app: &App, door: Door, token: Token, request: Request) -> Result<(), Problem> {
    let password = password(request)?;
    let reset = app.identity.reset_password(&token.0, door, password).await?;
    if reset { Ok(()) } else { Err(Problem::invalid("Token is invalid.")) }
}
