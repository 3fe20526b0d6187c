//! How long this device may go on without its server: when it last heard of it, for how long that
//! is good, and the latest time that it ever saw.

use rusqlite::Connection;

use super::{
    StoreError,
    meta::{get, set},
};
use crate::time::TimestampMs;

/// Name of the row.
const ROW: &str = "lease";
/// How exactly the latest time is kept.
const NOTED_EVERY_MS: i64 = 60_000;

/// A lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The server's clock at the last contact.
    pub contact_ms: TimestampMs,
    /// How long that is good; 0 is for ever.
    pub lease_ms: i64,
    /// The latest time seen since: the server's or this device's.
    pub highest_ms: TimestampMs,
}

impl Lease {
    /// For how long there was no contact, by the latest time known.
    #[must_use]
    pub fn alone_ms(&self, now_ms: TimestampMs) -> i64 {
        self.highest_ms.max(now_ms).saturating_sub(self.contact_ms)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now_ms: TimestampMs) -> bool {
        self.lease_ms > 0 && self.alone_ms(now_ms) > self.lease_ms
    }
}

/// The lease, once a server gave one.
///
/// # Errors
///
/// Fails when the database does.
pub fn lease(conn: &Connection) -> Result<Option<Lease>, StoreError> {
    let Some(bytes) = get::<[u8; 24]>(conn, ROW)? else { return Ok(None) };
    let number = |at: usize| {
        let eight = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok());
        eight.map_or(0, i64::from_be_bytes)
    };
    Ok(Some(Lease { contact_ms: number(0), lease_ms: number(8), highest_ms: number(16) }))
}

/// Stores the lease.
///
/// # Errors
///
/// Fails when the database does.
pub fn set_lease(conn: &Connection, lease: &Lease) -> Result<(), StoreError> {
    let numbers = [lease.contact_ms, lease.lease_ms, lease.highest_ms];
    set(conn, ROW, &numbers.map(i64::to_be_bytes).concat())
}

/// Notes the time, if there is a lease and the time is later than what was noted.
///
/// # Errors
///
/// Fails when the database does.
pub fn note_time(conn: &Connection, now_ms: TimestampMs) -> Result<(), StoreError> {
    match lease(conn)? {
        Some(lease) if now_ms > lease.highest_ms.saturating_add(NOTED_EVERY_MS) => {
            set_lease(conn, &Lease { highest_ms: now_ms, ..lease })
        }
        Some(_) | None => Ok(()),
    }
}
