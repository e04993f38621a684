//! `/metrics`, and what is measured of requests. Which figures there are and what they mean is in `meters`.

use crate::app::App;
use crate::meters;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::time::Instant;

/// In the text form of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What figures are read from, here or at an address of its own.
pub fn router<S: Clone + Send + Sync + 'static>(app: App) -> Router<S> {
    Router::new().route("/metrics", get(figures)).with_state(app)
}

async fn figures(State(app): State<App>) -> Response {
    meters::scrape(&app.db).await;
    ([(header::CONTENT_TYPE, TEXT)], meters::text()).into_response()
}

/// Counts a request and its time by its route: never by its path, of which there are as many as there are clients with ideas.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let (began, counted) = (Instant::now(), meters::request_begins());
    let response = next.run(request).await;
    // For those who collect spans; others have no such field.
    tracing::Span::current().record("http.response.status_code", response.status().as_u16());
    counted.ends(method, route, response.status().as_u16(), began.elapsed());
    response
}

const fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
