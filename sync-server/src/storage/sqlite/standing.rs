//! What devices may still do, and their tokens.

use std::collections::BTreeSet;

use outrider_core::{ids::DeviceId, time::TimestampMs};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;

use super::{Doing, damaged, device, read::Connected, to_sql, write::SqliteWrite};
use crate::{
    devices::{review::Waiting, tokens::unclaimed},
    ledger::Entry,
    storage::{
        Device, StorageError,
        standing::{
            DeviceStanding, EnrolmentRequest, ReadStandings, Standing, TokenFamily, WriteStandings,
        },
    },
};

fn id_of(row: &Row<'_>, at: usize) -> rusqlite::Result<DeviceId> {
    Ok(DeviceId(Uuid::from_bytes(row.get(at)?)))
}

fn read_tokens(row: &Row<'_>) -> rusqlite::Result<TokenFamily> {
    Ok(TokenFamily {
        device: id_of(row, 0)?,
        family: row.get(1)?,
        generation: row.get::<_, i64>(2)?.unsigned_abs(),
        began_at: row.get(3)?,
        made_at: row.get(4)?,
        nonce: row.get(5)?,
        is_used: row.get(6)?,
        access_hash: row.get(7)?,
        access_expires_at: row.get(8)?,
        previous_hash: row.get(9)?,
        previous_expires_at: row.get(10)?,
        refresh_hash: row.get(11)?,
    })
}

/// The columns that [`read_tokens`] expects.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT device, family, generation, began_at, made_at, nonce, is_used, access_hash, \
             access_expires_at, previous_hash, previous_expires_at, refresh_hash \
             FROM device_token ",
            $rest
        )
    };
}

fn find_tokens(
    conn: &Connection,
    sql: &str,
    by: impl Params,
) -> Result<Option<TokenFamily>, StorageError> {
    const DOING: &str = "looking up tokens";
    conn.prepare_cached(sql).doing(DOING)?.query_row(by, read_tokens).optional().doing(DOING)
}

fn read_request(row: &Row<'_>) -> rusqlite::Result<EnrolmentRequest> {
    Ok(EnrolmentRequest {
        device: id_of(row, 0)?,
        name: row.get(1)?,
        user: row.get(2)?,
        public_key: row.get(3)?,
        code_hash: row.get(4)?,
        asked_at: row.get(5)?,
        declined_at: row.get(6)?,
    })
}

/// The columns that [`read_request`] expects.
macro_rules! select_request {
    ($rest:literal) => {
        concat!(
            "SELECT device, name, user, public_key, code_hash, asked_at, declined_at \
             FROM enrolment_request ",
            $rest
        )
    };
}

fn find_requests(
    conn: &Connection,
    sql: &str,
    by: impl Params,
) -> Result<Vec<EnrolmentRequest>, StorageError> {
    const DOING: &str = "looking up who waits to be enrolled";
    conn.prepare_cached(sql)
        .doing(DOING)?
        .query_map(by, read_request)
        .and_then(Iterator::collect)
        .doing(DOING)
}

