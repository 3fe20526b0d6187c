//! Whether the server is well, and how much it holds.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use outrider_core::{ids::to_hex, sync::frame::PROTOCOL_VERSION, time::TimestampMs};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    auth::Caller,
    error::AppError,
    live::{self, Listener},
    state::AppState,
    storage::{Counts, StorageError},
};

/// Nothing is loaded, run or framed by the page.
const PAGE_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

/// How the server stands, for a device.
#[derive(Serialize)]
pub(crate) struct Status {
    instance: String,
    protocol: u8,
    position: u64,
    now_ms: TimestampMs,
    #[serde(flatten)]
    counts: Counts,
}

/// `GET /health`: the process lives.
pub(crate) async fn show_health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /ready`: the storage answers.
pub(crate) async fn show_ready(State(state): State<AppState>) -> Response {
    match state.run(|storage| storage.read()?.position()).await {
        Ok(_) => Json(json!({ "status": "ok" })).into_response(),
        Err(error) => {
            let mut response = error.into_response();
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

/// `GET /v1/status`: counts and position, for an enrolled device.
pub(crate) async fn show_status(
    State(state): State<AppState>,
    _caller: Caller,
) -> Result<Json<Status>, AppError> {
    let now_ms = state.now_ms();
    let status = state.run(move |storage| {
        let read = storage.read()?;
        Ok::<_, StorageError>(Status {
            instance: to_hex(&read.instance()?),
            protocol: PROTOCOL_VERSION,
            position: read.position()?,
            now_ms,
            counts: read.counts()?,
        })
    });
    status.await.map(Json)
}

/// `GET /v1/live`: announces the position of each commit to a device, as server-sent events.
pub(crate) async fn announce_positions(
    State(state): State<AppState>,
    Caller(device): Caller,
) -> Result<Response, AppError> {
    live::events(&state, Listener::Device(device.id)).await
}

/// `GET /`: a page for people that says that the server runs.
pub(crate) async fn show_page(State(state): State<AppState>) -> Result<Response, AppError> {
    let counts = state.run(|storage| storage.read()?.counts()).await?;
    let page = Html(page_of(&counts));
    Ok(([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], page).into_response())
}

fn page_of(counts: &Counts) -> String {
    let Counts { documents, changes, devices } = counts;
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Outrider</title>\n\
         <h1>Outrider</h1>\n<p>The sync server is running.</p>\n\
         <table>\n<tr><th align=\"left\">Documents<td align=\"right\">{documents}\n\
         <tr><th align=\"left\">Changes<td align=\"right\">{changes}\n\
         <tr><th align=\"left\">Devices<td align=\"right\">{devices}\n</table>\n</html>\n"
    )
}
