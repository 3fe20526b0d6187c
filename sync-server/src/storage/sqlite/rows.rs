//! The typed rows beside the documents: written by `core`, in the transaction of the document.

use outrider_core::{
    crdt::State,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Schema},
    store::{
        StoreError, imports,
        index::{self, Changed},
        rows,
    },
};
use rusqlite::{Connection, params};

use super::{Doing, damaged, document, heal};
use crate::storage::{Content, StorageError};

const DOING: &str = "writing the typed rows";

/// Writes what a document says into its record's row; an entity that the schema does not have
/// has no rows.
pub(super) fn project(
    conn: &Connection,
    id: &DocumentId,
    entity: &str,
    content: &Content,
) -> Result<(), StorageError> {
    let Some(entity) = Schema::current().entity(entity) else { return Ok(()) };
    match content {
        Content::Flat(state) => project_flat(conn, entity, id.record, &id.part, state),
        Content::Text(text) => {
            rows::project_text(conn, entity, id.record, id.part.as_str(), &text.text)
        }
    }
    .doing(DOING)
}

fn project_flat(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
    part: &Part,
    state: &State,
) -> rusqlite::Result<()> {
    rows::project_flat(conn, entity, record, part, state)
}

/// Creates what the schema has and the database has not; after a change of the schema builds all
/// rows anew from the documents.
pub(super) fn bring_up_to_date(conn: &Connection) -> Result<(), StorageError> {
    let schema = Schema::current();
    rows::create_tables(conn, schema).doing(DOING)?;
    imports::create_tables(conn).map_err(asked)?;
    for entity in schema.entities() {
        conn.execute_batch(&list_indexes(entity)).doing(DOING)?;
    }
    let built: u32 =
        conn.query_row("SELECT schema_version FROM meta", [], |row| row.get(0)).doing(DOING)?;
    if built == schema.version {
        return Ok(());
    }
    rebuild(conn)?;
    conn.execute("UPDATE meta SET schema_version = ?1", params![schema.version]).doing(DOING)?;
    Ok(())
}

/// What lists walk that people open often: the records that are not archived, by time of creation
/// and by name. They also count without reading the table.
fn list_indexes(entity: &Entity) -> String {
    let table = &entity.name;
    let mut sql =
        format!("CREATE INDEX IF NOT EXISTS {table}_in_use ON {table} (id) WHERE is_archived = 0;");
    let title = entity.title_field().and_then(|field| rows::columns_of(field).into_iter().next());
    if let Some((column, _)) = title {
        sql.push_str(&format!(
            "CREATE INDEX IF NOT EXISTS {table}_in_use_by_title ON {table} ({column}, id)
             WHERE is_archived = 0;"
        ));
    }
    sql
}

/// What the caller asked wrongly, and what failed.
pub(super) fn asked(error: StoreError) -> StorageError {
    match error {
        StoreError::Query(words) => StorageError::Query(words),
        StoreError::Database(source) => {
            StorageError::Database { doing: "reading the typed rows", source }
        }
        StoreError::Torn(source) => StorageError::Torn { doing: "reading the typed rows", source },
        other @ (StoreError::Open { .. }
        | StoreError::Denied { .. }
        | StoreError::DamagedDocument { .. }
        | StoreError::DamagedChange { .. }
        | StoreError::TooNew { .. }
        | StoreError::Foreign(_)
        | StoreError::InUse(_)
        | StoreError::OldSqlite(_)
        | StoreError::Seal(_)
        | StoreError::Damaged(_)) => damaged(other),
    }
}

/// Brings up to date what the changed records are found by.
pub(super) fn index(conn: &Connection, changed: &Changed) -> Result<(), StorageError> {
    index::follow(conn, Schema::current(), changed).map_err(asked)
}

/// Drops all rows and writes them again from the documents.
pub(super) fn rebuild(conn: &Connection) -> Result<(), StorageError> {
    rows::clear(conn, Schema::current()).doing(DOING)?;
    let mut query = conn.prepare("SELECT record, part FROM document").doing(DOING)?;
    let mut ids = query.query([]).doing(DOING)?;
    while let Some(row) = ids.next().doing(DOING)? {
        let id = document::id_of(row)?;
        match heal::find(conn, &id) {
            // Its row is left out; the others are made.
            Err(error) if error.is_damage() => {}
            found => {
                if let Some(stored) = found? {
                    project(conn, &id, &stored.entity, &stored.content)?;
                }
            }
        }
    }
    index::rebuild(conn, Schema::current()).map_err(asked)
}
