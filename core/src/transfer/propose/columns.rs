//! What stands in the columns of a table: how full they are, which values, whether they name a row.

use std::collections::{BTreeMap, HashSet};

use crate::transfer::{clean::trimmed, error::ImportError, reader::blank, table::Table};

/// Different values of one column that are looked at, at most.
pub(super) const DISTINCT_MAX: usize = 300;
/// Rows of which it is known whether a column's values are all different; a later row is believed.
const UNIQUE_ROWS_MAX: u64 = 100_000;
/// Values of all columns together that are remembered for that, at most.
const REMEMBERED_MAX: usize = 1_000_000;
/// Characters of a value that are looked at; longer ones are texts.
const VALUE_CHARS_MAX: usize = 200;
/// Bytes of the values that are kept of all columns together, at most, with what keeping one takes.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// What keeping a value takes beside its bytes.
const KEEPING_BYTES: usize = 64;

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
    let (mut remembered, mut kept_bytes) = (0, 0);
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
            if column.is_unique && rows <= UNIQUE_ROWS_MAX && remembered < REMEMBERED_MAX {
                if seen.insert(hash(value)) {
                    remembered += 1;
                } else {
                    column.is_unique = false;
                    remembered -= seen.len();
                    *seen = HashSet::new();
                }
            }
            if let Some(count) = column.values.get_mut(value) {
                *count += 1;
            } else if column.values.len() < DISTINCT_MAX
                && kept_bytes < KEPT_BYTES_MAX
                && value.chars().count() <= VALUE_CHARS_MAX
            {
                kept_bytes += KEEPING_BYTES + value.len();
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::transfer::table::{COLUMNS_MAX, TableOptions};

    /// As many columns as there may be, with different values in all rows.
    #[test]
    fn what_is_remembered_of_a_wide_table_is_bounded() {
        let rows = REMEMBERED_MAX / COLUMNS_MAX + 2;
        let mut csv = String::new();
        for row in 0..=rows {
            for column in 0..COLUMNS_MAX {
                let comma = if column == 0 { "" } else { "," };
                // What comes twice in the last row is not noticed any more.
                let value = if row == rows { 1 } else { row };
                write!(csv, "{comma}c{column}r{value}").unwrap();
            }
            csv.push('\n');
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.csv");
        std::fs::write(&path, csv).unwrap();
        let table = Table::open(&path, &TableOptions::default()).unwrap();
        let columns = look_at(&table).unwrap();
        assert!(columns.iter().all(|column| column.filled == rows as u64 && column.is_unique));
        let kept = columns.iter().flat_map(|column| column.values.keys());
        let kept: usize = kept.map(|value| KEEPING_BYTES + value.len()).sum();
        assert!((KEPT_BYTES_MAX..KEPT_BYTES_MAX + 100).contains(&kept), "{kept}");
        assert!(columns.iter().all(|column| column.has_more));
    }
}
