//! By which keys records are found that may be the same, kept beside the rows.
//!
//! `match_key` finds records by a key, `match_record` remembers the keys of a record, so that an
//! edit writes only what changed. Candidates are compared by their rows. Device and server use the
//! same code.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params, types::ValueRef};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{StoreError, rows::columns_of};
use crate::{
    ids::{Part, RecordId},
    likeness::{Likeness, Profile, Verdict, compare, inside::MATCHES_PER_KEY_MAX, keys_of},
    schema::{Entity, Field, Kind},
    value::Value,
};

/// Records that one look-up compares, at most.
pub const CANDIDATES_MAX: usize = 256;
/// Records that one look-up names, at most.
pub const LIKELY_MAX: usize = 10;
/// Records that one page of pairs goes through, at most.
pub const SCAN_MAX: usize = 500;
/// The entity of pairs that somebody has told apart.
pub const DISTINCT: &str = "distinct_pair";

/// A record that may be the same as another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likely {
    /// The record.
    pub record: RecordId,
    /// How alike they are.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// Two records that may be the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikelyPair {
    /// The one with the smaller id: it came first.
    pub one: RecordId,
    /// The other.
    pub other: RecordId,
    /// How alike they are.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// A page of pairs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PairPage {
    /// The pairs, by the first record.
    pub pairs: Vec<LikelyPair>,
    /// Records that were gone through for it.
    pub scanned: usize,
    /// Behind which record to go on, if there are more.
    pub next: Option<RecordId>,
}

/// Creates the tables that do not exist yet.
///
/// # Errors
///
/// Fails when the database does.
pub fn create_tables(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS match_key (
             key INTEGER NOT NULL,
             record BLOB NOT NULL,
             PRIMARY KEY (key, record)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS match_record (
             record BLOB PRIMARY KEY NOT NULL,
             -- 8 bytes for each key, ascending
             keys BLOB NOT NULL
         ) STRICT, WITHOUT ROWID;",
    )
}

/// Removes everything, before it is made anew.
///
/// # Errors
///
/// Fails when the database does.
pub fn clear(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("DELETE FROM match_key; DELETE FROM match_record;")
}

/// Whether the keys of a record depend on one of these fields.
#[must_use]
pub fn depends_on(entity: &Entity, fields: &BTreeSet<String>) -> bool {
    let mut telling = entity.likeness.iter().flat_map(|roles| roles.fields());
    telling.any(|field| fields.contains(field))
}

/// Brings a record's keys up to date with its row; takes them away if there is none.
///
/// # Errors
///
/// Fails when the database does.
pub fn refresh(conn: &Connection, entity: &Entity, record: RecordId) -> Result<(), StoreError> {
    if entity.likeness.is_none() {
        return Ok(());
    }
    let fresh = match fields_of(conn, entity, record)? {
        Some((fields, _)) => profile(entity, &fields).map(|profile| keys_of(entity, &profile)),
        None => None,
    };
    let fresh: BTreeSet<i64> = fresh.unwrap_or_default().into_iter().collect();
    let old: Option<Vec<u8>> = conn
        .prepare_cached("SELECT keys FROM match_record WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| row.get(0))
        .optional()?;
    let is_known = old.is_some();
    let old: BTreeSet<i64> = old
        .unwrap_or_default()
        .chunks_exact(8)
        .filter_map(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)))
        .collect();
    if old == fresh {
        return Ok(());
    }
    for gone in old.difference(&fresh) {
        conn.prepare_cached("DELETE FROM match_key WHERE key = ?1 AND record = ?2")?
            .execute(params![gone, record.as_bytes()])?;
    }
    for new in fresh.difference(&old) {
        conn.prepare_cached("INSERT OR IGNORE INTO match_key (key, record) VALUES (?1, ?2)")?
            .execute(params![new, record.as_bytes()])?;
    }
    if fresh.is_empty() {
        if is_known {
            conn.prepare_cached("DELETE FROM match_record WHERE record = ?1")?
                .execute([record.as_bytes()])?;
        }
        return Ok(());
    }
    let keys: Vec<u8> = fresh.iter().flat_map(|key| key.to_be_bytes()).collect();
    conn.prepare_cached(
        "INSERT INTO match_record (record, keys) VALUES (?1, ?2)
         ON CONFLICT (record) DO UPDATE SET keys = excluded.keys",
    )?
    .execute(params![record.as_bytes(), keys])?;
    Ok(())
}

fn profile(entity: &Entity, fields: &Map<String, Json>) -> Option<Profile> {
    Some(Profile::of(entity.likeness.as_ref()?, fields))
}

/// Fields of a row, and whether it is put away.
type Telling = (Map<String, Json>, bool);

/// The fields of a record's row that tell who it is, and whether it is put away.
fn fields_of(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
) -> Result<Option<Telling>, StoreError> {
    let Some(roles) = &entity.likeness else { return Ok(None) };
    let names: BTreeSet<&str> = roles.fields().collect();
    let fields: Vec<&Field> = names.into_iter().filter_map(|name| entity.field(name)).collect();
    let sql = entity.texts.get("likeness", &Part::Main, || {
        let columns = fields.iter().filter_map(|field| columns_of(field).into_iter().next());
        let columns: String = columns.map(|(name, _)| [", ", &name].concat()).collect();
        format!("SELECT is_archived{columns} FROM {} WHERE id = ?1", entity.name)
    });
    let mut query = conn.prepare_cached(&sql)?;
    let mut rows = query.query([record.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let is_put_away = row.get::<_, i64>(0)? != 0;
    let mut found = Map::new();
    for (at, field) in (1..).zip(&fields) {
        let json = match row.get_ref(at)? {
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text);
                if field.kind == Kind::Rows {
                    serde_json::from_str(&text).unwrap_or(Json::Null)
                } else {
                    field.ty.to_json(&Value::Text(text.into_owned()))
                }
            }
            ValueRef::Integer(number) => number.into(),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => continue,
        };
        found.insert(field.name.clone(), json);
    }
    Ok(Some((found, is_put_away)))
}

