//! Where a timeline's entries come from: the tables of entities, and the logs in their rows.

use rusqlite::{Connection, OptionalExtension, Row, params, types::ValueRef};
use serde_json::{Map, Value as Json};

use super::{DETAIL_CHARS_MAX, DETAIL_FIELDS_MAX, Place, StoreError, TimelineEntry, TimelineQuery};
use crate::{
    ids::{Part, RecordId},
    schema::{Entity, Family, Field, Kind, Language, Schema, Type},
    store::rows::columns_of,
    value::Value,
};

/// When a record was created, where its entity says nothing better.
const CREATED_AT: &str = "created_at";
/// Whose a record is, the first one that has a value.
const PEOPLE: [&str; 2] = ["owner_id", "created_by"];
/// The column of a log that says when.
const LOG_AT: &str = "at";
/// The column of a log that says who.
const LOG_BY: &str = "by_user";
/// What an entry need not tell again.
const NOT_TOLD: [&str; 5] = ["owner_id", "created_at", "created_by", "archived", "external_id"];

/// One table, or one log of its rows.
#[derive(Debug)]
pub(super) struct Source<'a> {
    entity: &'a Entity,
    /// The log and its number among the logs of the entity, from 1.
    log: Option<(&'a Field, u32)>,
    /// Fields that link to the head; the record itself if there are none.
    links: Vec<&'a Field>,
}

/// All sources of the timeline of a record of the entity `head`: the family where it heads one,
/// else everything that links to it.
pub(super) fn sources_of<'a>(schema: &'a Schema, head: &'a Entity) -> Vec<Source<'a>> {
    let has_family = schema.entities().any(|entity| family_link(entity, head).is_some());
    let mut sources = Vec::new();
    for entity in schema.entities() {
        let links = match family_link(entity, head) {
            Some(field) => vec![field],
            None if has_family => Vec::new(),
            None => links_to(entity, head),
        };
        if links.is_empty() && entity.name != head.name {
            continue;
        }
        let logs = entity.fields.iter().filter(|field| is_told_log(field));
        for (log, number) in logs.zip(1..) {
            sources.push(Source { entity, log: Some((log, number)), links: links.clone() });
        }
        sources.push(Source { entity, log: None, links });
    }
    sources
}

fn is_told_log(field: &Field) -> bool {
    let tells_when = field.column(LOG_AT).is_some_and(|column| column.ty == Type::DateTime);
    field.kind == Kind::Log && field.part == Part::Main && tells_when
}

/// The link that makes records of `entity` members of families that `head` heads.
fn family_link<'a>(entity: &'a Entity, head: &Entity) -> Option<&'a Field> {
    let Family::Link(name) = &entity.family else { return None };
    entity.field(name).filter(|field| leads_to(field, head))
}

fn links_to<'a>(entity: &'a Entity, head: &Entity) -> Vec<&'a Field> {
    let is_person = |field: &Field| PEOPLE.contains(&field.name.as_str());
    let fields = entity.fields.iter();
    fields.filter(|field| leads_to(field, head) && !is_person(field)).collect()
}

fn leads_to(field: &Field, head: &Entity) -> bool {
    field.kind.is_single() && field.part == Part::Main && field.ty == Type::Link(head.name.clone())
}

