//! The state of a flat document: what survives, and what has been seen.
//!
//! A state stands for a whole history. It is enough to write the next change, to judge a change
//! that follows everything seen so far, and to be joined with another replica's state; who wrote
//! what before is the server's history, not needed here.

use std::collections::BTreeMap;

use super::op::{Action, Change, EncodedChange, OpId};
use crate::{
    ids::{ActorId, ChangeHash},
    value::Value,
};

/// Keys of one flat document, at most (keys that once held a value and are empty now not counted).
pub const DOCUMENT_KEYS_MAX: usize = 2_000;
/// Bytes of keys and values of one flat document, at most.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Concurrent values under one key, at most.
pub const SURVIVORS_MAX: usize = 64;
/// Actors that ever wrote in one document, at most.
pub const ACTORS_MAX: usize = 4_096;
/// Heads of one document, at most: the next change must be able to follow them all.
pub const HEADS_MAX: usize = 256;

/// How far one actor's changes have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Sequence number of its last change.
    pub seq: u64,
    /// Counter of its last operation.
    pub op: u64,
}

/// For each actor how far it has been seen.
pub type Clock = BTreeMap<ActorId, Seen>;

/// A change that nothing seen follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Names the change.
    pub hash: ChangeHash,
    /// Who wrote it.
    pub actor: ActorId,
    /// Its number among the actor's changes.
    pub seq: u64,
}

/// An operation that no other has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Names the operation.
    pub id: OpId,
    /// What it put.
    pub value: Value,
}

/// A flat document, ready to be read, written and joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// How often the document was re-rooted; a higher generation replaces a lower one whole.
    pub generation: u32,
    /// Changes that nothing seen follows, ascending by hash.
    pub heads: Vec<Head>,
    /// What has been seen.
    pub clock: Clock,
    /// Highest operation counter seen.
    pub max_op: u64,
    /// Surviving operations by key, ascending by id; no key is empty.
    pub keys: BTreeMap<String, Vec<Survivor>>,
}

/// The last change that this replica wrote itself in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// Under which actor.
    pub actor: ActorId,
    /// Its sequence number.
    pub seq: u64,
    /// Its hash, a dependency of the next change.
    pub hash: ChangeHash,
}

/// The highest operation of a key, with the ones beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register<'a> {
    /// The value that shows.
    pub winner: &'a Survivor,
    /// Concurrent values, ascending by operation id.
    pub others: &'a [Survivor],
}

/// Whether `clock` has seen the operation `id`.
#[must_use]
pub fn covers_op(clock: &Clock, id: OpId) -> bool {
    clock.get(&id.actor).is_some_and(|seen| seen.op >= id.counter)
}

/// Whether `clock` has seen everything that `other` has.
#[must_use]
pub fn covers_clock(clock: &Clock, other: &Clock) -> bool {
    other.iter().all(|(actor, seen)| clock.get(actor).is_some_and(|mine| mine.seq >= seen.seq))
}

/// Raises `clock` to at least `other`.
pub fn merge_clock(clock: &mut Clock, other: &Clock) {
    for (actor, seen) in other {
        let mine = clock.entry(*actor).or_default();
        mine.seq = mine.seq.max(seen.seq);
        mine.op = mine.op.max(seen.op);
    }
}

