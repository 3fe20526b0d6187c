//! The ledger: what must outlive a backup, in a file of its own beside the database.
//!
//! A database that is put back to an earlier state forgets. It may forget records, which devices
//! send again; it must not forget who was let in, who was shut out and what was erased. So these
//! are written here, and synced to disk, *before* the transaction commits in which they count, and
//! are carried out again ([`replay`](crate::storage::sqlite)) before a restored server listens.
//!
//! One line for each entry: the SHA-256 of the line before and of this entry in hexadecimal, a
//! space, the entry as JSON. The file only grows. A last line that was never finished (the power
//! failed) is cut off, because nothing that waited for it happened; anything else that does not fit
//! the chain is refused with the number of its line, and is for a person to look at.
//!
//! Whoever appends holds the write transaction of the database, so there is one at a time, across
//! processes; what another process appended meanwhile is read first.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use outrider_core::{ids::RecordId, points};

use crate::{
    durable::{begin_private, sync_folder_of},
    person_keys::{self, PersonKeys},
};

mod chain;
mod entry;

#[cfg(test)]
mod tests;

use chain::{read_lines, write_line};
pub use entry::{EnrolledDevice, Entry, Line};

/// Name of the ledger in the data folder, unless it lies elsewhere.
pub const LEDGER_FILE: &str = "ledger";
/// Bytes of one line, at most.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the whole file, at most: some hundred thousand enrolments.
pub const LEDGER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What names a line and everything before it.
pub type LineHash = [u8; 32];

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the ledger {path} cannot be used")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line is not what was written.
    #[error(
        "line {line} of the ledger {path} was changed or is damaged; put the file back from a copy, or look at the line"
    )]
    Changed {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
    },
    /// A line says what this server does not know.
    #[error("line {line} of the ledger {path} was written by a newer server; install that one")]
    TooNew {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
    },
    /// It is longer than a ledger may be.
    #[error("the ledger {path} or one of its lines is too long")]
    TooLong {
        /// Which file.
        path: String,
    },
    /// The database knows a ledger, and it is not there.
    #[error(
        "the ledger {path} is not there, but the database went on with one; name it with --ledger, put it back from a copy, or begin a new one from what the database knows with `ledger renew`"
    )]
    Missing {
        /// Where it should be.
        path: String,
    },
    /// The ledger belongs to another database.
    #[error("the ledger {path} belongs to another database; name the right one with --ledger")]
    Foreign {
        /// Which file.
        path: String,
    },
    /// The database knows more than the ledger.
    #[error(
        "the ledger {path} has {found} entries, the database knew {known}, or others; put the newest copy back, or begin a new one from what the database knows with `ledger renew`"
    )]
    Behind {
        /// Which file.
        path: String,
        /// Entries in the file.
        found: u64,
        /// Entries that the database had seen.
        known: u64,
    },
}

/// How far a ledger goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Drawn when the ledger was begun.
    pub id: [u8; 16],
    /// Entries, without the line that begins it.
    pub entries: u64,
    /// Hash of the last line.
    pub hash: LineHash,
}

/// What was read of the file so far.
#[derive(Debug, Clone, Copy)]
struct Tail {
    reached: Reached,
    bytes: u64,
}

/// An open ledger.
pub struct Ledger {
    path: PathBuf,
    is_synced: bool,
    tail: Mutex<Tail>,
    /// Whether it may have what the database has not.
    is_ahead: AtomicBool,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An entry with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Its number, from 1.
    pub number: u64,
    /// The hash of its line.
    pub hash: LineHash,
    /// What it says.
    pub entry: Entry,
}

impl Ledger {
    /// Opens the ledger at `path` and reads all of it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] for a file that cannot be read, or was changed.
    pub fn open(path: &Path, is_synced: bool) -> Result<Option<(Self, Vec<Noted>)>, LedgerError> {
        let failed = failed(path);
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut tail =
            Tail { reached: Reached { id: [0; 16], entries: 0, hash: [0; 32] }, bytes: 0 };
        let lines = read_lines(path, &bytes, &mut tail, 0)?;
        let mut lines = lines.into_iter();
        match lines.next() {
            Some((_, Line::Begun { id, .. })) => tail.reached.id = id,
            // Not even the first line was finished: nothing waited for it.
            None => return Ok(None),
            Some(_) => return Err(changed(path, 1)),
        }
        let mut entries = Vec::new();
        for (hash, line) in lines {
            let number = entries.len() as u64 + 1;
            let Line::Entry(entry) = line else { return Err(changed(path, number + 1)) };
            entries.push(Noted { number, hash, entry });
        }
        tail.reached.entries = entries.len() as u64;
        let path = path.to_owned();
        Ok(Some((
            Self { path, is_synced, tail: Mutex::new(tail), is_ahead: AtomicBool::new(false) },
            entries,
        )))
    }

