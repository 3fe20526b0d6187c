//! One line in the log for each request, and headers that every answer has.

use std::{any::Any, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{Instrument, field::Empty};
use uuid::Uuid;

use crate::{error::AppError, web::FOR_EVER};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names the request, runs it, and says how it ended. The route is logged, not the path: a path
/// may hold anything.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", request.id = %id, route, device = Empty);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        tracing::info!(status = response.status().as_u16(), elapsed_ms, "answered a request");
    });
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Files under names made of their content alone may be kept.
    if headers.get(header::CACHE_CONTROL) != Some(&FOR_EVER) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// What a client is told when a handler panicked; the panic itself is on standard error.
pub(crate) fn answer_panic(_panic: Box<dyn Any + Send>) -> Response {
    AppError::Internal("a handler panicked").into_response()
}
