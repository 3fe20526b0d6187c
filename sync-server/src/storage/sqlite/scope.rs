//! Which scopes units are in: written with the document from which they follow.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    access::{
        Scope, Standing,
        scope::{readers_of, scopes_of, shares_of},
    },
    crdt::State,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Family, Schema},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Doing, damaged, document, feed, heal, to_sql};
use crate::storage::{
    Content, StorageError,
    access::{alone, scope_of_entity},
};

/// Counts up when scopes follow from documents differently: they are then worked out anew.
const SCOPES_VERSION: i64 = 3;
/// Entities whose records say who is who.
const DIRECTORY: [&str; 4] = ["user", "team", "territory", "role"];

const DOING: &str = "writing who may see a record";

/// Brings scopes up to date with a main part that was written, for the first time if `is_new`; its
/// place in the feed is written already.
pub(super) fn follow(
    conn: &Connection,
    entity: &Entity,
    id: &DocumentId,
    (family, is_new): (RecordId, bool),
    state: &State,
    position: u64,
) -> Result<(), StorageError> {
    if family == id.record {
        set_scopes(conn, family, &wanted_of_family(entity, id.record, state), position)?;
    } else if !is_new {
        // It may have been a family of its own, of which nothing is left.
        set_scopes(conn, id.record, &BTreeSet::new(), position)?;
    }
    if !entity.readers.is_empty() {
        follow_readers(conn, entity, id.record, state, position)?;
    }
    let is_orphan = family != id.record && !is_head(conn, family)?;
    if is_orphan {
        // A family without a head is nobody's; each of its records is read by itself.
        set_scopes(conn, family, &BTreeSet::new(), position)?;
    }
    if is_orphan || unit_of_new(conn, id.record)?.is_some() {
        refresh_alone(conn, id.record, position)?;
    }
    if is_new || entity.family != Family::Itself {
        // They came before it; or they name it as their head by mistake, which it is or is not by
        // now.
        for member in members_of(conn, id.record)? {
            refresh_alone(conn, member, position)?;
        }
    }
    if DIRECTORY.contains(&entity.name.as_str()) {
        conn.prepare_cached("UPDATE counter SET directory = ?1")
            .and_then(|mut update| update.execute([to_sql(position)]))
            .doing(DOING)?;
    }
    Ok(())
}

/// The scopes of a family, which follow from its head.
pub(super) fn wanted_of_family(
    entity: &Entity,
    record: RecordId,
    state: &State,
) -> BTreeSet<String> {
    let own = scopes_of(entity, record, state);
    own.iter().map(Scope::to_string).chain(scope_of_entity(entity)).collect()
}

/// The scopes that a unit is in, beside that of everybody.
pub(super) fn live(conn: &Connection, unit: RecordId) -> Result<BTreeSet<String>, StorageError> {
    conn.prepare_cached(
        "SELECT scope FROM family_feed WHERE family = ?1 AND gone = 0 AND scope <> 'all'",
    )
    .doing(DOING)?
    .query_map([unit.as_bytes()], |row| row.get(0))
    .and_then(Iterator::collect)
    .doing(DOING)
}

/// Whether a record is there and a family of its own: a link may name one that is not.
fn is_head(conn: &Connection, record: RecordId) -> Result<bool, StorageError> {
    conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM document
                        WHERE record = ?1 AND part = 'main' AND family = record)",
    )
    .and_then(|mut query| query.query_row([record.as_bytes()], |row| row.get(0)))
    .doing(DOING)
}

/// Makes `wanted` the scopes of a unit, beside that of everybody.
fn set_scopes(
    conn: &Connection,
    unit: RecordId,
    wanted: &BTreeSet<String>,
    position: u64,
) -> Result<(), StorageError> {
    let live = live(conn, unit)?;
    for scope in live.difference(wanted) {
        conn.prepare_cached(
            "UPDATE family_feed SET gone = 1, position = ?3 WHERE scope = ?1 AND family = ?2",
        )
        .and_then(|mut update| update.execute(params![scope, unit.as_bytes(), to_sql(position)]))
        .doing(DOING)?;
    }
    for scope in wanted.difference(&live) {
        enter(conn, unit, scope, position)?;
    }
    Ok(())
}

