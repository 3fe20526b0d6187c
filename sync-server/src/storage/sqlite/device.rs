//! Enrolled devices, enrolment codes, and numbers for the status page.

use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId},
    sync::frame::Author,
    time::{DAY_MS, TimestampMs},
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;

use super::{Doing, from_sql, to_sql};
use crate::storage::{Counts, Device, DeviceContact, EnrolmentCode, SCOPE_ALL, StorageError};

fn read(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        id: DeviceId(Uuid::from_bytes(row.get(0)?)),
        name: row.get(1)?,
        user: row.get(2)?,
        user_record: row.get::<_, Option<[u8; 16]>>(3)?.map(RecordId::from_bytes),
        prefix: ActorPrefix(row.get(4)?),
        public_key: row.get(5)?,
        token_hash: row.get(6)?,
        enrolled_at: row.get(7)?,
        is_office: row.get(8)?,
    })
}

/// The columns that [`read`] expects.
macro_rules! select_device {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, user, user_record, prefix, public_key, token_hash, enrolled_at, \
             is_office FROM device ",
            $rest
        )
    };
}

fn find(conn: &Connection, sql: &str, params: impl Params) -> Result<Option<Device>, StorageError> {
    const DOING: &str = "looking up a device";
    conn.prepare_cached(sql).doing(DOING)?.query_row(params, read).optional().doing(DOING)
}

/// The device with this token.
pub(super) fn find_by_token(
    conn: &Connection,
    token_hash: &[u8; 32],
) -> Result<Option<Device>, StorageError> {
    find(conn, select_device!("WHERE token_hash = ?1"), params![token_hash])
}

/// The device with this id.
pub(super) fn find_by_id(conn: &Connection, id: DeviceId) -> Result<Option<Device>, StorageError> {
    find(conn, select_device!("WHERE id = ?1"), params![id.0.as_bytes()])
}

/// The device that was enrolled with this code.
pub(super) fn find_by_code(
    conn: &Connection,
    code_hash: &[u8; 32],
) -> Result<Option<Device>, StorageError> {
    find(conn, select_device!("WHERE code_hash = ?1 AND length(code_hash) > 0"), [code_hash])
}

/// The device whose actors begin with `prefix`.
pub(super) fn find_by_prefix(
    conn: &Connection,
    prefix: ActorPrefix,
) -> Result<Option<Device>, StorageError> {
    find(conn, select_device!("WHERE prefix = ?1"), params![prefix.0])
}

/// All devices, with what was heard of them.
pub(super) fn list(conn: &Connection) -> Result<Vec<DeviceContact>, StorageError> {
    const DOING: &str = "listing devices";
    conn.prepare_cached(
        "SELECT id, name, user, user_record, prefix, public_key, token_hash, enrolled_at,
                is_office, last_contact_at, changes
         FROM device ORDER BY position, id",
    )
    .doing(DOING)?
    .query_map([], |row| {
        Ok(DeviceContact {
            device: read(row)?,
            last_contact_at: row.get(9)?,
            changes: row.get::<_, i64>(10)?.unsigned_abs(),
        })
    })
    .and_then(Iterator::collect)
    .doing(DOING)
}

/// Notes when a device was last heard of.
pub(super) fn set_last_contact(
    conn: &Connection,
    id: DeviceId,
    at: TimestampMs,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "UPDATE device SET last_contact_at = max(last_contact_at, ?2) WHERE id = ?1",
    )
    .and_then(|mut update| update.execute(params![id.0.as_bytes(), at]))
    .doing("noting a device's last contact")?;
    conn.prepare_cached("INSERT OR IGNORE INTO contact_day (day) VALUES (?1)")
        .and_then(|mut insert| insert.execute([at.div_euclid(DAY_MS)]))
        .doing("noting a day of contacts")?;
    Ok(())
}

