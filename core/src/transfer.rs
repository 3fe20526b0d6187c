//! Files: those of other systems made into records, every row accounted for, and records made into
//! files ([`export`]) that can be taken back ([`own`]).
//!
//! A [`Mapping`] says which column becomes which field; [`propose`](mod@propose) writes one from
//! the file itself. A file of any format becomes a [`Table`] first and is checked whole. Then it
//! streams through in batches, one transaction each; memory does not grow with it. A row's record
//! has an id made from entity, source and key, so that two devices that import the same file make
//! the same records.
//!
//! Importing again changes only what the *file* changed since: each row leaves a fingerprint of
//! what it said about each field, and what people edited meanwhile stays. So an import that was
//! interrupted is simply run again. References may name records that come later in the file, in
//! another file of the run, or in a later import: what is not there is left empty, told of, and
//! tried again by every later import. What an import did is kept, and can be taken back.
//!
//! The engine writes through a [`Place`]: a device's store, or the office's.
//!
//! In reading order: [`table`] (with `reader`), [`mod@mapping`] (written as `file`, checked by
//! `check`), `row` and `clean`, [`lookup`] and `pending`, [`target`], `engine` that ties them
//! together (`write` makes fields of what a row says, `links` finds what came later, `effect`
//! notes what was done, `rows_cell` reads rows of a cell), [`report`], [`undo`]. Beside them:
//! [`export`], [`own`].

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use crate::store::{
    StoreError,
    imports::{
        Batch,
        scratch::{Scratch, WaitingRow},
    },
};

pub mod table;

pub mod alike;
mod check;
mod clean;
mod device;
mod effect;
mod engine;
mod error;
pub mod export;
mod file;
mod links;
pub mod lookup;
pub mod mapping;
pub mod own;
mod pending;
pub mod propose;
pub mod reader;
pub mod report;
pub mod row;
mod rows_cell;
pub mod target;
pub mod undo;
mod write;

use engine::{Engine, Run, Told};
pub use error::{ImportError, MappingError, MappingProblem, RowProblem};
use lookup::Lookup;
pub use mapping::Mapping;
use reader::{RawRow, RowReader, blank};
pub use report::{ImportReport, RowNote};
pub use table::{Format, Table, TableOptions};
pub use target::{Place, Target, TargetError, Work};
pub use undo::{ImportUndone, undo_import};

/// Rows of one transaction, at most.
pub const BATCH_ROWS_MAX: usize = 2_000;
/// Bytes of the rows of one transaction, at most, one row more or less.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// Files of one run, at most.
pub const FILES_MAX: usize = 100;

/// One file of a run.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// How its rows become records.
    pub mapping: &'a Mapping,
    /// The file.
    pub file: &'a Path,
    /// What people call it; the file's own name if none.
    pub name: Option<String>,
    /// Where to write the rows that are told of, with the reasons, as CSV; made anew.
    pub error_file: Option<PathBuf>,
}

