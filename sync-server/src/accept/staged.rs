//! Documents as they stand during a push, and what one group wants to change about them.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{
        Clock, EncodedChange, OpId,
        history::{History, PastChange, PastOp, op_of},
    },
    ids::{ActorId, ChangeHash, DocumentId, RecordId},
};

use super::{NewChanges, empty_content};
use crate::storage::{Content, Read, StorageError, StoredDocument};

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

    pub(super) fn generation(&self) -> u32 {
        match &self.content {
            Content::Flat(state) => state.generation,
            Content::Text(text) => text.generation,
        }
    }
}

/// What one group wants to change.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) documents: BTreeMap<DocumentId, Held>,
    pub(super) changes: NewChanges,
    /// Flat changes with the clock of themselves, for members that follow them.
    pub(super) flat: Vec<(DocumentId, EncodedChange, Clock)>,
}

/// A document's history: what is stored, and what the group staged before.
pub(super) struct StagedHistory<'a, R: Read + ?Sized> {
    pub(super) id: &'a DocumentId,
    pub(super) stored: &'a R,
    pub(super) staged: &'a Staged,
}

impl<R: Read + ?Sized> StagedHistory<'_, R> {
    fn staged(&self) -> impl Iterator<Item = (&EncodedChange, &Clock)> {
        self.staged
            .flat
            .iter()
            .filter(|(id, _, _)| id == self.id)
            .map(|(_, encoded, clock)| (encoded, clock))
    }
}

impl<R: Read + ?Sized> History for StagedHistory<'_, R> {
    type Error = StorageError;

    fn change(&self, hash: ChangeHash) -> Result<Option<PastChange>, StorageError> {
        if let Some((_, clock)) = self.staged().find(|(encoded, _)| encoded.hash == hash) {
            return Ok(Some(PastChange { hash, clock: clock.clone() }));
        }
        let stored = self.stored.change(self.id, hash)?;
        Ok(stored.map(|change| PastChange { hash, clock: change.clock }))
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
        let encoded = outrider_core::crdt::decode(&stored.bytes)
            .map_err(|error| StorageError::Damaged(format!("{}: {error}", self.id)))?;
        Ok(op_of(&encoded, id))
    }
}
