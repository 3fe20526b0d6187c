//! Accepting what devices send.

use outrider_core::{
    sync::frame::{PushRequest, PushResponse},
    time::TimestampMs,
};

use crate::storage::{Device, Storage, StorageError};

/// Judges and commits a batch of changes.
///
/// # Errors
///
/// Returns [`StorageError`] when the storage fails.
pub fn push(
    _storage: &dyn Storage,
    _device: &Device,
    _request: &PushRequest,
    _now_ms: TimestampMs,
) -> Result<PushResponse, StorageError> {
    Ok(PushResponse { answers: Vec::new() })
}
