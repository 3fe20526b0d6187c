//! What a merge took over: that alone is replaced by what goes on, as its author had it in front of them.

use outrider_core::{
    crdt::{Action, Edit, OpId, State, rows::GONE},
    domain::merge::REDIRECT,
    ids::{ActorPrefix, DocumentId, Part, RecordId},
    schema::{Entity, Key},
    time::TimestampMs,
    value::Value,
};

use crate::storage::{Content, Read, StorageError, StoredChange, StoredDocument};

/// What was written at once: all of it is of one device and one time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) device: ActorPrefix,
    pub(super) made_at: TimestampMs,
}

impl Tap {
    pub(super) fn of(change: &StoredChange) -> Self {
        Self { device: change.actor.prefix(), made_at: change.made_at }
    }

    /// Whether an operation of a document is of it.
    pub(super) fn wrote(
        self,
        read: &dyn Read,
        id: &DocumentId,
        op: OpId,
    ) -> Result<bool, StorageError> {
        if op.actor.prefix() != self.device {
            return Ok(false);
        }
        Ok(read.change_with_op(id, op)?.is_some_and(|change| Self::of(&change) == self))
    }
}

/// The merge of a record into another, if it was merged.
pub(super) fn merge_of(read: &dyn Read, record: RecordId) -> Result<Option<Tap>, StorageError> {
    let main = DocumentId { record, part: Part::Main };
    let Some(StoredDocument { content: Content::Flat(state), .. }) = read.document(&main)? else {
        return Ok(None);
    };
    let Some(leads) = state.register(REDIRECT) else { return Ok(None) };
    Ok(read.change_with_op(&main, leads.winner.id)?.as_ref().map(Tap::of))
}

/// Keeps, of what stands where something is written, what the merge took over: that the author had in front of
/// them. What the other record says by itself stays beside it, whoever wrote it. What says nothing is filled.
pub(super) fn keep_taken(
    read: &dyn Read,
    (id, entity): (&DocumentId, &Entity),
    merge: Tap,
    state: &mut State,
    edits: &[Edit],
) -> Result<(), StorageError> {
    let is_removal = |key: &str| matches!(entity.parse_key(&id.part, key), Ok(Key::RowGone { .. }));
    // The removal of a row is of all its cells.
    let rows: Vec<&str> = edits
        .iter()
        .filter(|edit| is_removal(&edit.key))
        .filter_map(|edit| edit.key.strip_suffix(GONE))
        .collect();
    for (key, ops) in &mut state.keys {
        let is_written = edits.iter().any(|edit| edit.key == *key);
        if !is_written && !rows.iter().any(|row| key.starts_with(row)) {
            continue;
        }
        let mut kept = Vec::new();
        for op in ops.drain(..) {
            if op.value == Value::Null || merge.wrote(read, id, op.id)? {
                kept.push(op);
            }
        }
        *ops = kept;
    }
    state.keys.retain(|_, ops| !ops.is_empty());
    Ok(())
}

/// An edit of what is left: a removal removes that alone, and of nothing it is none.
pub(super) fn of_what_is_left(
    entity: &Entity,
    part: &Part,
    state: &State,
    edit: Edit,
) -> Option<Edit> {
    if let Ok(Key::RowGone { field, row }) = entity.parse_key(part, &edit.key) {
        return state.delete_row(&field.name, &row.to_string());
    }
    let is_of_nothing = edit.action == Action::Delete && state.survivors(&edit.key).is_empty();
    (!is_of_nothing).then_some(edit)
}

/// Whether that alone stands there already, as when two merges crossed: whoever wrote it first goes on to have
/// written it.
pub(super) fn is_said(state: &State, edit: &Edit) -> bool {
    match (&edit.action, state.survivors(&edit.key)) {
        (Action::Put(value), [only]) => only.value == *value,
        _ => false,
    }
}
