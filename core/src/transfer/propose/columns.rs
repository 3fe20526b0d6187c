//! What stands in the columns of a table: how full they are, which values, whether they name a row.

use std::collections::{BTreeMap, HashSet};

use crate::transfer::{clean::trimmed, error::ImportError, reader::blank, table::Table};

/// Different values of one column that are looked at, at most.
pub(super) const DISTINCT_MAX: usize = 300;
/// Rows of which it is known whether a column's values are all different; a later row is believed.
const UNIQUE_ROWS_MAX: u64 = 100_000;
/// Characters of a value that are looked at; longer ones are texts.
const VALUE_CHARS_MAX: usize = 200;

/// One column.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    /// Rows that have something here.
    pub(super) filled: u64,
    /// Different values with how often they came, in order of the value.
    pub(super) values: BTreeMap<String, u64>,
    /// Whether there are more than were kept.
    pub(super) has_more: bool,
    /// Whether no value came twice.
    pub(super) is_unique: bool,
}

/// Looks at all columns of a table.
pub(super) fn look_at(table: &Table) -> Result<Vec<Column>, ImportError> {
    let mut reader = table.reader()?;
    let mut columns: Vec<Column> = reader
        .header()
        .iter()
        .map(|name| Column { name: name.clone(), is_unique: true, ..Column::default() })
        .collect();
    let mut seen: Vec<HashSet<u64>> = vec![HashSet::new(); columns.len()];
    let mut rows = 0;
    while let Some(row) = reader.next_row()? {
        if blank(&row.cells) || row.cells.len() != columns.len() {
            continue;
        }
        rows += 1;
        for ((column, cell), seen) in columns.iter_mut().zip(row.cells.iter()).zip(&mut seen) {
            let value = trimmed(cell);
            if value.is_empty() {
                continue;
            }
            column.filled += 1;
            if rows <= UNIQUE_ROWS_MAX && column.is_unique && !seen.insert(hash(value)) {
                column.is_unique = false;
                *seen = HashSet::new();
            }
            if let Some(count) = column.values.get_mut(value) {
                *count += 1;
            } else if column.values.len() >= DISTINCT_MAX {
                column.has_more = true;
            } else if value.chars().count() <= VALUE_CHARS_MAX {
                column.values.insert(value.to_owned(), 1);
            } else {
                column.has_more = true;
            }
        }
    }
    for column in &mut columns {
        column.is_unique &= column.filled > 0;
    }
    Ok(columns)
}

fn hash(value: &str) -> u64 {
    use sha2::{Digest as _, Sha256};

    let digest: [u8; 32] = Sha256::digest(value.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
