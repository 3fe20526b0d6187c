//! Files that people at the office import: kept in the data folder while they are worked on.
//!
//! A file arrives, a mapping is proposed for it, it is tried, imported, and can be taken back. Each
//! has a folder of its own under `imports/` with the file, what is known of it (`job.json`) and the
//! rows that were told of (`errors.csv`). One is worked on at a time; a server that is stopped
//! meanwhile finds it interrupted, and the person starts it again: what is there already is not
//! made twice. A file goes when it was imported, all of it after [`KEPT_DAYS`].

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use outrider_core::{
    access::Policy,
    ids::RecordId,
    time::{Clock, DAY_MS, TimestampMs},
    transfer::{
        ImportError, ImportReport, ImportUndone, Job as ImportJob, Mapping, Place, Progress, Table,
        TableOptions, TargetError, Work, import, propose, undo_import,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    office::{OfficePlace, author_for, ensure_user},
    storage::Storage,
};

mod names;

/// Bytes of a file that is brought, at most.
pub const UPLOAD_BYTES_MAX: usize = 64 << 20;
/// Files that are kept, at most; the oldest that are done make room.
pub const KEPT_MAX: usize = 50;
/// Days after which a file and what is known of it go.
pub const KEPT_DAYS: i64 = 30;
/// After which a folder of which nothing is known goes.
const UNKNOWN_KEPT: Duration = Duration::from_secs(60 * 60);

/// The files.
#[derive(Debug)]
pub struct Imports {
    folder: PathBuf,
    running: Arc<Mutex<BTreeMap<Uuid, Progress>>>,
    turn: Arc<Semaphore>,
}

/// A file that is worked on, until this is dropped.
#[derive(Debug)]
pub struct Running {
    id: Uuid,
    running: Arc<Mutex<BTreeMap<Uuid, Progress>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits for a person.
    Waiting,
    /// It is being tried.
    Trying,
    /// It is being imported.
    Importing,
    /// It was imported.
    Done,
    /// The server was stopped meanwhile.
    Interrupted,
}

/// What is known of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// What the person called it.
    pub name: String,
    /// Who brought it.
    pub user: String,
    /// When.
    pub at: TimestampMs,
    /// Where it stands.
    pub stage: Stage,
    /// What the person said for the proposal.
    pub said: Said,
    /// The mapping.
    pub mapping: String,
    /// What came of the last try, or of the import.
    pub report: Option<ImportReport>,
    /// Why it failed, in words.
    pub problem: Option<String>,
    /// What was taken back.
    #[serde(default)]
    pub undone: Option<String>,
    /// The imports that were made of it, also those that broke off, the oldest first.
    #[serde(default)]
    pub batches: Vec<i64>,
}

impl Job {
    /// The imports that can be taken back, the newest first.
    #[must_use]
    pub fn undoable(&self) -> Vec<i64> {
        if self.undone.is_some() {
            return Vec::new();
        }
        if self.batches.is_empty() {
            return self.report.iter().filter_map(|report| report.batch).collect();
        }
        self.batches.iter().rev().copied().collect()
    }
}

/// What a person said for the proposal; empty is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The entity.
    pub entity: String,
    /// The system that the file comes from.
    pub source: String,
    /// The currency.
    pub currency: String,
    /// The country of phone numbers.
    pub region: String,
    /// Fields of columns; an empty one leaves the column out.
    pub fields: BTreeMap<String, String>,
}

/// In whose name records are written.
#[derive(Debug, Clone)]
pub struct Importer {
    /// The user's name.
    pub user: String,
    /// The user's record, once there is one.
    pub record: Option<RecordId>,
    /// What they are told if they may not import records of an entity.
    pub not_permitted: String,
}

impl Imports {
    /// The files under a data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self {
            folder: data.join("imports"),
            running: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Makes room for a file and returns its id and where it goes.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn begin(&self, id: Uuid, now_ms: TimestampMs) -> io::Result<PathBuf> {
        self.sweep(now_ms)?;
        fs::create_dir_all(self.folder_of(id))?;
        Ok(self.file_of(id))
    }