impl<'a> Job<'a> {
    /// A file that goes by its own name, without an error file.
    #[must_use]
    pub fn new(mapping: &'a Mapping, file: &'a Path) -> Self {
        Self { mapping, file, name: None, error_file: None }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows so far, of this file.
    pub rows: u64,
    /// Bytes of the table so far.
    pub bytes: u64,
    /// Bytes of the table.
    pub bytes_total: u64,
}

/// Imports one file. Rows that do not fit are rejected and reported, the others imported.
///
/// # Errors
///
/// As [`import_all`].
pub fn import(
    place: &mut dyn Place,
    job: Job<'_>,
    is_dry_run: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportReport, ImportError> {
    let mut reports = import_all(place, &[job], is_dry_run, &mut |_, now| progress(now))?;
    Ok(reports.pop().unwrap_or_default())
}

/// Imports several files, which may name each other's records in any order. A dry run counts and
/// checks everything, and writes nothing.
///
/// `progress` is called after each batch with the place of the file in `jobs`.
///
/// # Errors
///
/// Returns [`ImportError`] when a file as a whole cannot be imported (nothing of any file was
/// written), or when reading or writing failed midway (what was written stays; run it again).
pub fn import_all(
    place: &mut dyn Place,
    jobs: &[Job<'_>],
    is_dry_run: bool,
    progress: &mut dyn FnMut(usize, Progress),
) -> Result<Vec<ImportReport>, ImportError> {
    if jobs.len() > FILES_MAX {
        return Err(ImportError::TooManyFiles { max: FILES_MAX });
    }
    // All files are looked at before anything of the first one is written.
    let mut files = jobs.iter().map(OpenFile::open).collect::<Result<Vec<_>, _>>()?;
    for job in jobs {
        let entity = job.mapping.entity();
        if !place.may_import(entity)? {
            return Err(ImportError::NotPermitted { entity: entity.to_owned() });
        }
    }
    let named_by = jobs.iter().flat_map(|job| job.mapping.names_by()).collect();
    let scratch = Scratch::new().map_err(TargetError::from)?;
    let run = Run { scratch, is_dry_run, named_by };
    let mut engines: Vec<Engine<'_>> =
        files.iter().enumerate().map(|(at, file)| file.engine(at)).collect();
    place.set_bulk(true)?;
    let done = run_all(place, &run, &mut files, &mut engines, progress);
    place.set_bulk(false)?;
    done?;
    Ok(engines.into_iter().map(|engine| engine.report).collect())
}

/// A file of a run with what is read of it and written about it.
struct OpenFile<'a> {
    job: &'a Job<'a>,
    table: Table,
    reader: RowReader,
    places: Vec<usize>,
    errors: Option<ErrorFile>,
}

impl<'a> OpenFile<'a> {
    fn open(job: &'a Job<'a>) -> Result<Self, ImportError> {
        let table = Table::open(job.file, &job.mapping.table)?;
        let reader = table.reader()?;
        let names = job.mapping.columns.iter().map(|column| column.name.as_str());
        let places = reader.places(names)?;
        let errors = job.error_file.as_deref();
        let errors = errors.map(|path| ErrorFile::create(path, &reader)).transpose()?;
        Ok(Self { job, table, reader, places, errors })
    }

    fn engine(&self, at: usize) -> Engine<'a> {
        let mapping = self.job.mapping;
        let is_unused = |name: &&String| mapping.columns.iter().all(|used| used.name != **name);
        let report = ImportReport {
            entity: mapping.entity.name.clone(),
            source: mapping.source.clone(),
            format: Some(self.table.format),
            encoding: self.table.encoding.to_owned(),
            unused_columns: self.table.header.iter().filter(is_unused).cloned().collect(),
            ..ImportReport::default()
        };
        Engine::new(mapping, at, self.places.clone(), &self.table.header, report)
    }

    fn batch(&self, now_ms: i64) -> Batch {
        let own = self.job.file.file_name().map(|name| name.to_string_lossy().into_owned());
        Batch {
            begun_at: now_ms,
            file: self.job.name.clone().or(own).unwrap_or_default(),
            entity: self.job.mapping.entity.name.clone(),
            source: self.job.mapping.source.clone(),
            ..Batch::default()
        }
    }
}

fn run_all(
    place: &mut dyn Place,
    run: &Run,
    files: &mut [OpenFile<'_>],
    engines: &mut [Engine<'_>],
    progress: &mut dyn FnMut(usize, Progress),
) -> Result<(), ImportError> {
    // What becomes rows of other records comes after them.
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|at| files.get(*at).is_some_and(|file| file.job.mapping.rows.is_some()));
    let mut batches: Vec<Option<Batch>> = vec![None; files.len()];
    for at in order {
        let (Some(file), Some(engine)) = (files.get_mut(at), engines.get_mut(at)) else { continue };
        engine.report.is_dry_run = run.is_dry_run;
        if !run.is_dry_run {
            let mut batch = file.batch(place.now_ms());
            transact(place, run, &mut |target| {
                batch.id = target.notes().add_batch(&batch)?;
                Ok(())
            })?;
            engine.batch = Some(batch.id);
            engine.report.batch = Some(batch.id);
            if let Some(kept) = batches.get_mut(at) {
                *kept = Some(batch);
            }
        }
        run_file(place, run, file, engine, &mut |now| progress(at, now))?;
    }
    link_waiting(place, run, engines)?;
    link_earlier(place, run, engines)?;
    for (file, engine) in files.iter_mut().zip(engines.iter_mut()) {
        tell(file, engine)?;
    }
    for (batch, engine) in batches.into_iter().zip(engines.iter()) {
        let Some(mut batch) = batch else { continue };
        let report = &engine.report;
        (batch.rows, batch.created) = (report.rows, report.created);
        (batch.updated, batch.rejected) = (report.updated, report.rejected);
        batch.ended_at = Some(place.now_ms());
        transact(place, run, &mut |target| Ok(target.notes().save_batch(&batch)?))?;
    }
    Ok(())
}

fn transact(place: &mut dyn Place, run: &Run, work: Work<'_>) -> Result<(), TargetError> {
    if run.is_dry_run { place.rehearse(work) } else { place.write(work) }
}

fn run_file(
    place: &mut dyn Place,
    run: &Run,
    file: &mut OpenFile<'_>,
    engine: &mut Engine<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImportError> {
    let bytes_total = file.reader.bytes_total();
    loop {
        let limit = place.batch_rows().min(BATCH_ROWS_MAX);
        let batch = next_batch(&mut file.reader, &mut engine.report, limit)?;
        if batch.is_empty() {
            return Ok(());
        }
        transact(place, run, &mut |target| {
            batch.iter().try_for_each(|row| engine.take(run, target, row))
        })?;
        tell(file, engine)?;
        progress(Progress { rows: engine.report.rows, bytes: file.reader.bytes(), bytes_total });
    }
}

fn tell(file: &mut OpenFile<'_>, engine: &mut Engine<'_>) -> Result<(), ImportError> {
    let told = std::mem::take(&mut engine.told);
    file.errors.as_mut().map_or(Ok(()), |errors| errors.write(&told))
}

fn next_batch(
    reader: &mut RowReader,
    report: &mut ImportReport,
    limit: usize,
) -> Result<Vec<RawRow>, ImportError> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < limit && bytes < BATCH_BYTES_MAX {
        let Some(row) = reader.next_row()? else { break };
        if blank(&row.cells) {
            report.blank += 1;
            continue;
        }
        bytes += row.cells.as_slice().len();
        batch.push(row);
    }
    Ok(batch)
}

/// Tries again what rows of this run named that was not there yet.
fn link_waiting(
    place: &mut dyn Place,
    run: &Run,
    engines: &mut [Engine<'_>],
) -> Result<(), TargetError> {
    let mut after: Option<(usize, u64)> = None;
    loop {
        let waiting: Vec<WaitingRow> = run.scratch.waiting(after, place.batch_rows())?;
        let Some(last) = waiting.last() else { return Ok(()) };
        after = Some((last.file, last.row));
        transact(place, run, &mut |target| {
            waiting.iter().try_for_each(|row| match engines.get_mut(row.file) {
                Some(engine) => engine.link(run, target, row),
                None => Ok(()),
            })
        })?;
    }
}

/// Tries again what earlier imports left empty.
fn link_earlier(
    place: &mut dyn Place,
    run: &Run,
    engines: &mut [Engine<'_>],
) -> Result<(), TargetError> {
    let mut lookup = Lookup::default();
    let mut after = None;
    let mut linked = 0;
    let limit = place.batch_rows();
    loop {
        let mut last = None;
        transact(place, run, &mut |target| {
            let pending = target.notes().pending(after, limit)?;
            last = pending.last().map(|(record, _)| *record);
            for (record, pending) in pending {
                let is_linked = links::link_earlier(run, target, &mut lookup, record, &pending)?;
                linked += u64::from(is_linked);
            }
            Ok(())
        })?;
        if last.is_none() {
            break;
        }
        after = last;
    }
    if let Some(engine) = engines.first_mut() {
        engine.report.linked_earlier = linked;
    }
    Ok(())
}

/// The latest imports, the last one first, at most `limit`.
///
/// # Errors
///
/// Fails when the store does.
pub fn imports(place: &mut dyn Place, limit: usize) -> Result<Vec<Batch>, TargetError> {
    let mut found = Vec::new();
    place.rehearse(&mut |target| {
        found = target.notes().batches(limit)?;
        Ok(())
    })?;
    Ok(found)
}

/// The file of rows that are told of: row number, column, reason, then the row as it was. Of a row
/// that was imported with an empty reference it has only the text that names nothing.
#[derive(Debug)]
struct ErrorFile {
    csv: csv::Writer<File>,
    path: PathBuf,
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

    fn write(&mut self, told: &[Told]) -> Result<(), ImportError> {
        for (note, cells) in told {
            let row = note.row.to_string();
            let reason = [row.as_str(), &note.column, &note.reason].into_iter();
            self.record(reason.chain(cells.iter()))?;
        }
        let failed = |source| ImportError::ErrorFile { path: self.path.clone(), source };
        self.csv.flush().map_err(failed)
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Target(error.into())
    }
}
