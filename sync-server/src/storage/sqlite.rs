//! The embedded backend: one SQLite file per tenant.
//!
//! One connection writes, behind a lock; write transactions are `BEGIN IMMEDIATE`, so that other
//! processes (the `code` command) wait too, and positions are in commit order. Readers have
//! connections of their own and in WAL mode never wait for the writer. `synchronous=FULL`: what a
//! commit returned for survives a power failure.
//!
//! * `connection`: how a connection is set up. * `migrate`: tables.
//! * `read`, `write`: the two transactions. * `document`, `change`, `feed`, `stream`,
//!   `device`, `accounts`, `audit`, `access`, `ledger`, `rows`: the SQL, by what it is about.
//! * `heal`: what is found damaged. `backups`: up to where the feed is backed up. * `scope`, `sight`: who may see what. [`snapshot`], [`verify`], [`repair`]: the whole database, copied,
//!   checked and repaired.

mod connection;
mod migrate;

mod read;
mod write;

mod access;
mod accounts;
mod audit;
mod backups;
mod change;
mod device;
mod document;
mod erasure;
mod feed;
mod heal;
mod ledger;
mod recovery;
mod rows;
mod scope;
mod sight;
mod standing;
mod stream;

pub mod persons;
pub mod repair;
pub mod snapshot;
pub mod verify;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use outrider_core::{
    access::Grant,
    ids::DocumentId,
    sync::frame::Digest,
    time::{Clock, SystemClock},
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::watch;

use self::{connection::Role, read::SqliteRead, write::SqliteWrite};
use super::{Read, Storage, StorageError, Write};
use crate::ledger::{LEDGER_FILE, Ledger};

/// Name of the database in the data folder.
pub const DATABASE_FILE: &str = "outrider.db";
/// Read connections kept open between requests. How many are open at once is bounded by the
/// number of jobs that the server runs at once. Those that read with a user's eyes are among them.
const IDLE_READERS_MAX: usize = 32;

/// Whether a commit waits until the disk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// It does. The only choice where data is real.
    Synced,
    /// It does not: for simulations that never lose power.
    NotSynced,
}

/// Documents that were found damaged while reading, to be made anew by who writes next.
#[derive(Debug, Default)]
struct Damaged {
    found: BTreeSet<DocumentId>,
    /// Of which that failed before: no reader tries it again.
    put_off: BTreeSet<DocumentId>,
}

/// Storage in one SQLite file.
pub struct SqliteStorage {
    path: PathBuf,
    durability: Durability,
    writer: Mutex<Connection>,
    /// With whose eyes each reads: those of a grant, or everybody's.
    idle_readers: Mutex<Vec<(Option<Digest>, Connection)>>,
    ledger: Ledger,
    damaged: Mutex<Damaged>,
    clock: Arc<dyn Clock>,
    /// The position of the last commit of this process.
    news: watch::Sender<u64>,
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStorage {
    /// Opens the database in `folder`, creating both when they are not there.
    ///
    /// # Errors
    ///
    /// Returns [`StorageError`] when the folder or the database cannot be opened, when the
    /// database belongs to a newer server, or when SQLite itself is too old.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        Self::open_with_ledger(folder, None)
    }

    /// As [`open`](Self::open), with a ledger that lies elsewhere than in the folder.
    ///
    /// What the ledger has and the database has not is carried out first.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and when the ledger is not the database's.
    pub fn open_with_ledger(folder: &Path, ledger: Option<&Path>) -> Result<Self, StorageError> {
        Self::open_with(folder, ledger, Durability::Synced)
    }