impl Source<'_> {
    /// What its entries are called.
    pub(super) fn kind(&self) -> String {
        match self.log {
            Some((log, _)) => [self.entity.name.as_str(), ".", &log.name].concat(),
            None => self.entity.name.clone(),
        }
    }

    /// Adds its newest entries after a place, at most `limit`. `names` are the ids of the head and of
    /// what was merged into it, as JSON.
    pub(super) fn read(
        &self,
        conn: &Connection,
        (family, names): (RecordId, &str),
        query: &TimelineQuery,
        after: Option<Place>,
        limit: usize,
        to: &mut Vec<(Place, TimelineEntry)>,
    ) -> Result<(), StoreError> {
        let told = self.told_fields();
        let mut statement = conn.prepare_cached(&self.sql(&told))?;
        let after = after.map(|(at, id, log, entry)| (at, id.as_bytes().to_vec(), log, entry));
        let (at, id, log, entry) = match after {
            Some((at, id, log, entry)) => (Some(at), Some(id), Some(log), Some(entry)),
            None => (None, None, None, None),
        };
        let by = query.by.map(|by| by.to_string());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![
            names,
            family.as_bytes(),
            query.from,
            query.to,
            by,
            at,
            id,
            log,
            entry,
            limit,
        ])?;
        while let Some(row) = rows.next()? {
            to.push(self.entry(row, &told)?);
        }
        Ok(())
    }

    /// Names of tables and columns come from the schema; everything else is a parameter.
    fn sql(&self, told: &[&Field]) -> String {
        let table = &self.entity.name;
        let people: Vec<String> = PEOPLE
            .into_iter()
            .filter(|name| self.entity.field(name).is_some())
            .map(|name| ["r.", name].concat())
            .collect();
        let (mut at, mut by, mut from) =
            (moment(self.entity), people.clone(), table.clone() + " r");
        let (mut log, mut entry, mut detail) = ("0".to_owned(), "0".to_owned(), Vec::new());
        if let Some((field, number)) = self.log {
            let name = &field.name;
            at = format!("coalesce({}, 0)", ms_of_text(&format!("e.value ->> '{LOG_AT}'")));
            if field.column(LOG_BY).is_some() {
                by.insert(0, format!("e.value ->> '{LOG_BY}'"));
            }
            from = format!("{table} r, json_each(r.{name}) e");
            (log, entry) = (number.to_string(), "e.key".to_owned());
            detail.push("e.value".to_owned());
        } else {
            let columns = told.iter().flat_map(|field| columns_of(field));
            detail.extend(columns.map(|(name, _)| ["r.", &name].concat()));
        }
        let by_first = match by.as_slice() {
            [] => "NULL".to_owned(),
            [only] => only.clone(),
            several => format!("coalesce({})", several.join(", ")),
        };
        let title = match self.entity.title_field().map(columns_of).as_deref() {
            Some([(name, _), ..]) => ["r.", name].concat(),
            Some([]) | None => "NULL".to_owned(),
        };
        let detail: String = detail.iter().map(|column| [", ", column].concat()).collect();
        // What a person answers for or made; an entry of a log counts for who made it.
        let mine = if by.is_empty() { vec!["NULL".to_owned()] } else { by };
        let mine = if self.log.is_some() { vec![by_first.clone()] } else { mine };
        format!(
            "SELECT * FROM (
                 SELECT r.id AS id, {at} AS at, {log} AS log, {entry} AS entry,
                     {title} AS title, {by_first} AS by_first{detail}
                 FROM {from}
                 WHERE r.is_archived = 0 AND {} AND (?5 IS NULL OR ?5 IN ({}))
             )
             WHERE (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4)
                 AND (?6 IS NULL OR (at, id, log, entry) < (?6, ?7, ?8, ?9))
             ORDER BY at DESC, id DESC, log DESC, entry DESC LIMIT ?10",
            self.belongs(),
            mine.join(", "),
        )
    }

    /// The condition under which a row belongs to the head.
    fn belongs(&self) -> String {
        let mut conditions: Vec<String> = self
            .links
            .iter()
            .map(|field| format!("r.{} IN (SELECT value FROM json_each(?1))", field.name))
            .collect();
        // The head itself, and where the whole family is one table, its own row.
        conditions.push("r.id = ?2".to_owned());
        format!("({})", conditions.join(" OR "))
    }

    /// The fields that tell most: the first of its form that are no link to the head.
    fn told_fields(&self) -> Vec<&Field> {
        let is_link = |field: &Field| self.links.iter().any(|link| link.name == field.name);
        let fields = self.entity.fields.iter().filter(|field| {
            (field.kind == Kind::Text || field.kind.is_single() && field.part == Part::Main)
                && field.name != self.entity.title
                && !NOT_TOLD.contains(&field.name.as_str())
                && moment_field(self.entity) != Some(*field)
                && !is_link(field)
        });
        fields.collect()
    }

    fn entry(&self, row: &Row<'_>, told: &[&Field]) -> Result<(Place, TimelineEntry), StoreError> {
        let record = RecordId::from_bytes(row.get(0)?);
        let (at_ms, log, entry): (i64, u32, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let title = match row.get_ref(4)? {
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                self.entity
                    .title_field()
                    .map_or_else(|| text.clone(), |field| name_of(field, &text))
            }
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => record.to_string(),
        };
        let by: Option<String> = row.get(5)?;
        let detail = match self.log {
            Some(_) => {
                let text: String = row.get(6)?;
                serde_json::from_str(&text).unwrap_or(Json::Null)
            }
            None => detail_of(row, told)?,
        };
        let entry_of = TimelineEntry {
            at_ms,
            entity: self.entity.name.clone(),
            record,
            title,
            kind: self.kind(),
            by: by.and_then(|by| by.parse().ok()),
            by_name: None,
            detail,
        };
        Ok(((at_ms, record, log, entry), entry_of))
    }
}

