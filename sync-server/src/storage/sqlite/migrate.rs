//! Migrations: numbered SQL files, run once each, all in one transaction.

use outrider_core::points;
use rusqlite::{Connection, TransactionBehavior};

use super::{Doing, audit, document, rows, scope};
use crate::storage::StorageError;

/// All migrations in order; the n-th brings the database to version n.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_accounts.sql"),
    include_str!("migrations/0003_office.sql"),
    include_str!("migrations/0004_access.sql"),
    include_str!("migrations/0005_devices.sql"),
    CHAINS_AUDIT,
    include_str!("migrations/0007_ledger.sql"),
    include_str!("migrations/0008_erasure.sql"),
    include_str!("migrations/0009_erasure_due.sql"),
    include_str!("migrations/0010_recovery.sql"),
    ADDS_SUMS,
    include_str!("migrations/0012_returns.sql"),
];

/// The one after which everything stored is summed: SQL cannot.
const ADDS_SUMS: &str = include_str!("migrations/0011_damage.sql");

/// The one that makes a chain of the audit: SQL cannot hash.
const CHAINS_AUDIT: &str = include_str!("migrations/0006_people.sql");

/// Marks a file as a server's data (`ORsv`): a device's store has another mark.
const APPLICATION_ID: i32 = 0x4f52_7376;

/// The version that this server writes.
pub(super) fn known_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// The version of a database that is a server's, and not a newer one's.
pub(super) fn check(conn: &Connection) -> Result<u32, StorageError> {
    const DOING: &str = "reading the version of the tables";
    let mark: i32 =
        conn.pragma_query_value(None, "application_id", |row| row.get(0)).doing(DOING)?;
    if mark != APPLICATION_ID {
        return Err(StorageError::Foreign);
    }
    let found: u32 =
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).doing(DOING)?;
    let known = known_version();
    if found > known { Err(StorageError::TooNew { found, known }) } else { Ok(found) }
}

/// Makes the tables in an empty file, and nothing that follows from what is in them.
pub(super) fn make_tables(conn: &Connection) -> Result<(), StorageError> {
    const DOING: &str = "making the tables";
    for sql in MIGRATIONS {
        conn.execute_batch(sql).doing(DOING)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID).doing(DOING)?;
    conn.pragma_update(None, "user_version", known_version()).doing(DOING)
}

/// Brings the database to this server's version, or refuses one that is newer.
pub(super) fn run(conn: &mut Connection) -> Result<(), StorageError> {
    const DOING: &str = "bringing the tables up to date";
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).doing(DOING)?;
    let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0)).doing(DOING)?;
    let known = known_version();
    let mark: i32 = tx.pragma_query_value(None, "application_id", |row| row.get(0)).doing(DOING)?;
    let tables: i64 =
        tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).doing(DOING)?;
    if mark != APPLICATION_ID && (mark != 0 || tables > 0) {
        return Err(StorageError::Foreign);
    }
    if found > known {
        return Err(StorageError::TooNew { found, known });
    }
    for sql in MIGRATIONS.iter().skip(found as usize) {
        tx.execute_batch(sql).doing(DOING)?;
        if *sql == CHAINS_AUDIT {
            audit::chain_old_lines(&tx)?;
        }
        if *sql == ADDS_SUMS {
            document::add_sums(&tx)?;
        }
        points::reach("server.migrate.step");
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).doing(DOING)?;
    tx.pragma_update(None, "user_version", known).doing(DOING)?;
    rows::bring_up_to_date(&tx)?;
    scope::bring_up_to_date(&tx)?;
    points::reach("server.migrate.before_commit");
    tx.commit().doing(DOING)?;
    points::reach("server.migrate.after_commit");
    Ok(())
}
