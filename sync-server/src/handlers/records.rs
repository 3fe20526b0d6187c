//! Single records: the history behind a document.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use minicbor::bytes::ByteVec;
use outrider_core::ids::DocumentId;

use crate::{
    access::Eyes,
    auth::Caller,
    error::AppError,
    feed::FeedError,
    state::AppState,
    storage::{Storage, whole_positions},
    stream::{Frames, stream},
};

/// Changes read at once.
const HISTORY_PAGE: usize = 64;

/// `GET /v1/records/{record}/{part}/history`: streams all changes of a document as they were
/// accepted, each a frame with one Automerge chunk.
pub(crate) async fn show_history(
    State(state): State<AppState>,
    Caller(device): Caller,
    Path((record, part)): Path<(String, String)>,
) -> Result<Response, AppError> {
    let (Ok(record), Ok(part)) = (record.parse(), part.parse()) else { return Err(not_found()) };
    let id = DocumentId { record, part };
    let wanted = id.clone();
    let is_known = state
        .run_as(Eyes::of_device(&device), move |storage| {
            storage.read()?.document(&wanted).map(|found| found.is_some())
        })
        .await?;
    if !is_known {
        return Err(not_found());
    }
    let (policies, now_ms) = (Arc::clone(&state.policies), state.now_ms());
    stream(&state, move |storage, frames| {
        let seen = policies.seen(storage, &Eyes::of_device(&device), now_ms)?;
        write_history(&seen, &id, frames)
    })
    .await
}

fn not_found() -> AppError {
    AppError::refused(StatusCode::NOT_FOUND, "not_found", "there is no such document")
}

fn write_history(
    storage: &dyn Storage,
    id: &DocumentId,
    frames: &mut Frames,
) -> Result<(), FeedError> {
    let read = storage.read()?;
    let mut position = 0;
    loop {
        let page = whole_positions(read.as_ref(), id, position, HISTORY_PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        position = last.position;
        for change in page {
            frames.write(&ByteVec::from(change.bytes))?;
        }
    }
}
