//! What came before a change of a text: who wrote what, and what a change can have seen.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change};

use super::{TextError, document::ours};
use crate::{
    crdt::op::OpId,
    ids::{ActorId, ChangeHash},
};

/// The changes of one text.
pub(super) struct History {
    changes: BTreeMap<ChangeHash, Entry>,
    by_actor: BTreeMap<ActorId, Vec<ChangeHash>>,
    /// All operations together.
    pub(super) ops: u64,
}

struct Entry {
    actor: ActorId,
    seq: u64,
    deps: Vec<ChangeHash>,
    start_op: u64,
    max_op: u64,
    change: Change,
    /// Which operations insert a character; found out when it is asked for.
    inserts: Option<Vec<bool>>,
}

/// What a change follows.
#[derive(Default)]
pub(super) struct Past {
    changes: BTreeSet<ChangeHash>,
    /// Per actor its last change.
    pub(super) seqs: BTreeMap<ActorId, u64>,
    /// The highest operation counter.
    pub(super) max_op: u64,
}

impl Past {
    /// Whether the change is among those followed.
    pub(super) fn contains(&self, hash: ChangeHash) -> bool {
        self.changes.contains(&hash)
    }
}

impl History {
    /// Reads the history of a document.
    pub(super) fn of(doc: &Automerge) -> Result<Self, TextError> {
        let mut history = Self { changes: BTreeMap::new(), by_actor: BTreeMap::new(), ops: 0 };
        for change in doc.get_changes(&[]) {
            let actor =
                ActorId::try_from(change.actor_id().to_bytes()).map_err(|_| TextError::NotAText)?;
            let hash = ChangeHash(change.hash().0);
            history.ops += change.len() as u64;
            history.by_actor.entry(actor).or_default().push(hash);
            let entry = Entry {
                actor,
                seq: change.seq(),
                deps: ours(change.deps().to_vec()),
                start_op: change.start_op().get(),
                max_op: change.max_op(),
                change,
                inserts: None,
            };
            history.changes.insert(hash, entry);
        }
        Ok(history)
    }

    /// How many changes there are.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether the change is part of the text.
    pub(super) fn contains(&self, hash: ChangeHash) -> bool {
        self.changes.contains_key(&hash)
    }

    /// The number of the actor's last change, 0 if it has none.
    pub(super) fn last_seq(&self, actor: ActorId) -> u64 {
        let hashes = self.by_actor.get(&actor).into_iter().flatten();
        hashes.filter_map(|hash| self.changes.get(hash)).map(|entry| entry.seq).max().unwrap_or(0)
    }

    /// All that a change with these dependencies follows.
    pub(super) fn past(&self, deps: &[ChangeHash]) -> Past {
        let mut past = Past::default();
        let mut next = deps.to_vec();
        while let Some(hash) = next.pop() {
            let Some(entry) = self.changes.get(&hash) else { continue };
            if past.changes.insert(hash) {
                let seq = past.seqs.entry(entry.actor).or_default();
                *seq = entry.seq.max(*seq);
                past.max_op = entry.max_op.max(past.max_op);
                next.extend(&entry.deps);
            }
        }
        past
    }

    /// Whether `id` inserted a character, in a change that is part of `past`.
    pub(super) fn is_insert(&mut self, id: OpId, past: &Past) -> bool {
        let hashes = self.by_actor.get(&id.actor).map(Vec::as_slice).unwrap_or_default();
        // An actor's changes are in the order of their counters.
        let after = hashes.partition_point(|hash| {
            self.changes.get(hash).is_some_and(|entry| entry.start_op <= id.counter)
        });
        let Some(hash) = after.checked_sub(1).and_then(|before| hashes.get(before)) else {
            return false;
        };
        let Some(entry) = self.changes.get_mut(hash).filter(|_| past.contains(*hash)) else {
            return false;
        };
        let change = &entry.change;
        let inserts = entry
            .inserts
            .get_or_insert_with(|| change.decode().operations.iter().map(|op| op.insert).collect());
        usize::try_from(id.counter - entry.start_op)
            .is_ok_and(|index| inserts.get(index).copied().unwrap_or(false))
    }
}
