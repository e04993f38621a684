//! `POST /login`, `/logout` and the administrators' doors, over `identity`.

use super::envelope::Data;
use super::extract::{Anybody, Body, ClientAddress};
use super::fields::Faults;
use super::problem::Problem;
use super::writing::date;
use crate::app::App;
use crate::identity::{Door, LoginRefused};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/admin/login", post(log_in_as_administrator))
        .route("/admin/logout", post(log_out))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    email: Option<String>,
    password: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    token: String,
    #[serde(rename = "lastLoginIP", skip_serializing_if = "Option::is_none")]
    last_login_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_date: Option<String>,
}

/// Gives a token for 24 hours.
async fn log_in(
    State(app): State<App>,
    address: ClientAddress,
    Body(request): Body<Request>,
) -> Result<Data<Response>, Problem> {
    through(&app, Door::Member, &address, request).await
}

/// Gives an administrator a token for 24 hours.
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
async fn log_out(State(app): State<App>, Anybody(session): Anybody) -> Result<(), Problem> {
    Ok(app.identity.log_out(session).await?)
}