/// The records that may be the same as one with these fields, the likeliest first, at most
/// [`LIKELY_MAX`].
///
/// It is asked while somebody types, and for every row of a file. Fields are JSON as a record shows it or as a form sends it; `except` is the record itself, if it is
/// stored. An entity that takes no part has none.
///
/// # Errors
///
/// Fails when the database does.
pub fn likely(
    conn: &Connection,
    entity: &Entity,
    fields: &Map<String, Json>,
    except: Option<RecordId>,
) -> Result<Vec<Likely>, StoreError> {
    let Some(profile) = profile(entity, fields) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for record in candidates(conn, entity, &profile)? {
        if Some(record) == except {
            continue;
        }
        let Some(likeness) = compare_with(conn, entity, &profile, record)? else { continue };
        if let Some(own) = except
            && are_distinct(conn, own, record)?
        {
            continue;
        }
        found.push(Likely { record, likeness });
    }
    found.sort_by(|a, b| {
        b.likeness.score.total_cmp(&a.likeness.score).then(a.record.cmp(&b.record))
    });
    found.truncate(LIKELY_MAX);
    Ok(found)
}

/// How alike a stored record is; `None` if it is put away or another one.
fn compare_with(
    conn: &Connection,
    entity: &Entity,
    own: &Profile,
    record: RecordId,
) -> Result<Option<Likeness>, StoreError> {
    let Some((fields, false)) = fields_of(conn, entity, record)? else { return Ok(None) };
    let Some(other) = profile(entity, &fields) else { return Ok(None) };
    Ok(Some(compare(own, &other)).filter(|likeness| likeness.verdict > Verdict::No))
}

/// The records that have a key in common with a profile. Keys that many share are skipped.
fn candidates(
    conn: &Connection,
    entity: &Entity,
    profile: &Profile,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut found: BTreeMap<RecordId, usize> = BTreeMap::new();
    let mut query = conn.prepare_cached("SELECT record FROM match_key WHERE key = ?1 LIMIT ?2")?;
    for key in keys_of(entity, profile) {
        let limit = MATCHES_PER_KEY_MAX + 1;
        let under = query
            .query_map(params![key, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(RecordId::from_bytes(row.get(0)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if under.len() <= MATCHES_PER_KEY_MAX {
            for record in under {
                *found.entry(record).or_default() += 1;
            }
        }
    }
    // Those with most keys in common are compared first.
    let mut ranked: Vec<(RecordId, usize)> = found.into_iter().collect();
    ranked.sort_by_key(|(record, count)| (std::cmp::Reverse(*count), *record));
    Ok(ranked.into_iter().take(CANDIDATES_MAX).map(|(record, _)| record).collect())
}

/// A page of pairs of an entity's records that may be the same, without those that somebody has
/// told apart, by the record with the smaller id. Memory is bounded by the page.
///
/// # Errors
///
/// Fails when the database does.
pub fn pairs(
    conn: &Connection,
    entity: &Entity,
    after: Option<RecordId>,
    scan: usize,
) -> Result<PairPage, StoreError> {
    let mut page = PairPage::default();
    if entity.likeness.is_none() {
        return Ok(page);
    }
    let scan = scan.clamp(1, SCAN_MAX);
    let sql = format!(
        "SELECT id FROM {} WHERE id > ?1 AND is_archived = 0 ORDER BY id LIMIT {}",
        entity.name,
        scan + 1
    );
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let mut ids = conn
        .prepare_cached(&sql)?
        .query_map([after], |row| Ok(RecordId::from_bytes(row.get(0)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if ids.len() > scan {
        ids.truncate(scan);
        page.next = ids.last().copied();
    }
    for one in ids {
        page.scanned += 1;
        let Some((fields, _)) = fields_of(conn, entity, one)? else { continue };
        let Some(own) = profile(entity, &fields) else { continue };
        for other in candidates(conn, entity, &own)?.into_iter().filter(|other| *other > one) {
            let Some(likeness) = compare_with(conn, entity, &own, other)? else { continue };
            if !are_distinct(conn, one, other)? {
                page.pairs.push(LikelyPair { one, other, likeness });
            }
        }
    }
    Ok(page)
}

/// The id of the record that says that two are not the same: derived from both, so that everybody
/// who says it makes the same one.
#[must_use]
pub fn distinct_id(one: RecordId, other: RecordId) -> RecordId {
    RecordId::derived(one.min(other), &format!("distinct/{}", one.max(other)))
}

/// What that record says.
#[must_use]
pub fn distinct_fields(entity: &Entity, one: RecordId, other: RecordId) -> Map<String, Json> {
    let text = |record: RecordId| Json::from(record.to_string());
    let fields = [
        ("record_kind", Json::from(entity.name.as_str())),
        ("one", text(one.min(other))),
        ("other", text(one.max(other))),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// Whether somebody has said that two are not the same.
///
/// # Errors
///
/// Fails when the database does.
pub fn are_distinct(conn: &Connection, one: RecordId, other: RecordId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM distinct_pair WHERE id = ?1 AND is_archived = 0)";
    let id = distinct_id(one, other);
    Ok(conn.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?)
}