impl<T: Connected> ReadStandings for T {
    fn standing(&self, id: DeviceId) -> Result<Option<DeviceStanding>, StorageError> {
        const DOING: &str = "looking up how a device stands";
        let sql = "SELECT standing, standing_reason, standing_at, wipe_ordered_at, wiped_at,
                          EXISTS (SELECT 1 FROM disabled_user AS d WHERE d.user = device.user)
                   FROM device WHERE id = ?1";
        let read = |row: &Row<'_>| {
            let name: String = row.get(0)?;
            let known = DeviceStanding {
                standing: Standing::Active,
                reason: row.get(1)?,
                since: row.get(2)?,
                wipe_ordered_at: row.get(3)?,
                wiped_at: row.get(4)?,
                is_user_disabled: row.get(5)?,
            };
            Ok((name, known))
        };
        let found = self
            .conn()?
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row([id.0.as_bytes()], read)
            .optional()
            .doing(DOING)?;
        let Some((name, mut known)) = found else { return Ok(None) };
        known.standing =
            Standing::from_name(&name).ok_or_else(|| damaged("how a device stands"))?;
        Ok(Some(known))
    }

    fn barred(&self) -> Result<BTreeSet<DeviceId>, StorageError> {
        const DOING: &str = "listing devices that are turned away";
        let sql = "SELECT id FROM device WHERE standing <> 'active' OR wipe_ordered_at > 0
                   UNION ALL
                   SELECT id FROM disabled_user AS d JOIN device ON device.user = d.user";
        self.conn()?
            .prepare_cached(sql)
            .doing(DOING)?
            .query_map([], |row| id_of(row, 0))
            .and_then(Iterator::collect)
            .doing(DOING)
    }

    fn waiting_of(&self, id: DeviceId) -> Result<Waiting, StorageError> {
        const DOING: &str = "counting what waits for review";
        let sql = "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM review
                   WHERE device = ?1 AND reason = 'ended' AND state = 'open'";
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (count, bytes) = self
            .conn()?
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row([id.0.as_bytes()], read)
            .doing(DOING)?;
        Ok(Waiting { count: count.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    fn tokens(&self, id: DeviceId) -> Result<Option<TokenFamily>, StorageError> {
        find_tokens(self.conn()?, select_tokens!("WHERE device = ?1"), [id.0.as_bytes()])
    }

    fn tokens_by_access(&self, hash: &[u8; 32]) -> Result<Option<TokenFamily>, StorageError> {
        let conn = self.conn()?;
        if let Some(found) = find_tokens(conn, select_tokens!("WHERE access_hash = ?1"), [hash])? {
            return Ok(Some(found));
        }
        find_tokens(conn, select_tokens!("WHERE previous_hash = ?1"), [hash])
    }

    fn device_by_code(&self, code_hash: &[u8; 32]) -> Result<Option<Device>, StorageError> {
        device::find_by_code(self.conn()?, code_hash)
    }

    fn enrolment_request(&self, id: DeviceId) -> Result<Option<EnrolmentRequest>, StorageError> {
        let sql = select_request!("WHERE device = ?1");
        Ok(find_requests(self.conn()?, sql, [id.0.as_bytes()])?.pop())
    }

    fn request_by_code(&self, hash: &[u8; 32]) -> Result<Option<EnrolmentRequest>, StorageError> {
        Ok(find_requests(self.conn()?, select_request!("WHERE code_hash = ?1"), [hash])?.pop())
    }

    fn enrolment_requests(&self) -> Result<Vec<EnrolmentRequest>, StorageError> {
        let sql = select_request!("WHERE declined_at = 0 ORDER BY asked_at, device");
        find_requests(self.conn()?, sql, [])
    }

    fn disabled_users(&self) -> Result<Vec<(String, TimestampMs)>, StorageError> {
        const DOING: &str = "listing users who are turned away";
        self.conn()?
            .prepare_cached("SELECT user, disabled_at FROM disabled_user ORDER BY user")
            .doing(DOING)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .doing(DOING)
    }
}

impl SqliteWrite<'_> {
    /// Runs one statement.
    fn execute(&self, doing: &'static str, sql: &str, by: impl Params) -> Result<(), StorageError> {
        self.conn()?.prepare_cached(sql).and_then(|mut run| run.execute(by)).map(drop).doing(doing)
    }
}

impl WriteStandings for SqliteWrite<'_> {
    fn set_standing(
        &mut self,
        id: DeviceId,
        standing: &DeviceStanding,
    ) -> Result<(), StorageError> {
        self.execute(
            "noting how a device stands",
            "UPDATE device SET standing = ?2, standing_reason = ?3, standing_at = ?4,
                 wipe_ordered_at = ?5, wiped_at = ?6
             WHERE id = ?1",
            params![
                id.0.as_bytes(),
                standing.standing.as_str(),
                standing.reason,
                standing.since,
                standing.wipe_ordered_at,
                standing.wiped_at,
            ],
        )
    }

    fn put_tokens(&mut self, tokens: &TokenFamily) -> Result<(), StorageError> {
        put_tokens(self.conn()?, tokens)
    }

    fn use_tokens(&mut self, id: DeviceId) -> Result<(), StorageError> {
        let sql = "UPDATE device_token SET is_used = 1 WHERE device = ?1";
        self.execute("noting that tokens were used", sql, [id.0.as_bytes()])
    }

    fn set_token_hash(&mut self, id: DeviceId, hash: &[u8; 32]) -> Result<(), StorageError> {
        let sql = "UPDATE device SET token_hash = ?2 WHERE id = ?1";
        self.execute("ending an endless token", sql, params![id.0.as_bytes(), hash])
    }

    fn set_code_hash(&mut self, id: DeviceId, hash: &[u8; 32]) -> Result<(), StorageError> {
        set_code_hash(self.conn()?, id, hash)?;
        self.note_code(id, hash);
        Ok(())
    }

    fn count_code_failure(&mut self, hash: &[u8; 32], most: u32) -> Result<(), StorageError> {
        const DOING: &str = "counting a failure of a code";
        let sql = "UPDATE enrolment_code SET failures = failures + 1 WHERE code_hash = ?1";
        self.execute(DOING, sql, params![hash])?;
        let sql = "DELETE FROM enrolment_code WHERE code_hash = ?1 AND failures >= ?2";
        self.execute(DOING, sql, params![hash, most])
    }

    fn add_request(&mut self, request: &EnrolmentRequest) -> Result<(), StorageError> {
        self.execute(
            "adding a request to be enrolled",
            "INSERT INTO enrolment_request
                 (device, name, user, public_key, code_hash, asked_at, declined_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                request.device.0.as_bytes(),
                request.name,
                request.user,
                request.public_key,
                request.code_hash,
                request.asked_at,
                request.declined_at,
            ],
        )
    }

    fn decline_request(&mut self, id: DeviceId, at: TimestampMs) -> Result<(), StorageError> {
        let sql = "UPDATE enrolment_request SET declined_at = ?2 WHERE device = ?1";
        self.execute("declining a request to be enrolled", sql, params![id.0.as_bytes(), at])
    }

    fn remove_request(&mut self, id: DeviceId) -> Result<(), StorageError> {
        remove_request(self.conn()?, id)
    }

    fn remove_old_requests(&mut self, before: TimestampMs) -> Result<(), StorageError> {
        let sql = "DELETE FROM enrolment_request WHERE asked_at < ?1";
        self.execute("forgetting old requests to be enrolled", sql, [before])
    }

    fn set_user_disabled(
        &mut self,
        user: &str,
        since: Option<TimestampMs>,
    ) -> Result<(), StorageError> {
        set_disabled(self.conn()?, user, since)
    }
}

