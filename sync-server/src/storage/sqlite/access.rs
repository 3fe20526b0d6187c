//! Who may see what: rules, the directory, units, grants and edits that were refused.

use std::collections::BTreeSet;

use outrider_core::{
    access::{
        Directory, Rules, Scope,
        records::{Names, team_of, territory_of, user_of},
    },
    crdt::{State, archive::Archival},
    ids::{ChangeHash, DeviceId, DocumentId, Part, RecordId},
    sync::frame::Digest,
    time::TimestampMs,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{
    Doing, damaged, document, from_sql, heal, read::Connected, to_sql, write::SqliteWrite,
};
use crate::storage::{
    Content, FeedCursor, FeedRow, StorageError,
    access::{
        DeviceView, OWN_CHANGES_SEEN, ReadAccess, Review, ReviewState, UnitRow, UnitScope,
        WriteAccess,
    },
};

/// The columns that [`reviews`] expects.
macro_rules! select_review {
    ($rest:literal) => {
        concat!(
            "SELECT id, state, reason, device, user, record, part, entity, hash, code, keys, \
             bytes, made_at, received_at, decided_at, decided_by, proposal FROM review ",
            $rest
        )
    };
}

impl<T: Connected> ReadAccess for T {
    fn rules(&self) -> Result<Rules, StorageError> {
        let body: Option<String> = self
            .conn()?
            .prepare_cached("SELECT body FROM rules ORDER BY number DESC LIMIT 1")
            .and_then(|mut query| query.query_row([], |row| row.get(0)).optional())
            .doing("reading the rules")?;
        let Some(body) = body else { return Ok(Rules::default()) };
        serde_json::from_str(&body).map_err(damaged)
    }

    fn last_own_change(
        &self,
        record: RecordId,
        device: DeviceId,
    ) -> Result<Option<u64>, StorageError> {
        let position: Option<i64> = self
            .conn()?
            .prepare_cached(
                "SELECT max(position) FROM (
                     SELECT position, device FROM change WHERE record = ?1 AND part = 'main'
                     ORDER BY position DESC LIMIT ?3
                 ) WHERE device = ?2",
            )
            .and_then(|mut query| {
                query.query_row(
                    params![record.as_bytes(), device.0.as_bytes(), OWN_CHANGES_SEEN],
                    |row| row.get(0),
                )
            })
            .doing("looking up a device's last change")?;
        position.map(from_sql).transpose()
    }

    fn directory_position(&self) -> Result<u64, StorageError> {
        let position = self
            .conn()?
            .prepare_cached("SELECT directory FROM counter")
            .and_then(|mut query| query.query_row([], |row| row.get(0)))
            .doing("reading the directory's position")?;
        from_sql(position)
    }

    fn directory(&self) -> Result<Directory, StorageError> {
        directory(self.conn()?)
    }

    fn scopes_of(
        &self,
        family: RecordId,
        alone: Option<RecordId>,
    ) -> Result<Vec<UnitScope>, StorageError> {
        let mut scopes = scopes_of(self.conn()?, family)?;
        if let Some(alone) = alone {
            scopes.extend(scopes_of(self.conn()?, alone)?);
        }
        Ok(scopes)
    }

    fn changed_units(
        &self,
        scopes: &[String],
        base: u64,
        after: Option<(u64, RecordId)>,
        limit: usize,
    ) -> Result<Vec<UnitRow>, StorageError> {
        let mut found: BTreeSet<(u64, RecordId)> = BTreeSet::new();
        for scope in scopes {
            for row in units(self.conn()?, scope, 0, base, after, limit)? {
                found.insert((row.position, row.unit));
            }
            // Of all scopes the first `limit` places count.
            while found.len() > limit {
                found.pop_last();
            }
        }
        Ok(found.into_iter().map(|(position, unit)| UnitRow { position, unit }).collect())
    }

    fn count_units(&self, scopes: &[String], base: u64) -> Result<u64, StorageError> {
        let names = serde_json::to_string(scopes).map_err(damaged)?;
        let count = self
            .conn()?
            .prepare_cached(
                "SELECT count(*) FROM (
                     SELECT DISTINCT f.family FROM json_each(?1) AS s
                     CROSS JOIN family_feed AS f ON f.scope = s.value
                     WHERE f.position > ?2 AND f.gone = 0
                 ) AS u CROSS JOIN record_feed AS r ON r.family = u.family
                 WHERE r.position > ?2 AND r.gone = 0",
            )
            .and_then(|mut query| query.query_row(params![names, to_sql(base)], |row| row.get(0)))
            .doing("counting the feed")?;
        from_sql(count)
    }

    fn left_units(
        &self,
        scope: &str,
        base: u64,
        after: Option<(u64, RecordId)>,
        limit: usize,
    ) -> Result<Vec<UnitRow>, StorageError> {
        units(self.conn()?, scope, 1, base, after, limit)
    }

    fn unit_documents(
        &self,
        unit: RecordId,
        after: Option<(RecordId, Part)>,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StorageError> {
        const DOING: &str = "reading a unit";
        let record: &[u8] = after.as_ref().map_or(&[], |(record, _)| record.as_bytes());
        let part = after.as_ref().map_or("", |(_, part)| part.as_str());
        let mut query = self
            .conn()?
            .prepare_cached(
                "SELECT record, part, entity, position FROM record_feed
                 WHERE family = ?1 AND gone = 0 AND (record, part) > (?2, ?3)
                 ORDER BY record, part LIMIT ?4",
            )
            .doing(DOING)?;
        let mut found = query
            .query(params![unit.as_bytes(), record, part, to_sql(limit as u64)])
            .doing(DOING)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().doing(DOING)? {
            let id = document::id_of(row)?;
            rows.push(FeedRow {
                cursor: FeedCursor {
                    family_position: 0,
                    family: unit,
                    record: id.record,
                    part: id.part,
                },
                entity: row.get(2).doing(DOING)?,
                position: from_sql(row.get(3).doing(DOING)?)?,
            });
        }
        Ok(rows)
    }

    fn left_records(&self, unit: RecordId, base: u64) -> Result<Vec<RecordId>, StorageError> {
        const DOING: &str = "reading what left a family";
        self.conn()?
            .prepare_cached(
                "SELECT DISTINCT record FROM record_feed
                 WHERE family = ?1 AND gone = 1 AND position > ?2 ORDER BY record",
            )
            .doing(DOING)?
            .query_map(params![unit.as_bytes(), to_sql(base)], |row| {
                Ok(RecordId::from_bytes(row.get(0)?))
            })
            .and_then(Iterator::collect)
            .doing(DOING)
    }

    fn record_alone(&self, unit: RecordId) -> Result<Option<RecordId>, StorageError> {
        self.conn()?
            .prepare_cached("SELECT record FROM document WHERE alone = ?1 LIMIT 1")
            .and_then(|mut query| {
                query
                    .query_row([unit.as_bytes()], |row| Ok(RecordId::from_bytes(row.get(0)?)))
                    .optional()
            })
            .doing("looking up a record alone")
    }

    fn place_of(
        &self,
        record: RecordId,
    ) -> Result<Option<(RecordId, Option<RecordId>)>, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT family, alone FROM document WHERE record = ?1 ORDER BY part = 'main' DESC
                 LIMIT 1",
            )
            .and_then(|mut query| {
                query
                    .query_row([record.as_bytes()], |row| {
                        let alone: Option<[u8; 16]> = row.get(1)?;
                        let family = RecordId::from_bytes(row.get(0)?);
                        Ok((family, alone.map(RecordId::from_bytes)))
                    })
                    .optional()
            })
            .doing("looking up where a record stands")
    }

    fn sent_grant(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StorageError> {
        self.conn()?
            .prepare_cached("SELECT body FROM sent_grant WHERE digest = ?1")
            .and_then(|mut query| query.query_row([digest], |row| row.get(0)).optional())
            .doing("looking up a grant")
    }

    fn device_view(&self, device: DeviceId) -> Result<Option<DeviceView>, StorageError> {
        const DOING: &str = "looking up what a device holds";
        let found: Option<(Vec<u8>, i64, i64)> = self
            .conn()?
            .prepare_cached(
                "SELECT g.body, v.position, v.at FROM device_view v
                 JOIN sent_grant g ON g.digest = v.digest WHERE v.device = ?1",
            )
            .and_then(|mut query| {
                query
                    .query_row([device.0.as_bytes()], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })
                    .optional()
            })
            .doing(DOING)?;
        found
            .map(|(grant, position, at)| {
                Ok(DeviceView { grant, position: from_sql(position)?, at })
            })
            .transpose()
    }

    fn review(&self, id: u64) -> Result<Option<Review>, StorageError> {
        let mut found =
            reviews(self.conn()?, select_review!("WHERE id = ?1"), params![to_sql(id)])?;
        Ok(found.pop())
    }

    fn review_of(
        &self,
        document: &DocumentId,
        hash: ChangeHash,
    ) -> Result<Option<Review>, StorageError> {
        let sql = select_review!("WHERE record = ?1 AND part = ?2 AND hash = ?3");
        let by = params![document.record.as_bytes(), document.part.as_str(), hash.0];
        Ok(reviews(self.conn()?, sql, by)?.pop())
    }

    fn granted_reviews(&self, record: RecordId) -> Result<Vec<Review>, StorageError> {
        let granted = select_review!("WHERE record = ?1 AND state = 'granted' ORDER BY id");
        reviews(self.conn()?, granted, params![record.as_bytes()])
    }

    fn was_handed_in(&self, document: &DocumentId, device: DeviceId) -> Result<bool, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM review
                                WHERE record = ?1 AND part = ?2 AND device = ?3
                                  AND reason = 'ended')",
            )
            .and_then(|mut query| {
                let (record, part) = (document.record, document.part.as_str());
                query.query_row(params![record.as_bytes(), part, device.0.as_bytes()], |row| {
                    row.get(0)
                })
            })
            .doing("looking up an edit that was handed in")
    }

    fn reviews(
        &self,
        state: ReviewState,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Review>, StorageError> {
        let sql = select_review!("WHERE state = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
        reviews(self.conn()?, sql, params![state.as_str(), to_sql(after), to_sql(limit as u64)])
    }
}

fn reviews(
    conn: &Connection,
    sql: &str,
    by: impl rusqlite::Params,
) -> Result<Vec<Review>, StorageError> {
    const DOING: &str = "reading edits that were refused";
    let mut query = conn.prepare_cached(sql).doing(DOING)?;
    let mut rows = query.query(by).doing(DOING)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        found.push(read_review(row)?);
    }
    Ok(found)
}

