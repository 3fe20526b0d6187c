//! Bytes to changes and back: strict, bounded, and the same bytes that Automerge writes.
//!
//! Automerge's own reader believes what it reads: 69 bytes can cost it seconds and gigabytes, and
//! a change may be taken that makes its document unreadable. So nothing from outside reaches it
//! before it has passed here, cheapest check first: the frame (by our own reader), an inflate
//! within a limit, and a decoder for the small part of the format that Outrider's documents use,
//! in which every run length is checked before anything is made of it.
//!
//! A change of a flat document is then written again through Automerge's builder and must come
//! out as the same bytes. So each content has one form and one hash, and a mistake in this decoder
//! refuses a change instead of reading something into it that Automerge would not.

mod columns;
mod encode;
mod error;
mod framing;
mod head;
mod ops;
mod reader;
mod walk;

pub use encode::encode;
pub(in crate::crdt) use encode::encode_text_start;
pub use error::ChangeError;

use super::op::{Change, EncodedChange};
use crate::{
    ids::{ActorId, ChangeHash},
    time::TimestampMs,
};
use framing::Frame;
use head::Head;

/// Reads one change of a flat document, compressed or not.
///
/// # Errors
///
/// The first reason found why these are not the bytes that Automerge writes for a change of puts
/// and deletes of scalars in the root map, within the limits of [`crate::crdt::op`].
pub fn decode(bytes: &[u8]) -> Result<EncodedChange, ChangeError> {
    let frame = Frame::open(bytes)?;
    let head = Head::read(frame.body(), &columns::ALL)?;
    let encoded = encode(Change {
        ops: ops::read_ops(&head)?,
        actor: head.actor,
        seq: head.seq,
        start_op: head.start_op,
        time_ms: head.time_ms,
        message: head.message.map(str::to_owned),
        deps: head.deps,
    });
    if encoded.bytes != *frame.chunk || encoded.hash != frame.hash {
        return Err(ChangeError::NotCanonical);
    }
    Ok(encoded)
}

/// Bytes that one change takes uncompressed, as far as it may have them. A push is bounded by these: a
/// thousand changes of a few hundred bytes each can be three hundred megabytes.
#[must_use]
pub fn plain_bytes(bytes: &[u8]) -> usize {
    framing::plain_bytes(bytes)
}

/// What is known of a change without reading its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHeader {
    /// Who wrote it.
    pub actor: ActorId,
    /// How many changes this actor has written in the document, with this one.
    pub seq: u64,
    /// Counter of the first operation.
    pub start_op: u64,
    /// How many operations it has.
    pub op_count: usize,
    /// When the author's clock says that it was made.
    pub time_ms: TimestampMs,
    /// Hashes of the changes that it follows, ascending.
    pub deps: Vec<ChangeHash>,
    /// The SHA-256 that names it.
    pub hash: ChangeHash,
    /// One uncompressed Automerge change chunk.
    pub bytes: Vec<u8>,
}

impl ChangeHeader {
    /// Counter of the last operation.
    #[must_use]
    pub fn max_op(&self) -> u64 {
        self.start_op.saturating_add(self.op_count as u64).saturating_sub(1)
    }
}

/// Reads the head of one change of a text, compressed or not, and counts its operations.
///
/// It says nothing of what the operations do: that is for [`crate::crdt::text::accept`].
///
/// # Errors
///
/// The first reason found why these bytes must not be shown to Automerge.
pub fn header(bytes: &[u8]) -> Result<ChangeHeader, ChangeError> {
    let frame = Frame::open(bytes)?;
    let head = Head::read(frame.body(), &columns::ALL)?;
    let op_count = walk::count_ops(&head)?;
    Ok(ChangeHeader {
        actor: head.actor,
        seq: head.seq,
        start_op: head.start_op,
        op_count,
        time_ms: head.time_ms,
        deps: head.deps,
        hash: frame.hash,
        bytes: frame.chunk.into_owned(),
    })
}
