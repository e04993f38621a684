//! The mutual-credit surface: the document's names, envelope and status codes over parties, directory, accounts and identity.
//!
//! Invariant: no rule and no SQL is here. What the ledger may refuse has its words in one table, `problem.rs`.

mod envelope; // {"data": …}, {"data": […], "meta": …}
mod writing; // amounts and dates
mod problem; // {"errors": […]}: every refusal and its status
mod extract; // bodies, queries, pages, and who asks
mod fields; // lengths, addresses, amounts
mod openapi; // the description of all this
mod filters; // what lists of entities are filtered by
mod terms; // tags and categories, as administrators change them
mod views; // entities and transfers as the document shows them

mod signup; // POST /signup
mod sessions; // POST /login, /logout, /admin/login, /admin/logout
mod passwords; // POST /password-change, /password-reset, /admin/password-change, /admin/password-reset
mod user; // GET, PATCH /user
mod user_entities; // GET /user/entities, PATCH /user/entities/{id}
mod categories; // GET /categories
mod tags; // GET /tags
mod entities; // GET /entities, GET /entities/{id}
mod favorites; // POST /favorites
mod send_email; // POST /send-email
mod transfers; // POST, GET /transfers, PATCH /transfers/{id}, POST /transfers/preview
mod reversals; // POST /transfers/{id}/reversal, /admin/transfers/{id}/reversal
mod batch; // POST /transfers/batch
mod import; // POST /transfers/import
mod statements; // GET /user/entities/{id}/statement, /admin/entities/{id}/statement
mod balance; // GET /balance
mod admin_users; // GET /admin/users, GET, PATCH, DELETE /admin/users/{id}
mod admin_entities; // GET /admin/entities, GET, PATCH, DELETE /admin/entities/{id}
mod admin_tags; // POST /admin/tags, PATCH, DELETE /admin/tags/{id}
mod admin_categories; // POST /admin/categories, PATCH, DELETE /admin/categories/{id}
mod admin_transfers; // POST, GET /admin/transfers, GET /admin/transfers/{id}
mod admin_logs; // GET /admin/logs
mod admin_ledger; // GET /admin/ledger/health

use crate::app::App;
use crate::error::Error;
use axum::Router;
use axum::response::{IntoResponse, Response};
use problem::Problem;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn router(app: App) -> Router<App> {
    routes().split_for_parts().0.fallback(no_such_route).method_not_allowed_fallback(no_such_method).with_state(app)
}

/// The description of this surface.
pub(super) fn document() -> OpenApi {
    openapi::complete(routes().split_for_parts().1)
}

/// Every route, with what its handler says of itself.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(signup::router())
        .merge(sessions::router())
        .merge(passwords::router())
        .merge(user::router())
        .merge(user_entities::router())
        .merge(categories::router())
        .merge(tags::router())
        .merge(entities::router())
        .merge(favorites::router())
        .merge(send_email::router())
        .merge(transfers::router())
        .merge(reversals::router())
        .merge(batch::router())
        .merge(import::router())
        .merge(statements::router())
        .merge(balance::router())
        .merge(admin_users::router())
        .merge(admin_entities::router())
        .merge(admin_tags::router())
        .merge(admin_categories::router())
        .merge(admin_transfers::router())
        .merge(admin_logs::router())
        .merge(admin_ledger::router())
}

/// The document's form of "there is nothing here"; also for addresses beside the API.
pub(super) async fn no_such_route() -> impl IntoResponse {
    Problem::from(Error::NoSuchRoute)
}

/// The document's form of "not in this way".
pub(super) async fn no_such_method() -> impl IntoResponse {
    Problem::from(Error::NoSuchMethod)
}

/// Where passwords are tried, accounts are made and mails are asked for: somebody who does so often is guessing.
pub(super) fn is_door(route: &str) -> bool {
    let doors = ["/login", "/signup", "/password-reset", "/password-reset/{token}"];
    let route = route.strip_prefix("/api/v1").unwrap_or_default();
    doors.contains(&route.strip_prefix("/admin").unwrap_or(route))
}

/// The document's form of what goes wrong before a request is looked at.
pub(super) fn refused(error: Error) -> Response {
    Problem::from(error).into_response()
}

/// A panic in a handler is an internal error in the document's form, and never a dropped connection.
pub(super) fn catch_panic() -> CatchPanicLayer<fn(Box<dyn std::any::Any + Send>) -> Response> {
    CatchPanicLayer::custom(problem::of_panic)
}

#[cfg(test)]
mod tests {
    use super::{catch_panic, is_door};
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    #[test]
    fn doors_are_where_one_can_guess() {
        for route in ["/login", "/admin/login", "/signup", "/password-reset", "/admin/password-reset/{token}"] {
            assert!(is_door(&format!("/api/v1{route}")), "{route}");
            assert!(!is_door(route), "{route}");
        }
        for route in ["/api/v1/user", "/api/v1/logout", "/api/v1/password-change", "/api/v1", ""] {
            assert!(!is_door(route), "{route}");
        }
    }

    async fn breaks() {
        panic!("on purpose");
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_in_the_documents_form() {
        let router: Router = Router::new().route("/", get(breaks)).layer(catch_panic());
        let answer = router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"errors":[{"message":"Internal server error triggered."}]}"#);
    }
}
