//! Why records are here: the scopes that the server names, and what may have to go.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::{
    access::{Scope, Standing},
    ids::RecordId,
};

/// The unit of a record alone, by which it is read by some who do not read its family.
#[must_use]
pub fn alone(record: RecordId) -> RecordId {
    RecordId::derived(record, "alone")
}

/// Notes of which family a record is.
///
/// # Errors
///
/// As all functions here: fails when the database does.
pub fn set_place(conn: &Connection, record: RecordId, family: RecordId) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO place (record, family, alone) VALUES (?1, ?2, ?3)
         ON CONFLICT (record) DO UPDATE SET family = excluded.family
         WHERE family <> excluded.family",
    )?
    .execute(params![record.as_bytes(), family.as_bytes(), alone(record).as_bytes()])?;
    Ok(())
}

/// The family of a record that came from the server.
///
/// # Errors
///
/// As all functions here.
pub fn family_of(conn: &Connection, record: RecordId) -> Result<Option<RecordId>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT family FROM place WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| Ok(RecordId::from_bytes(row.get(0)?)))
        .optional()?)
}

/// Puts a unit into a scope.
///
/// # Errors
///
/// As all functions here.
pub fn enter(conn: &Connection, unit: RecordId, scope: &str) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO unit_scope (unit, scope) VALUES (?1, ?2)
         ON CONFLICT (unit, scope) DO UPDATE SET is_stale = 0",
    )?
    .execute(params![unit.as_bytes(), scope])?;
    Ok(())
}

/// Notes that all scopes are of before the server was put back to a backup.
///
/// # Errors
///
/// As all functions here.
pub fn mark_stale(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("UPDATE unit_scope SET is_stale = 1", [])?;
    Ok(())
}

/// Takes units out of scopes that a whole pull did not name again; their records may have to go.
///
/// # Errors
///
/// As all functions here.
pub fn drop_stale(conn: &Connection) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO leaving (record)
         SELECT p.record FROM unit_scope s JOIN place p ON p.family = s.unit OR p.alone = s.unit
         WHERE s.is_stale = 1",
    )?
    .execute([])?;
    conn.prepare_cached("DELETE FROM unit_scope WHERE is_stale = 1")?.execute([])?;
    Ok(())
}

/// Takes a unit out of a scope; its records may have to go.
///
/// # Errors
///
/// As all functions here.
pub fn leave(conn: &Connection, unit: RecordId, scope: &str) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM unit_scope WHERE unit = ?1 AND scope = ?2")?
        .execute(params![unit.as_bytes(), scope])?;
    conn.prepare_cached(
        "INSERT OR IGNORE INTO leaving (record)
         SELECT record FROM place WHERE family = ?1 OR alone = ?1",
    )?
    .execute([unit.as_bytes()])?;
    Ok(())
}

/// A record is no longer of a family; it may have to go, unless it is of another one by now.
///
/// # Errors
///
/// As all functions here.
pub fn depart(conn: &Connection, family: RecordId, record: RecordId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE place SET family = record WHERE record = ?1 AND family = ?2")?
        .execute(params![record.as_bytes(), family.as_bytes()])?;
    may_leave(conn, record)
}

/// Notes that a record may have to go.
///
/// # Errors
///
/// As all functions here.
pub fn may_leave(conn: &Connection, record: RecordId) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR IGNORE INTO leaving (record) VALUES (?1)")?
        .execute([record.as_bytes()])?;
    Ok(())
}

/// Notes that every record may have to go: what the user may see has changed. Scopes that `keep`
/// does not want are forgotten.
///
/// # Errors
///
/// As all functions here.
pub fn all_may_leave(conn: &Connection, keep: impl Fn(&Scope) -> bool) -> Result<(), StoreError> {
    let scopes: Vec<String> = {
        let mut query = conn.prepare("SELECT DISTINCT scope FROM unit_scope")?;
        query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    let mut delete = conn.prepare_cached("DELETE FROM unit_scope WHERE scope = ?1")?;
    for scope in scopes.iter().filter(|scope| !scope.parse().is_ok_and(|scope| keep(&scope))) {
        delete.execute([scope])?;
    }
    conn.execute(
        "INSERT OR IGNORE INTO leaving (record) SELECT DISTINCT record FROM document",
        [],
    )?;
    Ok(())
}

/// Records that may have to go, ascending after one, at most `limit`.
///
/// # Errors
///
/// As all functions here.
pub fn leaving(
    conn: &Connection,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    let after: &[u8] = after.as_ref().map_or(&[], |record| record.as_bytes());
    let mut query = conn
        .prepare_cached("SELECT record FROM leaving WHERE record > ?1 ORDER BY record LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows =
        query.query_map(params![after, limit], |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many records may have to go.
///
/// # Errors
///
/// As all functions here.
pub fn count_leaving(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 =
        conn.prepare_cached("SELECT count(*) FROM leaving")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// A record stays, or is gone.
///
/// # Errors
///
/// As all functions here.
pub fn settled(conn: &Connection, record: RecordId, is_gone: bool) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM leaving WHERE record = ?1")?.execute([record.as_bytes()])?;
    if is_gone {
        conn.prepare_cached("DELETE FROM place WHERE record = ?1")?.execute([record.as_bytes()])?;
    }
    Ok(())
}

/// The scopes of a unit that the server named.
///
/// # Errors
///
/// As all functions here.
pub fn scopes_of(conn: &Connection, unit: RecordId) -> Result<Standing, StoreError> {
    let mut query = conn.prepare_cached("SELECT scope FROM unit_scope WHERE unit = ?1")?;
    let mut rows = query.query([unit.as_bytes()])?;
    let mut scopes = Standing::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        scopes.extend(name.parse::<Scope>().ok());
    }
    Ok(scopes)
}
