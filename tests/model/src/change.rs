//! Edits that people make, and the changes that carry them.

use crate::pool::Id;

/// A document, by number.
pub type DocumentName = u8;
/// A place for a device.
pub type Slot = u8;
/// The prefix of actors that the office writes under.
pub const OFFICE: u8 = 200;
/// Added to its slot, this is the prefix under which a device writes before it is enrolled.
pub const PROVISIONAL: u8 = 100;

/// A key of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What every record must have: written when it begins.
    Name,
    /// What anybody may write.
    Open,
    /// What the office withholds now and then.
    Withheld,
    /// What an erased record says of itself.
    Archived,
}

/// What somebody types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The open key.
    Plain,
    /// The withheld key.
    Refused,
    /// Both in one change: a part of it may be refused.
    Mixed,
}

impl Kind {
    /// The keys that an edit of this kind writes in a record that is there.
    #[must_use]
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Plain => &[Key::Open],
            Self::Refused => &[Key::Withheld],
            Self::Mixed => &[Key::Open, Key::Withheld],
        }
    }
}

/// One edit. It is the same edit in whatever changes it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit {
    /// The device on which it was typed.
    pub slot: Slot,
    /// Counts the edits of this device, from 1.
    pub number: u8,
    /// Where.
    pub document: DocumentName,
    /// The keys that it wrote.
    pub keys: Vec<Key>,
    /// Edits that its author had in front of them, or that were replaced by those: ascending.
    pub seen: Vec<EditId>,
}

/// Names an edit.
pub type EditId = Id<Edit>;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// What the server gave.
    pub prefix: u8,
    /// The device that drew the suffix: no other draws the same.
    pub slot: Slot,
    /// How many it had drawn.
    pub draw: u8,
}

/// An operation. Counters come first, as in the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpName {
    /// Its counter.
    pub counter: u8,
    /// Its actor.
    pub actor: Actor,
}

/// A put under one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Op {
    /// Where.
    pub key: Key,
    /// What it says; nothing that a person typed, when the office erases.
    pub edit: Option<EditId>,
    /// What it replaces, ascending.
    pub pred: Vec<OpName>,
}

/// A change: equal ones have the same hash, which is their name here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    /// Of which document.
    pub document: DocumentName,
    /// Its generation.
    pub generation: u8,
    /// Who wrote it.
    pub actor: Actor,
    /// Counts the actor's changes in the document, from 1.
    pub seq: u8,
    /// Counter of its first operation.
    pub start: u8,
    /// What it follows, ascending.
    pub deps: Vec<ChangeId>,
    /// What it does.
    pub ops: Vec<Op>,
}

/// Names a change.
pub type ChangeId = Id<Change>;

impl Change {
    /// Its operations with their names.
    pub fn named(&self) -> impl Iterator<Item = (OpName, &Op)> {
        (self.start..)
            .zip(&self.ops)
            .map(|(counter, op)| (OpName { counter, actor: self.actor }, op))
    }

    /// The counter of its last operation.
    #[must_use]
    pub fn last(&self) -> u8 {
        let count = u8::try_from(self.ops.len()).unwrap_or(u8::MAX);
        (self.start + count).saturating_sub(1)
    }
}

/// Changes, ascending.
pub type Set = Vec<ChangeId>;

/// Puts a change into a set.
pub fn insert(set: &mut Set, change: ChangeId) {
    if let Err(at) = set.binary_search(&change) {
        set.insert(at, change);
    }
}

/// Puts all changes of a set into another one.
pub fn unite(set: &mut Set, other: &[ChangeId]) {
    for change in other {
        insert(set, *change);
    }
}
