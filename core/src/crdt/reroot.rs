//! Re-rooting: a document begins again with what remains, and its past is gone for good.
//!
//! Erasing a person's data and compacting a long history are the same step: generation + 1, one
//! change without dependencies by an actor of the office, nothing of the old history kept. A
//! state of a higher generation replaces one of a lower generation whole; changes of the old
//! generation are answered `erased` for ever.

use super::{
    op::{Action, EncodedChange},
    rows::GONE,
    state::{Own, State},
    write::{Edit, Stamp, WriteError, write},
};

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
/// Of concurrent values the one that shows remains; deletions of rows are carried out.
///
/// # Errors
///
/// Returns [`WriteError`] if the remainder breaks a limit.
pub fn reroot(
    state: &State,
    stamp: Stamp,
    keep: impl Fn(&str) -> bool,
) -> Result<Rerooted, WriteError> {
    let mut edits: Vec<Edit> = Vec::new();
    for (key, ops) in &state.keys {
        if !keep(key) || is_of_gone_row(state, key) {
            continue;
        }
        if let Some(op) = ops.last() {
            edits.push(Edit { key: key.clone(), action: Action::Put(op.value.clone()) });
        }
    }
    let mut fresh = State { generation: state.generation + 1, ..State::default() };
    let mut own = None;
    let change =
        if edits.is_empty() { None } else { Some(write(&mut fresh, &mut own, stamp, edits)?) };
    Ok(Rerooted { state: fresh, change, own })
}

/// Whether the key is a row's deletion, or a cell of a row that is gone.
fn is_of_gone_row(state: &State, key: &str) -> bool {
    let mut names = key.splitn(3, '/');
    let (Some(field), Some(row), Some(column)) = (names.next(), names.next(), names.next()) else {
        return false;
    };
    column == GONE || !state.rows(field).iter().any(|existing| existing.id == row)
}