fn execute(
    conn: &Connection,
    doing: &'static str,
    sql: &str,
    by: impl Params,
) -> Result<(), StorageError> {
    conn.prepare_cached(sql).and_then(|mut run| run.execute(by)).map(drop).doing(doing)
}

/// Stores a device's tokens in place of those before.
fn put_tokens(conn: &Connection, tokens: &TokenFamily) -> Result<(), StorageError> {
    execute(
        conn,
        "storing tokens",
        "INSERT OR REPLACE INTO device_token
             (device, family, generation, began_at, made_at, nonce, is_used, access_hash,
              access_expires_at, previous_hash, previous_expires_at, refresh_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            tokens.device.0.as_bytes(),
            tokens.family,
            to_sql(tokens.generation),
            tokens.began_at,
            tokens.made_at,
            tokens.nonce,
            tokens.is_used,
            tokens.access_hash,
            tokens.access_expires_at,
            tokens.previous_hash,
            tokens.previous_expires_at,
            tokens.refresh_hash,
        ],
    )
}

/// Turns a user away, or lets the user in again.
pub(super) fn set_disabled(
    conn: &Connection,
    user: &str,
    since: Option<TimestampMs>,
) -> Result<(), StorageError> {
    const DOING: &str = "turning a user away";
    match since {
        Some(at) => execute(
            conn,
            DOING,
            "INSERT OR IGNORE INTO disabled_user (user, disabled_at) VALUES (?1, ?2)",
            params![user, at],
        ),
        None => execute(conn, DOING, "DELETE FROM disabled_user WHERE user = ?1", [user]),
    }
}

/// Begins the tokens of a device that a restored database forgot: the pair that it has is newer.
pub(super) fn begin_tokens(
    conn: &Connection,
    id: DeviceId,
    at: TimestampMs,
) -> Result<(), StorageError> {
    put_tokens(conn, &unclaimed(id, 1, at))
}

/// The code with which a device was enrolled.
pub(super) fn set_code_hash(
    conn: &Connection,
    id: DeviceId,
    hash: &[u8; 32],
) -> Result<(), StorageError> {
    let sql = "UPDATE device SET code_hash = ?2 WHERE id = ?1";
    execute(conn, "noting a device's code", sql, params![id.0.as_bytes(), hash])
}

/// Takes out a request to be enrolled.
pub(super) fn remove_request(conn: &Connection, id: DeviceId) -> Result<(), StorageError> {
    let sql = "DELETE FROM enrolment_request WHERE device = ?1";
    execute(conn, "taking out a request to be enrolled", sql, [id.0.as_bytes()])
}

/// Turns a device away that a restored database still let in.
pub(super) fn revoke_again(
    conn: &Connection,
    id: DeviceId,
    at: TimestampMs,
) -> Result<(), StorageError> {
    let sql = "UPDATE device SET standing = 'revoked', standing_reason = 'office', standing_at = ?2
               WHERE id = ?1 AND standing <> 'revoked'";
    execute(conn, "shutting a device out", sql, params![id.0.as_bytes(), at])
}

/// Orders a wipe that a restored database had forgotten.
pub(super) fn order_wipe_again(
    conn: &Connection,
    id: DeviceId,
    at: TimestampMs,
) -> Result<(), StorageError> {
    let sql = "UPDATE device SET wipe_ordered_at = ?2 WHERE id = ?1 AND wipe_ordered_at = 0";
    execute(conn, "ordering a wipe", sql, params![id.0.as_bytes(), at])
}

/// Who is shut out, for a ledger that begins.
pub(super) fn shut_out(conn: &Connection) -> Result<Vec<Entry>, StorageError> {
    const DOING: &str = "listing who is shut out";
    let sql = "SELECT id, standing = 'revoked', standing_at, wipe_ordered_at FROM device
               WHERE standing <> 'active' OR wipe_ordered_at > 0";
    let mut query = conn.prepare_cached(sql).doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let device = id_of(row, 0).doing(DOING)?;
        let wipe: TimestampMs = row.get(3).doing(DOING)?;
        if wipe > 0 {
            entries.push(Entry::WipeOrdered { device, at: wipe });
        }
        if row.get(1).doing(DOING)? {
            entries.push(Entry::Revoked { device, at: row.get(2).doing(DOING)? });
        }
    }
    let mut users =
        conn.prepare_cached("SELECT user, disabled_at FROM disabled_user").doing(DOING)?;
    let read = |row: &Row<'_>| Ok(Entry::UserDisabled { user: row.get(0)?, at: row.get(1)? });
    let users = users.query_map([], read).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    entries.extend(users.doing(DOING)?);
    Ok(entries)
}
