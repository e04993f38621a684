//! HTTP: routes, limits and logs around the surfaces. Each surface is a dialect: it renames and reshapes, and holds no rule and no SQL.

mod mutual_credit; // /api/v1

mod client; // where a request came from
mod limited; // how much one client may ask, and all of them
mod browser; // what browsers are told
mod measured; // /metrics
mod ready; // /readyz
mod server; // connections

pub use measured::router as metrics_router;
pub use server::{Connections, serve};

use crate::app::App;
use crate::limits::Proxies;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use limited::Room;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;
use tracing::field::Empty;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The longest that a request may take: longer than posting tries.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What whoever runs the server asks: not limited, and answered also when there is too much else to do.
const OPERATIONS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Every route of the server.
pub fn router(app: App) -> Router {
    let traced = app.traced;
    let traced = TraceLayer::new_for_http().make_span_with(move |request: &Request| span(request, traced));
    let room = Room::new(app.clone());
    let metrics = if app.metrics_apart { Router::new() } else { metrics_router(app.clone()) };
    // One layer for the router, which would keep each of several in a box of its own; and few functions among them, each of which makes a
    // copy of all within for each request.
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(traced)
        .layer(middleware::from_fn_with_state(app.protection.proxies.clone(), answer))
        .layer(browser::origins(&app.protection))
        .layer(mutual_credit::catch_panic())
        .layer(middleware::from_fn_with_state(room, limited::limit))
        // Whoever reads a body bounds it: see `mutual_credit/extract.rs`.
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .nest("/api/v1", mutual_credit::router(app.clone()))
        .merge(pages())
        .route("/healthz", get(alive))
        .merge(ready::router(app.clone()))
        .merge(metrics)
        .fallback(mutual_credit::no_such_route)
        .method_not_allowed_fallback(mutual_credit::no_such_method)
        .layer(around)
        .with_state(app)
}

/// What is done about every request, and is on every answer, whoever gives it.
async fn answer(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    client::tell(&proxies, &mut request);
    let secure = client::is_secure(request.extensions());
    let mut response = measured::measure(request, next).await;
    browser::harden(&mut response, secure);
    response
}

/// What is logged of a request beside each line, and told to a collector of spans if there is one.
fn span(request: &Request, traced: bool) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (method, route) = (request.method(), request.extensions().get::<MatchedPath>());
    let route = route.map_or("none", MatchedPath::as_str);
    // A path that has a secret is not logged, nor one that nobody knows: it may be the same with a slip of the pen.
    let path = if route == "none" || route.contains("{token}") { route } else { request.uri().path() };
    if !traced {
        return tracing::info_span!("request", %method, path, id);
    }
    let name = format!("{method} {route}");
    tracing::info_span!("request", otel.name = name, otel.kind = "server", http.request.method = %method, http.route = route,
        http.response.status_code = Empty, url.path = path, id)
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
async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, answer).await;
    answer.unwrap_or_else(|_| mutual_credit::refused(crate::error::Error::Unavailable))
}

/// The process runs.
async fn alive() -> &'static str {
    "ok"
}
