//! Operations and changes of a flat document, decoded.

use crate::{
    ids::{ActorId, ChangeHash},
    time::TimestampMs,
    value::Value,
};

/// Operations in one change, at most.
pub const CHANGE_OPS_MAX: usize = 2_000;
/// Operations in one change of a text, at most: one for each character put in or taken out.
pub const TEXT_CHANGE_OPS_MAX: usize = 10_000;
/// Bytes of one change, uncompressed, at most: the largest document in a single change.
pub const CHANGE_BYTES_MAX: usize = 320 * 1024;
/// Dependencies of one change, at most: every head of a document, and the author's own last change.
pub const CHANGE_DEPS_MAX: usize = 257;
/// Predecessors of one operation, at most: all that survive under a key, and the author's own.
pub const OP_PREDS_MAX: usize = 65;
/// Bytes of one key, at most.
pub const KEY_BYTES_MAX: usize = 256;
/// Bytes of one value, at most.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a change's message, at most.
pub const MESSAGE_BYTES_MAX: usize = 1_024;
/// Earliest time of a change: the first millisecond of the year 1.
pub const TIME_MS_MIN: TimestampMs = -62_135_596_800_000;
/// Latest time of a change: the last millisecond of the year 9999.
pub const TIME_MS_MAX: TimestampMs = 253_402_300_799_999;
/// Highest operation counter; far below `u32::MAX`, near which Automerge panics.
pub const OP_COUNTER_MAX: u64 = 1 << 31;

/// Names an operation: what its author had counted to, and the author.
///
/// The order is the one that decides which of several concurrent values shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// Lamport counter within the document, from 1.
    pub counter: u64,
    /// Who wrote it.
    pub actor: ActorId,
}

/// What an operation does to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Puts a value in place of the predecessors.
    Put(Value),
    /// Removes the predecessors.
    Delete,
}

/// One operation on a key of the root map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The key in the root map.
    pub key: String,
    /// What happens there.
    pub action: Action,
    /// The operations of the same key that this one replaces, ascending.
    pub pred: Vec<OpId>,
}

/// What one actor did to one document at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who wrote it.
    pub actor: ActorId,
    /// How many changes this actor has written in the document, with this one.
    pub seq: u64,
    /// Counter of the first operation.
    pub start_op: u64,
    /// When the author's clock says that it was made.
    pub time_ms: TimestampMs,
    /// Free words, used for edits that the office enters for somebody.
    pub message: Option<String>,
    /// Hashes of the changes that it follows, ascending.
    pub deps: Vec<ChangeHash>,
    /// What it does, in order.
    pub ops: Vec<Op>,
}

impl Change {
    /// Counter of the last operation (`start_op - 1` if there is none).
    #[must_use]
    pub fn max_op(&self) -> u64 {
        self.start_op + self.ops.len() as u64 - 1
    }

    /// The operations with their ids.
    pub fn ops_with_ids(&self) -> impl Iterator<Item = (OpId, &Op)> {
        (self.start_op..)
            .zip(&self.ops)
            .map(|(counter, op)| (OpId { counter, actor: self.actor }, op))
    }
}

/// A change with the bytes that Automerge would write for it, and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedChange {
    /// The decoded change.
    pub change: Change,
    /// The SHA-256 that names it.
    pub hash: ChangeHash,
    /// One uncompressed Automerge change chunk.
    pub bytes: Vec<u8>,
}
