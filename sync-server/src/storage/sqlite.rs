//! The embedded backend: one SQLite file per tenant.
//!
//! One connection writes, behind a lock; write transactions are `BEGIN IMMEDIATE`, so that other
//! processes (the `code` command) wait too, and positions are in commit order. Readers have
//! connections of their own and in WAL mode never wait for the writer. `synchronous=FULL`: what a
//! commit returned for survives a power failure.
//!
//! * `connection`: how a connection is set up. * `migrate`: tables.
//! * `read`, `write`: the two transactions. * `document`, `change`, `feed`, `stream`,
//!   `device`, `rows`: the SQL, by what it is about.

mod connection;
mod migrate;

mod read;
mod write;

mod accounts;
mod change;
mod device;
mod document;
mod feed;
mod rows;
mod standing;
mod stream;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::watch;

use self::{connection::Role, read::SqliteRead, write::SqliteWrite};
use super::{Read, Storage, StorageError, Write};

/// Name of the database in the data folder.
pub const DATABASE_FILE: &str = "outrider.db";
/// Read connections kept open between requests. How many are open at once is bounded by the
/// number of jobs that the server runs at once.
const IDLE_READERS_MAX: usize = 16;

/// Whether a commit waits until the disk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// It does. The only choice where data is real.
    Synced,
    /// It does not: for simulations that never lose power.
    NotSynced,
}

/// Storage in one SQLite file.
pub struct SqliteStorage {
    path: PathBuf,
    durability: Durability,
    writer: Mutex<Connection>,
    idle_readers: Mutex<Vec<Connection>>,
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
        Self::open_with(folder, Durability::Synced)
    }

    /// As [`open`](Self::open), for tests and simulations: with `synchronous_off` commits do not
    /// wait for the disk.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_for_test(folder: &Path, synchronous_off: bool) -> Result<Self, StorageError> {
        let durability = if synchronous_off { Durability::NotSynced } else { Durability::Synced };
        Self::open_with(folder, durability)
    }

    fn open_with(folder: &Path, durability: Durability) -> Result<Self, StorageError> {
        connection::check_engine()?;
        create_folder(folder)
            .map_err(|source| StorageError::Open { path: folder.display().to_string(), source })?;
        let path = folder.join(DATABASE_FILE);
        let mut writer = connection::open(&path, Role::Writer, durability)?;
        migrate::run(&mut writer)?;
        let position = feed::position(&writer)?;
        Ok(Self {
            news: watch::Sender::new(position),
            path,
            durability,
            writer: Mutex::new(writer),
            idle_readers: Mutex::new(Vec::new()),
        })
    }

    fn idle_readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        // The list is whole at every moment, whatever its holder died of.
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = self.idle_readers();
        if idle.len() < IDLE_READERS_MAX {
            idle.push(conn);
        }
    }
}

/// Creates the data folder, for its owner alone.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

impl Storage for SqliteStorage {
    fn read(&self) -> Result<Box<dyn Read + '_>, StorageError> {
        let idle = self.idle_readers().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => connection::open(&self.path, Role::Reader, self.durability)?,
        };
        Ok(Box::new(SqliteRead::begin(self, conn)?))
    }

    fn write(&self) -> Result<Box<dyn Write + '_>, StorageError> {
        // A panic while writing leaves at worst an open transaction, which `begin` rolls back.
        let conn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(SqliteWrite::begin(conn, &self.news)?))
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
        self.map_err(|source| StorageError::Database { doing, source })
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
