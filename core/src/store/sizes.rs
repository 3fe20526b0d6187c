//! What takes how much: by entity, and the file itself.

use rusqlite::{Connection, types::Value as SqlValue};
use serde::Serialize;

use super::StoreError;

/// What one entity takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EntitySizes {
    /// Its name.
    pub entity: String,
    /// Records.
    pub records: u64,
    /// Documents: parts and long texts of the records.
    pub documents: u64,
    /// Bytes of the states of flat documents.
    pub state_bytes: u64,
    /// Bytes of long texts with their past.
    pub text_bytes: u64,
    /// Bytes of what is confirmed, kept twice while edits wait.
    pub confirmed_bytes: u64,
    /// Changes that this device wrote, waiting ones among them.
    pub own_changes: u64,
    /// Bytes of these changes.
    pub own_change_bytes: u64,
    /// Changes that wait to be sent.
    pub waiting: u64,
}

/// What takes how much, by entity in order of names.
///
/// # Errors
///
/// Fails when the database does.
pub fn by_entity(conn: &Connection) -> Result<Vec<EntitySizes>, StoreError> {
    let mut query = conn.prepare(
        "WITH held AS (
             SELECT entity,
                 count(DISTINCT record) AS records, count(*) AS documents,
                 sum(iif(part IN ('main', 'restricted'), length(state), 0)) AS state_bytes,
                 sum(iif(part IN ('main', 'restricted'), 0, length(state))) AS text_bytes,
                 sum(coalesce(length(confirmed), 0)) AS confirmed_bytes
             FROM document GROUP BY entity
         ),
         written AS (
             SELECT entity, count(*) AS changes,
                 sum(length(bytes) + length(base) + length(undo)) AS bytes,
                 sum(acknowledged_at IS NULL) AS waiting
             FROM own_change GROUP BY entity
         )
         SELECT coalesce(held.entity, written.entity) AS name,
             coalesce(records, 0), coalesce(documents, 0), coalesce(state_bytes, 0),
             coalesce(text_bytes, 0), coalesce(confirmed_bytes, 0),
             coalesce(changes, 0), coalesce(bytes, 0), coalesce(waiting, 0)
         FROM held FULL JOIN written ON held.entity = written.entity
         ORDER BY name",
    )?;
    let rows = query.query_map([], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(EntitySizes {
            entity: row.get(0)?,
            records: number(1)?,
            documents: number(2)?,
            state_bytes: number(3)?,
            text_bytes: number(4)?,
            confirmed_bytes: number(5)?,
            own_changes: number(6)?,
            own_change_bytes: number(7)?,
            waiting: number(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Bytes of the database's pages, and of those among them that nothing uses.
///
/// # Errors
///
/// Fails when the database does.
pub fn pages(conn: &Connection) -> Result<(u64, u64), StoreError> {
    let number = |name| -> Result<u64, StoreError> {
        // SQLCipher says the size of a page as a text.
        let told = conn.pragma_query_value(None, name, |row| row.get::<_, SqlValue>(0))?;
        let number = match told {
            SqlValue::Integer(number) => Some(number),
            SqlValue::Text(text) => text.parse().ok(),
            SqlValue::Null | SqlValue::Real(_) | SqlValue::Blob(_) => None,
        };
        let unknown = || StoreError::Damaged(format!("SQLite does not say its {name}"));
        Ok(number.ok_or_else(unknown)?.unsigned_abs())
    };
    let size = number("page_size")?;
    Ok((number("page_count")? * size, number("freelist_count")? * size))
}
