//! Files in and out: imports of other systems' files, exports for other programs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use outrider_client::converse::Stop;
use outrider_core::{
    replica as core,
    store::query::Query,
    time::TimestampMs,
    transfer::{
        self, Job, Mapping, Place, RowNote as CoreNote, Table, TableOptions, TargetError, Work,
        export::{CardVersion, Export, ExportError, Headers, Options, whole::WholeFile},
        propose,
    },
};

use crate::{
    error::{CrmError, Teller},
    long::{Cancel, Teller as Tell},
    platform::PlatformError,
    query::ListQuery,
    replica::Replica,
    values::moment,
    words,
};

/// Imports of one answer, at most.
const IMPORTS_MAX: u32 = 1_000;
/// Records between two looks at whether an export was cancelled.
const STEP: u64 = 64;

/// Hears how far something long is, in a thread of its own; the newest counts.
#[uniffi::export(foreign)]
pub trait ProgressListener: Send + Sync {
    /// So much of so much is done; of nothing where nobody knows.
    ///
    /// # Errors
    ///
    /// Nothing follows from a failure.
    fn on_progress(&self, done: u64, total: Option<u64>) -> Result<(), PlatformError>;
}

/// What is known of a file before it is imported; what is not said is guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct ImportWishes {
    /// Name of the entity.
    #[uniffi(default = None)]
    pub entity: Option<String>,
    /// Name of the system that the file comes from.
    #[uniffi(default = None)]
    pub source: Option<String>,
    /// The currency of amounts that name none.
    #[uniffi(default = None)]
    pub currency: Option<String>,
    /// Country of telephone numbers without a country's code.
    #[uniffi(default = None)]
    pub region: Option<String>,
}

/// A column of a file, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportColumn {
    /// Its name.
    pub column: String,
    /// The field; nothing if it is left out.
    pub field: Option<String>,
    /// How sure that is, in percent.
    pub confidence: u32,
    /// A value.
    pub example: String,
}

/// How a file would be imported.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportProposal {
    /// Name of the entity.
    pub entity: String,
    /// Each column with what becomes of it.
    pub columns: Vec<ImportColumn>,
    /// The columns that name a row.
    pub key: Vec<String>,
    /// The mapping (TOML): to be shown, changed, kept and given to `import_file`.
    pub mapping: String,
}

/// A row that was not taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RowNote {
    /// Its number, from 1.
    pub row: u64,
    /// The column.
    pub column: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportSummary {
    /// Name of the entity.
    pub entity: String,
    /// Rows of the file.
    pub rows: u64,
    /// Records that were created.
    pub created: u64,
    /// Records that were changed.
    pub updated: u64,
    /// Records that were as the file says already.
    pub unchanged: u64,
    /// Rows that do not fit.
    pub rejected: u64,
    /// The first of those.
    pub errors: Vec<RowNote>,
    /// Names the import, for `undo_import`.
    pub number: Option<i64>,
}

/// An import of this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ImportBatch {
    /// Names it.
    pub number: i64,
    /// When it began.
    pub begun_at: SystemTime,
    /// Name of the file.
    pub file: String,
    /// Name of the entity.
    pub entity: String,
    /// Rows of the file.
    pub rows: u64,
    /// Records that were created.
    pub created: u64,
    /// Records that were changed.
    pub updated: u64,
    /// Whether it was taken back.
    pub is_undone: bool,
}

/// What taking an import back did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ImportUndone {
    /// Records that were archived.
    pub archived: u64,
    /// Records that are again as they were.
    pub restored: u64,
    /// Records that stay, because somebody wrote into them since.
    pub kept: u64,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FileFormat {
    /// Comma-separated values.
    Csv,
    /// Excel.
    Xlsx,
    /// One JSON text.
    Json,
    /// A JSON text a line.
    JsonLines,
    /// Business cards.
    VCard,
    /// A calendar.
    ICalendar,
}

impl From<FileFormat> for transfer::export::Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Xlsx => Self::Xlsx,
            FileFormat::Json => Self::Json,
            FileFormat::JsonLines => Self::JsonLines,
            FileFormat::VCard => Self::Vcard,
            FileFormat::ICalendar => Self::Ics,
        }
    }
}

/// What an export wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Exported {
    /// Records.
    pub records: u64,
    /// Records that the format has no place for.
    pub left_out: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

