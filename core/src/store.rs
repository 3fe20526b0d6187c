//! The device's store: documents, rows and the outbox in one SQLite file.
//!
//! A write is one transaction: state, row and outbox together, synced to disk before it counts
//! (`synchronous=FULL`, write-ahead log). Only this room contains SQL.
//!
//! [`document`] holds the truth, [`rows`] a cache of it, [`outbox`] what waits to be sent
//! ([`undo`]: and what stood there before),
//! [`inbox`] what waits for a person, [`meta`] who we are and where we stand ([`credentials`]: and what
//! we show for it, [`lease`]: for how long), [`query`] lists,
//! [`reports`] and [`rollup`] sum up, [`timeline`] tells what happened, [`imports`] remembers what
//! files said, [`watch`] which records were written, [`index`] keeps what records are found by,
//! [`quarantine`] keeps what was found damaged, which [`checksum`] tells.
//! [`search`] and [`near`] find them, [`saved`] keeps lists.
//! [`seal`] encrypts the file, `engine` checks the SQLite that is linked, [`journal`] switches to the
//! write-ahead log, [`hold`] keeps others out of a file that another one is to replace.
//! [`likeness`] finds those that may be the same, [`redirect`] follows those that were merged,
//! [`witness`] remembers where the audit of the server stood, [`standing`] says why records are here,
//! [`erased`] takes off what was erased.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::{
    ids::DocumentId,
    keys::{KeyStore, StoreKey, private},
    points,
};

pub mod checksum;
pub mod copy;
pub mod credentials;
mod denied;
pub mod document;
mod engine;
pub mod erased;
pub mod hold;
pub mod imports;
pub mod inbox;
pub mod index;
pub mod journal;
pub mod lease;
pub mod likeness;
pub mod meta;
pub mod near;
pub mod outbox;
pub mod pages;
pub mod quarantine;
pub mod query;
pub mod redirect;
pub mod reports;
pub mod rollup;
pub mod rows;
pub mod saved;
pub mod seal;
pub mod search;
pub mod sizes;
pub mod standing;
pub mod timeline;
pub mod undo;
pub mod watch;
pub mod witness;

pub use denied::is_denied;
pub use seal::SealError;

