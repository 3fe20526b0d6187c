//! Who changed what: a document's changes, in their order of arrival, made into entries that
//! people can read.
//!
//! Pure: the changes are an argument, and what the caller knows of each (who, which device, when
//! it arrived) travels with it as `meta`. The office folds its whole history; a device its own
//! changes. Old and new are what a person saw before and after: the settled value of a register,
//! the total of a counter, one member, one row, one entry.
//!
//! | key | old and new |
//! |---|---|
//! | `phone` | the value as the field's rule settles it |
//! | `visits` | the total of the counter |
//! | `tags/vip` | the member, or nothing |
//! | `lines/<row>` | the whole row, or nothing: added, removed, come back |
//! | `lines/<row>/qty` | the cell |
//! | `stages/<entry>` | the entry |
//! | `archived` | whether the record was in the lists' way: true or false |
//! | `notes` | where the text differs, with a little of what stands around it |

mod text;
mod view;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::{
    crdt::{
        EncodedChange, OpId, State,
        archive::{ARCHIVED, Archival},
        rows::op_ids_to_text,
    },
    ids::{ActorId, ChangeHash, Part},
    schema::Entity,
    time::TimestampMs,
};

pub use text::{
    EXCERPT_CHARS_MAX, EXCERPT_CONTEXT_CHARS, Excerpt, TEXT_STEPS_MAX, excerpt, text_changes,
};
use view::{Sight, Slot};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A value, cell or total was written.
    Changed,
    /// Several values stood there, and now one does.
    Settled,
    /// A member, row or entry is new.
    Added,
    /// A member or row was taken away.
    Removed,
    /// A row that had been removed is there again, because somebody wrote in it.
    CameBack,
    /// The record was archived.
    Archived,
    /// The record was brought back by a person.
    Restored,
    /// The record came back by itself: it was archived beside an edit.
    Revived,
    /// Characters of a long text were put in or taken out.
    Edited,
}

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange<T> {
    /// What was changed, as the table of this room says.
    pub key: String,
    /// The field that it belongs to.
    pub field: String,
    /// What happened.
    pub what: What,
    /// What a person saw before; null for nothing.
    pub old: Json,
    /// What a person saw afterwards; null for nothing.
    pub new: Json,
    /// What the author wrote, where something else shows: a colleague's concurrent value.
    pub written: Option<Json>,
    /// Whether several values stand there afterwards that a person should look at.
    pub is_conflict: bool,
    /// The operations that did it; none where a record or row came back by another edit.
    #[serde(serialize_with = "as_text")]
    pub ops: Vec<OpId>,
    /// Names the change.
    pub hash: ChangeHash,
    /// Under which actor it was written.
    pub actor: ActorId,
    /// When, by the author's clock.
    pub made_at: TimestampMs,
    /// Words that travelled with the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the caller knows of the change.
    #[serde(flatten)]
    pub meta: T,
}

fn as_text<S: Serializer>(ops: &[OpId], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&op_ids_to_text(ops.iter().copied()))
}

/// Folds the changes of one flat document, one after the other.
#[derive(Debug, Clone)]
pub struct Fold<'a> {
    entity: &'a Entity,
    part: Part,
    state: State,
}

impl<'a> Fold<'a> {
    /// A fold that begins with an empty document.
    #[must_use]
    pub fn new(entity: &'a Entity, part: Part) -> Self {
        Self::on(entity, part, State::default())
    }

    /// A fold that goes on from `state`: all changes before were applied to it.
    #[must_use]
    pub fn on(entity: &'a Entity, part: Part, state: State) -> Self {
        Self { entity, part, state }
    }

    /// The document after the changes that were applied so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The document after the changes that were applied.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// Applies a change without asking what it did: the way to skip what no page shows.
    pub fn skip(&mut self, encoded: &EncodedChange) {
        self.state.apply(encoded);
    }