    /// Begins a ledger at `path` with `entries`, in place of any file that is there.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it cannot be written.
    pub fn begin(
        path: &Path,
        id: [u8; 16],
        entries: &[Entry],
        is_synced: bool,
    ) -> Result<Self, LedgerError> {
        let failed = failed(path);
        let mut reached = Reached { id, entries: 0, hash: [0; 32] };
        let mut text = String::new();
        write_line(&mut text, &mut reached, &Line::Begun { ledger: entry::VERSION, id });
        for entry in entries {
            write_line(&mut text, &mut reached, &Line::Entry(entry.clone()));
            reached.entries += 1;
        }
        let draft = draft_of(path);
        let mut file = begin_private(&draft).map_err(&failed)?;
        file.write_all(text.as_bytes()).map_err(&failed)?;
        if is_synced {
            file.sync_all().map_err(&failed)?;
        }
        points::reach("server.ledger.before_name");
        fs::rename(&draft, path).map_err(&failed)?;
        points::reach("server.ledger.named");
        if is_synced {
            sync_folder_of(path).map_err(&failed)?;
        }
        let tail = Tail { reached, bytes: text.len() as u64 };
        Ok(Self {
            path: path.to_owned(),
            is_synced,
            tail: Mutex::new(tail),
            is_ahead: AtomicBool::new(false),
        })
    }

    /// How far it goes, as far as it was read.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.tail().reached
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what another process appended since the last look; the caller holds the database's
    /// write transaction.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] for a file that cannot be read, or was changed.
    pub fn read_on(&self) -> Result<(), LedgerError> {
        let failed = failed(&self.path);
        let mut tail = self.tail();
        let mut file = File::open(&self.path).map_err(&failed)?;
        let length = file.metadata().map_err(&failed)?.len();
        if length == tail.bytes {
            return Ok(());
        }
        if length < tail.bytes || length > LEDGER_BYTES_MAX {
            return Err(changed(&self.path, tail.reached.entries + 1));
        }
        file.seek(SeekFrom::Start(tail.bytes)).map_err(&failed)?;
        let mut bytes = Vec::new();
        file.take(LEDGER_BYTES_MAX).read_to_end(&mut bytes).map_err(&failed)?;
        let lines_before = tail.reached.entries + 1;
        let lines = read_lines(&self.path, &bytes, &mut tail, lines_before)?;
        tail.reached.entries += lines.len() as u64;
        Ok(())
    }

    /// Appends entries and syncs them to disk; returns how far the ledger goes then.
    ///
    /// The caller holds the database's write transaction, and has [read on](Self::read_on).
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when they cannot be written; then they count nowhere.
    pub fn append(&self, entries: &[Entry]) -> Result<Reached, LedgerError> {
        let failed = failed(&self.path);
        let mut tail = self.tail();
        let mut reached = tail.reached;
        let mut text = String::new();
        for entry in entries {
            let before = text.len();
            write_line(&mut text, &mut reached, &Line::Entry(entry.clone()));
            reached.entries += 1;
            if text.len() - before > LINE_BYTES_MAX {
                return Err(LedgerError::TooLong { path: self.path.display().to_string() });
            }
        }
        let mut file = OpenOptions::new().write(true).open(&self.path).map_err(&failed)?;
        points::reach("server.ledger.before_append");
        // What stands behind is a line that was never finished.
        file.set_len(tail.bytes).map_err(&failed)?;
        file.seek(SeekFrom::Start(tail.bytes)).map_err(&failed)?;
        let written = file.write_all(text.as_bytes());
        points::reach("server.ledger.before_sync");
        let synced = written.and_then(|()| if self.is_synced { file.sync_all() } else { Ok(()) });
        if let Err(error) = synced {
            // Whole lines among what was written would count at the next look, although whoever wrote
            // them is told that they do not.
            let _ = file.set_len(tail.bytes);
            return Err(failed(error));
        }
        points::reach("server.ledger.after_sync");
        *tail = Tail { reached, bytes: tail.bytes + text.len() as u64 };
        Ok(reached)
    }

    /// Whether a transaction may have been broken off after the ledger took what it notes.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.is_ahead.load(Ordering::Relaxed)
    }

    /// Whoever says so holds the database's write transaction.
    pub fn set_ahead(&self, is_ahead: bool) {
        self.is_ahead.store(is_ahead, Ordering::Relaxed);
    }

    /// Overwrites the key with which backups seal what a person's record holds.
    ///
    /// # Errors
    ///
    /// [`LedgerError::File`] when the keys beside the ledger cannot be written.
    pub fn forget_person(&self, record: RecordId) -> Result<(), LedgerError> {
        let path = person_keys::beside_ledger(&self.path);
        PersonKeys::forget(&path, record).map_err(failed(&path))
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // It is replaced whole, whatever a holder of the lock died of.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > LEDGER_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than a ledger may be"));
    }
    let mut bytes = Vec::new();
    file.take(LEDGER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> LedgerError {
    let path = path.display().to_string();
    move |source| LedgerError::File { path: path.clone(), source }
}

fn changed(path: &Path, line: u64) -> LedgerError {
    LedgerError::Changed { path: path.display().to_string(), line }
}