fn read_review(row: &Row<'_>) -> Result<Review, StorageError> {
    const DOING: &str = "reading an edit that was refused";
    let id = |place| -> Result<Option<RecordId>, StorageError> {
        let bytes: Option<[u8; 16]> = row.get(place).doing(DOING)?;
        Ok(bytes.map(RecordId::from_bytes))
    };
    let state: String = row.get(1).doing(DOING)?;
    let part: String = row.get(6).doing(DOING)?;
    let keys: String = row.get(10).doing(DOING)?;
    Ok(Review {
        id: from_sql(row.get(0).doing(DOING)?)?,
        state: ReviewState::from_name(&state).ok_or_else(|| damaged("the state of an edit"))?,
        reason: row.get(2).doing(DOING)?,
        device: DeviceId(Uuid::from_bytes(row.get(3).doing(DOING)?)),
        user: id(4)?,
        document: DocumentId {
            record: RecordId::from_bytes(row.get(5).doing(DOING)?),
            part: part.parse().map_err(damaged)?,
        },
        entity: row.get(7).doing(DOING)?,
        hash: ChangeHash(row.get(8).doing(DOING)?),
        code: row.get(9).doing(DOING)?,
        keys: serde_json::from_str(&keys).map_err(damaged)?,
        bytes: row.get(11).doing(DOING)?,
        made_at: row.get(12).doing(DOING)?,
        received_at: row.get(13).doing(DOING)?,
        decided_at: row.get(14).doing(DOING)?,
        decided_by: row.get(15).doing(DOING)?,
        proposal: id(16)?,
    })
}