/// Steps of SQLite's machine between two looks at whether to break off: well under a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// Numbered migrations; number n brings `user_version` from n - 1 to n.
const MIGRATIONS: &[&str] = &[
    include_str!("store/migrations/0001_initial.sql"),
    include_str!("store/migrations/0002_import.sql"),
    include_str!("store/migrations/0003_documents_by_row.sql"),
    include_str!("store/migrations/0004_undo.sql"),
    include_str!("store/migrations/0005_import_batches.sql"),
    include_str!("store/migrations/0006_access.sql"),
    include_str!("store/migrations/0007_erased.sql"),
    ADDS_SUMS,
];
/// The one after which everything stored is summed: SQL cannot.
const ADDS_SUMS: &str = include_str!("store/migrations/0008_damage.sql");
/// Marks a file as a device's store (`ORdv`): a server's data has another mark.
const APPLICATION_ID: i32 = 0x4f52_6476;
/// How long to wait for another process that writes.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements that are kept; every entity has a few of its own.
const STATEMENTS_MAX: usize = 256;
/// How the file is opened.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// Page cache, in KiB.
const CACHE_KIB: i64 = 8_192;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the database failed: {0}")]
    Database(#[source] rusqlite::Error),
    /// Pages of the file are not what SQLite wrote.
    #[error(
        "the database file is damaged ({0}); run `outrider doctor`: it says what can still be read, copies that into a new file, and keeps the old one"
    )]
    Torn(#[source] rusqlite::Error),
    /// A stored document is not as it was stored.
    #[error(
        "{id} is damaged: {why}; what was found is kept aside, and the next `outrider sync` brings it anew"
    )]
    DamagedDocument {
        /// Which one.
        id: DocumentId,
        /// By what it was noticed.
        why: String,
    },
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}. Try again; if it stays so, look after the disk")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The system does not let this user at the file.
    #[error(
        "cannot open {path} for writing: {source}; the file or its folder belongs to another user, or \
         is read-only. Give both to the user who runs this program, or run it as their owner; nothing \
         was changed"
    )]
    Denied {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file cannot be encrypted, or read with its key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The file was written by a newer app.
    #[error(
        "this store has version {found}, this app knows up to {known}; install the newer app again"
    )]
    TooNew {
        /// Version of the file.
        found: u32,
        /// Highest version that this app knows.
        known: u32,
    },
    /// The file is some other program's database.
    #[error(
        "{0} is no device's store (a server keeps its data in such a file too); name another folder"
    )]
    Foreign(PathBuf),
    /// Another file is to take the place of this one, and others have it open; or it was just replaced.
    #[error(
        "another program has {0} open; end that program (such as `outrider sync --watch`) and try again, \
         nothing was changed"
    )]
    InUse(PathBuf),
    /// A change of this device is not as it was stored.
    #[error(
        "an edit of this device (number {id}) is damaged: {why}; run `outrider sync`, which writes it anew from the record"
    )]
    DamagedChange {
        /// Its place in the order of writing.
        id: i64,
        /// Its document, if that can be read.
        document: Option<DocumentId>,
        /// By what it was noticed.
        why: String,
    },
    /// The SQLite that was linked is too old.
    #[error("SQLite {0} is too old")]
    OldSqlite(String),
    /// Something stored cannot be read back.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// A filter or sorting that the entity does not know.
    #[error("{0}")]
    Query(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Torn(error),
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Whether there was no room on the disk: nothing was changed then, and saving again may work.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database(error) | Self::Open { source: error, .. } => {
                // SQLCipher's copy of a database passes the words on, and not the code.
                error.sqlite_error_code() == Some(ErrorCode::DiskFull)
                    || error.to_string().contains("database or disk is full")
            }
            Self::Torn(_)
            | Self::DamagedDocument { .. }
            | Self::Denied { .. }
            | Self::Seal(_)
            | Self::TooNew { .. }
            | Self::Foreign(_)
            | Self::InUse(_)
            | Self::DamagedChange { .. }
            | Self::OldSqlite(_)
            | Self::Damaged(_)
            | Self::Query(_) => false,
        }
    }

    /// Why the file at `path` cannot be opened.
    fn opening(path: &Path, source: rusqlite::Error) -> Self {
        let is_denied = match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => true,
            // SQLite says so too when the disk fails.
            Some(ErrorCode::CannotOpen) => denied::is_kept_from_us(path),
            Some(_) | None => false,
        };
        let path = path.to_owned();
        if is_denied { Self::Denied { path, source } } else { Self::Open { path, source } }
    }

    /// Whether it is damage of what is stored, and not of the database as a whole or of the question.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_)
                | Self::DamagedDocument { .. }
                | Self::DamagedChange { .. }
                | Self::Torn(_)
        )
    }

    /// A stored document that is not as it was stored.
    pub(crate) fn damaged_document(id: &DocumentId, cause: impl std::fmt::Display) -> Self {
        Self::DamagedDocument { id: id.clone(), why: cause.to_string() }
    }

    /// Damage found while reading `what`.
    pub(crate) fn damaged(what: &str, cause: impl std::fmt::Display) -> Self {
        Self::Damaged(format!("{what}: {cause}"))
    }
}

/// How much a commit may lose when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Nothing: every commit is synced to disk. What users have.
    #[default]
    Full,
    /// Everything since the file was opened. For simulations alone.
    None,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    is_sealed: bool,
}