    /// Keeps what is known of a file.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn save(&self, job: &Job) -> io::Result<()> {
        let folder = self.folder_of(job.id);
        let draft = folder.join("job.json.part");
        fs::write(&draft, serde_json::to_vec(job)?)?;
        fs::rename(draft, folder.join("job.json"))
    }

    /// What is known of a file; `None` if there is no such.
    #[must_use]
    pub fn load(&self, id: Uuid) -> Option<Job> {
        let text = fs::read(self.folder_of(id).join("job.json")).ok()?;
        let mut job: Job = serde_json::from_slice(&text).ok()?;
        let is_running = self.progress(id).is_some();
        if matches!(job.stage, Stage::Trying | Stage::Importing) && !is_running {
            job.stage = Stage::Interrupted;
        }
        Some(job)
    }

    /// All files, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Uuid>().ok());
        let mut jobs: Vec<Job> = ids.filter_map(|id| self.load(id)).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.at, job.id)));
        jobs
    }

    /// How far a file that is worked on is.
    #[must_use]
    pub fn progress(&self, id: Uuid) -> Option<Progress> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// The rows that were told of, as a file.
    #[must_use]
    pub fn errors_of(&self, id: Uuid) -> PathBuf {
        self.folder_of(id).join("errors.csv")
    }

    /// Whether the file itself is still here.
    #[must_use]
    pub fn has_file(&self, id: Uuid) -> bool {
        self.file_of(id).is_file()
    }

    /// Takes a file away with all that is known of it.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn remove(&self, id: Uuid) -> io::Result<()> {
        if self.progress(id).is_some() {
            return Ok(());
        }
        fs::remove_dir_all(self.folder_of(id))
    }

    fn folder_of(&self, id: Uuid) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Without the name that a person gave it: nothing of that reaches the disk's folders.
    fn file_of(&self, id: Uuid) -> PathBuf {
        self.folder_of(id).join("file")
    }

    /// What is old goes, and the oldest where there are too many.
    fn sweep(&self, now_ms: TimestampMs) -> io::Result<()> {
        for (at, job) in self.list().iter().enumerate() {
            let is_old = now_ms - job.at > KEPT_DAYS * DAY_MS;
            let is_done = job.stage == Stage::Done || job.undone.is_some();
            if is_old || (at + 1 >= KEPT_MAX && is_done) {
                self.remove(job.id)?;
            }
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok());
            let Some(id) = id else { continue };
            let changed = entry.metadata().and_then(|found| found.modified()).ok();
            let age = changed.and_then(|changed| changed.elapsed().ok());
            if self.load_as_is(id).is_none() && age.is_some_and(|age| age > UNKNOWN_KEPT) {
                self.remove(id)?;
            }
        }
        Ok(())
    }

    /// Looks at a file and proposes a mapping.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, in words.
    pub fn propose(&self, storage: &dyn Storage, job: &Job) -> Result<propose::Proposal, String> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let wishes = propose::Wishes {
            entity: some(&job.said.entity),
            source: some(&job.said.source).or_else(|| Some(propose::source_of(&[&job.name]))),
            currency: some(&job.said.currency),
            region: some(&job.said.region),
            fields: job
                .said
                .fields
                .iter()
                .map(|(column, field)| (column.clone(), some(field)))
                .collect(),
            key: Vec::new(),
        };
        let words = |error: ImportError| self.words(job, &error);
        let table = Table::open(&self.file_of(job.id), &TableOptions::default()).map_err(words)?;
        propose::propose(&table, &wishes, &names::OfficeNames(storage)).map_err(words)
    }

    /// What went wrong, with the name that people know instead of the place on the server's disk.
    fn words(&self, job: &Job, error: &ImportError) -> String {
        error.to_string().replace(&self.file_of(job.id).display().to_string(), &job.name)
    }

    /// Tries or imports a file, when it is its turn; blocks until it is done.
    ///
    /// # Errors
    ///
    /// Fails when the disk does; what is wrong with the file is kept with it.
    pub fn run(
        &self,
        storage: &dyn Storage,
        policy: &Policy,
        clock: &Arc<dyn Clock>,
        importer: &Importer,
        running: Running,
    ) -> io::Result<()> {
        // Dropped at the end, also in a panic.
        let id = running.id;
        let Some(mut job) = self.load_as_is(id) else { return Ok(()) };
        let is_try = job.stage == Stage::Trying;
        let done = self.work(storage, policy, clock, importer, &job, is_try);
        if let Some(kept) = self.load_as_is(id) {
            job.batches = kept.batches;
        }
        match done {
            Ok(report) => {
                job.stage = if is_try { Stage::Waiting } else { Stage::Done };
                (job.report, job.problem) = (Some(report), None);
            }
            Err(words) => {
                job.stage = Stage::Waiting;
                job.problem = Some(words);
            }
        }
        self.save(&job)?;
        if job.stage == Stage::Done {
            fs::remove_file(self.file_of(id))?;
        }
        Ok(())
    }

    fn load_as_is(&self, id: Uuid) -> Option<Job> {
        let text = fs::read(self.folder_of(id).join("job.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn work(
        &self,
        storage: &dyn Storage,
        policy: &Policy,
        clock: &Arc<dyn Clock>,
        importer: &Importer,
        job: &Job,
        is_try: bool,
    ) -> Result<ImportReport, String> {
        let mapping = Mapping::from_toml(&job.mapping).map_err(|error| error.to_string())?;
        let author = author(storage, policy, importer, clock.now_ms())?;
        let place = OfficePlace::new(storage, policy, &author, Arc::clone(clock));
        let mut place = Noted { place, imports: self, job, is_noted: false };
        let file = self.file_of(job.id);
        let one = ImportJob {
            name: Some(job.name.clone()),
            error_file: Some(self.errors_of(job.id)),
            ..ImportJob::new(&mapping, &file)
        };
        let mut note = |progress: Progress| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(job.id, progress);
        };
        import(&mut place, one, is_try, &mut note).map_err(|error| {
            let is_theirs = !matches!(error, ImportError::NotPermitted { .. });
            if is_theirs { self.words(job, &error) } else { importer.not_permitted.clone() }
        })
    }

    /// Keeps others from a file; `None` if it is worked on already.
    pub fn claim(&self, id: Uuid) -> Option<Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&id) {
            return None;
        }
        running.insert(id, Progress::default());
        Some(Running { id, running: Arc::clone(&self.running) })
    }

    /// Marks a file as worked on; `None` if it is already.
    ///
    /// # Errors
    ///
    /// Fails when the disk does.
    pub fn mark(&self, job: &mut Job, is_try: bool) -> io::Result<Option<Running>> {
        let Some(running) = self.claim(job.id) else { return Ok(None) };
        if let Some(kept) = self.load_as_is(job.id) {
            (job.batches, job.undone) = (kept.batches, kept.undone);
        }
        if !is_try && job.undone.is_some() {
            (job.batches, job.undone) = (Vec::new(), None);
        }
        job.stage = if is_try { Stage::Trying } else { Stage::Importing };
        (job.report, job.problem) = (None, None);
        self.save(job)?;
        Ok(Some(running))
    }

    /// The turn of those that are worked on.
    pub(crate) fn turn(&self) -> Arc<Semaphore> {
        Arc::clone(&self.turn)
    }
}