    /// Applies a change and says what it did, in order of keys. At most two entries for each of
    /// its operations ([`crate::crdt::op::CHANGE_OPS_MAX`]) and one for the record.
    ///
    /// A change that was applied before does nothing; one whose past was not applied must not come.
    pub fn apply<T: Clone>(&mut self, encoded: &EncodedChange, meta: &T) -> Vec<FieldChange<T>> {
        if self.state.has_seen(&encoded.change) {
            return Vec::new();
        }
        let mut slots: BTreeMap<Slot<'a>, Sight> = BTreeMap::new();
        for (id, op) in encoded.change.ops_with_ids().filter(|(_, op)| op.key != ARCHIVED) {
            let slot = Slot::of(self.entity, &self.part, &op.key);
            slots.entry(slot).or_default().note(id, op);
        }
        let was = self.archival();
        view::look(&self.state, &mut slots, |sight| &mut sight.before);
        self.state.apply(encoded);
        view::look(&self.state, &mut slots, |sight| &mut sight.after);
        let is = self.archival();
        let mut found = Vec::new();
        for (slot, sight) in &slots {
            slot.entries(sight, &mut found);
        }
        let mut entries: Vec<FieldChange<T>> =
            found.into_iter().map(|seen| entry(seen, encoded, meta)).collect();
        if let Some(what) = archival_change(was, is) {
            let ops = encoded.change.ops_with_ids().filter(|(_, op)| op.key == ARCHIVED);
            let seen = Seen {
                what,
                old: (was == Standing::Archived).into(),
                new: (is == Standing::Archived).into(),
                ops: ops.map(|(id, _)| id).collect(),
                ..Seen::at(ARCHIVED, ARCHIVED)
            };
            entries.push(entry(seen, encoded, meta));
        }
        entries
    }

    fn archival(&self) -> Standing {
        if self.part != Part::Main || self.state.survivors(ARCHIVED).is_empty() {
            return Standing::Active;
        }
        match self.state.archival() {
            Archival::Active => Standing::Active,
            Archival::Archived(_) => Standing::Archived,
            Archival::Revived(_) => Standing::Revived,
        }
    }
}

/// An entry before it is known who made it.
#[derive(Debug)]
struct Seen {
    key: String,
    field: String,
    what: What,
    old: Json,
    new: Json,
    written: Option<Json>,
    is_conflict: bool,
    ops: Vec<OpId>,
}

impl Seen {
    fn at(key: &str, field: &str) -> Self {
        Self {
            key: key.to_owned(),
            field: field.to_owned(),
            what: What::Changed,
            old: Json::Null,
            new: Json::Null,
            written: None,
            is_conflict: false,
            ops: Vec::new(),
        }
    }
}

fn entry<T: Clone>(seen: Seen, encoded: &EncodedChange, meta: &T) -> FieldChange<T> {
    let Seen { key, field, what, old, new, written, is_conflict, ops } = seen;
    FieldChange {
        key,
        field,
        what,
        old,
        new,
        written,
        is_conflict,
        ops,
        hash: encoded.hash,
        actor: encoded.change.actor,
        made_at: encoded.change.time_ms,
        message: encoded.change.message.clone(),
        meta: meta.clone(),
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Archived,
    Revived,
}

fn archival_change(was: Standing, is: Standing) -> Option<What> {
    match (was, is) {
        (Standing::Active | Standing::Revived, Standing::Archived) => Some(What::Archived),
        (Standing::Active | Standing::Archived, Standing::Revived) => Some(What::Revived),
        (Standing::Archived | Standing::Revived, Standing::Active) => Some(What::Restored),
        (Standing::Active, Standing::Active)
        | (Standing::Archived, Standing::Archived)
        | (Standing::Revived, Standing::Revived) => None,
    }
}

/// All entries of a document, oldest first, made one change at a time: the caller takes what its
/// page holds.
pub fn field_changes<'a, T: Clone + 'a>(
    entity: &'a Entity,
    part: Part,
    changes: impl IntoIterator<Item = (EncodedChange, T), IntoIter: 'a>,
) -> impl Iterator<Item = FieldChange<T>> + 'a {
    let mut fold = Fold::new(entity, part);
    changes.into_iter().flat_map(move |(encoded, meta)| fold.apply(&encoded, &meta))
}

/// The document as it was after the first `count` of its changes in their order of arrival.
#[must_use]
pub fn state_at<'c>(changes: impl IntoIterator<Item = &'c EncodedChange>, count: usize) -> State {
    let mut state = State::default();
    for encoded in changes.into_iter().take(count) {
        state.apply(encoded);
    }
    state
}
