//! Signed heads: the server says where its chain stands, and devices say it back.
//!
//! A head is made at most once a minute, when there are new lines; devices get the newest one with
//! the end of a pull and report the last one that they hold with the next. A server whose chain
//! does not lead through a reported head was rewritten, cut, or restored from a backup: the audit
//! says so, and so does the log.

use outrider_core::{
    ids::DeviceId,
    sync::head::{AUDIT_HEAD_KIND, AuditHead},
    time::TimestampMs,
};

use crate::{
    keys::ServerKey,
    storage::{AuditLine, Read, Storage, StorageError},
};

/// Milliseconds between two heads, at least.
pub const HEAD_EVERY_MS: TimestampMs = 60_000;

/// The newest head; a fresh one if the last is a minute old and lines came since.
///
/// # Errors
///
/// [`StorageError`] when the storage fails.
pub fn newest_head(
    storage: &dyn Storage,
    key: &ServerKey,
    now_ms: TimestampMs,
) -> Result<Option<AuditHead>, StorageError> {
    let read = storage.read()?;
    if !is_due(&*read, now_ms)? {
        return read.audit_head();
    }
    drop(read);
    let mut write = storage.write()?;
    // Two that found it due at once make one head.
    if !is_due(&*write, now_ms)? {
        return write.audit_head();
    }
    let tip = write.audit_tip()?;
    let bytes = AuditHead::signed_bytes(tip.number, &tip.hash, now_ms);
    let signature = key.sign(AUDIT_HEAD_KIND, &bytes);
    let head = AuditHead { number: tip.number, hash: tip.hash, at: now_ms, signature };
    write.add_audit_head(&head)?;
    write.commit()?;
    Ok(Some(head))
}

/// Whether the last head is a minute old and lines came since.
fn is_due<R: Read + ?Sized>(read: &R, now_ms: TimestampMs) -> Result<bool, StorageError> {
    let newest = read.audit_head()?;
    // A clock that was set back must not keep heads from being made.
    let is_fresh = newest.as_ref().is_some_and(|head| (now_ms - head.at).abs() < HEAD_EVERY_MS);
    let number = newest.map_or(0, |head| head.number);
    Ok(!is_fresh && number < read.audit_tip()?.number)
}

/// Why a head does not fit the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// Another key signed it: this server's key was replaced, or the head is a forgery.
    Signature,
    /// The chain is shorter.
    Cut,
    /// The chain has another hash there.
    Hash,
    /// The line is missing though later ones are there.
    Missing,
}

impl Misfit {
    /// Its code in the audit.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Cut => "cut",
            Self::Hash => "hash",
            Self::Missing => "missing",
        }
    }
}

/// Whether the chain leads through a head; one that is older than what is kept is taken as it is.
///
/// # Errors
///
/// [`StorageError`] when the storage fails.
pub fn check_head(
    read: &dyn Read,
    head: &AuditHead,
    public_key: &[u8],
) -> Result<Option<Misfit>, StorageError> {
    if !head.is_signed_by(public_key) {
        return Ok(Some(Misfit::Signature));
    }
    if head.number > read.audit_tip()?.number {
        return Ok(Some(Misfit::Cut));
    }
    match read.audit_hash(head.number)? {
        Some(hash) if hash == head.hash => Ok(None),
        Some(_) => Ok(Some(Misfit::Hash)),
        None => {
            let kept_after = read.audit_anchor()?.map_or(0, |anchor| anchor.number);
            Ok((head.number > kept_after).then_some(Misfit::Missing))
        }
    }
}

/// Checks the head that a device reported; what does not fit is noted and said aloud.
///
/// # Errors
///
/// [`StorageError`] when the storage fails.
pub fn check_reported(
    storage: &dyn Storage,
    key: &ServerKey,
    device: DeviceId,
    head: &AuditHead,
    now_ms: TimestampMs,
) -> Result<Option<Misfit>, StorageError> {
    let misfit = check_head(&*storage.read()?, head, &key.public_key())?;
    let Some(found) = misfit else { return Ok(None) };
    tracing::error!(
        device.id = %device,
        head.number = head.number,
        code = found.code(),
        "THE AUDIT DOES NOT FIT WHAT A DEVICE REMEMBERS OF IT: lines were changed or cut off, or \
         the server was restored from a backup; run `audit verify --head FILE` with what the \
         device's `audit-head` prints"
    );
    let line = AuditLine::new(now_ms, "audit_rewritten").device(device);
    let mut write = storage.write()?;
    write.add_audit(&line.count(head.number).code(found.code()))?;
    write.commit()?;
    Ok(misfit)
}
