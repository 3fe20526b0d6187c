//! Single records: the history behind a document.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use minicbor::bytes::ByteVec;
use outrider_core::ids::DocumentId;

use crate::{
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
    _caller: Caller,
    Path((record, part)): Path<(String, String)>,
) -> Result<Response, AppError> {
    let (Ok(record), Ok(part)) = (record.parse(), part.parse()) else { return Err(not_found()) };
    let id = DocumentId { record, part };
    let wanted = id.clone();
    let is_known = state
        .run(move |storage| storage.read()?.document(&wanted).map(|found| found.is_some()))
        .await?;
    if !is_known {
        return Err(not_found());
    }
    stream(&state, move |storage, frames| write_history(storage, &id, frames)).await
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
