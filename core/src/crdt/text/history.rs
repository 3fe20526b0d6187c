//! What came before a change of a text: who wrote what, and what a change can have seen.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, ReadDoc as _};

use super::{TextChange, TextError, document::ours};
use crate::{
    crdt::op::OpId,
    ids::{ActorId, ChangeHash},
};

/// Changes that are looked up one by one; if more are needed, all are read at once, which costs
/// as much as some thousand characters.
const LOOKUPS_MAX: usize = 4;

/// The changes of one text.
#[derive(Debug)]
pub(super) struct History {
    lookups: usize,
    changes: BTreeMap<ChangeHash, Entry>,
    by_actor: BTreeMap<ActorId, Vec<ChangeHash>>,
    /// All operations together.
    pub(super) ops: u64,
}

#[derive(Debug)]
struct Entry {
    actor: ActorId,
    seq: u64,
    deps: Vec<ChangeHash>,
    start_op: u64,
    max_op: u64,
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
        let (changes, by_actor) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        let mut history = Self { lookups: 0, changes, by_actor, ops: 0 };
        for meta in doc.get_changes_meta(&[]) {
            let actor =
                ActorId::try_from(meta.actor.to_bytes()).map_err(|_| TextError::NotAText)?;
            let hash = ChangeHash(meta.hash.0);
            history.ops += (meta.max_op + 1).saturating_sub(meta.start_op);
            history.by_actor.entry(actor).or_default().push(hash);
            let entry = Entry {
                actor,
                seq: meta.seq,
                deps: ours(meta.deps),
                start_op: meta.start_op,
                max_op: meta.max_op,
                inserts: None,
            };
            history.changes.insert(hash, entry);
        }
        Ok(history)
    }

    /// Takes in a change that passed, with which of its operations insert a character; the document does not
    /// have it yet.
    pub(super) fn add(&mut self, change: &TextChange, inserts: Vec<bool>) {
        self.ops += change.op_count as u64;
        self.by_actor.entry(change.actor).or_default().push(change.hash);
        let entry = Entry {
            actor: change.actor,
            seq: change.seq,
            deps: change.deps.clone(),
            start_op: change.start_op,
            max_op: change.max_op(),
            inserts: Some(inserts),
        };
        self.changes.insert(change.hash, entry);
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
    pub(super) fn is_insert(&mut self, doc: &Automerge, id: OpId, past: &Past) -> bool {
        let hashes = self.by_actor.get(&id.actor).map(Vec::as_slice).unwrap_or_default();
        // An actor's changes are in the order of their counters.
        let after = hashes.partition_point(|hash| {
            self.changes.get(hash).is_some_and(|entry| entry.start_op <= id.counter)
        });
        let Some(hash) = after.checked_sub(1).and_then(|before| hashes.get(before)) else {
            return false;
        };
        let hash = *hash;
        if !past.contains(hash) {
            return false;
        }
        self.read_ops(doc, hash);
        let Some(entry) = self.changes.get(&hash) else { return false };
        usize::try_from(id.counter - entry.start_op).is_ok_and(|index| {
            entry.inserts.as_ref().and_then(|inserts| inserts.get(index)).copied().unwrap_or(false)
        })
    }

    /// Finds out which operations of a change insert a character.
    fn read_ops(&mut self, doc: &Automerge, hash: ChangeHash) {
        if self.changes.get(&hash).is_none_or(|entry| entry.inserts.is_some()) {
            return;
        }
        self.lookups += 1;
        let changes = if self.lookups <= LOOKUPS_MAX {
            doc.get_change_by_hash(&automerge::ChangeHash(hash.0)).into_iter().collect()
        } else {
            doc.get_changes(&[])
        };
        for change in changes {
            if let Some(entry) = self.changes.get_mut(&ChangeHash(change.hash().0)) {
                let ops = change.decode().operations;
                entry.inserts = Some(ops.iter().map(|op| op.insert).collect());
            }
        }
    }
}
