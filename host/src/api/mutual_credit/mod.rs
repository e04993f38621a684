//! The mutual-credit surface: the document's names, envelope and status codes over parties, accounts and identity.
//!
//! Invariant: no rule and no SQL is here. What the ledger may refuse has its words in one table, `problem.rs`.

mod envelope; // {"data": …}, {"data": […], "meta": …}
mod writing; // amounts and dates
mod problem; // {"errors": […]}: every refusal and its status
mod extract; // bodies, queries, pages, and who asks
mod fields; // lengths, addresses, amounts
mod views; // entities and transfers as the document shows them

mod signup; // POST /signup
mod sessions; // POST /login, /logout, /admin/login, /admin/logout
mod passwords; // POST /password-change, /password-reset, /admin/password-change, /admin/password-reset
mod user; // GET, PATCH /user
mod user_entities; // GET /user/entities, PATCH /user/entities/{id}
mod send_email; // POST /send-email
mod transfers; // POST, GET /transfers, PATCH /transfers/{id}, POST /transfers/preview
mod batch; // POST /transfers/batch
mod import; // POST /transfers/import
mod balance; // GET /balance
mod admin_entities; // GET /admin/entities, GET, PATCH /admin/entities/{id}
mod admin_transfers; // POST, GET /admin/transfers, GET /admin/transfers/{id}
mod admin_ledger; // GET /admin/ledger/health

use crate::app::App;
use crate::error::Error;
use axum::Router;
use axum::response::IntoResponse;
use problem::Problem;
use tower_http::catch_panic::CatchPanicLayer;

pub(super) fn router(app: App) -> Router<App> {
    Router::new()
        .merge(signup::router())
        .merge(sessions::router())
        .merge(passwords::router())
        .merge(user::router())
        .merge(user_entities::router())
        .merge(send_email::router())
        .merge(transfers::router())
        .merge(batch::router())
        .merge(import::router())
        .merge(balance::router())
        .merge(admin_entities::router())
        .merge(admin_transfers::router())
        .merge(admin_ledger::router())
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
}

/// The document's form of "there is nothing here"; also for addresses beside the API.
pub(super) async fn no_such_route() -> impl IntoResponse {
    Problem::from(Error::NoSuchRoute)
}

/// The document's form of "not in this way".
pub(super) async fn no_such_method() -> impl IntoResponse {
    Problem::from(Error::NoSuchMethod)
}

/// The document's form of "try again shortly".
pub(super) fn unavailable() -> impl IntoResponse {
    Problem::from(Error::Unavailable)
}

/// A panic in a handler is an internal error in the document's form, and never a dropped connection.
pub(super) fn catch_panic() -> CatchPanicLayer<fn(Box<dyn std::any::Any + Send>) -> axum::response::Response> {
    CatchPanicLayer::custom(problem::of_panic)
}
