//! `POST /password-change`, `/password-reset` and the administrators' ones, over `identity` and `mail`.

use super::extract::{Administrator, Body, Member};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, MANAGE};
use super::problem::Problem;
use crate::app::App;
use crate::error::Error;
use crate::identity::{Door, Session};
use crate::mail;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    let own = OpenApiRouter::new().routes(routes!(change)).routes(routes!(ask)).routes(routes!(reset));
    own.routes(routes!(change_as_administrator))
        .routes(routes!(ask_as_administrator))
        .routes(routes!(reset_as_administrator))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewPassword)]
#[serde(deny_unknown_fields)]
struct Request {
    #[schema(required = true, nullable = false, min_length = 8, max_length = 100, format = Password, example = "1EvenM00rTrulySecurePassword!@?!")]
    password: Option<String>,
}

/// Gives one's own person another password. The sessions that they have elsewhere end.
#[utoipa::path(
    post, path = "/password-change", tag = MANAGE,
    security(("jwt" = [])),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn change(app: State<App>, Member(session): Member, Body(request): Body<Request>) -> Result<(), Problem> {
    change_to(&app, session, request).await
}

/// The same for an administrator.
#[utoipa::path(
    post, path = "/admin/password-change", tag = ADMINISTRATION,
    security(("jwt" = [])),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn change_as_administrator(
    app: State<App>,
    Administrator(session): Administrator,
    Body(request): Body<Request>,
) -> Result<(), Problem> {
    change_to(&app, session, request).await
}

async fn change_to(app: &App, session: Session, request: Request) -> Result<(), Problem> {
    let changed = app.identity.change_password(session, password(request)?).await?;
    if changed { Ok(()) } else { Err(Error::Unauthenticated.into()) }
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

#[derive(Deserialize, ToSchema)]
#[schema(as = ForgottenPassword)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    #[schema(required = true, nullable = false, format = Email, max_length = 100, example = "dennis-kip@dev.null")]
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
#[utoipa::path(
    post, path = "/password-reset", tag = MANAGE,
    request_body = Forgotten,
    responses((status = 200, description = "OK"))
)]
async fn ask(app: State<App>, Body(request): Body<Forgotten>) -> Result<(), Problem> {
    ask_at(&app, Door::Member, request).await
}

/// The same for administrators.
#[utoipa::path(
    post, path = "/admin/password-reset", tag = ADMINISTRATION,
    request_body = Forgotten,
    responses((status = 200, description = "OK"))
)]
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
    Ok(mail::ask_for_reset(&app.db, &email, door).await?)
}

/// Gives whoever was mailed this token another password, once. All their sessions end.
#[utoipa::path(
    post, path = "/password-reset/{token}", tag = MANAGE,
    params(("token" = String, Path, description = "The password reset token")),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn reset(app: State<App>, token: Token, Body(request): Body<Request>) -> Result<(), Problem> {
    reset_at(&app, Door::Member, token, request).await
}

/// The same for administrators.
#[utoipa::path(
    post, path = "/admin/password-reset/{token}", tag = ADMINISTRATION,
    params(("token" = String, Path, description = "The password reset token")),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn reset_as_administrator(app: State<App>, token: Token, Body(request): Body<Request>) -> Result<(), Problem> {
    reset_at(&app, Door::Administrator, token, request).await
}

async fn reset_at(app: &App, door: Door, token: Token, request: Request) -> Result<(), Problem> {
    let password = password(request)?;
    let reset = app.identity.reset_password(&token.0, door, password).await?;
    if reset { Ok(()) } else { Err(Problem::invalid("Token is invalid.")) }
}
