//! Records that were merged into others: where they lead, and what was merged into one.
//!
//! Merging writes `redirect_to` into the merged record and changes no link. Whoever reads links of
//! a record reads those of its [`halves`] too. Two people who merge A into B and B into A while
//! apart make a ring; it leads to the smallest id in it, the same on every replica, until somebody
//! takes a merge back.
//!
//! Typed rows are asked, so that device and server give the same answer by the same code. A row
//! that leads elsewhere counts as put away: `is_archived` has 1 for an archived record, 2 for a
//! merged one, 3 for both.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use crate::{ids::RecordId, schema::Entity};

/// The field that leads to the record that goes on.
pub const REDIRECT: &str = "redirect_to";
/// Redirects that are followed one after the other, at most; longer chains end there.
pub const HOPS_MAX: usize = 32;
/// Records that are found merged into one, at most.
pub const HALVES_MAX: usize = 64;
/// What `is_archived` adds for a record that was merged into another.
const MERGED: i64 = 2;

/// Where a record's row leads; `None` if it is not here or leads nowhere.
fn next(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
) -> rusqlite::Result<Option<RecordId>> {
    // Names come from the schema, which admits only `[a-z0-9_]`.
    let sql = format!("SELECT {REDIRECT} FROM {} WHERE id = ?1", entity.name);
    let found: Option<Option<String>> =
        conn.prepare_cached(&sql)?.query_row([record.as_bytes()], |row| row.get(0)).optional()?;
    let next = found.flatten().and_then(|text| text.parse::<RecordId>().ok());
    let next = next.filter(|next| *next != record);
    let Some(next) = next else { return Ok(None) };
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE id = ?1)", entity.name);
    let is_here: bool =
        conn.prepare_cached(&sql)?.query_row([next.as_bytes()], |row| row.get(0))?;
    Ok(is_here.then_some(next))
}

