//! Who this device is and where it stands with the server.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::{
    access::Grant,
    crdt::OpId,
    ids::{ActorId, ActorPrefix, DeviceId, DocumentId, RecordId},
    sync::frame::{Author, Digest, FeedPoint, Progress, Provenance},
    time::TimestampMs,
};

/// The setting of a store that was found to be a copy.
const COPY: &str = "is_copy";

/// What enrolment gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Where the server is.
    pub url: String,
    /// This device's id.
    pub device: DeviceId,
    /// The name of the user.
    pub user: String,
    /// What the ids of our actors begin with.
    pub prefix: ActorPrefix,
    /// The secret that names us to the server.
    pub token: String,
    /// The user's record, where the server has one.
    #[serde(default)]
    pub user_record: Option<RecordId>,
    /// The certificate (DER, in hexadecimal) of the authority that alone is trusted to say who the
    /// server is; the public ones are if there is none.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Where we stand with the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Everything up to here is held.
    pub position: u64,
    /// The feed's digest there.
    pub digest: Digest,
    /// How far a pull that was cut off had come.
    pub progress: Option<Progress>,
    /// Digest over all confirmed documents.
    pub held: Digest,
}

pub(super) fn get<T: rusqlite::types::FromSql>(
    conn: &Connection,
    key: &str,
) -> Result<Option<T>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn set(conn: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])?;
    Ok(())
}

/// The enrolment, once there is one.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn enrolment(conn: &Connection) -> Result<Option<Enrolment>, StoreError> {
    let Some(bytes) = get::<Vec<u8>>(conn, "enrolment")? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StoreError::damaged("the enrolment", error))
}

/// Stores the enrolment.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_enrolment(conn: &Connection, enrolment: &Enrolment) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(enrolment)
        .map_err(|error| StoreError::damaged("the enrolment", error))?;
    set(conn, "enrolment", &bytes)
}

/// The actor under which documents are begun.
///
/// # Errors
///
/// Fails when the database does.
pub fn actor(conn: &Connection) -> Result<Option<ActorId>, StoreError> {
    Ok(get::<[u8; 16]>(conn, "actor")?.map(ActorId))
}

/// Stores the actor under which documents are begun.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_actor(conn: &Connection, actor: ActorId) -> Result<(), StoreError> {
    set(conn, "actor", &actor.0)
}

/// The token that tells this copy of the store from all others.
///
/// # Errors
///
/// Fails when the database does.
pub fn instance(conn: &Connection) -> Result<Option<[u8; 16]>, StoreError> {
    get(conn, "instance")
}

/// Stores the instance token.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_instance(conn: &Connection, token: [u8; 16]) -> Result<(), StoreError> {
    set(conn, "instance", &token)
}

/// Whether the store was found to be a copy or put back, and its owner was not told of it yet.
///
/// # Errors
///
/// Fails when the database does.
pub fn is_copy(conn: &Connection) -> Result<bool, StoreError> {
    Ok(get::<Vec<u8>>(conn, COPY)?.is_some())
}

/// Notes that the store is a copy, or that its owner knows.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_copy(conn: &Connection, is_copy: bool) -> Result<(), StoreError> {
    if is_copy {
        return set(conn, COPY, &[]);
    }
    conn.execute("DELETE FROM meta WHERE key = ?1", [COPY])?;
    Ok(())
}

/// The version of the schema that made the rows.
///
/// # Errors
///
/// Fails when the database does.
pub fn schema_version(conn: &Connection) -> Result<Option<u32>, StoreError> {
    Ok(get::<[u8; 4]>(conn, "schema_version")?.map(u32::from_be_bytes))
}

/// Notes the version of the schema that made the rows.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_schema_version(conn: &Connection, version: u32) -> Result<(), StoreError> {
    set(conn, "schema_version", &version.to_be_bytes())
}

/// When the last session with the server ended well.
///
/// # Errors
///
/// Fails when the database does.
pub fn last_sync(conn: &Connection) -> Result<Option<TimestampMs>, StoreError> {
    Ok(get::<[u8; 8]>(conn, "last_sync")?.map(i64::from_be_bytes))
}

/// Notes that a session ended well.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_last_sync(conn: &Connection, now_ms: TimestampMs) -> Result<(), StoreError> {
    set(conn, "last_sync", &now_ms.to_be_bytes())
}