impl State {
    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clock.is_empty()
    }

    /// The hashes of the heads, ascending.
    #[must_use]
    pub fn head_hashes(&self) -> Vec<ChangeHash> {
        self.heads.iter().map(|head| head.hash).collect()
    }

    /// All surviving operations under `key`, ascending.
    #[must_use]
    pub fn survivors(&self, key: &str) -> &[Survivor] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// The ids of the surviving operations under `key`, ascending.
    #[must_use]
    pub fn survivor_ids(&self, key: &str) -> Vec<OpId> {
        self.survivors(key).iter().map(|survivor| survivor.id).collect()
    }

    /// The value under `key` and what stands beside it.
    #[must_use]
    pub fn register(&self, key: &str) -> Option<Register<'_>> {
        let (winner, others) = self.survivors(key).split_last()?;
        Some(Register { winner, others })
    }

    /// The keys under `prefix` (which ends with `/`), with the rest of their names.
    pub fn under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a [Survivor])> + 'a {
        self.keys
            .range(prefix.to_owned()..)
            .map_while(move |(key, ops)| Some((key.strip_prefix(prefix)?, ops.as_slice())))
    }

    /// Heads and counter with some of the keys: what the base of a change needs to know.
    #[must_use]
    pub fn narrowed_to<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        let found = keys.into_iter().filter_map(|key| self.keys.get_key_value(key));
        Self {
            generation: self.generation,
            heads: self.heads.clone(),
            clock: Clock::new(),
            max_op: self.max_op,
            keys: found.map(|(key, ops)| (key.clone(), ops.clone())).collect(),
        }
    }

    /// Bytes of keys and values, as limited by [`DOCUMENT_BYTES_MAX`].
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.keys
            .iter()
            .map(|(key, ops)| {
                key.len() + ops.iter().map(|op| op.value.size_bytes() + 8).sum::<usize>()
            })
            .sum()
    }

    /// Whether the document is within its limits.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        self.keys.len() <= DOCUMENT_KEYS_MAX
            && self.clock.len() <= ACTORS_MAX
            && self.heads.len() <= HEADS_MAX
            && self.keys.values().all(|ops| ops.len() <= SURVIVORS_MAX)
            && self.size_bytes() <= DOCUMENT_BYTES_MAX
    }

    /// Keys with more concurrent values than a document may have.
    #[must_use]
    pub fn crowded_keys(&self) -> Vec<String> {
        let crowded = self.keys.iter().filter(|(_, ops)| ops.len() > SURVIVORS_MAX);
        crowded.map(|(key, _)| key.clone()).collect()
    }

    /// Whether the change has been seen.
    #[must_use]
    pub fn has_seen(&self, change: &Change) -> bool {
        self.clock.get(&change.actor).is_some_and(|seen| seen.seq >= change.seq)
    }

    /// Whether the document stays within its limits for certain, whatever the change replaces;
    /// if not, only applying it tells.
    #[must_use]
    pub fn surely_holds(&self, change: &Change) -> bool {
        let count = change.ops.len();
        let bytes = change.ops.iter().map(|op| match &op.action {
            Action::Put(value) => op.key.len() + value.size_bytes() + 8,
            Action::Delete => 0,
        });
        self.keys.len() + count <= DOCUMENT_KEYS_MAX
            && self.clock.len() < ACTORS_MAX
            && self.heads.len() < HEADS_MAX
            && self.keys.values().all(|ops| ops.len() + count <= SURVIVORS_MAX)
            && self.size_bytes() + bytes.sum::<usize>() <= DOCUMENT_BYTES_MAX
    }

    /// Applies a change whose past has been seen: one written here, or one that the gate let pass.
    ///
    /// One that has been seen itself changes nothing.
    pub fn apply(&mut self, encoded: &EncodedChange) {
        let change = &encoded.change;
        if self.has_seen(change) {
            return;
        }
        for (id, op) in change.ops_with_ids() {
            let survivors = self.keys.entry(op.key.clone()).or_default();
            survivors.retain(|survivor| !op.pred.contains(&survivor.id));
            if let Action::Put(value) = &op.action {
                let at = survivors.partition_point(|survivor| survivor.id < id);
                survivors.insert(at, Survivor { id, value: value.clone() });
            }
            if survivors.is_empty() {
                self.keys.remove(&op.key);
            }
        }
        let max_op = change.max_op();
        self.clock.insert(change.actor, Seen { seq: change.seq, op: max_op });
        self.max_op = self.max_op.max(max_op);
        self.heads.retain(|head| !change.deps.contains(&head.hash));
        let head = Head { hash: encoded.hash, actor: change.actor, seq: change.seq };
        let at = self.heads.partition_point(|other| *other < head);
        self.heads.insert(at, head);
    }
}
