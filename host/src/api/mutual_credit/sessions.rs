//! `POST /login`, `/logout` and the administrators' doors, over `identity`.

use super::envelope::Data;
use super::extract::{Administrator, Body, ClientAddress, Member};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, MANAGE};
use super::problem::Problem;
use super::writing::date;
use crate::app::App;
use crate::identity::{Door, LoginRefused};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(log_in_as_administrator))
        .routes(routes!(log_out_as_administrator))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Credentials)]
#[serde(deny_unknown_fields)]
struct Request {
    #[schema(required = true, nullable = false, min_length = 1, example = "test@gmail.com")]
    email: Option<String>,
    #[schema(required = true, nullable = false, min_length = 1, format = Password, example = "Test321321$$")]
    password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Login)]
#[serde(rename_all = "camelCase")]
struct Response {
    token: String,
    #[serde(rename = "lastLoginIP", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_login_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    last_login_date: Option<String>,
}

/// Gives a token for 24 hours.
#[utoipa::path(
    post, path = "/login", tag = MANAGE,
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<Response>))
)]
async fn log_in(
    State(app): State<App>,
    address: ClientAddress,
    Body(request): Body<Request>,
) -> Result<Data<Response>, Problem> {
    through(&app, Door::Member, &address, request).await
}

/// Gives an administrator a token for 24 hours.
#[utoipa::path(
    post, path = "/admin/login", tag = ADMINISTRATION,
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<Response>))
)]
async fn log_in_as_administrator(
    State(app): State<App>,
    address: ClientAddress,
    Body(request): Body<Request>,
) -> Result<Data<Response>, Problem> {
    through(&app, Door::Administrator, &address, request).await
}

async fn through(app: &App, door: Door, address: &ClientAddress, request: Request) -> Result<Data<Response>, Problem> {
    let mut faults = Faults::default();
    let email = faults.required("email", request.email).unwrap_or_default();
    let password = faults.required("password", request.password).unwrap_or_default();
    faults.check()?;
    if email.is_empty() {
        faults.add("Please specify an email address.");
    }
    if password.is_empty() {
        faults.add("Password is missing.");
    }
    faults.check()?;
    let login = app.identity.log_in(&email, password, door, &address.0).await?;
    // The same words whether the person exists or not.
    let login = login.map_err(|refused| match refused {
        LoginRefused::Wrong => Problem::invalid("Invalid password."),
        LoginRefused::Locked { minutes } => Problem::invalid(format!(
            "Your account has been temporarily locked for {minutes} minutes. Please try again later."
        )),
    })?;
    Ok(Data {
        data: Response {
            token: login.token,
            last_login_ip: login.last_login_ip,
            last_login_date: login.last_login_at.map(date),
        },
    })
}

/// Ends the session: its token is dead at once.
#[utoipa::path(
    post, path = "/logout", tag = MANAGE,
    security(("jwt" = [])),
    responses((status = 200, description = "OK"))
)]
async fn log_out(State(app): State<App>, Member(session): Member) -> Result<(), Problem> {
    Ok(app.identity.log_out(session).await?)
}

/// Ends an administrator's session: its token is dead at once.
#[utoipa::path(
    post, path = "/admin/logout", tag = ADMINISTRATION,
    security(("jwt" = [])),
    responses((status = 200, description = "OK"))
)]
async fn log_out_as_administrator(
    State(app): State<App>,
    Administrator(session): Administrator,
) -> Result<(), Problem> {
    Ok(app.identity.log_out(session).await?)
}
