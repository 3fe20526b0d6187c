//! Our own files taken back: what [`super::export`] wrote becomes the records that it was.
//!
//! CSV, the sheets of a workbook, JSON and JSON lines name every record by its id, so no mapping is
//! needed and links stay what they were. Exporting and taking back is the identity for all that a
//! person may write; what the office or the program alone writes (customer numbers, the history of
//! stages) is left out, and the report says so. Cells that were defused are themselves again.
//!
//! A record that is here already is left alone: the file does not know what happened since, and an
//! older value must not replace a newer one. Importing by a [`super::Mapping`] is for files that are
//! the source of what they say.
//!
//! `table` reads rows, `continued` what of them is longer than a cell, `lines` JSON; `record` says what
//! of a record is written.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{
    BATCH_BYTES_MAX, BATCH_ROWS_MAX, Progress,
    export::sheet::CONTINUED,
    report::{ERRORS_KEPT_MAX, RowNote},
    table::sheet,
};
use crate::{
    replica::{Replica, ReplicaError, Writer},
    store::imports,
};

mod continued;
mod lines;
mod record;
mod table;

use continued::Continued;
use record::{Took, take_record};

/// What a workbook begins with.
const WORKBOOK: &[u8] = b"PK\x03\x04";

/// What a file gives for a row.
pub(super) type Row = Result<Map<String, Json>, String>;

/// Why a file could not be taken back.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not one of our files.
    #[error("{path} was not written by an export of Outrider: {why}")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A row is longer than any record.
    #[error("{path}: row {row} is longer than {max} bytes")]
    RowTooLong {
        /// The file.
        path: PathBuf,
        /// The row, as spreadsheets count.
        row: u64,
        /// Bytes, at most.
        max: u64,
    },
    /// The replica failed.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

/// What taking a file back did; every row is accounted for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OwnReport {
    /// Records in the file.
    pub rows: u64,
    /// Records that were not here, and are now.
    pub created: u64,
    /// Records that were here already, and were left alone.
    pub existing: u64,
    /// Records that do not fit.
    pub rejected: u64,
    /// Values that the office or the program alone writes, by field: they were left out.
    pub left_out: BTreeMap<String, u64>,
    /// The first rejected rows, at most [`ERRORS_KEPT_MAX`].
    pub errors: Vec<RowNote>,
}

impl fmt::Display for OwnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, created, existing, rejected, left_out, errors } = self;
        writeln!(f, "  rows       {rows:>9}")?;
        writeln!(f, "  created    {created:>9}")?;
        writeln!(f, "  here already, left alone {existing}")?;
        writeln!(f, "  rejected   {rejected:>9}")?;
        for (field, count) in left_out {
            writeln!(f, "  {field}: {count} left out; devices do not write it")?;
        }
        for RowNote { row, reason, .. } in errors {
            writeln!(f, "  row {row}: {reason}")?;
        }
        Ok(())
    }
}

/// Gives the rows of a file.
enum Source {
    Table(Box<table::CsvRows>),
    Lines(lines::JsonRows),
}

impl Source {
    /// Opens a file, or a sheet of a workbook; what it begins with says which kind it is.
    fn open(path: &Path, sheet: Option<&str>, rest: &Arc<Continued>) -> Result<Self, OwnError> {
        let failed = |source| OwnError::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let begin = file.fill_buf().map_err(failed)?;
        if begin.starts_with(WORKBOOK) {
            let made = sheet::to_csv(path, sheet)
                .map_err(|error| failed(io::Error::other(error.to_string())))?;
            let file = BufReader::new(made.reopen().map_err(failed)?);
            let rows = table::CsvRows::open(path, file, false)?.going_on(Arc::clone(rest));
            return Ok(Self::Table(rows.into()));
        }
        let is_json = begin.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        Ok(if is_json {
            Self::Lines(lines::JsonRows::open(path, file)?)
        } else {
            Self::Table(table::CsvRows::open(path, file, true)?.into())
        })
    }

