//! What is kept of a record so that it is found: written with the record, read from its row.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use rusqlite::{Connection, OptionalExtension as _, params, types::ValueRef};
use serde_json::Value as Json;

use super::KIND;
use crate::{
    crdt::archive::ARCHIVED,
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind, Language, Type},
    search::{Class, Columns, Role, is_searched, prepare, role_of},
    store::{StoreError, rows::columns_of},
    value::Value,
};

/// The field that says into which record one was merged.
const REDIRECT: &str = "redirect_to";
/// Counts up when tokens are made differently; the index is then to be made anew.
const TOKENS_VERSION: u32 = 1;
/// Texts of one record that are read, at most: rows may be many.
const TEXTS_MAX: usize = 2_000;

/// Creates the tables that do not exist yet.
pub(in crate::store) fn create_tables(conn: &Connection) -> rusqlite::Result<()> {
    // Tokens are made in Rust: between them are spaces, and every other character is part of one.
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS search_record (
             id INTEGER PRIMARY KEY,
             record BLOB NOT NULL UNIQUE,
             entity TEXT NOT NULL,
             title TEXT NOT NULL,
             -- as questions are compared with it
             folded TEXT NOT NULL,
             is_archived INTEGER NOT NULL,
             -- of the texts: what is the same is not written again
             digest INTEGER NOT NULL
         ) STRICT;
         CREATE INDEX IF NOT EXISTS search_record_by_title ON search_record (folded, record);
         CREATE VIRTUAL TABLE IF NOT EXISTS search_text USING fts5 (
             kind, name, text, digits, sound, initials, mirror,
             content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '2'
         );
         CREATE VIRTUAL TABLE IF NOT EXISTS search_word USING fts5vocab ('search_text', 'row');",
    )
}

/// Whether what is kept depends on one of these fields.
pub(in crate::store) fn depends_on(entity: &Entity, fields: &BTreeSet<String>) -> bool {
    fields.iter().any(|name| {
        name == ARCHIVED || name == REDIRECT || entity.field(name).is_some_and(is_searched)
    })
}

/// Removes all of it.
pub(in crate::store) fn clear(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "DELETE FROM search_record;
         INSERT INTO search_text (search_text) VALUES ('delete-all');",
    )
}

/// Writes the index anew without the words of records that are gone: until then they are only
/// marked. Takes as long as reading the index once.
///
/// # Errors
///
/// Fails when the database does.
pub fn sweep(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("INSERT INTO search_text (search_text) VALUES ('optimize');")
}

/// One text of a record.
#[derive(Debug, Clone)]
pub(super) struct RecordText<'a> {
    pub(super) role: Role,
    pub(super) field: &'a Field,
    /// The column, if the field has rows.
    pub(super) column: Option<&'a Field>,
    pub(super) text: String,
}

/// The texts of a record, the title first, and whether it is archived.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts<'a> {
    pub(super) texts: Vec<RecordText<'a>>,
    pub(super) is_archived: bool,
}