/// Where we stand with the server.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn cursor(conn: &Connection) -> Result<Cursor, StoreError> {
    let progress = match get::<Vec<u8>>(conn, "progress")? {
        Some(bytes) if !bytes.is_empty() => Some(
            minicbor::decode(&bytes).map_err(|error| StoreError::damaged("the progress", error))?,
        ),
        _ => None,
    };
    Ok(Cursor {
        position: get::<[u8; 8]>(conn, "position")?.map_or(0, u64::from_be_bytes),
        digest: get(conn, "digest")?.unwrap_or_default(),
        progress,
        held: held(conn)?,
    })
}

/// Stores where we stand with the server.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_cursor(conn: &Connection, cursor: &Cursor) -> Result<(), StoreError> {
    set(conn, "position", &cursor.position.to_be_bytes())?;
    set(conn, "digest", &cursor.digest)?;
    let progress = match &cursor.progress {
        Some(progress) => minicbor::to_vec(progress).unwrap_or_default(),
        None => Vec::new(),
    };
    set(conn, "progress", &progress)?;
    set_held(conn, &cursor.held)
}

/// The digest over all confirmed documents.
///
/// # Errors
///
/// Fails when the database does.
pub fn held(conn: &Connection) -> Result<Digest, StoreError> {
    Ok(get(conn, "held")?.unwrap_or_default())
}

/// Stores the digest over all confirmed documents.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_held(conn: &Connection, held: &Digest) -> Result<(), StoreError> {
    set(conn, "held", held)
}

/// After which of our own acknowledged changes to go on sending them again, if the server was
/// restored from a backup and has not had all of them back.
///
/// # Errors
///
/// Fails when the database does.
pub fn resend_after(conn: &Connection) -> Result<Option<i64>, StoreError> {
    let kept = get::<Vec<u8>>(conn, "resend_after")?.unwrap_or_default();
    Ok(<[u8; 8]>::try_from(kept.as_slice()).ok().map(i64::from_be_bytes))
}

/// Stores how far our own changes were sent again; `None` when all were.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_resend_after(conn: &Connection, after: Option<i64>) -> Result<(), StoreError> {
    let kept = after.map_or_else(Vec::new, |after| after.to_be_bytes().to_vec());
    set(conn, "resend_after", &kept)
}

/// The number of the last recovery of the server after which this device wrote anew what was lost.
///
/// # Errors
///
/// Fails when the database does.
pub fn recovered(conn: &Connection) -> Result<u32, StoreError> {
    Ok(get::<[u8; 4]>(conn, "recovered")?.map_or(0, u32::from_be_bytes))
}

/// Stores after which recovery of the server what was lost was written anew.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_recovered(conn: &Connection, number: u32) -> Result<(), StoreError> {
    set(conn, "recovered", &number.to_be_bytes())
}

/// Whether the server did not know the cursor, and has told of no recovery since.
///
/// # Errors
///
/// Fails when the database does.
pub fn is_cursor_lost(conn: &Connection) -> Result<bool, StoreError> {
    Ok(get::<[u8; 1]>(conn, "cursor_lost")?.is_some_and(|[lost]| lost > 0))
}

/// Stores whether the server did not know the cursor, and has told of no recovery since.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_cursor_lost(conn: &Connection, is_lost: bool) -> Result<(), StoreError> {
    set(conn, "cursor_lost", &[u8::from(is_lost)])
}

/// The number of the last recovery of which the server told.
///
/// # Errors
///
/// Fails when the database does.
pub fn recovery_told(conn: &Connection) -> Result<u32, StoreError> {
    Ok(get::<[u8; 4]>(conn, "recovery_told")?.map_or(0, u32::from_be_bytes))
}

/// Stores of which recovery the server told last.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_recovery_told(conn: &Connection, number: u32) -> Result<(), StoreError> {
    set(conn, "recovery_told", &number.to_be_bytes())
}

/// The number of the last recovery that the server said is over.
///
/// # Errors
///
/// Fails when the database does.
pub fn recovery_over(conn: &Connection) -> Result<u32, StoreError> {
    Ok(get::<[u8; 4]>(conn, "recovery_over")?.map_or(0, u32::from_be_bytes))
}

/// Stores which recovery the server said is over.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_recovery_over(conn: &Connection, number: u32) -> Result<(), StoreError> {
    set(conn, "recovery_over", &number.to_be_bytes())
}

/// Where in the server's feed the last of our changes is known to be; none before the first.
///
/// # Errors
///
/// Fails when the database does.
pub fn pushed(conn: &Connection) -> Result<Option<FeedPoint>, StoreError> {
    let kept = get::<Vec<u8>>(conn, "pushed")?.unwrap_or_default();
    // One that cannot be read is asked for no more.
    Ok(minicbor::decode(&kept).ok())
}