    /// As [`open`](Self::open), for tests and simulations: with `synchronous_off` commits do not
    /// wait for the disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_for_test(folder: &Path, synchronous_off: bool) -> Result<Self, StorageError> {
        let durability = if synchronous_off { Durability::NotSynced } else { Durability::Synced };
        Self::open_with(folder, None, durability)
    }

    fn open_with(
        folder: &Path,
        ledger: Option<&Path>,
        durability: Durability,
    ) -> Result<Self, StorageError> {
        connection::check_engine()?;
        create_folder(folder)
            .map_err(|source| StorageError::Open { path: folder.display().to_string(), source })?;
        let path = folder.join(DATABASE_FILE);
        let mut writer = connection::open(&path, Role::Writer, durability)?;
        migrate::run(&mut writer)?;
        let beside = folder.join(LEDGER_FILE);
        let is_synced = durability == Durability::Synced;
        let ledger = ledger::reconcile(&mut writer, ledger.unwrap_or(&beside), is_synced)?;
        // What a server that ended in between had not overwritten yet. On a full disk it waits for the next
        // erasure: others must not.
        if let Err(error) = erasure::sweep(&writer) {
            tracing::warn!(%error, "what was erased is not overwritten yet");
        }
        let position = feed::position(&writer)?;
        Ok(Self {
            news: watch::Sender::new(position),
            path,
            durability,
            writer: Mutex::new(writer),
            idle_readers: Mutex::new(Vec::new()),
            ledger,
            damaged: Mutex::default(),
            clock: Arc::new(SystemClock),
        })
    }

    /// Lets the database grow by `more` pages at most, as on a disk that is nearly full; `None` takes
    /// the limit away. For tests and simulations.
    ///
    /// # Errors
    ///
    /// Returns [`StorageError`] when the database cannot be asked.
    pub fn limit_growth_for_test(&self, more: Option<u32>) -> Result<(), StorageError> {
        const DOING: &str = "limiting how far the database may grow";
        let conn = self.writer();
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).doing(DOING)?;
        let most = more.map_or(i64::from(u32::MAX - 1), |more| pages + i64::from(more));
        conn.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).doing(DOING)
    }

    /// What outlives a backup.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// As it is, with another clock: it says when something was found damaged.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    fn begin<'s>(
        &'s self,
        conn: MutexGuard<'s, Connection>,
    ) -> Result<SqliteWrite<'s>, StorageError> {
        SqliteWrite::begin(conn, &self.ledger, &self.news, self.clock.now_ms())
    }

    fn damaged(&self) -> MutexGuard<'_, Damaged> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic while writing leaves at worst an open transaction, which `begin` rolls back.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes documents anew. What cannot be written now is left to who writes next; that they write elsewhere
    /// is not stopped by it.
    fn mend(&self, conn: MutexGuard<'_, Connection>, ids: BTreeSet<DocumentId>) {
        let ids: Vec<DocumentId> = ids.into_iter().collect();
        if let Err(error) = self.begin(conn).and_then(|write| mend(Box::new(write), &ids)) {
            tracing::error!(error = %error, "what is damaged could not be made anew");
            self.damaged().put_off.extend(ids);
        }
    }

    /// What was found while reading is made anew by who writes, and all that could not be before.
    fn mend_all(&self) {
        let Damaged { mut found, put_off } = std::mem::take(&mut *self.damaged());
        found.extend(put_off);
        if !found.is_empty() {
            self.mend(self.writer(), found);
        }
    }

    /// What was found while reading is made anew at once, unless somebody writes just now.
    fn mend_found(&self) {
        if self.damaged().found.is_empty() {
            return;
        }
        if let Ok(conn) = self.writer.try_lock() {
            let found = std::mem::take(&mut self.damaged().found);
            self.mend(conn, found);
        }
    }

    fn idle_readers(&self) -> MutexGuard<'_, Vec<(Option<Digest>, Connection)>> {
        // The list is whole at every moment, whatever its holder died of.
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, sight: Option<Digest>, conn: Connection) {
        let mut idle = self.idle_readers();
        // The one that was not needed for longest makes room.
        if idle.len() >= IDLE_READERS_MAX {
            idle.remove(0);
        }
        idle.push((sight, conn));
    }

    /// A connection that reads with the eyes of a grant, or with everybody's.
    fn take_reader(&self, grant: Option<&Grant>) -> Result<SqliteRead<'_>, StorageError> {
        let sight = grant.map(Grant::digest);
        let idle = {
            let mut idle = self.idle_readers();
            let place = idle.iter().rposition(|(known, _)| *known == sight);
            place.map(|place| idle.remove(place).1)
        };
        let conn = match (idle, grant) {
            (Some(conn), _) => conn,
            (None, None) => connection::open(&self.path, Role::Reader, self.durability)?,
            (None, Some(grant)) => {
                let conn = connection::open(&self.path, Role::Seer, self.durability)?;
                sight::install(&conn, grant)?;
                connection::make_reader(&conn)?;
                conn
            }
        };
        SqliteRead::begin(self, sight, conn)
    }
}

fn mend(mut write: Box<SqliteWrite<'_>>, ids: &[DocumentId]) -> Result<(), StorageError> {
    write.mend(ids)?;
    write.commit().map(drop)
}

/// Creates the data folder, for its owner alone.
pub(crate) fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

impl Storage for SqliteStorage {
    fn read(&self) -> Result<Box<dyn Read + '_>, StorageError> {
        Ok(Box::new(self.take_reader(None)?))
    }

    fn read_as(&self, grant: &Grant) -> Result<Box<dyn Read + '_>, StorageError> {
        let grant = Some(grant).filter(|grant| !grant.is_open);
        Ok(Box::new(self.take_reader(grant)?))
    }

    fn write(&self) -> Result<Box<dyn Write + '_>, StorageError> {
        self.mend_all();
        Ok(Box::new(self.begin(self.writer())?))
    }

    fn sweep(&self) -> Result<bool, StorageError> {
        let conn = self.writer();
        if !conn.is_autocommit() {
            conn.execute_batch("ROLLBACK").doing("overwriting what was erased")?;
        }
        erasure::sweep(&conn)
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}

/// Says what was being done when the database failed.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StorageError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, StorageError> {
        self.map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StorageError::Torn { doing, source }
            }
            _ => StorageError::Database { doing, source },
        })
    }
}

fn damaged(error: impl fmt::Display) -> StorageError {
    StorageError::Damaged(error.to_string())
}

/// SQLite's integers are signed; nothing that is counted here comes near their end.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> Result<u64, StorageError> {
    u64::try_from(number).map_err(damaged)
}
