//! Encrypting a store that was not: a copy is encrypted beside it, proven, and takes its place.
//!
//! Nothing is lost wherever the power fails:
//!
//! 1. The plain file is held for this process alone, its log is folded into it. Who has it open
//!    already makes this fail, and nothing was changed.
//! 2. An encrypted copy is written beside it, synced, opened with the key, checked page by page and
//!    compared. A copy that was begun before is thrown away first.
//! 3. The plain file is marked as moved: nothing writes to it any more. From here on the copy counts.
//! 4. The copy takes the name of the plain file. A file that is marked is found by the next start, which
//!    goes on here.
//!
//! The blocks of the plain file are given back to the system, which may take its time to write over
//! them: a store is best encrypted from the first day.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{Form, SealError, connect, form_of, is_unreadable, key_spec};
use crate::{
    keys::{StoreKey, private, sync_folder},
    points,
    store::{APPLICATION_ID, BUSY_TIMEOUT, StoreError, hold::hold, is_foreign, pages},
};

/// What the name of the encrypted copy ends with until it takes the place of the plain file.
const DRAFT_SUFFIX: &str = ".sealing";
/// What the name of the file ends with that is locked meanwhile.
const LOCK_SUFFIX: &str = ".sealing.lock";
/// Marks a plain file whose encrypted copy counts (`ORmv`).
const MOVED: i32 = 0x4f52_6d76;

const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Encrypts the plain store at `path`. Of several processes that begin together one does it.
pub(super) fn seal(path: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let name = with_suffix(path, LOCK_SUFFIX);
    let lock_error = |source| SealError::File { path: name.clone(), source };
    let lock = private().create(true).truncate(false).open(&name).map_err(lock_error)?;
    lock.lock().map_err(lock_error)?;
    let sealed = match form_of(path)? {
        Form::Plain => seal_alone(path, key),
        Form::Empty | Form::Sealed(_) => Ok(()),
    };
    // Who waits for it finds an encrypted store; who makes another one too.
    remove(&name)?;
    sealed
}

fn seal_alone(path: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let open_error = |source| StoreError::Open { path: path.to_owned(), source };
    let plain = Connection::open_with_flags(path, FLAGS).map_err(open_error)?;
    plain.busy_timeout(BUSY_TIMEOUT)?;
    if mark_of(&plain).map_err(open_error)? != MOVED {
        if is_foreign(&plain).map_err(open_error)? {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        hold(&plain, path)?;
        points::reach("device.seal.held");
        write_copy(&plain, &draft_of(path), key)?;
        points::reach("device.seal.proven");
        plain.pragma_update(None, "application_id", MOVED)?;
        points::reach("device.seal.marked");
    }
    // Closed first: its journal has the name that the copy's will have, and after a crash it may be
    // there still, over and plain.
    drop(plain);
    if draft_of(path).exists() {
        remove(&with_suffix(path, "-journal"))?;
    }
    take_place(path, key)
}

/// Whether the encrypted copy of this plain file counts.
pub(in crate::store) fn is_moved(conn: &Connection) -> bool {
    mark_of(conn).is_ok_and(|mark| mark == MOVED)
}

fn draft_of(path: &Path) -> PathBuf {
    with_suffix(path, DRAFT_SUFFIX)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn mark_of(conn: &Connection) -> rusqlite::Result<i32> {
    conn.pragma_query_value(None, "application_id", |row| row.get(0))
}

fn write_copy(plain: &Connection, draft: &Path, key: &StoreKey) -> Result<(), StoreError> {
    remove_draft(draft)?;
    let file_error = |source| SealError::File { path: draft.to_owned(), source };
    private().create_new(true).open(draft).map_err(file_error)?;
    let name = draft.to_string_lossy();
    plain.execute("ATTACH DATABASE ?1 AS sealed KEY ?2", [&*name, key_spec(key).as_str()])?;
    plain.execute_batch("BEGIN")?;
    plain.query_row("SELECT sqlcipher_export('sealed')", [], |_| Ok(()))?;
    let version: i64 = plain.pragma_query_value(None, "user_version", |row| row.get(0))?;
    plain.pragma_update(Some("sealed"), "user_version", version)?;
    plain.pragma_update(Some("sealed"), "application_id", APPLICATION_ID)?;
    plain.execute_batch("COMMIT; DETACH DATABASE sealed")?;
    points::reach("device.seal.exported");
    File::open(draft).and_then(|file| file.sync_all()).map_err(file_error)?;
    sync_folder(draft.parent().unwrap_or(Path::new("."))).map_err(file_error)?;
    prove(plain, draft, key)
}

/// Checks that the copy can be read with the key, whole, and holds as many rows of every table.
fn prove(plain: &Connection, draft: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let copy = connect(draft, FLAGS, key)?;
    if let Some(line) = pages::quick_check(&copy)?.into_iter().next() {
        return Err(StoreError::Damaged(line));
    }
    let mut pages = copy.prepare("PRAGMA cipher_integrity_check")?;
    if pages.query([])?.next()?.is_some() {
        return Err(StoreError::Damaged("a page of the encrypted copy".to_owned()));
    }
    let tables = tables_of(plain)?;
    if tables != tables_of(&copy)? {
        return Err(StoreError::Damaged("the encrypted copy has other tables".to_owned()));
    }
    for table in tables {
        if count(plain, &table)? != count(&copy, &table)? {
            return Err(StoreError::Damaged(["the encrypted copy of ", &table].concat()));
        }
    }
    Ok(())
}

fn tables_of(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name",
    )?;
    names.query_map([], |row| row.get(0))?.collect()
}

/// Counts a table's rows. Its name is from the schema, and quoted.
fn count(conn: &Connection, table: &str) -> rusqlite::Result<i64> {
    let quoted = table.replace('"', "\"\"");
    let sql = ["SELECT count(*) FROM \"", &quoted, "\""].concat();
    conn.query_row(&sql, [], |row| row.get(0))
}

/// Lets the proven copy take the place of the file that is marked as moved.
fn take_place(path: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let draft = draft_of(path);
    // After a crash the key may be another one: then the plain file stays where it is.
    if draft.exists() {
        let copy = connect(&draft, FLAGS, key)?;
        match copy.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            Err(error) if is_unreadable(&error) => {
                let place = "the key store".to_owned();
                return Err(SealError::WrongKey { path: draft, place }.into());
            }
            read => read?,
        }
    }
    points::reach("device.seal.before_name");
    let named = fs::rename(&draft, path);
    points::reach("device.seal.named");
    match named {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SealError::File { path: path.to_owned(), source }.into()),
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new(".")))
            .map_err(|source| SealError::File { path: path.to_owned(), source }.into()),
    }
}

fn remove_draft(draft: &Path) -> Result<(), SealError> {
    ["", "-journal", "-wal", "-shm"]
        .iter()
        .try_for_each(|suffix| remove(&with_suffix(draft, suffix)))
}

fn remove(path: &Path) -> Result<(), SealError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| SealError::File { path: path.to_owned(), source }),
    }
}