fn scopes_of(conn: &Connection, unit: RecordId) -> Result<Vec<UnitScope>, StorageError> {
    const DOING: &str = "reading the scopes of a unit";
    let mut query = conn
        .prepare_cached(
            "SELECT scope, since, first, gone, position FROM family_feed WHERE family = ?1",
        )
        .doing(DOING)?;
    let mut rows = query.query([unit.as_bytes()]).doing(DOING)?;
    let mut scopes = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let name = row.get_ref(0).doing(DOING)?.as_str().map_err(damaged)?;
        // The scopes of everybody, and of whole entities, are none of a record's own.
        let Ok(scope) = name.parse::<Scope>() else { continue };
        let is_gone: bool = row.get(3).doing(DOING)?;
        let position = from_sql(row.get(4).doing(DOING)?)?;
        scopes.push(UnitScope {
            scope,
            since: from_sql(row.get(1).doing(DOING)?)?,
            first: from_sql(row.get(2).doing(DOING)?)?,
            left: is_gone.then_some(position),
        });
    }
    Ok(scopes)
}

fn units(
    conn: &Connection,
    scope: &str,
    gone: i64,
    base: u64,
    after: Option<(u64, RecordId)>,
    limit: usize,
) -> Result<Vec<UnitRow>, StorageError> {
    const DOING: &str = "reading changed families";
    // The index is entered behind the base, or behind the place if that is later.
    let (position, unit): (u64, &[u8]) = match &after {
        Some((position, unit)) if *position > base => (*position, unit.as_bytes()),
        Some(_) | None => (base.saturating_add(1), &[]),
    };
    conn.prepare_cached(
        "SELECT position, family FROM family_feed
         WHERE scope = ?1 AND (position, family) > (?2, ?3) AND gone = ?4
         ORDER BY position, family LIMIT ?5",
    )
    .doing(DOING)?
    .query_map(params![scope, to_sql(position), unit, gone, to_sql(limit as u64)], |row| {
        Ok((row.get::<_, i64>(0)?, RecordId::from_bytes(row.get(1)?)))
    })
    .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
    .doing(DOING)?
    .into_iter()
    .map(|(position, unit)| Ok(UnitRow { position: from_sql(position)?, unit }))
    .collect()
}

