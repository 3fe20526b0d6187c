//! What everybody refers to: edits, changes, and the chain of the feed.

use std::collections::BTreeSet;

use crate::{
    change::{Change, ChangeId, Edit, Set, insert},
    pool::{Id, Pool},
    rules::Broken,
    view::View,
};

/// What one commit adds to the feed's chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Commit {
    /// Changes, in the order in which they were accepted.
    Changes(Vec<ChangeId>),
    /// Nothing that has a hash: a device was enrolled.
    Bare,
    /// That the server was put back: drawn, and like no other.
    Mark,
}

/// A place in the feed's chain, which names everything before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// The place before; none of the first commit.
    pub before: Option<Id<Link>>,
    /// Counts the places, from 1.
    pub position: u8,
    /// What was added here.
    pub commit: Commit,
}

/// Names a place in a chain.
pub type LinkId = Id<Link>;

/// What everybody refers to.
#[derive(Debug)]
pub struct Facts {
    /// Edits.
    pub edits: Pool<Edit>,
    /// Changes.
    pub changes: Pool<Change>,
    /// Places in chains.
    pub links: Pool<Link>,
    /// Changes that replace what their author had not seen.
    pub blind: BTreeSet<ChangeId>,
    /// The rule that is not kept.
    pub broken: Broken,
}

impl Facts {
    /// Nothing yet.
    #[must_use]
    pub fn new(broken: Broken) -> Self {
        let (edits, changes, links) = (Pool::default(), Pool::default(), Pool::default());
        Self { edits, changes, links, blind: BTreeSet::new(), broken }
    }

    /// The view of a set.
    #[must_use]
    pub fn view(&self, set: &[ChangeId]) -> View {
        View::of(&self.changes, set)
    }

    /// Changes with everything that they follow.
    #[must_use]
    pub fn past(&self, changes: &[ChangeId]) -> Set {
        let mut past = Set::new();
        let mut open: Vec<ChangeId> = changes.to_vec();
        while let Some(change) = open.pop() {
            if !past.contains(&change) {
                insert(&mut past, change);
                open.extend(&self.changes.get(change).deps);
            }
        }
        past
    }

    /// Names a change that is being written, and notes whether it replaces what its author never
    /// saw. What it replaces is in `context`.
    pub fn write(&mut self, change: Change, context: &View) -> ChangeId {
        let mut is_blind = false;
        for op in &change.ops {
            let Some(edit) = op.edit else { continue };
            let typed = self.edits.get(edit);
            let mut replaced = op.pred.iter().filter_map(|name| context.edit_of(*name));
            is_blind |= replaced.any(|old| old != edit && !typed.seen.contains(&old));
        }
        let id = self.changes.name(change);
        if is_blind {
            self.blind.insert(id);
        }
        id
    }
}
