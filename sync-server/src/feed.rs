//! Giving devices what changed.

use outrider_core::{
    sync::frame::{
        CHECK_PAGE, CheckRequest, CheckResponse, End, FetchRequest, Hello, PROTOCOL_VERSION,
        PullFrame, PullRequest,
    },
    time::TimestampMs,
};

use crate::storage::{Device, Storage, StorageError};

/// The reader went away, or read too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader went away")]
pub struct Stopped;

/// Takes one frame of an answer.
pub type Emit<'a> = dyn FnMut(PullFrame) -> Result<(), Stopped> + 'a;

/// Why an answer ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The reader went away.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Answers a pull.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn pull(
    storage: &dyn Storage,
    _device: &Device,
    request: &PullRequest,
    now_ms: TimestampMs,
    emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    let read = storage.read()?;
    emit(PullFrame::Hello(Hello {
        version: PROTOCOL_VERSION,
        instance: read.instance()?,
        is_cursor_known: read.feed_digest(request.position)? == Some(request.digest),
        streams: Vec::new(),
        now_ms,
        expected: 0,
    }))?;
    let position = read.position()?;
    emit(PullFrame::End(End {
        is_more: false,
        position,
        digest: read.feed_digest(position)?.unwrap_or_default(),
        streams: Vec::new(),
        reached: None,
    }))?;
    Ok(())
}

/// Answers a check.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails.
pub fn check(
    storage: &dyn Storage,
    _device: &Device,
    request: &CheckRequest,
) -> Result<CheckResponse, StorageError> {
    let documents = storage.read()?.document_digests(&request.stream, request.after, CHECK_PAGE)?;
    Ok(CheckResponse { documents })
}

/// Answers a fetch.
///
/// # Errors
///
/// Returns [`FeedError`] when the storage fails or the reader goes away.
pub fn fetch(
    _storage: &dyn Storage,
    _device: &Device,
    _request: &FetchRequest,
    _emit: &mut Emit<'_>,
) -> Result<(), FeedError> {
    Ok(())
}
