//! The index that search asks, and the answers: device and server use the same code.
//!
//! Two tables. `search_record` has the records that can be found, with their titles as questions
//! are compared with them. `search_text` is an FTS5 index without content over tokens that
//! [`crate::search`] made; its `kind` column holds the entity, so that a search within one does not
//! read the others. What the index finds is ranked in Rust over at most [`CANDIDATES_MAX`] records.
//!
//! A search looks in the order of what people want most: titles that begin with the question
//! (through an ordinary index, so they are complete and the same everywhere), names, everything;
//! and only where almost nothing was found it forgives a typo (`search/slips`).

mod entries;
mod places;
mod slips;

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    query::{self, IdPage, Query},
};
use crate::{
    ids::RecordId,
    schema::{Entity, Label, Schema},
    search::{Asked, Class, Reach, Snippet, class, expression},
};

pub use entries::sweep;
pub(super) use entries::{clear, create_tables, depends_on, refresh};

/// Records that one search ranks, at most.
pub const CANDIDATES_MAX: usize = 2_000;
/// Titles that begin with the question and are taken before all others, at most.
const STARTS_MAX: usize = 500;
/// Hits on one page, at most.
pub const SEARCH_PAGE_MAX: usize = 200;
/// With fewer hits than that a typo is forgiven.
const FEW: usize = 5;
/// What the entity's token begins with in the column `kind`, so that it is no word.
const KIND: char = '\u{e001}';

/// What to search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// What a person typed; anything can be.
    pub text: String,
    /// Only records of these entities; of all if empty.
    pub entities: Vec<String>,
    /// Whether archived records are found too.
    pub with_archived: bool,
    /// Where the page before ended.
    pub after: Option<String>,
    /// Hits, at most [`SEARCH_PAGE_MAX`].
    pub limit: usize,
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self {
            text: String::new(),
            entities: Vec::new(),
            with_archived: false,
            after: None,
            limit: 20,
        }
    }
}

/// Where a record hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HitPlace {
    /// The field, or `phones.number` for a column of rows.
    pub field: String,
    /// Its name for people.
    pub label: Label,
    /// The text around the hit.
    #[serde(flatten)]
    pub snippet: Snippet,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Name of its entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name; the id where it has none.
    pub title: String,
    /// The bytes of the title to mark.
    pub title_marks: Vec<std::ops::Range<usize>>,
    /// Where it hits beside its title; nothing if the title has all that was asked.
    pub place: Option<HitPlace>,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Whether a typo was forgiven.
    pub is_slip: bool,
}

/// A page of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SearchPage {
    /// The hits, the best first.
    pub hits: Vec<Hit>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
    /// How many were found and ranked, by entity in the order of the schema.
    pub counts: Vec<(String, u64)>,
    /// How many that is in all.
    pub total: u64,
    /// Whether there may be more than were ranked: more words help then.
    pub is_cut: bool,
}

/// A record that the index names.
#[derive(Debug, Clone)]
struct Candidate {
    id: i64,
    record: RecordId,
    entity: String,
    title: String,
    folded: String,
    is_archived: bool,
    class: Class,
}

/// Searches all records, or those of some entities.
///
/// # Errors
///
/// Returns [`StoreError::Query`] for an entity that there is not or a cursor that is none; fails
/// when the database does.
pub fn search(
    conn: &Connection,
    schema: &Schema,
    query: &SearchQuery,
) -> Result<SearchPage, StoreError> {
    let limit = query.limit.clamp(1, SEARCH_PAGE_MAX);
    let from = query.after.as_deref().map_or(Ok(0), read_cursor)?;
    for name in &query.entities {
        if schema.entity(name).is_none() {
            let name: String = name.chars().take(80).collect();
            return Err(StoreError::Query(format!("there is no entity `{name}`")));
        }
    }
    let asked = Asked::read(&query.text);
    if asked.is_empty() {
        return Ok(SearchPage::default());
    }
    let (found, is_cut) = ranked(conn, schema, query, &asked)?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for candidate in &found {
        *counts.entry(candidate.entity.as_str()).or_default() += 1;
    }
    let counts = schema.entities().filter_map(|entity| {
        counts.get(entity.name.as_str()).map(|count| (entity.name.clone(), *count))
    });
    let mut page = SearchPage {
        counts: counts.collect(),
        total: found.len() as u64,
        is_cut,
        ..SearchPage::default()
    };
    for candidate in found.iter().skip(from).take(limit) {
        page.hits.push(places::hit(conn, schema, &asked, candidate)?);
    }
    let end = from + page.hits.len();
    page.next = (end < found.len() && !page.hits.is_empty()).then(|| end.to_string());
    Ok(page)
}