/// Which records lead straight to one.
fn before(conn: &Connection, entity: &Entity, record: RecordId) -> rusqlite::Result<Vec<RecordId>> {
    let sql = format!(
        "SELECT id FROM {} WHERE {REDIRECT} = ?1 AND {REDIRECT} IS NOT NULL
         ORDER BY id LIMIT {HALVES_MAX}",
        entity.name
    );
    let mut query = conn.prepare_cached(&sql)?;
    let ids = query
        .query_map([record.to_string()], |row| Ok(RecordId::from_bytes(row.get(0)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(ids.into_iter().filter(|id| *id != record).collect())
}

/// The record that goes on for one: itself if it was not merged, or if the other is not here.
///
/// # Errors
///
/// Fails when the database does.
pub fn resolve(conn: &Connection, entity: &Entity, record: RecordId) -> rusqlite::Result<RecordId> {
    let mut seen = vec![record];
    let mut at = record;
    for _ in 0..HOPS_MAX {
        let Some(next) = next(conn, entity, at)? else { return Ok(at) };
        if let Some(from) = seen.iter().position(|id| *id == next) {
            return Ok(seen.iter().skip(from).min().copied().unwrap_or(at));
        }
        seen.push(next);
        at = next;
    }
    Ok(at)
}

/// The records that were merged into one, in any number of steps, ascending; without itself.
///
/// # Errors
///
/// Fails when the database does.
pub fn halves(
    conn: &Connection,
    entity: &Entity,
    record: RecordId,
) -> rusqlite::Result<Vec<RecordId>> {
    let mut found = BTreeSet::new();
    let mut left = vec![record];
    while let Some(id) = left.pop() {
        for half in before(conn, entity, id)? {
            if found.len() < HALVES_MAX && half != record && found.insert(half) {
                left.push(half);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Says anew of a record, of those before it and of those after it whether their rows are put
/// away, after the record's row was written.
///
/// # Errors
///
/// Fails when the database does.
pub fn settle_rows(conn: &Connection, entity: &Entity, record: RecordId) -> rusqlite::Result<()> {
    let mut touched: BTreeSet<RecordId> = halves(conn, entity, record)?.into_iter().collect();
    let mut at = record;
    for _ in 0..HOPS_MAX {
        let Some(next) = next(conn, entity, at)? else { break };
        if !touched.insert(next) {
            break;
        }
        at = next;
    }
    touched.insert(record);
    let sql = format!(
        "UPDATE {} SET is_archived = (is_archived & 1) | ?2
         WHERE id = ?1 AND is_archived <> (is_archived & 1) | ?2",
        entity.name
    );
    for id in touched {
        let merged = if resolve(conn, entity, id)? == id { 0 } else { MERGED };
        conn.prepare_cached(&sql)?.execute(rusqlite::params![id.as_bytes(), merged])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema::Schema, store::rows};

    fn id(n: u8) -> RecordId {
        RecordId::new(u64::from(n), [n; 10])
    }

    /// A store in which records lead to others.
    fn store(leads: &[(u8, u8)]) -> (Connection, &'static Entity) {
        let conn = Connection::open_in_memory().unwrap();
        rows::create_tables(&conn, Schema::builtin()).unwrap();
        let entity = Schema::builtin().entity("customer").unwrap();
        for n in 1..=100 {
            conn.execute("INSERT INTO customer (id) VALUES (?1)", [id(n).as_bytes()]).unwrap();
        }
        for (from, to) in leads {
            lead(&conn, *from, Some(*to));
        }
        (conn, entity)
    }

    fn lead(conn: &Connection, from: u8, to: Option<u8>) {
        let to = to.map(|to| id(to).to_string());
        conn.execute(
            "UPDATE customer SET redirect_to = ?2 WHERE id = ?1",
            rusqlite::params![id(from).as_bytes(), to],
        )
        .unwrap();
        let entity = Schema::builtin().entity("customer").unwrap();
        settle_rows(conn, entity, id(from)).unwrap();
    }

    fn put_away(conn: &Connection) -> Vec<RecordId> {
        let mut query =
            conn.prepare("SELECT id FROM customer WHERE is_archived <> 0 ORDER BY id").unwrap();
        let ids = query.query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?))).unwrap();
        ids.map(Result::unwrap).collect()
    }

    #[test]
    fn chains_lead_to_their_end_and_back() {
        let (conn, entity) = store(&[(1, 2), (2, 3), (4, 3)]);
        for n in 1..=4 {
            assert_eq!(resolve(&conn, entity, id(n)).unwrap(), id(3));
        }
        assert_eq!(halves(&conn, entity, id(3)).unwrap(), [id(1), id(2), id(4)]);
        assert_eq!(halves(&conn, entity, id(2)).unwrap(), [id(1)]);
        assert_eq!(put_away(&conn), [id(1), id(2), id(4)]);
        lead(&conn, 2, None);
        assert_eq!(put_away(&conn), [id(1), id(4)]);
        assert_eq!(resolve(&conn, entity, id(1)).unwrap(), id(2));
    }

    #[test]
    fn a_ring_leads_to_its_smallest_until_it_is_opened() {
        let (conn, entity) = store(&[(2, 5), (5, 3), (3, 2), (9, 5)]);
        for n in [2, 3, 5, 9] {
            assert_eq!(resolve(&conn, entity, id(n)).unwrap(), id(2));
        }
        assert_eq!(put_away(&conn), [id(3), id(5), id(9)]);
        assert_eq!(halves(&conn, entity, id(2)).unwrap(), [id(3), id(5), id(9)]);
        lead(&conn, 5, None);
        assert_eq!(put_away(&conn), [id(2), id(3), id(9)]);
    }

    #[test]
    fn chains_and_halves_have_limits() {
        let chain: Vec<(u8, u8)> = (1..100).map(|n| (n, n + 1)).collect();
        let (conn, entity) = store(&chain);
        assert_eq!(resolve(&conn, entity, id(1)).unwrap(), id(33));
        assert_eq!(halves(&conn, entity, id(100)).unwrap().len(), HALVES_MAX);
    }

    #[test]
    fn what_leads_to_a_record_that_is_not_here_stays() {
        let (conn, entity) = store(&[(1, 200)]);
        assert_eq!(resolve(&conn, entity, id(1)).unwrap(), id(1));
        assert_eq!(put_away(&conn), []);
    }
}