#[uniffi::export]
impl Replica {
    /// Says how a file (CSV, XLSX, JSON, vCard) would be imported.
    ///
    /// # Errors
    ///
    /// `Invalid` for a file that cannot be read as a table, `Cancelled`.
    #[uniffi::method(default(cancel = None))]
    pub fn propose_import(
        &self,
        file: String,
        wishes: ImportWishes,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<ImportProposal, CrmError> {
        let ImportWishes { entity, source, currency, region } = wishes;
        let source = source.or_else(|| Some(propose::source_of(&[file.as_str()])));
        let wishes = propose::Wishes { entity, source, currency, region, ..Default::default() };
        let table = Table::open(Path::new(&file), &TableOptions::default());
        let table = table.map_err(|error| self.teller().import(error))?;
        let beside = self.beside(cancel.as_deref())?;
        let proposal = propose::propose(&table, &wishes, &beside.replica);
        let propose::Proposal { entity, columns, key, notes: _, mapping } =
            proposal.map_err(|error| beside.told(self.teller(), || self.teller().import(error)))?;
        let columns = columns.into_iter().map(|column| ImportColumn {
            column: column.column,
            field: column.field,
            confidence: column.confidence,
            example: column.example,
        });
        Ok(ImportProposal { entity, columns: columns.collect(), key, mapping })
    }

    /// Imports a file, or says what that would do. Rows that do not fit are counted and told, the others are
    /// imported; importing it again changes nothing. Who cancels keeps what was imported until then.
    ///
    /// # Errors
    ///
    /// `Invalid` for a mapping or a file that make no sense, `NotPermitted`, `Cancelled`, `StorageFull`.
    #[uniffi::method(default(is_dry_run = false, listener = None, cancel = None))]
    pub fn import_file(
        &self,
        file: String,
        mapping: String,
        is_dry_run: bool,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<ImportSummary, CrmError> {
        let teller = self.teller();
        let mapping = Mapping::from_toml(&mapping).map_err(|error| teller.bad_file(error))?;
        let run = self.running.begin(cancel.as_deref());
        let told = told(listener);
        let mut replica = self.open_beside()?;
        let mut place = Stoppable { replica: &mut replica, stop: run.stop.clone() };
        let job = Job::new(&mapping, Path::new(&file));
        let report = transfer::import(&mut place, job, is_dry_run, &mut |progress| {
            told.tell((progress.bytes, Some(progress.bytes_total)));
        });
        let report = report.map_err(|error| {
            if run.stop.is_stopped() { teller.cancelled() } else { teller.import(error) }
        })?;
        let note = |CoreNote { row, column, reason }| RowNote { row, column, reason };
        Ok(ImportSummary {
            entity: report.entity,
            rows: report.rows,
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            rejected: report.rejected,
            errors: report.errors.into_iter().map(note).collect(),
            number: report.batch,
        })
    }

    /// The imports of this device, the newest first.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(limit = 20))]
    pub fn imports(&self, limit: u32) -> Result<Vec<ImportBatch>, CrmError> {
        let mut replica = self.open_beside()?;
        let found = transfer::imports(&mut replica, limit.min(IMPORTS_MAX) as usize);
        let found = found.map_err(|error| self.teller().target(error))?;
        let batches = found.into_iter().map(|batch| ImportBatch {
            number: batch.id,
            begun_at: moment(batch.begun_at),
            file: batch.file,
            entity: batch.entity,
            rows: batch.rows,
            created: batch.created,
            updated: batch.updated,
            is_undone: batch.undone_at.is_some(),
        });
        Ok(batches.collect())
    }

    /// Takes an import back; what somebody wrote into since stays.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is no such import, `Cancelled`: then do it again.
    #[uniffi::method(default(cancel = None))]
    pub fn undo_import(
        &self,
        number: i64,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<ImportUndone, CrmError> {
        let run = self.running.begin(cancel.as_deref());
        let mut replica = self.open_beside()?;
        let mut place = Stoppable { replica: &mut replica, stop: run.stop.clone() };
        let undone = transfer::undo_import(&mut place, number, &mut |_| {});
        let teller = self.teller();
        let undone = undone.map_err(|error| {
            if run.stop.is_stopped() { teller.cancelled() } else { teller.import(error) }
        })?;
        let transfer::ImportUndone { archived, restored, rows_removed: _, kept } = undone;
        Ok(ImportUndone { archived, restored, kept })
    }

    /// Writes the records of a question (its limit and page do not count) into a file that is there whole or
    /// not at all.
    ///
    /// # Errors
    ///
    /// `Refused` when the file is there already, `Invalid` for a format that has no place for the entity,
    /// `Cancelled`, `StorageFull`.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn export_file(
        &self,
        file: String,
        format: FileFormat,
        query: ListQuery,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Exported, CrmError> {
        let teller = self.teller();
        let run = self.running.begin(cancel.as_deref());
        let told = told(listener);
        let (entity, query) = query.read(teller)?;
        let replica = self.open_beside()?;
        let (file, written_as) = (PathBuf::from(file), transfer::export::Format::from(format));
        let definition = self.with(|replica| replica.entity(&entity))?;
        if !written_as.takes(definition) {
            return Err(teller.invalid("not_that_format", words::NOT_THAT_FORMAT));
        }
        if file.exists() {
            return Err(teller.io(&std::io::ErrorKind::AlreadyExists.into()));
        }
        let mut whole = WholeFile::create(&file).map_err(|error| teller.io(&error))?;
        let tell = |done, total| told.tell((done, Some(total)));
        let written = fill(&replica, format, &mut whole, (&entity, &query), &run.stop, &tell);
        let written = written.map_err(|error| error.told(teller))?;
        let bytes = whole.keep(false).map_err(|error| teller.io(&error))?;
        Ok(Exported { records: written.records, left_out: written.left_out, bytes })
    }

    /// Takes back a file that this or another device exported as JSON, CSV or XLSX: records that are here
    /// stay as they are.
    ///
    /// # Errors
    ///
    /// `Invalid` for a file that is none of those, `Cancelled`: what was taken until then stays.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn import_exported(
        &self,
        file: String,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<ImportSummary, CrmError> {
        let told = told(listener);
        let mut beside = self.beside(cancel.as_deref())?;
        let taken = transfer::own::take_back(&mut beside.replica, Path::new(&file), &mut |at| {
            told.tell((at.bytes, Some(at.bytes_total)));
        });
        let report =
            taken.map_err(|error| beside.told(self.teller(), || self.teller().own_file(error)))?;
        let note = |CoreNote { row, column, reason }| RowNote { row, column, reason };
        Ok(ImportSummary {
            entity: String::new(),
            rows: report.rows,
            created: report.created,
            updated: 0,
            unchanged: report.existing,
            rejected: report.rejected,
            errors: report.errors.into_iter().map(note).collect(),
            number: None,
        })
    }

    /// Writes a copy of all records of this device into one file, for support. Of records that are encrypted it is
    /// not: whoever has the file can read everything in it, so `plain` must say that this is wanted.
    ///
    /// # Errors
    ///
    /// `Refused` when the file is there already, or would not be encrypted; `StorageFull`, `Cancelled`.
    #[uniffi::method(default(plain = false, cancel = None))]
    pub fn export_store(
        &self,
        file: String,
        plain: bool,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<(), CrmError> {
        let mut beside = self.beside(cancel.as_deref())?;
        let file = Path::new(&file);
        let copied = match plain {
            true => beside.replica.export_store_plain(file),
            false => beside.replica.export_store(file),
        };
        let told = |error| beside.told(self.teller(), || self.teller().replica(error));
        copied.map(drop).map_err(told)
    }
}

fn told(listener: Option<Arc<dyn ProgressListener>>) -> Tell<(u64, Option<u64>)> {
    Tell::to(listener.map(|listener| {
        move |(done, total): (u64, Option<u64>)| drop(listener.on_progress(done, total))
    }))
}

/// Why an export ended.
enum Ended {
    Stopped,
    Replica(core::ReplicaError),
    Export(ExportError),
}

impl From<core::ReplicaError> for Ended {
    fn from(error: core::ReplicaError) -> Self {
        Self::Replica(error)
    }
}

impl From<ExportError> for Ended {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl Ended {
    fn told(self, teller: Teller<'_>) -> CrmError {
        match self {
            Self::Stopped => teller.cancelled(),
            Self::Replica(error) => teller.replica(error),
            Self::Export(ExportError::NotThat { .. }) => {
                teller.invalid("not_that_format", words::NOT_THAT_FORMAT)
            }
            Self::Export(error) => teller.export(error),
        }
    }
}

fn fill(
    replica: &core::Replica,
    format: FileFormat,
    whole: &mut WholeFile,
    (entity, query): (&str, &Query),
    stop: &Stop,
    tell: &dyn Fn(u64, u64),
) -> Result<transfer::export::Written, Ended> {
    let now_ms = replica.clock_ms();
    let options = Options { headers: Headers::Names, bom: false, card: CardVersion::V4, now_ms };
    let find_name = |id| replica.title(id).ok().flatten().map(|(_, title)| title);
    replica.at_one_moment(|| {
        let mut export = Export::start(format.into(), options, Box::new(whole), &find_name)?;
        let definition = replica.entity(entity)?;
        let total = replica.count(entity, query)?;
        export.begin(definition)?;
        let mut done = 0;
        replica.each(definition, query, |record| {
            if done % STEP == 0 {
                if stop.is_stopped() {
                    return Err(Ended::Stopped);
                }
                tell(done, total);
            }
            done += 1;
            Ok(export.write(record)?)
        })?;
        Ok(export.finish()?)
    })
}

/// A device's records as the place of an import that may be stopped between two batches.
struct Stoppable<'a> {
    replica: &'a mut core::Replica,
    stop: Stop,
}

impl Place for Stoppable<'_> {
    fn write(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        if self.stop.is_stopped() {
            return Err(TargetError::Failed("it was cancelled".into()));
        }
        Place::write(self.replica, work)
    }

    fn rehearse(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        Place::rehearse(self.replica, work)
    }

    fn set_bulk(&mut self, is_bulk: bool) -> Result<(), TargetError> {
        Place::set_bulk(self.replica, is_bulk)
    }

    fn may_import(&self, entity: &str) -> Result<bool, TargetError> {
        Place::may_import(self.replica, entity)
    }

    fn now_ms(&self) -> TimestampMs {
        Place::now_ms(self.replica)
    }
}
