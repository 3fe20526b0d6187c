//! A customer's whole story: all records of a family by the moment at which each counts, and the
//! entries of their logs, newest first.
//!
//! Read from the typed rows, so that device and server give the same answer by the same code; what
//! is archived is left out, as in lists. Other records have a timeline too: what links to them.

mod sources;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{StoreError, redirect};
use crate::{
    ids::{RecordId, from_hex, to_hex},
    schema::{Entity, Schema},
    time::TimestampMs,
};
use sources::{Source, sources_of};

/// Entries on one page, at most.
pub const TIMELINE_PAGE_MAX: usize = 200;
/// Kinds that one query names, at most.
pub const TIMELINE_KINDS_MAX: usize = 64;
/// Fields of a record that an entry tells beside its name, at most.
pub const DETAIL_FIELDS_MAX: usize = 8;
/// Characters of one text in an entry, at most.
pub const DETAIL_CHARS_MAX: usize = 200;
/// Bytes of a cursor, at most.
const CURSOR_BYTES_MAX: usize = 1_024;

/// Which part of a story to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineQuery {
    /// Only these kinds: names of entities, or of logs such as `opportunity.stages`; all if empty.
    pub kinds: Vec<String>,
    /// Only from this moment on.
    pub from: Option<TimestampMs>,
    /// Only before this moment.
    pub to: Option<TimestampMs>,
    /// Only what this user answers for or created.
    pub by: Option<RecordId>,
    /// Where the page before ended.
    pub after: Option<String>,
    /// Entries, at most [`TIMELINE_PAGE_MAX`].
    pub limit: usize,
}

impl Default for TimelineQuery {
    fn default() -> Self {
        Self { kinds: Vec::new(), from: None, to: None, by: None, after: None, limit: 50 }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineEntry {
    /// When; 0 where nobody said.
    pub at_ms: TimestampMs,
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name; the id where it has none.
    pub title: String,
    /// The entity's name for the record itself, `opportunity.stages` for an entry of that log.
    pub kind: String,
    /// Whose it is: who made the entry, else the owner, else the creator, as far as it is known.
    pub by: Option<RecordId>,
    /// That user's name.
    pub by_name: Option<String>,
    /// What is worth reading: fields of the record that have a value, or the log's entry.
    pub detail: Json,
}

/// A page of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct TimelinePage {
    /// What happened, newest first.
    pub entries: Vec<TimelineEntry>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
}

/// The place of an entry: when, of which record, which entry of its logs (0 for the record).
type Place = (TimestampMs, RecordId, u32, u32);

#[derive(Serialize, Deserialize)]
struct Cursor(TimestampMs, RecordId, u32, u32);

/// Tells what happened with the record `family` and all that belongs to it.
///
/// # Errors
///
/// Returns [`StoreError::Query`] for a kind that does not exist here or a cursor that is none, and
/// fails when the database does. A record that is not here has no entries.
pub fn timeline(
    conn: &Connection,
    schema: &Schema,
    family: RecordId,
    query: &TimelineQuery,
) -> Result<TimelinePage, StoreError> {
    let limit = query.limit.clamp(1, TIMELINE_PAGE_MAX);
    let after = query.after.as_deref().map(read_cursor).transpose()?;
    let Some(head) = head_of(conn, schema, family)? else { return Ok(TimelinePage::default()) };
    let sources = chosen(sources_of(schema, head), &query.kinds)?;
    let mut names = vec![family.to_string()];
    names.extend(redirect::halves(conn, head, family)?.iter().map(ToString::to_string));
    let names = Json::from(names).to_string();
    let mut found: Vec<(Place, TimelineEntry)> = Vec::new();
    for source in &sources {
        source.read(conn, (family, &names), query, after, limit + 1, &mut found)?;
    }
    found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    let mut page = TimelinePage::default();
    let mut last = None;
    for (place, entry) in found {
        if page.entries.len() == limit {
            page.next = last.map(write_cursor);
            break;
        }
        last = Some(place);
        page.entries.push(entry);
    }
    for entry in &mut page.entries {
        entry.by_name =
            entry.by.map(|by| sources::user_name(conn, schema, by)).transpose()?.flatten();
    }
    Ok(page)
}

/// All kinds that a timeline of records of this entity can have, in order of entities.
#[must_use]
pub fn timeline_kinds(schema: &Schema, head: &Entity) -> Vec<String> {
    sources_of(schema, head).into_iter().map(|source| source.kind()).collect()
}

/// The entity of a record, if it is here.
fn head_of<'a>(
    conn: &Connection,
    schema: &'a Schema,
    record: RecordId,
) -> Result<Option<&'a Entity>, StoreError> {
    for entity in schema.entities() {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE id = ?1)", entity.name);
        if conn.prepare_cached(&sql)?.query_row([record.as_bytes()], |row| row.get(0))? {
            return Ok(Some(entity));
        }
    }
    Ok(None)
}

fn chosen<'a>(sources: Vec<Source<'a>>, kinds: &[String]) -> Result<Vec<Source<'a>>, StoreError> {
    if kinds.is_empty() {
        return Ok(sources);
    }
    if kinds.len() > TIMELINE_KINDS_MAX {
        return Err(StoreError::Query(format!("at most {TIMELINE_KINDS_MAX} kinds")));
    }
    let names: Vec<String> = sources.iter().map(Source::kind).collect();
    if let Some(unknown) = kinds.iter().find(|kind| !names.contains(kind)) {
        let unknown: String = unknown.chars().take(80).collect();
        let known = names.join(", ");
        return Err(StoreError::Query(format!(
            "there is no kind `{unknown}` here; there are {known}"
        )));
    }
    Ok(sources.into_iter().filter(|source| kinds.contains(&source.kind())).collect())
}

fn write_cursor((at_ms, record, log, entry): Place) -> String {
    to_hex(&serde_json::to_vec(&Cursor(at_ms, record, log, entry)).unwrap_or_default())
}

fn read_cursor(text: &str) -> Result<Place, StoreError> {
    let wrong = || StoreError::Query("this is not a cursor of an earlier page".to_owned());
    if text.len() > CURSOR_BYTES_MAX || !text.is_ascii() {
        return Err(wrong());
    }
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| from_hex::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte))
        .collect();
    let Cursor(at_ms, record, log, entry) =
        serde_json::from_slice(&bytes.ok_or_else(wrong)?).map_err(|_| wrong())?;
    Ok((at_ms, record, log, entry))
}
