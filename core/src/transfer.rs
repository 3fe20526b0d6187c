//! Files: those of other systems made into records, every row accounted for, and records made into
//! files ([`export`]) that can be taken back ([`own`]).
//!
//! A [`Mapping`] says which column becomes which field. The file streams through in batches, one
//! transaction each; memory does not grow with it. A row's record has an id made from entity,
//! source and key, so that two devices that import the same file make the same records.
//!
//! Importing again changes only what the *file* changed since: each row leaves a fingerprint of
//! what it said about each field, and what people edited meanwhile stays. So an import that was
//! interrupted is simply run again. References may name records that come later in the file, or
//! in a later file: they are tried again at the end, and by every later import.
//!
//! In reading order: [`mod@mapping`] (written as `file`, checked by `check`), [`reader`], [`row`],
//! [`lookup`], then `engine` that ties them together (`write` makes fields of what a row says,
//! `rows_cell` rows of a cell, `links` finds what came later), [`report`]. Beside them: [`export`],
//! [`own`].

use std::{fs::File, path::Path};

use crate::{
    ids::RecordId,
    replica::{Replica, ReplicaError, Writer},
    store::imports,
};

mod check;
mod engine;
mod error;
pub mod export;
mod file;
mod links;
pub mod lookup;
pub mod mapping;
pub mod own;
pub mod reader;
pub mod report;
pub mod row;
mod rows_cell;
mod write;

use engine::Engine;
pub use error::{ImportError, MappingError, MappingProblem, RowProblem};
pub use mapping::Mapping;
use reader::{RawRow, RowReader};
pub use report::{ImportReport, RowError};

/// Rows of one transaction, at most.
pub const BATCH_ROWS_MAX: usize = 2_000;
/// Bytes of the rows of one transaction, at most, one row more or less.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// How an import is run.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions<'a> {
    /// Count and check everything, and write nothing. Holds the write lock until it is done.
    pub dry_run: bool,
    /// Where to write the rejected rows, with the reasons, as CSV; made anew.
    pub error_file: Option<&'a Path>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows so far.
    pub rows: u64,
    /// Bytes of the file so far.
    pub bytes: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
}

/// Something to do in a transaction.
type Work<'w> = &'w mut dyn FnMut(&mut Writer<'_>) -> Result<(), ReplicaError>;
/// Runs work in a transaction.
type Transact<'t> = &'t mut dyn FnMut(Work<'_>) -> Result<(), ReplicaError>;

/// Imports a CSV file. Rows that do not fit are rejected and reported, the others imported.
///
/// `progress` is called after each batch.
///
/// # Errors
///
/// Returns [`ImportError`] when the file as a whole cannot be imported (nothing was written), or
/// when reading or writing failed midway (what was written stays; run it again).
pub fn import(
    replica: &mut Replica,
    mapping: &Mapping,
    file: &Path,
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    reader::check_encoding(file)?;
    let mut reader = RowReader::open(file, mapping.delimiter)?;
    let places = reader.places(mapping.columns.iter().map(|column| column.name.as_str()))?;
    let mut errors = options.error_file.map(|path| ErrorFile::create(path, &reader)).transpose()?;
    let mut engine = Engine::new(mapping, places, reader.header(), options.dry_run);
    let mut run = |transact: Transact<'_>| {
        run_import(&mut engine, &mut reader, errors.as_mut(), transact, progress)
    };
    let pace = imports::quicken(replica.store().conn()).map_err(ReplicaError::from)?;
    let done = if options.dry_run {
        replica.rehearse(|writer| run(&mut |work| work(writer)))
    } else {
        run(&mut |work| replica.transaction(|writer| work(writer)))
    };
    imports::set_pace(replica.store().conn(), pace).map_err(ReplicaError::from)?;
    done?;
    Ok(engine.report)
}

fn run_import(
    engine: &mut Engine<'_>,
    reader: &mut RowReader,
    mut errors: Option<&mut ErrorFile>,
    transact: Transact<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImportError> {
    transact(&mut |writer| Ok(imports::begin_run(writer.conn())?))?;
    let bytes_total = reader.bytes_total();
    loop {
        let batch = next_batch(reader)?;
        if batch.is_empty() {
            break;
        }
        transact(&mut |writer| batch.iter().try_for_each(|row| engine.take(writer, row)))?;
        let rejected = std::mem::take(&mut engine.rejected);
        if let Some(errors) = &mut errors {
            errors.write(&rejected)?;
        }
        progress(Progress { rows: engine.report.rows, bytes: reader.bytes(), bytes_total });
    }
    if engine.has_waiting {
        link_waiting(engine, transact)?;
    }
    transact(&mut |writer| Ok(imports::end_run(writer.conn())?))?;
    Ok(())
}

fn next_batch(reader: &mut RowReader) -> Result<Vec<RawRow>, ImportError> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < BATCH_ROWS_MAX && bytes < BATCH_BYTES_MAX {
        let Some(row) = reader.next_row()? else { break };
        bytes += row.cells.as_slice().len();
        batch.push(row);
    }
    Ok(batch)
}

/// Tries again what named records that were not there yet.
fn link_waiting(engine: &mut Engine<'_>, transact: Transact<'_>) -> Result<(), ReplicaError> {
    let mut after: Option<RecordId> = None;
    loop {
        let mut last = None;
        transact(&mut |writer| {
            let waiting = imports::waiting(writer.conn(), after, BATCH_ROWS_MAX)?;
            last = waiting.last().map(|row| row.record);
            waiting.iter().try_for_each(|row| engine.link(writer, row))
        })?;
        if last.is_none() {
            return Ok(());
        }
        after = last;
    }
}

/// The file of rejected rows: row number, column, reason, then the row as it was.
#[derive(Debug)]
struct ErrorFile {
    csv: csv::Writer<File>,
    path: std::path::PathBuf,
}

impl ErrorFile {
    fn create(path: &Path, reader: &RowReader) -> Result<Self, ImportError> {
        let failed = |source| ImportError::ErrorFile { path: path.to_owned(), source };
        let file = File::create(path).map_err(failed)?;
        let csv = csv::WriterBuilder::new().flexible(true).from_writer(file);
        let mut errors = Self { csv, path: path.to_owned() };
        let header = ["row", "column", "reason"].into_iter();
        errors.record(header.chain(reader.header().iter().map(String::as_str)))?;
        Ok(errors)
    }

    fn record<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), ImportError> {
        let failed = |error: csv::Error| ImportError::ErrorFile {
            path: self.path.clone(),
            source: error.into(),
        };
        self.csv.write_record(cells).map_err(failed)
    }

    fn write(&mut self, rejected: &[engine::Rejected]) -> Result<(), ImportError> {
        for (error, cells) in rejected {
            let row = error.row.to_string();
            let reason = [row.as_str(), &error.column, &error.reason].into_iter();
            self.record(reason.chain(cells.iter()))?;
        }
        let failed = |source| ImportError::ErrorFile { path: self.path.clone(), source };
        self.csv.flush().map_err(failed)
    }
}
