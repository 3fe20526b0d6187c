//! What an import did: every row accounted for.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::table::Format;

/// Rejected rows that a report keeps; the error file has all of them.
pub const ERRORS_KEPT_MAX: usize = 100;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Name of the entity.
    pub entity: String,
    /// Name of the system that the file comes from.
    pub source: String,
    /// Whether nothing was written.
    pub is_dry_run: bool,
    /// Rows of the file, without the header.
    pub rows: u64,
    /// Rows that made a new record.
    pub created: u64,
    /// Rows that changed a record.
    pub updated: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that could not be imported.
    pub rejected: u64,
    /// Rows whose record was here without a trace of an import; only its empty fields were filled.
    pub adopted: u64,
    /// Empty references by field.
    pub empty_references: BTreeMap<String, u64>,
    /// References by field whose record is not here; a later import of the file fills them.
    pub missing_references: BTreeMap<String, u64>,
    /// References by field that several records answer to; left empty as missing ones are.
    pub ambiguous_references: BTreeMap<String, u64>,
    /// References that earlier imports had left empty, and that this one brought the record of.
    pub linked_earlier: u64,
    /// Rows that were imported and may be the same as a record or an earlier row.
    pub alike: u64,
    /// Rows in which nothing stands; they count for nothing else.
    pub blank: u64,
    /// What the file is.
    pub format: Option<Format>,
    /// The encoding that it was read in.
    pub encoding: String,
    /// The number by which this import can be taken back; none in a rehearsal.
    pub batch: Option<i64>,
    /// What was tidied, by field and sort.
    pub cleaned: BTreeMap<String, BTreeMap<String, u64>>,
    /// Values that the mapping replaced, by column and value.
    pub mapped_values: BTreeMap<String, BTreeMap<String, u64>>,
    /// Columns of the file that the mapping does not use.
    pub unused_columns: Vec<String>,
    /// The first rejected rows, at most [`ERRORS_KEPT_MAX`].
    pub errors: Vec<RowNote>,
    /// The first rows of which a reference stayed empty, at most [`ERRORS_KEPT_MAX`].
    pub left_empty: Vec<RowNote>,
    /// The first rows that may be the same as something, at most [`ERRORS_KEPT_MAX`].
    pub likely: Vec<RowNote>,
}

/// What is told of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowNote {
    /// Its number as spreadsheets count: the header is row 1; blank lines are none.
    pub row: u64,
    /// The column at fault; empty if it is the row as a whole.
    pub column: String,
    /// Why.
    pub reason: String,
}

impl ImportReport {
    pub(super) fn keep_error(&mut self, note: &RowNote) {
        if self.errors.len() < ERRORS_KEPT_MAX {
            self.errors.push(note.clone());
        }
    }

    pub(super) fn keep_alike(&mut self, note: &RowNote) {
        if self.likely.len() < ERRORS_KEPT_MAX {
            self.likely.push(note.clone());
        }
    }

    pub(super) fn keep_left_empty(&mut self, note: &RowNote) {
        if self.left_empty.len() < ERRORS_KEPT_MAX {
            self.left_empty.push(note.clone());
        }
    }

    /// Rows whose fate is known; the same as `rows` once an import has ended.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.rejected
    }
}

/// Counts one more under `name`.
pub(super) fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry = if self.is_dry_run { " (dry run: nothing was written)" } else { "" };
        writeln!(f, "{} from {}{dry}", self.entity, self.source)?;
        writeln!(f, "  rows       {:>9}", self.rows)?;
        writeln!(f, "  created    {:>9}", self.created)?;
        writeln!(f, "  updated    {:>9}", self.updated)?;
        writeln!(f, "  unchanged  {:>9}", self.unchanged)?;
        writeln!(f, "  rejected   {:>9}", self.rejected)?;
        if self.adopted > 0 {
            let kept = "records that were here already; only empty fields were filled";
            writeln!(f, "  {} {kept}", self.adopted)?;
        }
        let references = [
            ("empty", &self.empty_references),
            ("not found, left empty", &self.missing_references),
            ("named by several records, left empty", &self.ambiguous_references),
        ];
        for (what, counts) in references {
            for (field, count) in counts {
                writeln!(f, "  {field}: {count} {what}")?;
            }
        }
        for (column, values) in &self.mapped_values {
            for (from, count) in values {
                writeln!(f, "  {column}: {count} times \"{from}\" replaced")?;
            }
        }
        for (field, sorts) in &self.cleaned {
            for (sort, count) in sorts {
                writeln!(f, "  {field}: {sort} tidied {count} times")?;
            }
        }
        if self.alike > 0 {
            writeln!(f, "  {} may be the same as something; see `duplicates`", self.alike)?;
        }
        if self.linked_earlier > 0 {
            writeln!(f, "  {} links of earlier imports found their record", self.linked_earlier)?;
        }
        if !self.unused_columns.is_empty() {
            writeln!(f, "  columns not used: {}", self.unused_columns.join(", "))?;
        }
        for error in self.errors.iter().chain(&self.left_empty) {
            let RowNote { row, column, reason } = error;
            let at = if column.is_empty() { String::new() } else { format!(", {column}") };
            writeln!(f, "  row {row}{at}: {reason}")?;
        }
        let more = self.rejected.saturating_sub(self.errors.len() as u64);
        if more > 0 { writeln!(f, "  and {more} more rejected rows") } else { Ok(()) }
    }
}