    fn next_row(&mut self) -> Result<Option<(u64, Row)>, OwnError> {
        match self {
            Self::Table(rows) => rows.next_row(),
            Self::Lines(rows) => rows.next_row(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Table(rows) => rows.bytes(),
            Self::Lines(rows) => rows.bytes(),
        }
    }
}

/// The sheets of a workbook that may hold records, and the texts that go on elsewhere; of another
/// file one without a name.
fn sheets_of(path: &Path) -> Result<(Vec<Option<String>>, Continued), OwnError> {
    let failed = |source| OwnError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    if !file.fill_buf().map_err(failed)?.starts_with(WORKBOOK) {
        return Ok((vec![None], Continued::default()));
    }
    let not_ours = |why: String| OwnError::NotOurs { path: path.to_owned(), why };
    let names = sheet::names(path).map_err(|error| not_ours(error.to_string()))?;
    let mut rest = Continued::default();
    if names.iter().any(|name| name == CONTINUED) {
        let made = sheet::to_csv(path, Some(CONTINUED));
        let made = made.map_err(|error| not_ours(error.to_string()))?;
        rest = Continued::read(made.reopen().map_err(failed)?).map_err(not_ours)?;
    }
    let names = names.into_iter().filter(|name| name != CONTINUED);
    Ok((names.map(Some).collect(), rest))
}

/// Takes back a file that an export wrote, of a workbook all sheets. `progress` is called after each
/// batch.
///
/// # Errors
///
/// Returns [`OwnError`] when the file is none of ours, or reading or writing failed midway; what was
/// written stays, and running it again goes on.
pub fn take_back(
    replica: &mut Replica,
    file: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<OwnReport, OwnError> {
    let read_error = |source| OwnError::Read { path: file.to_owned(), source };
    let bytes_total = std::fs::metadata(file).map_err(read_error)?.len();
    let (sheets, rest) = sheets_of(file)?;
    let rest = Arc::new(rest);
    imports::set_bulk(replica.store().conn(), true).map_err(ReplicaError::from)?;
    let mut report = OwnReport::default();
    let done = take_sheets(replica, (file, &sheets, &rest), &mut report, &mut |rows, bytes| {
        progress(Progress { rows, bytes, bytes_total });
    });
    imports::set_bulk(replica.store().conn(), false).map_err(ReplicaError::from)?;
    done?;
    Ok(report)
}

/// Takes one sheet after the other; rows count from each sheet's head.
fn take_sheets(
    replica: &mut Replica,
    (path, sheets, rest): (&Path, &[Option<String>], &Arc<Continued>),
    report: &mut OwnReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), OwnError> {
    let (mut begin, mut is_ours) = (0_u64, false);
    for sheet in sheets {
        let name = sheet.as_deref().filter(|_| sheets.len() > 1);
        let known = report.errors.len();
        match (Source::open(path, sheet.as_deref(), rest), name) {
            (Ok(mut source), _) => {
                is_ours = true;
                take_all(replica, &mut source, report, &mut |rows, bytes| {
                    progress(rows, begin + bytes);
                })?;
                begin += source.bytes();
            }
            // Somebody's own sheet beside ours: said, not taken.
            (Err(OwnError::NotOurs { why, .. }), Some(_)) => {
                if known < ERRORS_KEPT_MAX {
                    report.errors.push(RowNote { row: 1, column: String::new(), reason: why });
                }
            }
            (Err(error), _) => return Err(error),
        }
        for note in report.errors.iter_mut().skip(known) {
            let Some(name) = name else { break };
            note.reason = format!("sheet `{name}`: {}", note.reason);
        }
    }
    if is_ours {
        return Ok(());
    }
    let why = "none of its sheets has a column `entity`".to_owned();
    Err(OwnError::NotOurs { path: path.to_owned(), why })
}

fn take_all(
    replica: &mut Replica,
    source: &mut Source,
    report: &mut OwnReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), OwnError> {
    loop {
        let (mut batch, begin) = (Vec::new(), source.bytes());
        while batch.len() < BATCH_ROWS_MAX
            && source.bytes().saturating_sub(begin) < BATCH_BYTES_MAX as u64
        {
            let Some(row) = source.next_row()? else { break };
            batch.push(row);
        }
        if batch.is_empty() {
            return Ok(());
        }
        replica.transaction(|writer| {
            batch.into_iter().try_for_each(|(number, row)| take(writer, report, number, row))
        })?;
        progress(report.rows, source.bytes());
    }
}

/// Takes one row, or rejects it.
fn take(
    writer: &mut Writer<'_>,
    report: &mut OwnReport,
    number: u64,
    row: Row,
) -> Result<(), ReplicaError> {
    report.rows += 1;
    let took = match row {
        Ok(record) => take_record(writer, record, &mut report.left_out)?,
        Err(reason) => Took::Rejected(reason),
    };
    match took {
        Took::Created => report.created += 1,
        Took::Existing => report.existing += 1,
        Took::Rejected(reason) => {
            report.rejected += 1;
            if report.errors.len() < ERRORS_KEPT_MAX {
                report.errors.push(RowNote { row: number, column: String::new(), reason });
            }
        }
    }
    Ok(())
}
