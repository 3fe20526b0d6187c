//! Typed rows: what lists, filters and reports read.
//!
//! One table per entity, made from the schema; device and server use the same code. Rows are a
//! cache of the documents: dropping them and projecting every document again gives the same rows.

use std::collections::BTreeSet;

use rusqlite::{
    Connection, Params, ToSql, params, params_from_iter,
    types::{ToSqlOutput, Value as SqlOwned, ValueRef},
};
use serde_json::Value as Json;

use super::{index, near, redirect};
use crate::{
    crdt::{State, archive::Archival},
    domain::values::{count_conflicts, entries, members, rows_json, shown},
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind, Schema, SqlValue},
    value::Value,
};

/// A value of one column, borrowed where the state has it in the column's form.
type Cell<'a> = ToSqlOutput<'a>;

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
        let columns: Vec<(String, &str)> = entity.fields.iter().flat_map(columns_of).collect();
        let known = known_columns(conn, &entity.name)?;
        if known.is_empty() {
            conn.execute_batch(&table(&entity.name, &columns))?;
        } else {
            for (name, sql_type) in columns.iter().filter(|(name, _)| !known.contains(name)) {
                let sql = format!("ALTER TABLE {} ADD COLUMN {name} {sql_type};", entity.name);
                conn.execute_batch(&sql)?;
            }
        }
        for field in entity.fields.iter().filter(|field| field.indexed || near::is_place(field)) {
            conn.execute_batch(&index_of(&entity.name, field))?;
        }
    }
    index::create_tables(conn)
}

fn table(name: &str, columns: &[(String, &str)]) -> String {
    let columns: String =
        columns.iter().map(|(name, sql_type)| format!(",\n {name} {sql_type}")).collect();
    format!(
        "CREATE TABLE {name} (
             id BLOB PRIMARY KEY NOT NULL,
             -- 1 while archived, and nothing was written beside the archiving; 2 while merged
             -- into another record; 3 while both
             is_archived INTEGER NOT NULL DEFAULT 0,
             -- fields and cells with several values
             conflicts INTEGER NOT NULL DEFAULT 0{columns}
         ) STRICT;
         CREATE INDEX {name}_with_conflicts ON {name} (id) WHERE conflicts > 0;"
    )
}

fn index_of(table: &str, field: &Field) -> String {
    let names: Vec<String> = columns_of(field).into_iter().map(|(name, _)| name).collect();
    format!(
        "CREATE INDEX IF NOT EXISTS {table}_by_{} ON {table} ({}) WHERE {} IS NOT NULL;",
        field.name,
        names.join(", "),
        names.first().map_or("id", String::as_str),
    )
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
        let table = &entity.name;
        // Emptying what is empty would write the first page of the table and of each of its indexes.
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        if conn.query_row(&sql, [], |row| row.get(0))? {
            conn.execute_batch(&format!("DELETE FROM {table};"))?;
        }
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
    let mut fields: Vec<&Field> = entity.fields_in(part).collect();
    if let Some(touched) = touched {
        fields.retain(|field| touched.contains(&field.name));
    }
    let mut cells: Vec<Cell<'_>> = Vec::with_capacity(fields.len() + 8);
    for field in &fields {
        project_field(field, state, &mut cells);
    }
    if *part == Part::Main {
        let is_archived = matches!(state.archival(), Archival::Archived(_));
        cells.push(Cell::Owned(i64::from(is_archived).into()));
        cells.push(Cell::Owned(count_conflicts(entity, part, state).into()));
    }
    let names = || -> Vec<String> {
        let own: &[&str] = if *part == Part::Main { &["is_archived", "conflicts"] } else { &[] };
        let columns = fields.iter().flat_map(|field| columns_of(field)).map(|(name, _)| name);
        columns.chain(own.iter().map(|name| (*name).to_owned())).collect()
    };
    if touched.is_some() {
        update(conn, &entity.name, record, &names(), &cells)?;
    } else {
        put(conn, entity, part, record, names, &cells)?;
    }
    let is_moving = touched.is_none_or(|touched| touched.contains(redirect::REDIRECT));
    if *part == Part::Main && (is_moving || state.register(redirect::REDIRECT).is_some()) {
        redirect::settle_rows(conn, entity, record)?;
    }
    Ok(())
}

