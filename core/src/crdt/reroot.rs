//! Re-rooting: a document begins again with what remains, and its past is gone for good.
//!
//! Erasing a person's data and compacting a long history are the same step: generation + 1, one
//! change without dependencies by an actor of the office, nothing of the old history kept. A
//! state of a higher generation replaces one of a lower generation whole; changes of the old
//! generation are answered `erased` for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    archive::{ARCHIVED, Archival, Archived},
    op::{Action, EncodedChange},
    rows::GONE,
    state::{Own, State, Survivor},
    write::{Edit, Stamp, WriteError, write_with},
};
use crate::value::Value;

/// A document after re-rooting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerooted {
    /// The new state.
    pub state: State,
    /// The office's own change, the first of the new generation; `None` if nothing remains.
    pub change: Option<EncodedChange>,
    /// What the office needs to go on writing.
    pub own: Option<Own>,
}

/// Begins `state` again with the keys that `keep` lets through.
///
/// Of concurrent values the one with the highest operation remains; where the schema lets another
/// one show, use [`reroot_with`]. Deletions of rows are carried out.
///
/// # Errors
///
/// Returns [`WriteError`] if the remainder breaks a limit.
pub fn reroot(
    state: &State,
    stamp: Stamp,
    keep: impl Fn(&str) -> bool,
) -> Result<Rerooted, WriteError> {
    reroot_with(state, stamp, |key, ops| ops.last().filter(|_| keep(key)))
}

/// Begins `state` again with the survivors that `choose` picks, at most one for each key.
///
/// # Errors
///
/// Returns [`WriteError`] if the remainder breaks a limit.
pub fn reroot_with(
    state: &State,
    stamp: Stamp,
    choose: impl for<'a> Fn(&str, &'a [Survivor]) -> Option<&'a Survivor>,
) -> Result<Rerooted, WriteError> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut rows = Rows::default();
    for (key, ops) in &state.keys {
        let Some(op) = choose(key, ops).filter(|_| !rows.is_gone(state, key)) else { continue };
        let value = if key == ARCHIVED { archived_anew(&op.value) } else { op.value.clone() };
        edits.push(Edit { key: key.clone(), action: Action::Put(value) });
    }
    // An archiving covers what is written before it, so it goes last; of a record that came back
    // it goes first, and the record stays flagged.
    let is_archived = matches!(state.archival(), Archival::Archived(_));
    let rank = |edit: &Edit| (edit.key == ARCHIVED) == is_archived;
    let mut fresh = State { generation: state.generation + 1, ..State::default() };
    let mut own = None;
    let change = if edits.is_empty() {
        None
    } else {
        Some(write_with(&mut fresh, &mut own, stamp, edits, rank)?)
    };
    Ok(Rerooted { state: fresh, change, own })
}

/// The archiving without the clock of the old generation, which the new one would misread.
fn archived_anew(value: &Value) -> Value {
    match Archived::from_value(value) {
        Some(archived) => Archived { saw: BTreeMap::new(), ..archived }.to_value(),
        None => value.clone(),
    }
}

/// The rows that exist, by field; each field is read once.
#[derive(Default)]
struct Rows<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Rows<'a> {
    /// Whether the key is a row's deletion, or a cell of a row that is gone.
    fn is_gone(&mut self, state: &'a State, key: &'a str) -> bool {
        let mut names = key.splitn(3, '/');
        let (Some(field), Some(row), Some(column)) = (names.next(), names.next(), names.next())
        else {
            return false;
        };
        let existing = self
            .0
            .entry(field)
            .or_insert_with(|| state.rows(field).into_iter().map(|row| row.id).collect());
        column == GONE || !existing.contains(row)
    }
}
