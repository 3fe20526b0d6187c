//! Every route, and what surrounds them.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer},
};

use crate::{
    audit::reading,
    body::QUESTION_BYTES_MAX,
    config::millis,
    error::AppError,
    guard::guard,
    handlers::{
        devices::*, enrolment::*, export::*, history::*, records::*, search::*, status::*, sync::*,
    },
    limits::rate_limit,
    observe::{answer_panic, observe},
    state::AppState,
    web::{failure::Failure, finish},
};

/// The whole server as one service. Call it within a runtime.
pub fn router(state: AppState) -> Router {
    let network = &state.config.network;
    let limits = &state.config.limits;
    let per_second = Duration::from_secs(1) / limits.requests_per_second.get();
    let per_minute = Duration::from_secs(60) / limits.enrolments_per_minute.get();
    let enrolments = rate_limit(per_minute, limits.enrolments_per_minute);
    // Devices that wait ask every few seconds; what they are asked by is not guessed at.
    let claims = rate_limit(per_second, limits.requests_burst);
    let confirmations = rate_limit(per_minute, limits.enrolments_per_minute);
    let question = DefaultBodyLimit::max(QUESTION_BYTES_MAX);
    let push = DefaultBodyLimit::max(limits.body_bytes_max as usize);
    let enrolment = DefaultBodyLimit::max(ENROLMENT_BYTES_MAX as usize);

    // Pages and devices are counted apart: whoever guesses passwords, or loads pages, from the
    // address of an office keeps no device there from syncing.
    let pages = crate::web::routes(&state).layer(rate_limit(per_second, limits.requests_burst));
    let devices = Router::new()
        .route("/v1/enroll", post(enrol_device).layer((enrolments, enrolment)))
        .route("/v1/enroll/status", post(claim_enrolment).layer((claims, enrolment)))
        .route("/v1/token", post(exchange_token).layer(enrolment))
        .route("/v1/device", get(show_device))
        .route("/v1/purged", post(confirm_purged).layer(enrolment))
        .route("/v1/wiped", post(confirm_wiped).layer((confirmations, enrolment)))
        .route("/v1/ca", get(show_authority))
        .route("/v1/push", post(push_changes).layer(push))
        .route("/v1/review", post(review_changes).layer(push))
        .route("/v1/pull", post(pull_changes).layer(question))
        .route("/v1/check", post(check_stream).layer(question))
        .route("/v1/fetch", post(fetch_documents).layer(question))
        .route("/v1/records/{record}", get(show_record))
        .route("/v1/records/{record}/changes", get(show_changes))
        .route("/v1/records/{record}/{part}/history", get(show_history))
        .route("/v1/records/{record}/{part}/automerge", get(show_automerge))
        .route("/v1/search", get(search_records))
        .route("/v1/near", get(list_near))
        .route("/v1/export/{entity}", get(export_records))
        .route("/v1/status", get(show_status))
        .route("/v1/live", get(announce_positions))
        .layer(rate_limit(per_second, limits.requests_burst));
    Router::new()
        .merge(pages)
        .merge(devices)
        .layer(from_fn_with_state(state.clone(), reading::note))
        // Asked by machines that watch the server, from one address: not counted.
        .route("/health", get(show_health))
        .route("/ready", get(show_ready))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(RequestBodyTimeoutLayer::new(millis(network.body_pause_ms)))
        .layer(RequestBodyDeadlineLayer::new(millis(network.body_timeout_ms)))
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(from_fn(finish))
        .layer(map_response_with_state(state.clone(), by_tls_alone))
        .layer(from_fn(observe))
        .with_state(state)
}

/// Who came by TLS once comes by TLS alone for a year.
async fn by_tls_alone(State(state): State<AppState>, mut response: Response) -> Response {
    if state.config.is_https() {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

async fn no_route(request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_browser = accepts.is_some_and(|types| types.contains("text/html"));
    if is_browser && !request.uri().path().starts_with("/v1/") {
        return Failure::NotFound.into_response();
    }
    AppError::refused(StatusCode::NOT_FOUND, "not_found", "there is nothing here").into_response()
}

async fn no_method() -> AppError {
    let words = "this is not done by that method";
    AppError::refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words)
}
