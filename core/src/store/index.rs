//! What records are found by, kept beside their rows: device and server use the same code.
//!
//! A row is a cache of documents, an index a cache of rows. A transaction notes which records it
//! wrote ([`Changed`]) and brings the indexes up to date once for each, at its end: a record of
//! several parts, or one that is written twice, costs one update.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{StoreError, likeness, redirect, search};
use crate::{
    ids::RecordId,
    schema::{Entity, Schema},
};

/// Records whose rows a transaction wrote or removed, with their entities.
#[derive(Debug, Default)]
pub struct Changed(BTreeMap<RecordId, String>);

impl Changed {
    /// Notes a record.
    pub fn note(&mut self, entity: &Entity, record: RecordId) {
        self.0.entry(record).or_insert_with(|| entity.name.clone());
    }
}

/// Creates the tables that do not exist yet.
///
/// # Errors
///
/// Fails when the database does.
pub fn create_tables(conn: &Connection) -> rusqlite::Result<()> {
    search::create_tables(conn)?;
    likeness::create_tables(conn)
}

/// Whether what a record is found by depends on one of these fields.
#[must_use]
pub fn depends_on(entity: &Entity, fields: &BTreeSet<String>) -> bool {
    search::depends_on(entity, fields) || likeness::depends_on(entity, fields)
}

/// Brings up to date what the changed records are found by.
///
/// # Errors
///
/// Fails when the database does.
pub fn follow(conn: &Connection, schema: &Schema, changed: &Changed) -> Result<(), StoreError> {
    for (record, entity) in &changed.0 {
        if let Some(entity) = schema.entity(entity) {
            refresh(conn, entity, *record)?;
            // A merge moves others in and out of sight: in a ring, all but the smallest.
            let Some(_) = entity.field(redirect::REDIRECT) else { continue };
            let heir = redirect::resolve(conn, entity, *record)?;
            let others = redirect::halves(conn, entity, heir)?;
            for other in others.into_iter().chain([heir]).filter(|other| other != record) {
                refresh(conn, entity, other)?;
            }
        }
    }
    Ok(())
}

/// Removes all of it.
///
/// # Errors
///
/// Fails when the database does.
pub fn clear(conn: &Connection) -> rusqlite::Result<()> {
    search::clear(conn)?;
    likeness::clear(conn)
}

/// Makes all of it anew from the rows.
///
/// # Errors
///
/// Fails when the database does.
pub fn rebuild(conn: &Connection, schema: &Schema) -> Result<(), StoreError> {
    clear(conn)?;
    for entity in schema.entities() {
        // Names come from the schema, which admits only `[a-z_]+`.
        let mut query = conn.prepare(&format!("SELECT id FROM {} ORDER BY id", entity.name))?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            refresh(conn, entity, RecordId::from_bytes(row.get(0)?))?;
        }
    }
    Ok(())
}

/// Writes one record's entries from its row, or takes them away when there is no row.
fn refresh(conn: &Connection, entity: &Entity, record: RecordId) -> Result<(), StoreError> {
    search::refresh(conn, entity, record)?;
    likeness::refresh(conn, entity, record)
}
