//! Data as an older version wrote them.
//!
//! What is old is made of what is new: the tables of the older version, with what their columns hold
//! today.

use std::{fs, path::Path};

use rusqlite::Connection;

use crate::Failure;

/// The migrations that made the older server: the first version whose devices have tokens.
const SERVER: &[&str] = &[
    include_str!("../../../sync-server/src/storage/sqlite/migrations/0001_first.sql"),
    include_str!("../../../sync-server/src/storage/sqlite/migrations/0002_accounts.sql"),
    include_str!("../../../sync-server/src/storage/sqlite/migrations/0003_office.sql"),
    include_str!("../../../sync-server/src/storage/sqlite/migrations/0004_access.sql"),
    include_str!("../../../sync-server/src/storage/sqlite/migrations/0005_devices.sql"),
];
/// The migrations that made the older device.
const DEVICE: &[&str] = &[
    include_str!("../../../core/src/store/migrations/0001_initial.sql"),
    include_str!("../../../core/src/store/migrations/0002_import.sql"),
];
/// Whose file it is; the two programs write these.
const SERVER_MARK: i32 = 0x4f52_7376;
const DEVICE_MARK: i32 = 0x4f52_6476;
const FILE: &str = "outrider.db";

/// Makes the data of a server what the first version whose devices have tokens would have written.
pub(crate) fn age_server(folder: &Path) -> Result<(), Failure> {
    age(folder, SERVER, SERVER_MARK, "UPDATE meta SET schema_version = 0")
}

/// Makes the store of a device an older one.
pub(crate) fn age_device(folder: &Path) -> Result<(), Failure> {
    age(folder, DEVICE, DEVICE_MARK, "DELETE FROM meta WHERE key = 'schema_version'")
}

/// Makes the database of a folder what an older version would have written.
fn age(folder: &Path, migrations: &[&str], mark: i32, last: &str) -> Result<(), Failure> {
    let (path, draft) = (folder.join(FILE), folder.join("older.db"));
    // What waits in the log goes into the file.
    Connection::open(&path)?.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let old = Connection::open(&draft)?;
    for sql in migrations {
        old.execute_batch(sql)?;
    }
    let tables =
        names(&old, "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL")?;
    old.execute("ATTACH DATABASE ?1 AS new", [path.to_string_lossy()])?;
    for table in tables {
        let here = columns(&old, "main", &table)?;
        let there = columns(&old, "new", &table)?;
        let both: Vec<String> = here.into_iter().filter(|name| there.contains(name)).collect();
        let both = both.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        old.execute_batch(&format!("DELETE FROM main.\"{table}\";"))?;
        if !both.is_empty() {
            old.execute_batch(&format!(
                "INSERT INTO main.\"{table}\" ({both}) SELECT {both} FROM new.\"{table}\";"
            ))?;
        }
    }
    old.execute_batch("DETACH DATABASE new")?;
    old.execute_batch(last)?;
    old.pragma_update(None, "application_id", mark)?;
    old.pragma_update(None, "user_version", u32::try_from(migrations.len())?)?;
    old.close().map_err(|(_, error)| error)?;
    Ok(fs::rename(&draft, &path)?)
}

fn columns(conn: &Connection, schema: &str, table: &str) -> Result<Vec<String>, Failure> {
    names(conn, &format!("SELECT name FROM pragma_table_info('{table}', '{schema}')"))
}

fn names(conn: &Connection, sql: &str) -> Result<Vec<String>, Failure> {
    Ok(conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
