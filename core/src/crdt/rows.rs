//! Rows: order lines, checklist items. Cells merge one by one; a deleted row stays deleted only
//! while nobody wrote a cell that the deleter had not seen.
//!
//! Keys are `field/row/column`; deleting writes `field/row/-`, the ids of the cell operations that
//! the deleter saw, and leaves the cells where they are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    op::{Action, OpId},
    state::{State, Survivor},
    write::Edit,
};
use crate::{ids::ActorId, value::Value};

/// The column name under which a deletion stands.
pub const GONE: &str = "-";

/// A row as it stands after merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The row's id.
    pub id: &'a str,
    /// Surviving operations by column.
    pub cells: BTreeMap<&'a str, &'a [Survivor]>,
    /// Deleted on one replica while a cell was written on another: whole again, to be looked at.
    pub is_revived: bool,
}

/// Writes operation ids as text: `12@<actor>` separated by commas.
#[must_use]
pub fn op_ids_to_text(ids: impl IntoIterator<Item = OpId>) -> String {
    let words: Vec<String> =
        ids.into_iter().map(|id| format!("{}@{}", id.counter, id.actor)).collect();
    words.join(",")
}

/// Reads operation ids; what cannot be read counts as not listed.
#[must_use]
pub fn op_ids_from_text(text: &str) -> Vec<OpId> {
    text.split(',')
        .filter_map(|word| {
            let (counter, actor) = word.split_once('@')?;
            Some(OpId { counter: counter.parse().ok()?, actor: actor.parse::<ActorId>().ok()? })
        })
        .collect()
}

impl State {
    /// The rows of `field` that exist, in order of their ids.
    #[must_use]
    pub fn rows(&self, field: &str) -> Vec<Row<'_>> {
        let prefix = [field, "/"].concat();
        let mut cells: BTreeMap<&str, BTreeMap<&str, &[Survivor]>> = BTreeMap::new();
        let mut gone: BTreeMap<&str, BTreeSet<OpId>> = BTreeMap::new();
        for (key, ops) in self.keys.range(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(prefix.as_str()) else { break };
            let Some((row, column)) = rest.split_once('/') else { continue };
            if column == GONE {
                let seen = ops.iter().filter_map(|op| op.value.as_text());
                gone.entry(row).or_default().extend(seen.flat_map(op_ids_from_text));
            } else {
                cells.entry(row).or_default().insert(column, ops);
            }
        }
        cells
            .into_iter()
            .filter_map(|(id, cells)| {
                let is_revived = match gone.get(id) {
                    None => false,
                    Some(seen) => {
                        let mut ids = cells.values().flat_map(|ops| ops.iter().map(|op| op.id));
                        if ids.all(|id| seen.contains(&id)) {
                            return None;
                        }
                        true
                    }
                };
                Some(Row { id, cells, is_revived })
            })
            .collect()
    }

    /// The edit that deletes a row, or `None` if it has no cells.
    #[must_use]
    pub fn delete_row(&self, field: &str, row: &str) -> Option<Edit> {
        let prefix = [field, "/", row, "/"].concat();
        let seen: BTreeSet<OpId> = self
            .under(&prefix)
            .filter(|(column, _)| *column != GONE)
            .flat_map(|(_, ops)| ops.iter().map(|op| op.id))
            .collect();
        if seen.is_empty() {
            return None;
        }
        let action = Action::Put(Value::Text(op_ids_to_text(seen)));
        Some(Edit { key: [prefix.as_str(), GONE].concat(), action })
    }
}