impl WriteAccess for SqliteWrite<'_> {
    fn add_rules(
        &mut self,
        rules: &Rules,
        made_at: TimestampMs,
        made_by: &str,
    ) -> Result<(), StorageError> {
        let body = serde_json::to_string(rules).map_err(damaged)?;
        self.conn()?
            .execute(
                "INSERT INTO rules (number, body, made_at, made_by) VALUES (?1, ?2, ?3, ?4)",
                params![to_sql(rules.number), body, made_at, made_by],
            )
            .doing("writing rules")?;
        Ok(())
    }

    fn keep_grant(&mut self, digest: &Digest, body: &[u8]) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached("INSERT OR IGNORE INTO sent_grant (digest, body) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![digest, body]))
            .doing("keeping a grant")?;
        Ok(())
    }

    fn note_view(
        &mut self,
        device: DeviceId,
        digest: &Digest,
        position: u64,
        at: TimestampMs,
    ) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "INSERT INTO device_view (device, digest, position, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (device) DO UPDATE SET
                     digest = excluded.digest, position = excluded.position, at = excluded.at",
            )
            .and_then(|mut insert| {
                insert.execute(params![device.0.as_bytes(), digest, to_sql(position), at])
            })
            .doing("noting what a device holds")?;
        Ok(())
    }

    fn forget_view(&mut self, device: DeviceId) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached("DELETE FROM device_view WHERE device = ?1")
            .and_then(|mut delete| delete.execute([device.0.as_bytes()]))
            .doing("noting that a device holds nothing")?;
        Ok(())
    }

    fn add_review(&mut self, review: &Review) -> Result<(), StorageError> {
        let keys = serde_json::to_string(&review.keys).map_err(damaged)?;
        self.conn()?
            .prepare_cached(
                "INSERT OR IGNORE INTO review
                     (state, reason, device, user, record, part, entity, hash, code, keys, bytes,
                      made_at, received_at, proposal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    review.state.as_str(),
                    review.reason,
                    review.device.0.as_bytes(),
                    review.user.as_ref().map(RecordId::as_bytes),
                    review.document.record.as_bytes(),
                    review.document.part.as_str(),
                    review.entity,
                    review.hash.0,
                    review.code,
                    keys,
                    review.bytes,
                    review.made_at,
                    review.received_at,
                    review.proposal.as_ref().map(RecordId::as_bytes),
                ])
            })
            .doing("keeping an edit that was refused")?;
        Ok(())
    }

    fn set_review(&mut self, review: &Review) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "UPDATE review SET state = ?2, reason = ?3, decided_at = ?4, decided_by = ?5,
                     proposal = ?6
                 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![
                    to_sql(review.id),
                    review.state.as_str(),
                    review.reason,
                    review.decided_at,
                    review.decided_by,
                    review.proposal.as_ref().map(RecordId::as_bytes),
                ])
            })
            .doing("deciding on an edit")?;
        Ok(())
    }
}

/// Reads who is who from the records.
fn directory(conn: &Connection) -> Result<Directory, StorageError> {
    let mut directory = Directory::default();
    let mut names = Names::default();
    each(conn, "role", |id, state| names.add_role(id, state))?;
    each(conn, "team", |id, state| {
        names.add_team(id, state);
        directory.teams.insert(id, team_of(state));
    })?;
    each(conn, "territory", |id, state| {
        directory.territories.insert(id, territory_of(state));
    })?;
    each(conn, "user", |id, state| {
        directory.users.insert(id, user_of(state, &names));
    })?;
    Ok(directory)
}

/// Calls `take` with the main part of every record of an entity that is not archived.
fn each(
    conn: &Connection,
    entity: &str,
    mut take: impl FnMut(RecordId, &State),
) -> Result<(), StorageError> {
    const DOING: &str = "reading who is who";
    let mut query = conn
        .prepare_cached("SELECT record FROM document WHERE entity = ?1 AND part = 'main'")
        .doing(DOING)?;
    let mut rows = query.query([entity]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let record = RecordId::from_bytes(row.get(0).doing(DOING)?);
        let id = DocumentId { record, part: Part::Main };
        let stored = match heal::find(conn, &id) {
            // Whoever cannot be read may do nothing; the others may what they may. Rules that cannot
            // be read are no absence of rules.
            Err(error) if error.is_damage() && entity == "user" => continue,
            found => found?,
        };
        let Some(Content::Flat(state)) = stored.map(|stored| stored.content) else { continue };
        if !matches!(state.archival(), Archival::Archived(_)) {
            take(record, &state);
        }
    }
    Ok(())
}
