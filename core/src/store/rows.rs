//! Typed rows: what lists, filters and reports read.
//!
//! One table per entity, made from the schema; device and server use the same code. Rows are a
//! cache of the documents: dropping them and projecting every document again gives the same rows.

use std::collections::BTreeSet;

use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use serde_json::Value as Json;

use crate::{
    crdt::{State, archive::Archival},
    domain::values::{count_conflicts, entries, members, rows_json, shown},
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind, Schema, SqlValue},
    value::Value,
};

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Integer(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// The columns of a field: their names and SQL types.
#[must_use]
pub fn columns_of(field: &Field) -> Vec<(String, &'static str)> {
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => field
            .ty
            .columns()
            .iter()
            .map(|column| ([field.name.as_str(), column.suffix].concat(), column.sql_type))
            .collect(),
        Kind::Counter => vec![(field.name.clone(), "INTEGER")],
        Kind::Set | Kind::Rows | Kind::Log | Kind::Text => vec![(field.name.clone(), "TEXT")],
    }
}

/// Creates the tables and indexes of all entities that do not exist yet, and adds the columns of
/// fields that are new.
///
/// # Errors
///
/// Fails when the database does.
pub fn create_tables(conn: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    for entity in schema.entities() {
        // Names come from the schema, which admits only `[a-z_]+`; no data is ever in this text.
        conn.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {0} (
                 id BLOB PRIMARY KEY NOT NULL,
                 -- 1 while archived, and nothing was written beside the archiving
                 is_archived INTEGER NOT NULL DEFAULT 0,
                 -- fields and cells with several values
                 conflicts INTEGER NOT NULL DEFAULT 0
             ) STRICT;
             CREATE INDEX IF NOT EXISTS {0}_with_conflicts ON {0} (id) WHERE conflicts > 0;",
            entity.name
        ))?;
        let known = known_columns(conn, &entity.name)?;
        for field in &entity.fields {
            for (name, sql_type) in columns_of(field) {
                if !known.contains(&name) {
                    conn.execute_batch(&format!(
                        "ALTER TABLE {} ADD COLUMN {name} {sql_type};",
                        entity.name
                    ))?;
                }
            }
            if field.indexed {
                let names: Vec<String> =
                    columns_of(field).into_iter().map(|(name, _)| name).collect();
                conn.execute_batch(&format!(
                    "CREATE INDEX IF NOT EXISTS {0}_by_{1} ON {0} ({2}) WHERE {3} IS NOT NULL;",
                    entity.name,
                    field.name,
                    names.join(", "),
                    names.first().map_or("id", String::as_str),
                ))?;
            }
        }
    }
    Ok(())
}

fn known_columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
    query.query_map([table], |row| row.get(0))?.collect()
}

/// Removes all rows of all entities.
///
/// # Errors
///
/// Fails when the database does.
pub fn clear(conn: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    for entity in schema.entities() {
        conn.execute_batch(&format!("DELETE FROM {};", entity.name))?;
    }
    Ok(())
}

/// Removes one record's row.
///
/// # Errors
///
/// Fails when the database does.
pub fn delete(conn: &Connection, entity: &Entity, record: RecordId) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", entity.name))?
        .execute([record.as_bytes()])
        .map(drop)
}

/// Writes what a flat document says into its record's row.
///
/// # Errors
///
/// Fails when the database does.
pub fn project_flat(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
    part: &Part,
    state: &State,
) -> rusqlite::Result<()> {
    project_fields(conn, entity, record, part, state, None)
}

/// Writes what a flat document says into its record's row: the fields that were `touched`, or
/// all. A row that is not there yet takes all.
///
/// # Errors
///
/// Fails when the database does.
pub fn project_fields(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
    part: &Part,
    state: &State,
    touched: Option<&BTreeSet<String>>,
) -> rusqlite::Result<()> {
    let mut names: Vec<String> = Vec::new();
    let mut values: Vec<SqlValue> = Vec::new();
    for field in entity.fields_in(part) {
        if touched.is_some_and(|touched| !touched.contains(&field.name)) {
            continue;
        }
        names.extend(columns_of(field).into_iter().map(|(name, _)| name));
        values.extend(project_field(field, state));
    }
    if *part == Part::Main {
        let is_archived = matches!(state.archival(), Archival::Archived(_));
        names.push("is_archived".to_owned());
        values.push(SqlValue::Integer(is_archived.into()));
        names.push("conflicts".to_owned());
        values.push(SqlValue::Integer(count_conflicts(entity, part, state)));
    }
    if touched.is_some() {
        update(conn, &entity.name, record, &names, &values)
    } else {
        upsert(conn, &entity.name, record, &names, &values)
    }
}

