//! What a server remembers of a document, as the gate asks for it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    op::{Action, EncodedChange, OpId},
    state::{Clock, Seen},
};
use crate::ids::{ActorId, ChangeHash};

/// A change of the past, without its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// Names the change.
    pub hash: ChangeHash,
    /// Everything that it follows, with itself.
    pub clock: Clock,
}

/// An operation of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastOp {
    /// The key that it wrote.
    pub key: String,
    /// Whether it was a delete, which nothing can replace.
    pub is_delete: bool,
}

/// The accepted changes of one document.
pub trait History {
    /// Why a look-up failed (the storage's error).
    type Error;

    /// The change named `hash`.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    fn change(&self, hash: ChangeHash) -> Result<Option<PastChange>, Self::Error>;

    /// The hash of the `seq`-th change of `actor`.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    fn hash_of(&self, actor: ActorId, seq: u64) -> Result<Option<ChangeHash>, Self::Error>;

    /// The operation `id`.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    fn op(&self, id: OpId) -> Result<Option<PastOp>, Self::Error>;

    /// Those of the operations `ids` that there are; `None` if looking for them would mean to read
    /// more of the past than one change may cost.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    fn ops(&self, ids: &BTreeSet<OpId>) -> Result<Option<BTreeMap<OpId, PastOp>>, Self::Error> {
        let mut found = BTreeMap::new();
        for id in ids {
            if let Some(op) = self.op(*id)? {
                found.insert(*id, op);
            }
        }
        Ok(Some(found))
    }
}

/// A history in memory, for tests and for groups that are not committed yet.
#[derive(Debug, Clone, Default)]
pub struct MemoryHistory {
    changes: BTreeMap<ChangeHash, (EncodedChange, Clock)>,
    by_seq: BTreeMap<(ActorId, u64), ChangeHash>,
}

impl MemoryHistory {
    /// Remembers a change whose dependencies are in `clocks_of_deps`.
    pub fn insert(&mut self, encoded: EncodedChange, past: &Clock) {
        let clock = clock_with(past, &encoded);
        self.by_seq.insert((encoded.change.actor, encoded.change.seq), encoded.hash);
        self.changes.insert(encoded.hash, (encoded, clock));
    }

    /// All changes, in no particular order.
    pub fn changes(&self) -> impl Iterator<Item = &EncodedChange> {
        self.changes.values().map(|(encoded, _)| encoded)
    }
}

/// `past` with `encoded` on top: the clock that a history keeps beside the change.
#[must_use]
pub fn clock_with(past: &Clock, encoded: &EncodedChange) -> Clock {
    let mut clock = past.clone();
    let seen = Seen { seq: encoded.change.seq, op: encoded.change.max_op() };
    clock.insert(encoded.change.actor, seen);
    clock
}

/// Those of the operations `ids` that `encoded` has.
pub fn ops_of<'a>(
    encoded: &'a EncodedChange,
    ids: &'a BTreeSet<OpId>,
) -> impl Iterator<Item = (OpId, PastOp)> + 'a {
    let wanted = encoded.change.ops_with_ids().filter(|(id, _)| ids.contains(id));
    wanted.map(|(id, op)| {
        (id, PastOp { key: op.key.clone(), is_delete: op.action == Action::Delete })
    })
}

/// The operation `id` of `encoded`, if it is there.
#[must_use]
pub fn op_of(encoded: &EncodedChange, id: OpId) -> Option<PastOp> {
    let (_, op) = encoded.change.ops_with_ids().find(|(known, _)| *known == id)?;
    Some(PastOp { key: op.key.clone(), is_delete: op.action == Action::Delete })
}

impl History for MemoryHistory {
    type Error = std::convert::Infallible;

    fn change(&self, hash: ChangeHash) -> Result<Option<PastChange>, Self::Error> {
        Ok(self.changes.get(&hash).map(|(_, clock)| PastChange { hash, clock: clock.clone() }))
    }

    fn hash_of(&self, actor: ActorId, seq: u64) -> Result<Option<ChangeHash>, Self::Error> {
        Ok(self.by_seq.get(&(actor, seq)).copied())
    }

    fn op(&self, id: OpId) -> Result<Option<PastOp>, Self::Error> {
        let found =
            self.by_seq.range((id.actor, 0)..=(id.actor, u64::MAX)).find_map(|(_, hash)| {
                let (encoded, _) = self.changes.get(hash)?;
                op_of(encoded, id)
            });
        Ok(found)
    }
}
