//! Documents as they stand during a push, and what one group wants to change about them.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use outrider_core::{
    crdt::{
        Clock, EncodedChange, OpId,
        history::{History, PastChange, PastOp, op_of, ops_of},
        text::TextGate,
    },
    ids::{ActorId, ChangeHash, DocumentId, RecordId},
};

use super::{NewChanges, empty_content};
use crate::storage::{Content, Read, StorageError, StoredChange, StoredDocument};

/// Bytes that an actor takes in a clock.
const CLOCK_ENTRY_BYTES: usize = 32;
/// Bytes that a key takes in a state beside what it says.
const KEY_OVERHEAD_BYTES: usize = 64;

/// Bytes that an operation takes beside its key and its predecessors.
const OP_OVERHEAD_BYTES: usize = 80;
/// Bytes of one predecessor.
const PRED_BYTES: usize = 24;

/// A document as it stands.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Name of its entity; `None` while it does not exist.
    pub(super) entity: Option<String>,
    pub(super) family: RecordId,
    /// The family under which it is stored; `None` while it does not exist.
    pub(super) stored_family: Option<RecordId>,
    pub(super) content: Content,
    pub(super) is_changed: bool,
}

impl Held {
    pub(super) fn stored(stored: StoredDocument) -> Self {
        Self {
            entity: Some(stored.entity),
            family: stored.family,
            stored_family: Some(stored.family),
            content: stored.content,
            is_changed: false,
        }
    }

    pub(super) fn new(id: &DocumentId) -> Self {
        Self {
            entity: None,
            family: id.record,
            stored_family: None,
            content: empty_content(id),
            is_changed: false,
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.content {
            Content::Flat(state) => {
                let seen = state.clock.len() * CLOCK_ENTRY_BYTES;
                state.size_bytes() + state.keys.len() * KEY_OVERHEAD_BYTES + seen
            }
            Content::Text(text) => text.saved.len() + text.text.len(),
        }
    }

    pub(super) fn generation(&self) -> u32 {
        match &self.content {
            Content::Flat(state) => state.generation,
            Content::Text(text) => text.generation,
        }
    }
}

/// Bytes that a change takes, about.
pub(super) fn change_bytes(encoded: &EncodedChange) -> usize {
    let ops = encoded.change.ops.iter();
    let ops = ops.map(|op| OP_OVERHEAD_BYTES + op.key.len() + op.pred.len() * PRED_BYTES);
    encoded.bytes.len() + ops.sum::<usize>()
}

/// What one group wants to change.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) documents: BTreeMap<DocumentId, Held>,
    pub(super) changes: NewChanges,
    /// Flat changes with the clock of themselves, for members that follow them.
    pub(super) flat: Vec<(DocumentId, EncodedChange, Clock)>,
    /// Long texts that it changes; their contents among the documents follow when all were looked at.
    pub(super) texts: BTreeMap<DocumentId, TriedGate>,
}

/// A long text that a group changes.
#[derive(Debug)]
pub(super) struct TriedGate {
    pub(super) gate: TextGate,
    /// Characters that its field may have.
    pub(super) chars_max: Option<usize>,
    /// The last change that was looked at, with its author and number.
    pub(super) last: Option<(ChangeHash, (ActorId, u64))>,
}

/// Bytes of the past that judging one change may read, at most: a hundred of the largest changes.
pub const PAST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A document's history: what is stored, and what the group staged before.
pub(super) struct StagedHistory<'a, R: Read + ?Sized> {
    pub(super) id: &'a DocumentId,
    pub(super) stored: &'a R,
    pub(super) staged: &'a Staged,
    /// Bytes that were read so far.
    pub(super) read_bytes: Cell<usize>,
}

impl<R: Read + ?Sized> StagedHistory<'_, R> {
    fn staged(&self) -> impl Iterator<Item = (&EncodedChange, &Clock)> {
        self.staged
            .flat
            .iter()
            .filter(|(id, _, _)| id == self.id)
            .map(|(_, encoded, clock)| (encoded, clock))
    }

    fn note(&self, change: &StoredChange) {
        let bytes = change.bytes.len() + change.clock.len() * CLOCK_ENTRY_BYTES;
        self.read_bytes.set(self.read_bytes.get() + bytes);
    }

    fn read(&self, stored: &StoredChange) -> Result<EncodedChange, StorageError> {
        outrider_core::crdt::decode(&stored.bytes)
            .map_err(|error| StorageError::Damaged(format!("{}: {error}", self.id)))
    }
}

impl<R: Read + ?Sized> History for StagedHistory<'_, R> {
    type Error = StorageError;

    fn change(&self, hash: ChangeHash) -> Result<Option<PastChange>, StorageError> {
        if let Some((_, clock)) = self.staged().find(|(encoded, _)| encoded.hash == hash) {
            return Ok(Some(PastChange { hash, clock: clock.clone() }));
        }
        let stored = self.stored.change(self.id, hash)?;
        Ok(stored.map(|change| {
            self.note(&change);
            PastChange { hash, clock: change.clock }
        }))
    }

    fn hash_of(&self, actor: ActorId, seq: u64) -> Result<Option<ChangeHash>, StorageError> {
        let staged = self
            .staged()
            .find(|(encoded, _)| encoded.change.actor == actor && encoded.change.seq == seq);
        match staged {
            Some((encoded, _)) => Ok(Some(encoded.hash)),
            None => self.stored.change_hash(self.id, actor, seq),
        }
    }

    fn op(&self, id: OpId) -> Result<Option<PastOp>, StorageError> {
        if let Some(found) = self.staged().find_map(|(encoded, _)| op_of(encoded, id)) {
            return Ok(Some(found));
        }
        let Some(stored) = self.stored.change_with_op(self.id, id)? else { return Ok(None) };
        self.note(&stored);
        Ok(op_of(&self.read(&stored)?, id))
    }

    fn ops(&self, ids: &BTreeSet<OpId>) -> Result<Option<BTreeMap<OpId, PastOp>>, StorageError> {
        let mut found: BTreeMap<OpId, PastOp> =
            self.staged().flat_map(|(encoded, _)| ops_of(encoded, ids)).collect();
        // The operations of an actor one after the other: those of one change stand together.
        let mut rest: Vec<OpId> =
            ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
        rest.sort_unstable_by_key(|id| (id.actor, id.counter));
        let mut read: Option<(ActorId, u64)> = None;
        for id in rest {
            if read.is_some_and(|(actor, max_op)| actor == id.actor && id.counter <= max_op) {
                continue;
            }
            let Some(stored) = self.stored.change_with_op(self.id, id)? else { continue };
            self.note(&stored);
            if self.read_bytes.get() > PAST_BYTES_MAX {
                return Ok(None);
            }
            found.extend(ops_of(&self.read(&stored)?, ids));
            read = Some((id.actor, stored.max_op));
        }
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests;
