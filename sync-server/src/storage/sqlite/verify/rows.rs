//! Typed rows, and what records are found by, made again in a database beside and compared.

use outrider_core::{
    schema::Schema,
    store::{index, rows},
};
use rusqlite::{Connection, Row, types::Value};

use super::{Findings, Progress, REPORT_EVERY, Subject, count};
use crate::storage::{
    StorageError,
    sqlite::{
        Doing, document,
        rows::{asked, project},
    },
};

const DOING: &str = "checking typed rows";

/// Makes all rows again and compares them.
pub(super) fn check(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    let schema = Schema::current();
    // No name: a temporary file that is gone with the connection.
    let fresh = Connection::open("").doing(DOING)?;
    fresh.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").doing(DOING)?;
    rows::create_tables(&fresh, schema).doing(DOING)?;
    let total = count(conn, "SELECT count(*) FROM document")?;
    let mut done = 0;
    let mut query = conn.prepare("SELECT record, part FROM document").doing(DOING)?;
    let mut ids = query.query([]).doing(DOING)?;
    while let Some(row) = ids.next().doing(DOING)? {
        if done % REPORT_EVERY == 0 {
            progress("rows", done, total);
        }
        done += 1;
        let id = document::id_of(row)?;
        // One that cannot be read was told already.
        if let Ok(Some(stored)) = document::find(conn, &id) {
            project(&fresh, &id, &stored.entity, &stored.content)?;
        }
    }
    index::rebuild(&fresh, schema).map_err(asked)?;
    progress("rows", total, total);
    for entity in schema.entities() {
        // Names come from the schema, which admits only `[a-z_]+`.
        let columns: Vec<String> =
            entity.fields.iter().flat_map(rows::columns_of).map(|(name, _)| name).collect();
        let columns = ["is_archived".to_owned(), "conflicts".to_owned()].into_iter().chain(columns);
        let columns: Vec<String> = columns.collect();
        let list = columns.join(", ");
        let table = &entity.name;
        let sql = ["SELECT hex(id), ", &list, " FROM ", table, " ORDER BY id"].concat();
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        findings.rows += compare(conn, &fresh, &sql, table, &names, Subject::Row, findings)?;
    }
    for (table, names, sql) in FOUND_BY {
        compare(conn, &fresh, sql, table, names, Subject::Index, findings)?;
    }
    Ok(())
}

/// What records are found by: table, columns, statement.
const FOUND_BY: &[(&str, &[&str], &str)] = &[
    (
        "search_record",
        &["entity", "title", "folded", "is_archived", "digest"],
        "SELECT hex(record), entity, title, folded, is_archived, digest
         FROM search_record ORDER BY record",
    ),
    (
        "search_text",
        &["kind_and_name"],
        "SELECT hex(r.record), 1 FROM search_text t JOIN search_record r ON r.id = t.rowid
         ORDER BY r.record",
    ),
    ("match_record", &["keys"], "SELECT hex(record), keys FROM match_record ORDER BY record"),
    ("match_key", &["key"], "SELECT hex(record), key FROM match_key ORDER BY record, key"),
];

/// Walks both sides in the order of their first column; returns how many rows should be there.
fn compare(
    stored: &Connection,
    fresh: &Connection,
    sql: &str,
    table: &str,
    columns: &[&str],
    subject: Subject,
    findings: &mut Findings,
) -> Result<u64, StorageError> {
    let mut queries = (stored.prepare(sql).doing(DOING)?, fresh.prepare(sql).doing(DOING)?);
    let (mut ours, mut theirs) =
        (queries.0.query([]).doing(DOING)?, queries.1.query([]).doing(DOING)?);
    let read = |row: Option<&Row<'_>>| -> Result<Option<(String, Vec<Value>)>, StorageError> {
        let Some(row) = row else { return Ok(None) };
        let values = (1..=columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>();
        Ok(Some((row.get(0).doing(DOING)?, values.doing(DOING)?)))
    };
    let mut count = 0;
    let mut stored_row = read(ours.next().doing(DOING)?)?;
    let mut fresh_row = read(theirs.next().doing(DOING)?)?;
    loop {
        let order = match (&stored_row, &fresh_row) {
            (None, None) => return Ok(count),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let name = |id: &str| format!("{table} {}", id.to_lowercase());
        match (order, &stored_row, &fresh_row) {
            (std::cmp::Ordering::Less, Some((id, _)), _) => {
                findings.add(subject, name(id), "is there, but no document says so");
            }
            (std::cmp::Ordering::Greater, _, Some((id, _))) => {
                findings.add(subject, name(id), "is not there, but its document is");
            }
            (_, Some((id, one)), Some((_, other))) if one != other => {
                let differ = columns.iter().zip(one.iter().zip(other));
                let differ: Vec<&str> = differ
                    .filter(|(_, (one, other))| one != other)
                    .map(|(column, _)| *column)
                    .collect();
                let words = format!("differs from its document in {}", differ.join(", "));
                findings.add(subject, name(id), words);
            }
            _ => {}
        }
        if order.is_le() {
            stored_row = read(ours.next().doing(DOING)?)?;
        }
        if order.is_ge() {
            count += 1;
            fresh_row = read(theirs.next().doing(DOING)?)?;
        }
    }
}