/// A page of an entity's records that a search finds, and how many there are: the best hits first,
/// unless the query has an order or conditions of its own.
///
/// # Errors
///
/// As [`search`] and [`query::list`].
pub fn list(
    conn: &Connection,
    schema: &Schema,
    entity: &Entity,
    text: &str,
    query: &Query,
) -> Result<(IdPage, u64), StoreError> {
    let asked = Asked::read(text);
    let wanted = SearchQuery {
        entities: vec![entity.name.clone()],
        with_archived: query.with_archived,
        ..SearchQuery::default()
    };
    let found = match asked.is_empty() {
        true => Vec::new(),
        false => ranked(conn, schema, &wanted, &asked)?.0,
    };
    let ids: Vec<RecordId> = found.into_iter().map(|candidate| candidate.record).collect();
    if query.sort.is_some() || !query.filters.is_empty() {
        return query::list_among(conn, entity, query, &ids);
    }
    let from = query.after.as_deref().map_or(Ok(0), read_cursor)?;
    let limit = query.limit.clamp(1, query::PAGE_MAX);
    let page: Vec<RecordId> = ids.iter().skip(from).take(limit).copied().collect();
    let end = from + page.len();
    let next = (end < ids.len() && !page.is_empty()).then(|| end.to_string());
    Ok((IdPage { ids: page, next }, ids.len() as u64))
}

fn ranked(
    conn: &Connection,
    schema: &Schema,
    query: &SearchQuery,
    asked: &Asked,
) -> Result<(Vec<Candidate>, bool), StoreError> {
    let mut found = Found::new(query);
    found.is_cut |= found.add_starts(conn, asked)?;
    for reach in [Reach::Names, Reach::All] {
        if let Some(wanted) = expression(asked, reach) {
            found.add_matches(conn, &wanted)?;
        }
    }
    for candidate in &mut found.candidates {
        candidate.class = class(asked, &candidate.folded, false);
    }
    if found.candidates.len() < FEW {
        slips::add(conn, asked, &mut found)?;
    }
    let places: BTreeMap<&str, usize> =
        schema.entities().enumerate().map(|(at, entity)| (entity.name.as_str(), at)).collect();
    let Found { mut candidates, is_cut, .. } = found;
    candidates.retain(|candidate| places.contains_key(candidate.entity.as_str()));
    retain_seen(conn, schema, asked, &mut candidates)?;
    candidates.sort_by_cached_key(|candidate| {
        let entity = places.get(candidate.entity.as_str()).copied();
        let length = candidate.folded.chars().count();
        (candidate.class, entity, length, candidate.folded.clone(), candidate.record)
    });
    Ok((candidates, is_cut))
}

/// Takes out records that were found by a text which the reader may not read.
///
/// On a connection that reads with a user's eyes the index still has the words of all texts. What hits
/// neither by its title nor in anything that can be read was found by one that cannot.
fn retain_seen(
    conn: &Connection,
    schema: &Schema,
    asked: &Asked,
    candidates: &mut Vec<Candidate>,
) -> Result<(), StoreError> {
    let has_eyes: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sqlite_temp_schema WHERE name = 'sight_level')",
        )?
        .query_row([], |row| row.get(0))?;
    if !has_eyes {
        return Ok(());
    }
    let hidden: HashSet<String> = conn
        .prepare_cached(
            "SELECT m.entity FROM temp.sight_level AS m JOIN temp.sight_level AS t ON t.entity = m.entity
             WHERE m.part = 0 AND t.part = 2 AND t.level < m.level",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut seen = Vec::with_capacity(candidates.len());
    for candidate in candidates.drain(..) {
        let is_by_title = !matches!(candidate.class, Class::Elsewhere | Class::Slip);
        if is_by_title || !hidden.contains(&candidate.entity) {
            seen.push(candidate);
            continue;
        }
        // Every word: one that hits where it can be read, and one that does not, would tell of the
        // second.
        if places::has_all(conn, schema, asked, &candidate)? {
            seen.push(candidate);
        }
    }
    *candidates = seen;
    Ok(())
}

