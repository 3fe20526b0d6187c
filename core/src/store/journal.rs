//! Switching to the write-ahead log, and away from it.

use std::{
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Error, ErrorCode, Result, ffi};

use super::BUSY_TIMEOUT;

/// Pause before trying again to switch to the write-ahead log.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Switches to the write-ahead log, or fails. While another process does so too, SQLite says that it is
/// busy and does not wait by itself.
///
/// # Errors
///
/// Fails when the database does, when it goes on without the log, or when others are at it for longer than
/// 10 s.
pub fn write_ahead(conn: &Connection) -> Result<()> {
    // What is in memory alone has neither.
    const WANTED: [&str; 2] = ["wal", "memory"];
    const FAILED: (i32, &str) = (ffi::SQLITE_IOERR, "the write-ahead log cannot be used");
    let begun = Instant::now();
    loop {
        match switch(conn, "PRAGMA journal_mode = WAL", &WANTED, FAILED) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY_TIMEOUT =>
            {
                thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

/// SQLite answers first and writes then: who reads the answer alone goes on with the old journal when the
/// disk failed. With that one `synchronous=FULL` lets a loss of power take the last transaction.
fn switch(conn: &Connection, to: &str, wanted: &[&str], (code, words): (i32, &str)) -> Result<()> {
    let mut switch = conn.prepare(to)?;
    let answers: Vec<String> = switch.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    if answers.iter().all(|answer| wanted.contains(&answer.as_str())) && !answers.is_empty() {
        return Ok(());
    }
    let words = format!("{words}, the journal is {answers:?}");
    Err(Error::SqliteFailure(ffi::Error::new(code), Some(words)))
}

/// Folds the log into the file, which stands for itself then and may be given another name.
///
/// # Errors
///
/// Fails when the database does, or others have it open.
pub fn fold(conn: &Connection) -> Result<()> {
    // A journal that is removed and comes back with the power would be rolled back into whatever has the
    // name then: so its removal is synced too.
    conn.pragma_update(None, "synchronous", "EXTRA")?;
    // Who has a connection keeps the log.
    let failed = (ffi::SQLITE_BUSY, "the log cannot be folded into the file");
    switch(conn, "PRAGMA journal_mode = DELETE", &["delete"], failed)
}

/// Keeps the journal in memory: for a connection that writes while another file may have the name of its
/// own. A journal on the disk would be found beside that one, and rolled back into it.
///
/// # Errors
///
/// Fails when the database does, or keeps its journal elsewhere.
pub fn keep_in_memory(conn: &Connection) -> Result<()> {
    let failed = (ffi::SQLITE_IOERR, "the journal cannot be kept in memory");
    switch(conn, "PRAGMA journal_mode = MEMORY", &["memory"], failed)
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::*;

    /// Here because its files cannot be mapped into memory.
    #[test]
    #[cfg(unix)]
    fn a_database_that_cannot_have_the_write_ahead_log_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (file, flags) = (folder.path().join("some.db"), OpenFlags::default());
        let conn = Connection::open_with_flags_and_vfs(file, flags, "unix-dotfile").unwrap();
        let error = write_ahead(&conn).unwrap_err().to_string();
        assert!(error.contains("write-ahead log") && error.contains("delete"), "{error}");
    }
}
