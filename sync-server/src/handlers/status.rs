//! Whether the server is well, and how much it holds.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use outrider_core::{ids::to_hex, sync::frame::PROTOCOL_VERSION, time::TimestampMs};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    access::Eyes,
    auth::Caller,
    error::AppError,
    live::{self, Listener},
    state::AppState,
    storage::{Counts, StorageError},
};

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
    Caller(device): Caller,
) -> Result<Json<Status>, AppError> {
    let now_ms = state.now_ms();
    let status = state.run_as(Eyes::of_device(&device), move |storage| {
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