/// What was found so far.
#[derive(Debug)]
struct Found<'a> {
    query: &'a SearchQuery,
    known: HashSet<i64>,
    candidates: Vec<Candidate>,
    is_cut: bool,
}

impl<'a> Found<'a> {
    fn new(query: &'a SearchQuery) -> Self {
        Self { query, known: HashSet::new(), candidates: Vec::new(), is_cut: false }
    }

    fn add(&mut self, candidate: Candidate) {
        if self.known.insert(candidate.id) {
            self.candidates.push(candidate);
        }
    }

    /// Titles that begin with the question; returns whether there are more.
    fn add_starts(&mut self, conn: &Connection, asked: &Asked) -> Result<bool, StoreError> {
        if asked.folded().is_empty() {
            return Ok(false);
        }
        let behind = format!("{}\u{10ffff}", asked.folded());
        let mut statement = conn.prepare_cached(
            "SELECT id, record, entity, title, folded, is_archived FROM search_record
             WHERE folded >= ?1 AND folded < ?2 AND (?3 OR is_archived = 0)
                 AND (?4 = '' OR instr(?4, ' ' || entity || ' ') > 0)
             ORDER BY folded, record LIMIT ?5",
        )?;
        let entities = match self.query.entities.as_slice() {
            [] => String::new(),
            names => format!(" {} ", names.join(" ")),
        };
        let limit = count(STARTS_MAX + 1);
        let rows = statement.query_map(
            params![asked.folded(), behind, self.query.with_archived, entities, limit],
            candidate,
        )?;
        let mut is_more = false;
        for (at, row) in rows.enumerate() {
            if at == STARTS_MAX {
                is_more = true;
                break;
            }
            self.add(row?);
        }
        Ok(is_more)
    }

    /// What the index finds.
    fn add_matches(&mut self, conn: &Connection, wanted: &str) -> Result<(), StoreError> {
        if self.candidates.len() >= CANDIDATES_MAX {
            self.is_cut = true;
            return Ok(());
        }
        for candidate in self.matches(conn, wanted)? {
            if self.candidates.len() >= CANDIDATES_MAX && !self.known.contains(&candidate.id) {
                self.is_cut = true;
                break;
            }
            self.add(candidate);
        }
        Ok(())
    }

    /// Records that an expression fits, in the order of the index.
    fn matches(&self, conn: &Connection, wanted: &str) -> Result<Vec<Candidate>, StoreError> {
        let kinds: Vec<String> =
            self.query.entities.iter().map(|name| format!("\"{KIND}{name}\"")).collect();
        let wanted = match kinds.as_slice() {
            [] => wanted.to_owned(),
            kinds => format!("kind : ({}) AND ({wanted})", kinds.join(" OR ")),
        };
        // Those known already come again.
        let limit = count(CANDIDATES_MAX + self.known.len() + 1);
        let mut statement = conn.prepare_cached(
            "SELECT r.id, r.record, r.entity, r.title, r.folded, r.is_archived
             FROM search_text AS t CROSS JOIN search_record AS r ON r.id = t.rowid
             WHERE search_text MATCH ?1 AND (?2 OR r.is_archived = 0) LIMIT ?3",
        )?;
        let rows =
            statement.query_map(params![wanted, self.query.with_archived, limit], candidate)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        id: row.get(0)?,
        record: RecordId::from_bytes(row.get(1)?),
        entity: row.get(2)?,
        title: row.get(3)?,
        folded: row.get(4)?,
        is_archived: row.get(5)?,
        class: Class::Elsewhere,
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read_cursor(text: &str) -> Result<usize, StoreError> {
    let place = text.parse().ok().filter(|place| *place <= CANDIDATES_MAX + STARTS_MAX);
    place.ok_or_else(|| StoreError::Query("this is not a cursor of an earlier page".to_owned()))
}