/// Counts changes that were accepted from a device.
pub(super) fn count_changes(
    conn: &Connection,
    id: DeviceId,
    count: u64,
) -> Result<(), StorageError> {
    conn.prepare_cached("UPDATE device SET changes = changes + ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute(params![id.0.as_bytes(), to_sql(count)]))
        .doing("counting a device's changes")?;
    Ok(())
}

/// The row through which the office writes for `user`.
pub(super) fn find_of_office(
    conn: &Connection,
    user: &str,
) -> Result<Option<Device>, StorageError> {
    find(conn, select_device!("WHERE user = ?1 AND is_office = 1"), params![user])
}

/// Says which record the user of a device is.
pub(super) fn set_user_record(
    conn: &Connection,
    id: DeviceId,
    record: RecordId,
) -> Result<(), StorageError> {
    conn.prepare_cached("UPDATE device SET user_record = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute(params![id.0.as_bytes(), record.as_bytes()]))
        .doing("noting a user's record")?;
    Ok(())
}

/// Who was enrolled after a position.
pub(super) fn authors_since(conn: &Connection, position: u64) -> Result<Vec<Author>, StorageError> {
    const DOING: &str = "listing who was enrolled";
    conn.prepare_cached(
        "SELECT prefix, id, user, name FROM device WHERE position > ?1 ORDER BY position, id",
    )
    .doing(DOING)?
    .query_map(params![to_sql(position)], |row| {
        Ok(Author {
            prefix: ActorPrefix(row.get(0)?),
            device: DeviceId(Uuid::from_bytes(row.get(1)?)),
            user: row.get(2)?,
            device_name: row.get(3)?,
        })
    })
    .and_then(Iterator::collect)
    .doing(DOING)
}

/// Adds an enrolled device.
pub(super) fn add(conn: &Connection, device: &Device, position: u64) -> Result<(), StorageError> {
    const DOING: &str = "adding a device";
    conn.prepare_cached(
        "INSERT INTO device
             (id, name, user, user_record, prefix, public_key, token_hash, enrolled_at, position,
              is_office, last_contact_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?8)",
    )
    .doing(DOING)?
    .execute(params![
        device.id.0.as_bytes(),
        device.name,
        device.user,
        device.user_record.as_ref().map(RecordId::as_bytes),
        device.prefix.0,
        device.public_key,
        device.token_hash,
        device.enrolled_at,
        to_sql(position),
        device.is_office,
    ])
    .doing(DOING)?;
    Ok(())
}

/// Makes a device's token one that nobody has.
pub(super) fn forget_token(conn: &Connection, id: DeviceId) -> Result<(), StorageError> {
    conn.prepare_cached("UPDATE device SET token_hash = randomblob(32) WHERE id = ?1")
        .and_then(|mut update| update.execute(params![id.0.as_bytes()]))
        .doing("shutting a device out")?;
    Ok(())
}

/// Creates an enrolment code.
pub(super) fn add_code(conn: &Connection, code: &EnrolmentCode) -> Result<(), StorageError> {
    const DOING: &str = "creating an enrolment code";
    conn.prepare_cached(
        "INSERT INTO enrolment_code (code_hash, user, expires_at, approves)
         VALUES (?1, ?2, ?3, ?4)",
    )
    .and_then(|mut insert| {
        insert.execute(params![code.code_hash, code.user, code.expires_at, code.approves])
    })
    .doing(DOING)?;
    Ok(())
}

/// Takes an enrolment code out.
pub(super) fn take_code(
    conn: &Connection,
    code_hash: &[u8; 32],
) -> Result<Option<EnrolmentCode>, StorageError> {
    const DOING: &str = "taking an enrolment code";
    conn.prepare_cached(
        "DELETE FROM enrolment_code WHERE code_hash = ?1 RETURNING code_hash, user, expires_at, approves",
    )
    .doing(DOING)?
    .query_row(params![code_hash], |row| {
        Ok(EnrolmentCode {
            code_hash: row.get(0)?,
            user: row.get(1)?,
            expires_at: row.get(2)?,
            approves: row.get(3)?,
        })
    })
    .optional()
    .doing(DOING)
}

/// How much is stored, without scanning what is large.
pub(super) fn counts(conn: &Connection) -> Result<Counts, StorageError> {
    const DOING: &str = "counting what is stored";
    let (documents, changes, devices) = conn
        .prepare_cached(
            "SELECT (SELECT coalesce(sum(count), 0) FROM stream_digest WHERE scope = ?1),
                    (SELECT changes FROM counter),
                    (SELECT count(*) FROM device WHERE is_office = 0)",
        )
        .and_then(|mut query| {
            query.query_row([SCOPE_ALL], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .doing(DOING)?;
    Ok(Counts {
        documents: from_sql(documents)?,
        changes: from_sql(changes)?,
        devices: from_sql(devices)?,
    })
}
