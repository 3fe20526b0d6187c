//! What a set of changes shows: heads, clock, and what stands under each key.
//!
//! The real kernel keeps this instead of the set, and joins it; that the two give the same is what
//! its own tests hold. The model takes the set.

use std::{collections::BTreeMap, rc::Rc};

use crate::{
    change::{Actor, Change, ChangeId, EditId, Key, OpName},
    pool::Pool,
};

/// How far an actor was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Its last change.
    pub seq: u8,
    /// Its last operation.
    pub op: u8,
}

/// What a set shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    changes: Vec<(ChangeId, Rc<Change>)>,
    /// By actor how far it was seen.
    pub clock: BTreeMap<Actor, Seen>,
}

impl View {
    /// The view of a set.
    #[must_use]
    pub fn of(pool: &Pool<Change>, set: &[ChangeId]) -> Self {
        let mut view = Self::default();
        for id in set {
            let change = pool.get(*id);
            let seen = view.clock.entry(change.actor).or_default();
            seen.seq = seen.seq.max(change.seq);
            seen.op = seen.op.max(change.last());
            view.changes.push((*id, change));
        }
        view
    }

    /// Changes that nothing seen follows, ascending.
    #[must_use]
    pub fn heads(&self) -> Vec<ChangeId> {
        let is_followed =
            |id: &ChangeId| self.changes.iter().any(|(_, change)| change.deps.contains(id));
        self.changes.iter().map(|(id, _)| *id).filter(|id| !is_followed(id)).collect()
    }

    /// The highest counter.
    #[must_use]
    pub fn max_op(&self) -> u8 {
        self.changes.iter().map(|(_, change)| change.last()).max().unwrap_or(0)
    }

    /// What stands under a key, ascending, with the edits that say it.
    #[must_use]
    pub fn standing(&self, key: Key) -> Vec<(OpName, Option<EditId>)> {
        let ops = || self.changes.iter().flat_map(|(_, change)| change.named());
        let is_replaced = |name: &OpName| ops().any(|(_, op)| op.pred.contains(name));
        let under = ops().filter(|(name, op)| op.key == key && !is_replaced(name));
        let mut standing: Vec<_> = under.map(|(name, op)| (name, op.edit)).collect();
        standing.sort_unstable();
        standing
    }

    /// The names of what stands under a key.
    #[must_use]
    pub fn names(&self, key: Key) -> Vec<OpName> {
        self.standing(key).into_iter().map(|(name, _)| name).collect()
    }

    /// The edit that an operation says.
    #[must_use]
    pub fn edit_of(&self, name: OpName) -> Option<EditId> {
        let mut ops = self.changes.iter().flat_map(|(_, change)| change.named());
        ops.find(|(known, _)| *known == name)?.1.edit
    }

    /// All edits that are in it, ascending.
    #[must_use]
    pub fn edits(&self) -> Vec<EditId> {
        let ops = self.changes.iter().flat_map(|(_, change)| &change.ops);
        let mut edits: Vec<EditId> = ops.filter_map(|op| op.edit).collect();
        edits.sort_unstable();
        edits.dedup();
        edits
    }

    /// The change with an actor's number.
    #[must_use]
    pub fn numbered(&self, actor: Actor, seq: u8) -> Option<ChangeId> {
        let mut changes = self.changes.iter();
        let found = changes.find(|(_, change)| change.actor == actor && change.seq == seq);
        found.map(|(id, _)| *id)
    }

    /// How many of its keys hold something.
    #[must_use]
    pub fn keys(&self) -> usize {
        let keys = [Key::Name, Key::Open, Key::Withheld, Key::Archived];
        keys.into_iter().filter(|key| !self.standing(*key).is_empty()).count()
    }

    /// Whether all of it was written under one prefix.
    #[must_use]
    pub fn is_all_of(&self, prefix: u8) -> bool {
        self.clock.keys().all(|actor| actor.prefix == prefix)
    }
}