/// When a record counts, in milliseconds: 0 where nothing says so.
fn moment(entity: &Entity) -> String {
    let columns: Vec<String> = [moment_field(entity), entity.field(CREATED_AT)]
        .into_iter()
        .flatten()
        .filter_map(in_ms)
        .collect();
    match columns.as_slice() {
        [] => "0".to_owned(),
        columns => format!("coalesce({}, 0)", columns.join(", ")),
    }
}

fn moment_field(entity: &Entity) -> Option<&Field> {
    entity.field(&entity.moment)
}

/// The first column of a field of moments, days or spans, as milliseconds.
fn in_ms(field: &Field) -> Option<String> {
    let (name, sql_type) = columns_of(field).into_iter().next()?;
    let column = ["r.", &name].concat();
    Some(if sql_type == "INTEGER" { column } else { ms_of_text(&column) })
}

fn ms_of_text(column: &str) -> String {
    format!("CAST(round(unixepoch({column}, 'subsec') * 1000) AS INTEGER)")
}

/// Fields with a value, the first ones.
fn detail_of(row: &Row<'_>, told: &[&Field]) -> Result<Json, StoreError> {
    let mut detail = Map::new();
    let mut at = 6;
    for field in told {
        let columns = columns_of(field);
        if detail.len() < DETAIL_FIELDS_MAX {
            let json = json_of(row, at, field, &columns)?;
            if !json.is_null() {
                detail.insert(field.name.clone(), json);
            }
        }
        at += columns.len();
    }
    Ok(Json::Object(detail))
}

fn json_of(
    row: &Row<'_>,
    at: usize,
    field: &Field,
    columns: &[(String, &str)],
) -> Result<Json, StoreError> {
    if let [_] = columns {
        let value = match row.get_ref(at)? {
            ValueRef::Integer(number) if field.ty == Type::Bool => Value::Bool(number != 0),
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text);
                if field.kind == Kind::Text {
                    return Ok(shorten(&text));
                }
                Value::Text(text.into_owned())
            }
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => return Ok(Json::Null),
        };
        let json = field.ty.to_json(&value);
        return Ok(json.as_str().map_or_else(|| json.clone(), shorten));
    }
    // Amounts and periods: their columns by the names that their JSON has too.
    let mut parts = Map::new();
    for (offset, (name, _)) in columns.iter().enumerate() {
        let part = name.strip_prefix(&field.name).unwrap_or(name).trim_start_matches('_');
        match row.get_ref(at + offset)? {
            ValueRef::Integer(number) => parts.insert(part.to_owned(), number.into()),
            ValueRef::Text(text) => {
                parts.insert(part.to_owned(), String::from_utf8_lossy(text).into())
            }
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
        };
    }
    Ok(if parts.is_empty() { Json::Null } else { Json::Object(parts) })
}

/// A text for a line of a list.
fn shorten(text: &str) -> Json {
    if text.is_empty() {
        return Json::Null;
    }
    let mut short: String = text.chars().take(DETAIL_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.pop();
        short.push('…');
    }
    short.into()
}

/// The name of a user, if the record is here.
pub(super) fn user_name(
    conn: &Connection,
    schema: &Schema,
    user: RecordId,
) -> Result<Option<String>, StoreError> {
    let Some(entity) = schema.entity("user") else { return Ok(None) };
    let Some(title) = entity.title_field() else { return Ok(None) };
    let sql = format!("SELECT {} FROM user WHERE id = ?1", title.name);
    let name: Option<Option<String>> =
        conn.prepare_cached(&sql)?.query_row([user.as_bytes()], |row| row.get(0)).optional()?;
    Ok(name.flatten().map(|name| name_of(title, &name)))
}

/// A title for people: names of persons are stored in parts.
fn name_of(field: &Field, stored: &str) -> String {
    if field.ty == Type::PersonName {
        field.ty.display(&Value::from(stored), Language::En)
    } else {
        stored.to_owned()
    }
}
