//! What browsers are told: which pages may use the API, and what they may do with an answer that is opened as a page.

use super::REQUEST_ID;
use crate::config::Protection;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

/// How long a browser may remember what it was told.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3_600);

/// Any page may use the API, unless the operator lists them: who somebody is travels in a header that no page has by itself, and in no cookie.
pub(super) fn origins(protection: &Protection) -> CorsLayer {
    let origins = match &protection.origins {
        None => AllowOrigin::from(Any),
        Some(origins) => AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("idempotency-key")])
        .expose_headers([HeaderName::from_static("idempotency-replayed"), header::RETRY_AFTER, REQUEST_ID])
        .max_age(PREFLIGHT_AGE)
}

/// Nothing is run, framed, guessed at or kept, unless whoever answers says otherwise.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-cache, must-revalidate, no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::PRAGMA, "no-cache"),
    (header::EXPIRES, "0"),
];

/// For a year, and only said over TLS.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds what an answer does not say itself; `secure` if it goes over TLS.
pub(super) fn harden(response: &mut Response, secure: bool) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if secure {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(ONLY_TLS);
    }
}