/// Puts a unit into a scope, if it is not in it.
fn enter(
    conn: &Connection,
    unit: RecordId,
    scope: &str,
    position: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "INSERT INTO family_feed (scope, family, position, since, first) VALUES (?1, ?2, ?3, ?3, ?3)
         ON CONFLICT (scope, family) DO UPDATE SET
             since = excluded.since, position = excluded.position, gone = 0
         WHERE gone = 1",
    )
    .and_then(|mut insert| insert.execute(params![scope, unit.as_bytes(), to_sql(position)]))
    .doing(DOING)?;
    Ok(())
}

/// Who reads the record, and what it shares, without reading its family.
fn follow_readers(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
    state: &State,
    position: u64,
) -> Result<(), StorageError> {
    let wanted = wanted_readers(entity, record, state);
    let known = known_readers(conn, record)?;
    let mut touched = BTreeSet::new();
    for (target, user) in wanted.difference(&known) {
        conn.prepare_cached("INSERT INTO reader (record, user, because) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| {
                insert.execute(params![target.as_bytes(), user.as_bytes(), record.as_bytes()])
            })
            .doing(DOING)?;
        touched.insert(*target);
    }
    for (target, user) in known.difference(&wanted) {
        conn.prepare_cached("DELETE FROM reader WHERE record = ?1 AND user = ?2 AND because = ?3")
            .and_then(|mut delete| {
                delete.execute(params![target.as_bytes(), user.as_bytes(), record.as_bytes()])
            })
            .doing(DOING)?;
        touched.insert(*target);
    }
    touched.into_iter().try_for_each(|target| refresh_alone(conn, target, position))
}

/// Which records are read by whom because of this one, as it says.
pub(super) fn wanted_readers(
    entity: &Entity,
    record: RecordId,
    state: &State,
) -> BTreeSet<(RecordId, RecordId)> {
    let users = readers_of(entity, state);
    let targets = shares_of(entity, state).into_iter().chain([record]);
    targets.flat_map(|target| users.iter().map(move |user| (target, *user))).collect()
}

/// Which records are read by whom because of this one, as it is noted.
pub(super) fn known_readers(
    conn: &Connection,
    because: RecordId,
) -> Result<BTreeSet<(RecordId, RecordId)>, StorageError> {
    conn.prepare_cached("SELECT record, user FROM reader WHERE because = ?1")
        .doing(DOING)?
        .query_map([because.as_bytes()], |row| {
            Ok((RecordId::from_bytes(row.get(0)?), RecordId::from_bytes(row.get(1)?)))
        })
        .and_then(Iterator::collect)
        .doing(DOING)
}

/// Other records that name this one as the head of their family.
fn members_of(conn: &Connection, head: RecordId) -> Result<Vec<RecordId>, StorageError> {
    const DOING: &str = "reading the members of a family";
    conn.prepare_cached(
        "SELECT record FROM document WHERE family = ?1 AND part = 'main' AND record <> ?1",
    )
    .doing(DOING)?
    .query_map([head.as_bytes()], |row| Ok(RecordId::from_bytes(row.get(0)?)))
    .and_then(Iterator::collect)
    .doing(DOING)
}

/// The scopes of a record whose family has no head yet: those that it would give itself.
fn scopes_of_orphan(conn: &Connection, record: RecordId) -> Result<Standing, StorageError> {
    let id = DocumentId { record, part: Part::Main };
    let Some(stored) = heal::find(conn, &id)? else { return Ok(Standing::new()) };
    if stored.family == record || is_head(conn, stored.family)? {
        return Ok(Standing::new());
    }
    let entity = Schema::current().entity(&stored.entity);
    Ok(match (entity, &stored.content) {
        (Some(entity), Content::Flat(state)) => scopes_of(entity, record, state),
        (Some(_), Content::Text(_)) | (None, _) => Standing::new(),
    })
}