/// Writes all columns of a part: a new row whole, of one that is there only what differs, because
/// every column that is written costs its index two changes.
fn put(
    conn: &Connection,
    entity: &Entity,
    part: &Part,
    record: RecordId,
    names: impl Fn() -> Vec<String>,
    cells: &[Cell<'_>],
) -> rusqlite::Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let select = entity.texts.get("select", part, || {
        format!("SELECT {} FROM {} WHERE id = ?1", names().join(", "), entity.name)
    });
    let mut query = conn.prepare_cached(&select)?;
    let mut rows = query.query([record.as_bytes()])?;
    let Some(row) = rows.next()? else {
        let sql = entity.texts.get("insert", part, || insert_text(&entity.name, &names()));
        conn.prepare_cached(&sql)?.execute(with_id(record.as_bytes(), cells))?;
        return Ok(());
    };
    let mut differing = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        if row.get_ref(at)? != value_of(cell) {
            differing.push(at);
        }
    }
    drop(rows);
    if differing.is_empty() {
        return Ok(());
    }
    let all = names();
    let names: Vec<String> = differing.iter().filter_map(|at| all.get(*at).cloned()).collect();
    let cells: Vec<Cell<'_>> = differing.iter().filter_map(|at| cells.get(*at).cloned()).collect();
    update(conn, &entity.name, record, &names, &cells)
}

fn insert_text(table: &str, names: &[String]) -> String {
    let places: Vec<String> = (2..names.len() + 2).map(|place| format!("?{place}")).collect();
    let (names, places) = (names.join(", "), places.join(", "));
    format!("INSERT INTO {table} (id, {names}) VALUES (?1, {places})")
}

fn update(
    conn: &Connection,
    table: &str,
    record: RecordId,
    names: &[String],
    cells: &[Cell<'_>],
) -> rusqlite::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let sets: Vec<String> =
        (2..).zip(names).map(|(place, name): (usize, _)| format!("{name} = ?{place}")).collect();
    let sql = format!("UPDATE {table} SET {} WHERE id = ?1", sets.join(", "));
    conn.prepare_cached(&sql)?.execute(with_id(record.as_bytes(), cells))?;
    Ok(())
}

fn with_id<'a>(id: &'a [u8; 16], cells: &'a [Cell<'a>]) -> impl Params + 'a {
    let id: &dyn ToSql = id;
    params_from_iter(std::iter::once(id).chain(cells.iter().map(|cell| cell as &dyn ToSql)))
}

fn value_of<'a>(cell: &'a Cell<'_>) -> ValueRef<'a> {
    match cell {
        Cell::Borrowed(value) => *value,
        Cell::Owned(value) => value.into(),
        // Nothing here makes any other.
        _ => ValueRef::Null,
    }
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
    let table = &entity.name;
    let sql = format!(
        "INSERT INTO {table} (id, {field}) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET {field} = excluded.{field}"
    );
    conn.prepare_cached(&sql)?.execute(params![record.as_bytes(), text])?;
    Ok(())
}

fn project_field<'a>(field: &Field, state: &'a State, to: &mut Vec<Cell<'a>>) {
    match field.kind {
        Kind::Register | Kind::Office => to_cells(field, shown(field, state), to),
        Kind::Once => {
            let first = state.once(&field.name);
            to_cells(field, first.map_or(&Value::Null, |first| &first.value), to);
        }
        Kind::Counter => to.push(Cell::Owned(state.counter(&field.name).into())),
        Kind::Set => to.push(json_column(members(field, state))),
        Kind::Rows => to.push(json_column(rows_json(field, state))),
        Kind::Log => to.push(json_column(entries(field, state))),
        Kind::Text => to.push(Cell::Owned(SqlOwned::Null)),
    }
}

/// Puts a value into the columns of its field; text that stands as it is is not copied.
fn to_cells<'a>(field: &Field, value: &'a Value, to: &mut Vec<Cell<'a>>) {
    match (field.ty.columns(), value) {
        ([column], Value::Text(text)) if column.sql_type == "TEXT" => {
            to.push(Cell::Borrowed(ValueRef::Text(text.as_bytes())));
        }
        (columns, Value::Null) => to.extend(columns.iter().map(|_| Cell::Owned(SqlOwned::Null))),
        _ => to.extend(field.ty.to_sql(value).into_iter().map(|value| {
            Cell::Owned(match value {
                SqlValue::Null => SqlOwned::Null,
                SqlValue::Integer(number) => SqlOwned::Integer(number),
                SqlValue::Text(text) => SqlOwned::Text(text),
            })
        })),
    }
}

fn json_column<'a>(items: Vec<Json>) -> Cell<'a> {
    let is_empty = items.is_empty();
    Cell::Owned(if is_empty { SqlOwned::Null } else { Json::Array(items).to_string().into() })
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
