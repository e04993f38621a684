//! HTTP: routes, limits and logs around the surfaces. Each surface is a dialect: it renames and reshapes, and holds no rule and no SQL.

mod mutual_credit; // /api/v1

use crate::app::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::time::Duration;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The longest that a request may take: longer than posting tries.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Every route of the server.
pub fn router(app: App) -> Router {
    let no_store = HeaderValue::from_static("no-cache, must-revalidate, no-store");
    let traced = TraceLayer::new_for_http().make_span_with(|request: &Request| {
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
    });
    Router::new()
        .nest("/api/v1", mutual_credit::router(app.clone()))
        .merge(pages())
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .fallback(mutual_credit::no_such_route)
        .method_not_allowed_fallback(mutual_credit::no_such_method)
        .with_state(app)
        // Whoever reads a body bounds it: see `mutual_credit/extract.rs`.
        .layer(DefaultBodyLimit::disable())
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, no_store))
        .layer(middleware::from_fn(in_time))
        .layer(mutual_credit::catch_panic())
        .layer(traced)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// Pages for people who read descriptions of APIs. All that they need is in this program.
fn pages() -> Router<App> {
    let own_only =
        HeaderValue::from_static("default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:");
    let pages = SwaggerUi::new("/docs").url("/api/v1/openapi.json", mutual_credit::document());
    // The page would ask a server elsewhere what it thinks of the description.
    let pages = pages.config(Config::default().validator_url("none"));
    Router::from(pages).layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, own_only))
}

/// The description of the mutual-credit surface, OpenAPI 3.1, as JSON for people to read.
///
/// # Errors
/// Never: it has nothing that is not JSON.
pub fn mutual_credit_document() -> anyhow::Result<String> {
    Ok(mutual_credit::document().to_pretty_json()?)
}

/// A request that takes too long gets 503. What it asked for may happen all the same; a retry with its key is safe.
async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await;
    answer.unwrap_or_else(|_| mutual_credit::unavailable().into_response())
}

/// The process runs.
async fn alive() -> &'static str {
    "ok"
}

/// The process can do its work: the database answers.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.db.ping().await {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}
