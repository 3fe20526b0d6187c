//! A customer with its family that is given to somebody else: what the moving transaction writes,
//! and what crosses the wire.

use std::path::Path;

use outrider_core::{ids::RecordId, replica::Replica};
use rusqlite::Connection;
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use super::{BATCH, Setting};
use crate::{
    Outcome,
    figure::Figure,
    floor::Sync,
    input::customer,
    measure::cost,
    office::{Office, copy_folder, open_device},
};

/// Rows that the moving transaction writes, at most, however large the family.
const ROWS_MAX: u64 = 20;

pub(crate) fn run(setting: &Setting) -> Outcome<Vec<Figure>> {
    let moved = hand_over(setting.records)?;
    let figure = |name: &str, value: f64, unit| Figure::new(name, setting.records, value, unit);
    Ok(vec![
        figure("handover_rows", moved.rows as f64, "rows"),
        figure("handover_time", moved.seconds * 1e3, "ms"),
        figure("handover_bytes_to_old_owner", moved.bytes_left as f64, "B"),
        figure("handover_bytes_to_new_owner", moved.bytes_arrived as f64, "B"),
        figure("handover_pull_server_cpu", moved.server_seconds * 1e3, "ms"),
    ])
}

/// What a handover was.
struct Moved {
    rows: u64,
    seconds: f64,
    bytes_left: u64,
    bytes_arrived: u64,
    server_seconds: f64,
}

fn hand_over(records: usize) -> Outcome<Moved> {
    let folder = TempDir::new()?;
    let office_at = folder.path().join("office");
    let mut office = Office::open(&office_at, Sync::Full)?;
    let (mut old, _) = open_device(&folder.path().join("old"), Sync::Off, 1)?;
    let (mut new, _) = open_device(&folder.path().join("new"), Sync::Off, 2)?;
    office.enroll(&mut old, 1)?;
    let heir = office.enroll(&mut new, 2)?.user_record.ok_or("the heir is no user")?;
    office.switch_on(&[("user 1", "sales_rep"), ("user 2", "sales_rep")])?;
    let head = create_family(&mut old, records)?;
    let talk = office.sync(&mut old)?;
    if talk.summary.left != 0 || talk.summary.repaired != 0 {
        return Err(format!("own records came back: {:?}", talk.summary).into());
    }
    office.sync(&mut old)?;
    office.sync(&mut new)?;
    let before = folder.path().join("before");
    drop(office);
    copy_folder(&office_at, &before)?;
    let mut office = Office::open(&office_at, Sync::Full)?;
    office.switch_on(&[])?;
    // That was a row more; the author has one too, from the first edit on.
    office.update(head, &fields("short_name", json!("Moves")))?;
    drop(office);
    copy_folder(&office_at, &before)?;
    let mut office = Office::open(&office_at, Sync::Full)?;
    let (spent, ()) = cost(|| office.update(head, &fields("owner_id", json!(heir.to_string()))))?;
    drop(office);
    let rows = rows_changed(&before, &office_at)?;
    if rows > ROWS_MAX {
        return Err(format!("{rows} rows were written").into());
    }
    office = Office::open(&office_at, Sync::Full)?;
    office.switch_on(&[])?;
    let left = office.sync(&mut old)?;
    let arrived = office.sync(&mut new)?;
    let held = |replica: &mut Replica| replica.get(head).map(|found| found.is_some());
    if left.summary.requests > 1 || left.summary.left != records as u64 + 1 {
        return Err(format!("not by a frame: {:?}", left.summary).into());
    }
    if held(&mut old)? || !held(&mut new)? || arrived.summary.pulled <= records as u64 {
        return Err(format!("not all has moved: {:?}", arrived.summary).into());
    }
    Ok(Moved {
        rows,
        seconds: spent.wall,
        bytes_left: left.summary.bytes_down,
        bytes_arrived: arrived.summary.bytes_down,
        server_seconds: arrived.server_seconds,
    })
}

fn fields(name: &str, value: Json) -> Map<String, Json> {
    Map::from_iter([(name.to_owned(), value)])
}

/// A customer with so many contacts.
fn create_family(replica: &mut Replica, records: usize) -> Outcome<RecordId> {
    let head = replica.create("customer", &customer(0))?;
    for begin in (0..records).step_by(BATCH) {
        replica.transaction(|writer| {
            for n in begin..records.min(begin + BATCH) {
                let json = json!({ "name": format!("Contact {n}"), "customer_id": head.to_string(),
                                   "job_title": "Buyer", "mobile": format!("+86139{n:08}") });
                let Json::Object(fields) = json else { continue };
                writer.create("contact", None, &fields)?;
            }
            Ok::<_, outrider_core::replica::ReplicaError>(())
        })?;
    }
    Ok(head)
}

/// Rows of ordinary tables that are there in one of two databases and not in the other, changed ones
/// counted once.
fn rows_changed(before: &Path, after: &Path) -> Outcome<u64> {
    let file = |folder: &Path| folder.join(outrider_core::replica::DATABASE_FILE);
    let conn = Connection::open(file(after))?;
    conn.execute("ATTACH ?1 AS old", [file(before).to_string_lossy()])?;
    let names: Vec<String> = conn
        .prepare(
            "SELECT name FROM sqlite_schema
             WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'sqlite_%'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut changed = 0;
    for name in names {
        // Names of tables, which are the program's own.
        let count = |one: &str, other: &str| -> Outcome<u64> {
            let sql = format!(
                "SELECT count(*) FROM (SELECT * FROM {one}.\"{name}\" EXCEPT SELECT * FROM {other}.\"{name}\")"
            );
            Ok(conn.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
        };
        changed += count("main", "old")?.max(count("old", "main")?);
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_moves_by_a_few_rows_however_large() {
        let (small, large) = (hand_over(10).unwrap(), hand_over(400).unwrap());
        assert_eq!(small.rows, large.rows);
        assert!((1..=ROWS_MAX).contains(&large.rows));
        assert!(large.bytes_left < 2_000, "{} bytes for a frame of leaving", large.bytes_left);
    }
}