/// Stores where in the server's feed the last of our changes is known to be.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_pushed(conn: &Connection, pushed: Option<FeedPoint>) -> Result<(), StoreError> {
    let kept = pushed.map_or_else(Vec::new, |pushed| minicbor::to_vec(pushed).unwrap_or_default());
    set(conn, "pushed", &kept)
}

/// Up to which position the server said that its feed is in backups; none while it is not.
///
/// # Errors
///
/// Fails when the database does.
pub fn backed_up(conn: &Connection) -> Result<Option<u64>, StoreError> {
    let kept = get::<Vec<u8>>(conn, "backed_up")?.unwrap_or_default();
    Ok(<[u8; 8]>::try_from(kept.as_slice()).ok().map(u64::from_be_bytes))
}

/// Stores up to which position the server's feed is in backups.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_backed_up(conn: &Connection, position: Option<u64>) -> Result<(), StoreError> {
    let kept = position.map_or_else(Vec::new, |position| position.to_be_bytes().to_vec());
    set(conn, "backed_up", &kept)
}

/// What the user may do, as the server said last.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn grant(conn: &Connection) -> Result<Option<Grant>, StoreError> {
    let kept = get::<Vec<u8>>(conn, "grant")?.filter(|bytes| !bytes.is_empty());
    let read = |bytes: Vec<u8>| Grant::from_bytes(&bytes);
    kept.map(read).transpose().map_err(|error| StoreError::damaged("the grant", error))
}

/// Stores what the user may do, in the bytes that the server signed.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_grant(conn: &Connection, bytes: &[u8]) -> Result<(), StoreError> {
    set(conn, "grant", bytes)
}

/// The digest of the grant under which everything up to the cursor is held; zeros for none.
///
/// # Errors
///
/// Fails when the database does.
pub fn held_grant(conn: &Connection) -> Result<Digest, StoreError> {
    Ok(get(conn, "held_grant")?.unwrap_or_default())
}

/// The grant under which everything up to the cursor is held, as it is signed.
///
/// # Errors
///
/// Fails when the database does.
pub fn held_grant_bytes(conn: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(get::<Vec<u8>>(conn, "held_grant_bytes")?.filter(|bytes| !bytes.is_empty()))
}

/// Stores the grant under which everything up to the cursor is held.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_held_grant_bytes(conn: &Connection, bytes: &[u8]) -> Result<(), StoreError> {
    set(conn, "held_grant_bytes", bytes)
}

/// Stores under which grant everything up to the cursor is held.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_held_grant(conn: &Connection, digest: &Digest) -> Result<(), StoreError> {
    set(conn, "held_grant", digest)
}

/// Remembers who stands behind a prefix.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_author(conn: &Connection, author: &Author) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO author (prefix, device, user, device_name) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        author.prefix.0,
        author.device.0.as_bytes(),
        author.user,
        author.device_name
    ])?;
    Ok(())
}

/// The name of the user behind a prefix.
///
/// # Errors
///
/// Fails when the database does.
pub fn author(conn: &Connection, prefix: ActorPrefix) -> Result<Option<String>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT user FROM author WHERE prefix = ?1")?
        .query_row([prefix.0], |row| row.get(0))
        .optional()?)
}

/// Replaces what is known of when a document's concurrent values were written.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_provenance(
    conn: &Connection,
    id: &DocumentId,
    provenance: &[Provenance],
) -> Result<(), StoreError> {
    let name = (id.record.as_bytes(), id.part.as_str());
    conn.prepare_cached("DELETE FROM provenance WHERE record = ?1 AND part = ?2")?
        .execute(params![name.0, name.1])?;
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO provenance (record, part, actor, counter, made_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for one in provenance {
        let counter = i64::try_from(one.counter).unwrap_or(i64::MAX);
        insert.execute(params![name.0, name.1, one.actor.0, counter, one.made_at])?;
    }
    Ok(())
}

/// When an operation was written, if it is known.
///
/// # Errors
///
/// Fails when the database does.
pub fn made_at(
    conn: &Connection,
    id: &DocumentId,
    op: OpId,
) -> Result<Option<TimestampMs>, StoreError> {
    let counter = i64::try_from(op.counter).unwrap_or(i64::MAX);
    Ok(conn
        .prepare_cached(
            "SELECT made_at FROM provenance
             WHERE record = ?1 AND part = ?2 AND actor = ?3 AND counter = ?4",
        )?
        .query_row(params![id.record.as_bytes(), id.part.as_str(), op.actor.0, counter], |row| {
            row.get(0)
        })
        .optional()?)
}