/// The office, where the number of an import is kept with its file before any of its rows is
/// written: so it can be taken back even if it breaks off.
struct Noted<'a> {
    place: OfficePlace<'a>,
    imports: &'a Imports,
    job: &'a Job,
    is_noted: bool,
}

impl Place for Noted<'_> {
    fn write(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        self.place.write(work)?;
        if self.is_noted {
            return Ok(());
        }
        // The first thing that is written is the import itself; one runs at a time.
        self.is_noted = true;
        let newest = outrider_core::transfer::imports(&mut self.place, 1)?;
        let mut job = self.job.clone();
        job.batches.extend(newest.iter().map(|batch| batch.id));
        self.imports.save(&job).map_err(|error| TargetError::Failed(Box::new(error)))
    }

    fn rehearse(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        self.place.rehearse(work)
    }

    fn set_bulk(&mut self, is_bulk: bool) -> Result<(), TargetError> {
        self.place.set_bulk(is_bulk)
    }

    fn may_import(&self, entity: &str) -> Result<bool, TargetError> {
        self.place.may_import(entity)
    }

    fn batch_rows(&self) -> usize {
        self.place.batch_rows()
    }

    fn now_ms(&self) -> TimestampMs {
        self.place.now_ms()
    }
}

/// Takes imports back, in this order.
///
/// # Errors
///
/// Why it cannot be, in words.
pub fn take_back(
    storage: &dyn Storage,
    policy: &Policy,
    clock: &Arc<dyn Clock>,
    importer: &Importer,
    batches: &[i64],
) -> Result<ImportUndone, String> {
    let author = author(storage, policy, importer, clock.now_ms())?;
    let mut place = OfficePlace::new(storage, policy, &author, Arc::clone(clock));
    let mut all = ImportUndone::default();
    for batch in batches {
        let undone = match undo_import(&mut place, *batch, &mut |_| {}) {
            // An undo that broke off has done with this one.
            Err(ImportError::UndoneBefore(_)) => continue,
            undone => undone.map_err(|error| error.to_string())?,
        };
        all.archived += undone.archived;
        all.restored += undone.restored;
        all.rows_removed += undone.rows_removed;
        all.kept += undone.kept;
    }
    Ok(all)
}

fn author(
    storage: &dyn Storage,
    policy: &Policy,
    importer: &Importer,
    now_ms: TimestampMs,
) -> Result<crate::office::Author, String> {
    let record = match importer.record {
        Some(record) => Ok(record),
        None => ensure_user(storage, policy, &importer.user, now_ms),
    };
    record
        .and_then(|record| author_for(storage, &importer.user, Some(record), now_ms))
        .map_err(|error| error.to_string())
}
