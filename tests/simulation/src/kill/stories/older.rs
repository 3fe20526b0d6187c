//! Data that an older version wrote, and a death after each step that brings it up to date.
//!
//! What is old is made of what is new: the tables of the older version, with what their columns hold
//! today.

use std::{fs, path::Path};

use rusqlite::Connection;

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        ground::{Ground, NAMES, USERS},
        process::kill_at,
        verdict,
    },
};

/// The migrations that made the older server: the first version whose devices have tokens.
const SERVER: &[&str] = &[
    include_str!("../../../../../sync-server/src/storage/sqlite/migrations/0001_first.sql"),
    include_str!("../../../../../sync-server/src/storage/sqlite/migrations/0002_accounts.sql"),
    include_str!("../../../../../sync-server/src/storage/sqlite/migrations/0003_office.sql"),
    include_str!("../../../../../sync-server/src/storage/sqlite/migrations/0004_access.sql"),
    include_str!("../../../../../sync-server/src/storage/sqlite/migrations/0005_devices.sql"),
];
/// The migrations that made the older device.
const DEVICE: &[&str] = &[
    include_str!("../../../../../core/src/store/migrations/0001_initial.sql"),
    include_str!("../../../../../core/src/store/migrations/0002_import.sql"),
];
/// Whose file it is; the two programs write these.
const SERVER_MARK: i32 = 0x4f52_7376;
const DEVICE_MARK: i32 = 0x4f52_6476;
const FILE: &str = "outrider.db";

/// An older server's data is opened by this server.
pub(super) fn server(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    age(&office.data(), SERVER, SERVER_MARK, "UPDATE meta SET schema_version = 0")?;
    let is_reached = office.kill_at_start(point)?;
    office.start(None)?;
    let devices = USERS.map(|user| office.device(user));
    check(&verdict::settle(&office, &devices, count)?.unwrap_or_default(), count);
    Ok(is_reached.into())
}

/// An older device's store is opened by this app.
pub(super) fn device(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let devices = USERS.map(|user| office.device(user));
    let [first, ..] = &devices;
    let rows = first.replica()?.dump_rows()?;
    age(&first.home, DEVICE, DEVICE_MARK, "DELETE FROM meta WHERE key = 'schema_version'")?;
    let is_reached = kill_at(first.command(&["status"]), point)?;
    first.run(&["status"])?;
    if first.replica()?.dump_rows()? != rows {
        count.lost("rows of a device that was brought up to date".to_owned());
    }
    office.start(None)?;
    check(&verdict::settle(&office, &devices, count)?.unwrap_or_default(), count);
    Ok(is_reached.into())
}

fn check(rows: &[String], count: &mut Count) {
    let all = rows.join("\n");
    for name in NAMES.iter().filter(|name| !all.contains(*name)) {
        count.lost(format!("the records named {name}"));
    }
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