fn update(
    conn: &Connection,
    table: &str,
    record: RecordId,
    names: &[String],
    values: &[SqlValue],
) -> rusqlite::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let sets: Vec<String> =
        (2..).zip(names).map(|(place, name): (usize, _)| format!("{name} = ?{place}")).collect();
    let sql = format!("UPDATE {table} SET {} WHERE id = ?1", sets.join(", "));
    let id = record.as_bytes();
    let id: &dyn ToSql = id;
    let values = values.iter().map(|value| value as &dyn ToSql);
    conn.prepare_cached(&sql)?.execute(params_from_iter(std::iter::once(id).chain(values)))?;
    Ok(())
}

/// Writes a long text into its record's row.
///
/// # Errors
///
/// Fails when the database does.
pub fn project_text(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
    field: &str,
    text: &str,
) -> rusqlite::Result<()> {
    if entity.field(field).is_none() {
        return Ok(());
    }
    upsert(conn, &entity.name, record, &[field.to_owned()], &[SqlValue::Text(text.to_owned())])
}

fn upsert(
    conn: &Connection,
    table: &str,
    record: RecordId,
    names: &[String],
    values: &[SqlValue],
) -> rusqlite::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (2..names.len() + 2).map(|place| format!("?{place}")).collect();
    let sets: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let sql = format!(
        "INSERT INTO {table} (id, {}) VALUES (?1, {}) ON CONFLICT (id) DO UPDATE SET {}",
        names.join(", "),
        places.join(", "),
        sets.join(", "),
    );
    let id = record.as_bytes();
    let id: &dyn ToSql = id;
    let values = values.iter().map(|value| value as &dyn ToSql);
    conn.prepare_cached(&sql)?.execute(params_from_iter(std::iter::once(id).chain(values)))?;
    Ok(())
}

fn project_field(field: &Field, state: &State) -> Vec<SqlValue> {
    match field.kind {
        Kind::Register | Kind::Office => field.ty.to_sql(&shown(field, state)),
        Kind::Once => {
            field.ty.to_sql(state.once(&field.name).map_or(&Value::Null, |first| &first.value))
        }
        Kind::Counter => vec![SqlValue::Integer(state.counter(&field.name))],
        Kind::Set => vec![json_column(members(field, state))],
        Kind::Rows => vec![json_column(rows_json(field, state))],
        Kind::Log => vec![json_column(entries(field, state))],
        Kind::Text => vec![SqlValue::Null],
    }
}

fn json_column(items: Vec<Json>) -> SqlValue {
    if items.is_empty() { SqlValue::Null } else { SqlValue::Text(Json::Array(items).to_string()) }
}

/// All rows of all entities as text, in a fixed order of entities, ids and columns.
///
/// # Errors
///
/// Fails when the database does.
pub fn dump(conn: &Connection, schema: &Schema) -> rusqlite::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entity in schema.entities() {
        let mut names: Vec<String> =
            entity.fields.iter().flat_map(columns_of).map(|(name, _)| name).collect();
        names.extend(["is_archived".to_owned(), "conflicts".to_owned()]);
        let sql = format!("SELECT hex(id), {} FROM {} ORDER BY id", names.join(", "), entity.name);
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = format!("{} {}", entity.name, row.get::<_, String>(0)?);
            for (place, name) in (1..).zip(&names) {
                let value = match row.get_ref(place)? {
                    ValueRef::Null => continue,
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Real(number) => number.to_string(),
                    ValueRef::Text(text) | ValueRef::Blob(text) => {
                        String::from_utf8_lossy(text).into_owned()
                    }
                };
                line.push_str(&format!(" {name}={value}"));
            }
            lines.push(line);
        }
    }
    Ok(lines)
}