/// Reads a record's texts from its row; `None` if there is none.
pub(super) fn read<'a>(
    conn: &Connection,
    entity: &'a Entity,
    record: RecordId,
) -> Result<Option<Texts<'a>>, StoreError> {
    let fields: Vec<&Field> = entity.fields.iter().filter(|field| is_searched(field)).collect();
    let sql = entity.texts.get("search", &Part::Main, || {
        let columns = fields.iter().flat_map(|field| columns_of(field)).map(|(name, _)| name);
        let columns: Vec<String> = columns.collect();
        let columns =
            if columns.is_empty() { String::new() } else { format!(", {}", columns.join(", ")) };
        // Names come from the schema, which admits only `[a-z_]+`.
        format!("SELECT is_archived <> 0{columns} FROM {} WHERE id = ?1", entity.name)
    });
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([record.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut found = Texts { is_archived: row.get(0)?, texts: Vec::new() };
    for (place, field) in (1..).zip(fields) {
        let ValueRef::Text(bytes) = row.get_ref(place)? else { continue };
        add_texts(entity, field, &String::from_utf8_lossy(bytes), &mut found.texts);
    }
    found.texts.sort_by_key(|text| text.role);
    found.texts.truncate(TEXTS_MAX);
    Ok(Some(found))
}

fn add_texts<'a>(entity: &'a Entity, field: &'a Field, cell: &str, to: &mut Vec<RecordText<'a>>) {
    let mut add = |column: Option<&'a Field>, ty: &Type, value: String| {
        let Some(role) = role_of(entity, field, column) else { return };
        let text = ty.display(&Value::Text(value), Language::En);
        if !text.is_empty() {
            to.push(RecordText { role, field, column, text });
        }
    };
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => add(None, &field.ty, cell.to_owned()),
        Kind::Text => add(None, &Type::Text { max: usize::MAX }, cell.to_owned()),
        Kind::Set | Kind::Rows => {
            let Ok(Json::Array(items)) = serde_json::from_str(cell) else { return };
            for item in items {
                match item {
                    Json::String(member) => add(None, &field.ty, member),
                    Json::Object(cells) => {
                        for column in &field.columns {
                            match cells.get(&column.name) {
                                Some(Json::String(text)) => {
                                    add(Some(column), &column.ty, text.clone());
                                }
                                Some(parts @ Json::Object(_)) => {
                                    add(Some(column), &column.ty, parts.to_string());
                                }
                                _ => {}
                            }
                        }
                    }
                    Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => {}
                }
            }
        }
        Kind::Counter | Kind::Log => {}
    }
}

/// Writes what is kept of one record from its row, or takes it away when there is none.
pub(in crate::store) fn refresh(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
) -> Result<(), StoreError> {
    let known: Option<(i64, i64, bool)> = conn
        .prepare_cached("SELECT id, digest, is_archived FROM search_record WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let found = read(conn, entity, record)?.unwrap_or_default();
    let digest = digest(entity, &found.texts);
    if let Some((id, known_digest, is_archived)) = known
        && known_digest == digest
    {
        return set_archived(conn, id, (is_archived, found.is_archived));
    }
    let columns = prepare(found.texts.iter().map(|text| (text.role, text.text.as_str())));
    if columns.is_empty() {
        return match known {
            Some((id, ..)) => remove(conn, id),
            None => Ok(()),
        };
    }
    let title = found.texts.first().filter(|text| text.role == Role::Title);
    let title = title.map_or("", |title| title.text.as_str());
    // The id stays: the index names the record by it.
    let id: i64 = conn
        .prepare_cached(
            "INSERT INTO search_record (record, entity, title, folded, is_archived, digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (record) DO UPDATE SET entity = excluded.entity, title = excluded.title,
                 folded = excluded.folded, is_archived = excluded.is_archived,
                 digest = excluded.digest
             RETURNING id",
        )?
        .query_row(
            params![
                record.as_bytes(),
                entity.name,
                title,
                Class::folded(title),
                found.is_archived,
                digest
            ],
            |row| row.get(0),
        )?;
    put(conn, entity, id, &columns)
}

fn set_archived(conn: &Connection, id: i64, (was, is): (bool, bool)) -> Result<(), StoreError> {
    if was != is {
        conn.prepare_cached("UPDATE search_record SET is_archived = ?2 WHERE id = ?1")?
            .execute(params![id, is])?;
    }
    Ok(())
}

fn put(conn: &Connection, entity: &Entity, id: i64, columns: &Columns) -> Result<(), StoreError> {
    let Columns { name, text, digits, sound, initials, mirror } = columns;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO search_text
             (rowid, kind, name, text, digits, sound, initials, mirror)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id,
        format!("{KIND}{}", entity.name),
        name,
        text,
        digits,
        sound,
        initials,
        mirror
    ])?;
    Ok(())
}

fn remove(conn: &Connection, id: i64) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM search_text WHERE rowid = ?1")?.execute([id])?;
    conn.prepare_cached("DELETE FROM search_record WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Tells equal texts: their tokens need not be made. Another version of the program may make another
/// one, then they are written once more.
fn digest(entity: &Entity, texts: &[RecordText<'_>]) -> i64 {
    let mut hasher = DefaultHasher::new();
    (TOKENS_VERSION, &entity.name).hash(&mut hasher);
    for RecordText { role, text, .. } in texts {
        (*role as u8, text).hash(&mut hasher);
    }
    hasher.finish().cast_signed()
}
