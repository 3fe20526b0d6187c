//! What this device was told of the server's audit: its last heads, the newest last.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::sync::head::{AUDIT_HEADS_MAX, AuditHead};

const KEY: &str = "audit_heads";

/// The heads that are remembered, in the order in which they came.
///
/// # Errors
///
/// Fails when the database does, or what is stored is damaged.
pub fn heads(conn: &Connection) -> Result<Vec<AuditHead>, StoreError> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([KEY], |row| row.get(0))
        .optional()?;
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    minicbor::decode(&bytes).map_err(|error| StoreError::damaged("the heads of the audit", error))
}

/// The last head that came.
///
/// # Errors
///
/// As [`heads`].
pub fn last(conn: &Connection) -> Result<Option<AuditHead>, StoreError> {
    Ok(heads(conn)?.pop())
}

/// Remembers a head, unless it is the last one; beyond [`AUDIT_HEADS_MAX`] the oldest are forgotten.
///
/// # Errors
///
/// As [`heads`].
pub fn remember(conn: &Connection, head: &AuditHead) -> Result<(), StoreError> {
    if !head.is_sound() {
        return Ok(());
    }
    let mut kept = heads(conn)?;
    if kept.last() == Some(head) {
        return Ok(());
    }
    kept.push(head.clone());
    let excess = kept.len().saturating_sub(AUDIT_HEADS_MAX);
    kept.drain(..excess);
    let bytes = minicbor::to_vec(&kept)
        .map_err(|error| StoreError::damaged("the heads of the audit", error))?;
    conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![KEY, bytes])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u64) -> AuditHead {
        AuditHead { number, hash: [3; 32], at: 1, signature: vec![9; 64] }
    }

    #[test]
    fn the_newest_heads_stay() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB)").unwrap();
        assert_eq!(last(&conn).unwrap(), None);
        for number in 1..=AUDIT_HEADS_MAX as u64 + 1 {
            remember(&conn, &head(number)).unwrap();
            remember(&conn, &head(number)).unwrap();
        }
        let kept = heads(&conn).unwrap();
        assert_eq!(kept.len(), AUDIT_HEADS_MAX);
        assert_eq!((kept[0].number, last(&conn).unwrap()), (2, kept.last().cloned()));
        remember(&conn, &AuditHead { signature: vec![0; 1_000], ..head(99) }).unwrap();
        assert_eq!(heads(&conn).unwrap(), kept);
    }
}