/// The scopes of a record's own unit: users who read it alone, and while its family has no head,
/// those that it would give itself.
pub(super) fn wanted_alone(
    conn: &Connection,
    record: RecordId,
) -> Result<BTreeSet<String>, StorageError> {
    let mut wanted: BTreeSet<String> = conn
        .prepare_cached("SELECT DISTINCT user FROM reader WHERE record = ?1")
        .doing(DOING)?
        .query_map([record.as_bytes()], |row| {
            Ok(Scope::User(RecordId::from_bytes(row.get(0)?)).to_string())
        })
        .and_then(Iterator::collect)
        .doing(DOING)?;
    wanted.extend(scopes_of_orphan(conn, record)?.iter().map(Scope::to_string));
    Ok(wanted)
}

/// Makes the users who read a record alone the scopes of its unit; while its family has no head
/// yet, also whoever would read the record if it were one.
fn refresh_alone(conn: &Connection, record: RecordId, position: u64) -> Result<(), StorageError> {
    let wanted = wanted_alone(conn, record)?;
    let unit = alone(record);
    if !wanted.is_empty() {
        begin_alone(conn, record, unit)?;
    }
    set_scopes(conn, unit, &wanted, position)
}

/// Gives a record a unit of its own, with all documents that it has.
fn begin_alone(conn: &Connection, record: RecordId, unit: RecordId) -> Result<(), StorageError> {
    conn.prepare_cached("UPDATE document SET alone = ?2 WHERE record = ?1 AND alone IS NULL")
        .and_then(|mut update| update.execute(params![record.as_bytes(), unit.as_bytes()]))
        .doing(DOING)?;
    conn.prepare_cached(
        "INSERT OR IGNORE INTO record_feed (family, record, part, entity, position)
         SELECT ?2, record, part, entity, position FROM document WHERE record = ?1",
    )
    .and_then(|mut insert| insert.execute(params![record.as_bytes(), unit.as_bytes()]))
    .doing(DOING)?;
    Ok(())
}

/// The unit of a document that is being written for the first time: its record may have readers
/// from before it came, or be read alone already.
pub(super) fn unit_of_new(
    conn: &Connection,
    record: RecordId,
) -> Result<Option<RecordId>, StorageError> {
    let is_read: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM reader WHERE record = ?1)
                 OR EXISTS (SELECT 1 FROM document WHERE record = ?1 AND alone IS NOT NULL)",
        )
        .and_then(|mut query| query.query_row([record.as_bytes()], |row| row.get(0)))
        .doing(DOING)?;
    Ok(is_read.then(|| alone(record)))
}

/// Works out the scopes of everything that is stored, if they follow differently by now.
pub(super) fn bring_up_to_date(conn: &Connection) -> Result<(), StorageError> {
    let built: i64 = conn
        .query_row("SELECT scopes_version FROM meta", [], |row| row.get(0))
        .optional()
        .doing(DOING)?
        .unwrap_or_default();
    if built == SCOPES_VERSION {
        return Ok(());
    }
    let position = feed::position(conn)?;
    let entities: BTreeMap<&str, &Entity> =
        Schema::current().entities().map(|entity| (entity.name.as_str(), entity)).collect();
    let mut query =
        conn.prepare("SELECT record, part FROM document WHERE part = 'main'").doing(DOING)?;
    let mut found = query.query([]).doing(DOING)?;
    while let Some(row) = found.next().doing(DOING)? {
        let id = document::id_of(row)?;
        let stored = match heal::find(conn, &id) {
            Err(error) if error.is_damage() => continue,
            found => found?,
        };
        let Some(stored) = stored else { continue };
        let Some(entity) = entities.get(stored.entity.as_str()) else { continue };
        let Content::Flat(state) = &stored.content else {
            return Err(damaged(format!("{id} is no flat document")));
        };
        if id.part == Part::Main {
            follow(conn, entity, &id, (stored.family, false), state, position)?;
        }
    }
    conn.execute("UPDATE meta SET scopes_version = ?1", [SCOPES_VERSION]).doing(DOING)?;
    Ok(())
}