impl Store {
    /// Breaks off statements as soon as `is_over` says so.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn break_off_when(
        &mut self,
        is_over: impl FnMut() -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        Ok(self.conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over))?)
    }

    /// Opens the file, or creates it, and brings it up to date.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the file cannot be opened, is too new, encrypted or no store.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        engine::check()?;
        let open_error = |source| StoreError::opening(path, source);
        make_private(path);
        let conn = Connection::open_with_flags(path, FLAGS).map_err(open_error)?;
        Self::begin_with(conn, path, durability, false)
    }

    /// An empty store that is never on disk.
    ///
    /// # Errors
    ///
    /// Fails when SQLite does.
    pub fn in_memory() -> Result<Self, StoreError> {
        engine::check()?;
        let conn = Connection::open_in_memory_with_flags(FLAGS)?;
        Self::begin_with(conn, Path::new(":memory:"), Durability::None, false)
    }

    /// As [`Self::open`], encrypted with the key that `keys` has; `fresh` becomes the key of a store
    /// that has none. A store that is plain is encrypted first.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`SealError::NoCipher`] when this program cannot encrypt.
    pub fn open_sealed(
        path: &Path,
        durability: Durability,
        keys: &dyn KeyStore,
        fresh: &StoreKey,
    ) -> Result<Self, StoreError> {
        if !engine::check()? {
            return Err(SealError::NoCipher.into());
        }
        let conn = seal::open(path, FLAGS, keys, fresh)?;
        Self::begin_with(conn, path, durability, true)
    }

    /// As [`Self::open_sealed`], with a key that must be there.
    pub(crate) fn open_known(
        path: &Path,
        durability: Durability,
        keys: &dyn KeyStore,
    ) -> Result<Self, StoreError> {
        Self::begin_with(seal::open_known(path, FLAGS, keys)?, path, durability, true)
    }

    fn begin_with(
        mut conn: Connection,
        path: &Path,
        durability: Durability,
        is_sealed: bool,
    ) -> Result<Self, StoreError> {
        let open_error = |source| StoreError::opening(path, source);
        match is_foreign(&conn) {
            Err(error) if seal::is_unreadable(&error) && !is_sealed => {
                return Err(SealError::Sealed(path.to_owned()).into());
            }
            Err(source) => return Err(open_error(source)),
            Ok(true) if seal::is_moved(&conn) => {
                return Err(SealError::Sealed(path.to_owned()).into());
            }
            Ok(true) if hold::is_replaced(&conn) => return Err(StoreError::InUse(path.to_owned())),
            Ok(true) => return Err(StoreError::Foreign(path.to_owned())),
            Ok(false) => {}
        }
        // SQLite opens a file that may not be written all the same, and says so at some write or other.
        if conn.is_readonly(rusqlite::MAIN_DB).map_err(open_error)? {
            let read_only = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
            return Err(open_error(rusqlite::Error::SqliteFailure(read_only, None)));
        }
        prepare(&conn, durability).map_err(open_error)?;
        if is_sealed {
            // SQLCipher is built so; said here too, for what it keeps besides would be plain.
            conn.pragma_update(None, "temp_store", "MEMORY").map_err(open_error)?;
        }
        migrate(&mut conn)?;
        Ok(Self { conn, is_sealed })
    }

    /// Whether the file is encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// The connection, for reading.
    #[must_use]
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Begins a moment: until it is dropped, all reading of this connection sees the same.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn moment(&self) -> Result<rusqlite::Transaction<'_>, StoreError> {
        Ok(self.conn.unchecked_transaction()?)
    }

    /// Begins the write transaction; dropped without commit it leaves nothing.
    ///
    /// # Errors
    ///
    /// Fails when the database does, or another process writes for too long.
    pub fn begin(&mut self) -> Result<rusqlite::Transaction<'_>, StoreError> {
        let path = PathBuf::from(self.conn.path().unwrap_or_default());
        let begun = self.conn.transaction_with_behavior(TransactionBehavior::Immediate);
        begun.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => StoreError::opening(&path, error),
            Some(_) | None => error.into(),
        })
    }
}

/// Makes an empty database that only its owner may read; SQLite gives its journal the same rights. What
/// cannot be made, opening will say.
fn make_private(path: &Path) {
    let _ = private().create_new(true).open(path);
}

/// Whether the file holds something that is no device's store. Nothing is written to find out.
fn is_foreign(conn: &Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // Both are asked at one moment: beside us another process may be making the file.
    let _moment = conn.unchecked_transaction()?;
    let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(mark != APPLICATION_ID && (mark != 0 || tables > 0))
}

fn prepare(conn: &Connection, durability: Durability) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    journal::write_ahead(conn)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::None => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    // What is removed is overwritten: an erased person is not to be found in free pages.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Apple's disks lie about a plain sync; elsewhere this does nothing.
    conn.pragma_update(None, "fullfsync", durability == Durability::Full)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Plans must not depend on bound values: with them a query that sorts is prepared anew each
    // time that it runs, which takes longer than running it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let version = |conn: &Connection| -> rusqlite::Result<u32> {
        conn.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if version(conn)? > known {
        return Err(StoreError::TooNew { found: version(conn)?, known });
    }
    if version(conn)? < known {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again: another process may have migrated while we waited.
        let found = version(&tx)?;
        for migration in MIGRATIONS.iter().skip(found as usize) {
            tx.execute_batch(migration)?;
            points::reach("device.store.step");
            if *migration == ADDS_SUMS {
                document::add_sums(&tx)?;
            }
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", known)?;
        points::reach("device.store.before_commit");
        tx.commit()?;
        points::reach("device.store.after_commit");
    }
    Ok(())
}
