//! Checking a whole database: that it can be read, and that everything in it fits together.
//!
//! Each document is made again from its history, each row from its document, each digest from what
//! it stands for, and compared with what is stored. All of it is read within one transaction, so a
//! server may go on meanwhile. What is found is told by ids and names of columns, never by values.
//!
//! * `documents`: histories, and the documents that they come to. * `rows`: typed rows and what
//!   records are found by. * `feeds`: the feed, the digests of streams, the chain. * `scopes`: who may
//!   see a record. * `enrolled`: devices and the ledger.

mod documents;
mod enrolled;
mod feeds;
mod rows;
mod scopes;

#[cfg(test)]
mod tests;

use std::{fmt, path::Path};

use outrider_core::{store::pages, time::TimestampMs};
use rusqlite::Connection;
use serde::Serialize;

use super::{DATABASE_FILE, Doing, connection};
use crate::storage::StorageError;

/// Problems that are told one by one; all are counted.
pub const PROBLEMS_MAX: usize = 1_000;
/// Steps between two reports of progress.
const REPORT_EVERY: u64 = 500;

/// What is being compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Pages and indexes, as SQLite checks them.
    Database,
    /// Changes of a document.
    History,
    /// A document.
    Document,
    /// A typed row.
    Row,
    /// What a record is found by.
    Index,
    /// The place of documents in the feed.
    Feed,
    /// Digests of streams.
    Stream,
    /// Who may see a record.
    Scope,
    /// The chain of the feed's digests.
    Chain,
    /// A device.
    Device,
    /// The ledger beside the database.
    Ledger,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What was compared.
    pub subject: Subject,
    /// Which one: an id, a position, a table.
    pub name: String,
    /// What is wrong with it.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.subject, self.name, self.found)
    }
}

/// What was checked, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Findings {
    /// The position that the database was at.
    pub position: u64,
    /// Documents made again from their history.
    pub documents: u64,
    /// Changes that were read.
    pub changes: u64,
    /// Rows made again.
    pub rows: u64,
    /// Devices.
    pub devices: u64,
    /// Entries of the ledger; none if there was no ledger to look at.
    pub ledger_entries: Option<u64>,
    /// How many problems there are.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
}

impl Findings {
    fn add(&mut self, subject: Subject, name: impl fmt::Display, found: impl fmt::Display) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            let (name, found) = (name.to_string(), found.to_string());
            self.problems.push(Problem { subject, name, found });
        }
    }
}

/// What a database tells of how it is cared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Care {
    /// Damaged pieces that are kept aside.
    pub quarantined: u64,
    /// When the last backup was made of which the database knows.
    pub last_backup_at: Option<TimestampMs>,
}

/// How the database in `folder` is cared for.
///
/// # Errors
///
/// [`StorageError`] when there is no server's database, or it cannot be read.
pub fn care(folder: &Path) -> Result<Care, StorageError> {
    const DOING: &str = "looking how the database is cared for";
    let conn = connection::open_existing(&folder.join(DATABASE_FILE))?;
    let last_backup_at =
        conn.query_row("SELECT max(made_at) FROM backup", [], |row| row.get(0)).doing(DOING)?;
    Ok(Care { quarantined: count(&conn, "SELECT count(*) FROM quarantine")?, last_backup_at })
}

/// How far the check is: what is being checked, how many are done, of how many.
pub type Progress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

/// Checks the database in `folder`, and the ledger if one is there; a server may use both.
///
/// # Errors
///
/// [`StorageError`] when there is no server's database. What is damaged within is found, not an
/// error.
pub fn verify(
    folder: &Path,
    ledger: Option<&Path>,
    progress: &mut Progress<'_>,
) -> Result<Findings, StorageError> {
    let conn = connection::open_existing(&folder.join(DATABASE_FILE))?;
    let known = super::migrate::known_version();
    let found = super::migrate::check(&conn)?;
    if found < known {
        let words = format!(
            "its tables are of version {found}; start the server once, which brings them to {known}"
        );
        return Err(StorageError::Damaged(words));
    }
    conn.execute_batch("BEGIN").doing("beginning to check")?;
    let mut findings = Findings::default();
    let check = |subject: Subject, result: Result<(), StorageError>| {
        // What cannot be read is a finding too; the other checks go on.
        result.err().map(|error| (subject, with_cause(&error)))
    };
    let failed = [
        check(Subject::Database, check_pages(&conn, &mut findings, progress)),
        check(Subject::Document, documents::check(&conn, &mut findings, progress)),
        check(Subject::Row, rows::check(&conn, &mut findings, progress)),
        check(Subject::Feed, feeds::check(&conn, &mut findings, progress)),
        check(Subject::Scope, scopes::check(&conn, &mut findings, progress)),
        check(Subject::Device, enrolled::check(&conn, ledger, &mut findings, progress)),
    ];
    for (subject, words) in failed.into_iter().flatten() {
        findings.add(subject, "all", words);
    }
    Ok(findings)
}

fn with_cause(error: &StorageError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Asks SQLite whether pages, indexes and search tables are whole.
fn check_pages(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    const DOING: &str = "checking the database's pages";
    progress("pages", 0, 1);
    findings.position = super::feed::position(conn)?;
    for line in pages::integrity_check(conn).doing(DOING)? {
        findings.add(Subject::Database, DATABASE_FILE, line);
    }
    let mut query = conn.prepare("PRAGMA foreign_key_check").doing(DOING)?;
    let tables = query.query_map([], |row| row.get::<_, String>(0)).doing(DOING)?;
    for table in tables {
        findings.add(Subject::Database, table.doing(DOING)?, "names a row that is not there");
    }
    progress("pages", 1, 1);
    Ok(())
}

/// One number that a statement without parameters counts.
fn count(conn: &Connection, sql: &str) -> Result<u64, StorageError> {
    let count = conn.query_row(sql, [], |row| row.get(0)).doing("counting what is checked")?;
    super::from_sql(count)
}
