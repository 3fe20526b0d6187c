//! Retention: old lines go, and what stays can still be checked.
//!
//! Lines leave from the beginning alone. The hash of the last one that goes is kept in an anchor,
//! signed by the server, from which the chain goes on; and a line says that, and how many, went.

use outrider_core::time::TimestampMs;

use crate::{
    keys::ServerKey,
    storage::{AuditLine, Storage, StorageError, audit::AuditAnchor},
};

/// The kind under which anchors are signed.
pub const ANCHOR_KIND: &str = "audit anchor";

impl AuditAnchor {
    /// What is signed: number and time in 8 bytes each, the first one highest, and the hash.
    #[must_use]
    pub fn signed_bytes(number: u64, hash: &[u8; 32], at: TimestampMs) -> Vec<u8> {
        [&number.to_be_bytes()[..], &at.to_be_bytes(), hash].concat()
    }
}

/// Takes lines away that were written before `before`; returns how many.
///
/// A line that is younger keeps all that follow it, whatever their clock says.
///
/// # Errors
///
/// [`StorageError`] when the storage fails.
pub fn prune(
    storage: &dyn Storage,
    key: &ServerKey,
    before: TimestampMs,
    now_ms: TimestampMs,
) -> Result<u64, StorageError> {
    let mut write = storage.write()?;
    let kept_after = write.audit_anchor()?.map_or(0, |anchor| anchor.number);
    let number = write.audit_number_before(before)?;
    let count = number.saturating_sub(kept_after);
    if count == 0 {
        return Ok(0);
    }
    let hash = write.audit_hash(number)?;
    let hash = hash.ok_or_else(|| StorageError::Damaged("the audit has a gap".to_owned()))?;
    let signature = key.sign(ANCHOR_KIND, &AuditAnchor::signed_bytes(number, &hash, now_ms));
    // The line first: the chain goes on from the last line even if all others go.
    write.add_audit(&AuditLine::new(now_ms, "audit_pruned").count(count))?;
    write.prune_audit(&AuditAnchor { number, hash, at: now_ms, signature })?;
    write.commit()?;
    Ok(count)
}
