//! A folder on a disk that fails when it is told to.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{
    fault::{Mode, Operation, Plan},
    shadow::Shadow,
    vfs,
};

/// The end of the name of a file that processes share and that no power cut survives.
const SHARED_ENDING: &str = "-shm";

/// The folders that are watched now.
static WATCHED: Mutex<Vec<Weak<Watched>>> = Mutex::new(Vec::new());

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// SQLite did not take the shim.
    #[error("SQLite did not take the shim (code {0})")]
    Register(i32),
    /// The folder or a file in it cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What a disk still writes of what was not synced when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Some sectors, drawn from a seed.
    Sectors(u64),
}

/// One operation that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What it was.
    pub operation: Operation,
    /// The name of the file.
    pub file: String,
}

/// A folder whose files are on a disk that fails when it is told to, until this is dropped.
#[derive(Debug)]
pub struct Disk(Arc<Watched>);

impl Disk {
    /// Watches `folder`, which is there, before anything in it is opened.
    ///
    /// # Errors
    ///
    /// [`DiskError`] when there is no such folder, or SQLite does not take the shim.
    pub fn over(folder: &Path) -> Result<Self, DiskError> {
        vfs::install().map_err(DiskError::Register)?;
        let folder = folder
            .canonicalize()
            .map_err(|source| DiskError::File { path: folder.to_owned(), source })?;
        let watched = Arc::new(Watched { folder, state: Mutex::default() });
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&watched));
        Ok(Self(watched))
    }

    /// Counts from 1 again, and goes wrong by this plan, if there is one.
    pub fn begin(&self, plan: Option<Plan>) {
        let mut state = self.0.state();
        (state.plan, state.faults) = (plan, 0);
        state.done.clear();
    }

    /// Nothing goes wrong any more; the count goes on.
    pub fn heal(&self) {
        self.0.state().plan = None;
    }

    /// What was done since it began.
    #[must_use]
    pub fn done(&self) -> Vec<Done> {
        self.0.state().done.clone()
    }

    /// How many operations went wrong since it began.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.0.state().faults
    }

    /// Makes of each file what a disk holds whose power failed. Close everything in the folder first.
    ///
    /// # Errors
    ///
    /// [`DiskError::File`] when a file cannot be written.
    pub fn cut_power(&self, keep: Keep) -> Result<(), DiskError> {
        let mut chance = match keep {
            Keep::Nothing => None,
            Keep::Sectors(seed) => Some(Chance(seed)),
        };
        let mut state = self.0.state();
        // What somebody else than SQLite removed stays away, alone or with its folder; and what somebody
        // else put in its place stays, which they synced.
        state.shadows.retain(|path, (number, shadow)| {
            let has_folder = path.parent().is_some_and(Path::exists);
            let is_same = number_of(path).is_none_or(|there| number.is_none_or(|one| one == there));
            has_folder && is_same && (path.exists() || shadow.is_removed())
        });
        for (path, (_, shadow)) in &mut state.shadows {
            let content = shadow.after_power(|| chance.as_mut().is_some_and(Chance::flip));
            put(path, content.as_deref())
                .map_err(|source| DiskError::File { path: path.clone(), source })?;
            *shadow = Shadow::of(content);
        }
        drop(state);
        self.remove_shared()
            .map_err(|source| DiskError::File { path: self.0.folder.clone(), source })
    }

    fn remove_shared(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(SHARED_ENDING) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn put(path: &Path, content: Option<&[u8]>) -> io::Result<()> {
    match content {
        Some(bytes) => fs::write(path, bytes),
        None => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

/// What the shim asks.
#[derive(Debug)]
pub(crate) struct Watched {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: Option<Plan>,
    faults: u64,
    done: Vec<Done>,
    /// With the number that the system gave the file, once it was open.
    shadows: BTreeMap<PathBuf, (Option<FileNumber>, Shadow)>,
}

/// What tells a file from another one that takes its name.
pub(crate) type FileNumber = u64;

/// The number of the file that has this name now.
pub(crate) fn number_of(path: &Path) -> Option<FileNumber> {
    fs::metadata(path).ok().map(|known| std::os::unix::fs::MetadataExt::ino(&known))
}

/// Who watches the file, if anybody does.
pub(crate) fn watcher_of(path: &Path) -> Option<Arc<Watched>> {
    let all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).find(|watched| path.starts_with(&watched.folder))
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation, and says how it goes wrong, if it does.
    pub(crate) fn ask(&self, operation: Operation, path: &Path) -> Option<Mode> {
        let mut state = self.state();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        state.done.push(Done { operation, file });
        let number = state.done.len() as u64;
        let plan = state.plan.filter(|plan| plan.hits(number, operation, state.faults))?;
        state.faults += 1;
        Some(plan.mode)
    }

    /// A file is about to be opened. The first time, what is there counts as durable: nothing in this
    /// process has it open then, so that reading it releases nobody's locks. So it is with a file that
    /// somebody else than SQLite gave its name.
    pub(crate) fn begin(&self, path: &Path) {
        let mut state = self.state();
        let known = state.shadows.get(path).and_then(|(number, _)| *number);
        let there = number_of(path);
        let is_another = matches!((known, there), (Some(known), Some(there)) if known != there);
        if is_another || !state.shadows.contains_key(path) {
            state.shadows.insert(path.to_owned(), (there, Shadow::of(fs::read(path).ok())));
        }
    }

    /// It was opened; returns its number.
    pub(crate) fn opened(&self, path: &Path) -> Option<FileNumber> {
        let number = number_of(path);
        if let Some((known, _)) = self.state().shadows.get_mut(path) {
            *known = number;
        }
        number
    }

    /// Notes what happens to a file, unless another one has its name by now.
    pub(crate) fn note(
        &self,
        path: &Path,
        number: Option<FileNumber>,
        what: impl FnOnce(&mut Shadow),
    ) {
        if let Some((known, shadow)) = self.state().shadows.get_mut(path)
            && (number.is_none() || *known == number)
        {
            what(shadow);
        }
    }
}

impl Watched {
    /// The folder was synced with a file in it: what was removed from it stays away.
    pub(crate) fn note_folder(&self, path: &Path) {
        let mut state = self.state();
        let neighbours =
            state.shadows.iter_mut().filter(|(other, _)| other.parent() == path.parent());
        neighbours.for_each(|(_, (_, shadow))| shadow.sync_name());
    }
}

/// A source of random numbers (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn flip(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) & 1 == 1
    }
}
