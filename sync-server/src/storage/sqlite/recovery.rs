//! Recoveries: the tables.

use std::collections::BTreeMap;

use outrider_core::{
    ids::DeviceId,
    time::{DAY_MS, TimestampMs},
};
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::{Doing, from_sql, read::Connected, to_sql, write::SqliteWrite};
use crate::storage::{
    StorageError,
    recovery::{ReadRecovery, StoredRecovery, WriteRecovery},
};

fn read(row: &Row<'_>) -> rusqlite::Result<(StoredRecovery, i64, i64)> {
    let known = StoredRecovery {
        number: row.get(0)?,
        position: 0,
        opened_at: row.get(2)?,
        is_announced: row.get(3)?,
        closed_at: row.get(4)?,
        moved: 0,
    };
    Ok((known, row.get(1)?, row.get(5)?))
}

impl<T: Connected> ReadRecovery for T {
    fn recovery(&self) -> Result<Option<StoredRecovery>, StorageError> {
        let found = self
            .conn()?
            .prepare_cached(
                "SELECT number, position, opened_at, is_announced, closed_at, moved FROM recovery
                 ORDER BY number DESC LIMIT 1",
            )
            .and_then(|mut query| query.query_row([], read).optional())
            .doing("looking up the last recovery")?;
        found
            .map(|(known, position, moved)| {
                let (position, moved) = (from_sql(position)?, from_sql(moved)?);
                Ok(StoredRecovery { position, moved, ..known })
            })
            .transpose()
    }

    fn returned(&self, number: u32) -> Result<BTreeMap<DeviceId, u64>, StorageError> {
        let found: Vec<(DeviceId, i64)> = self
            .conn()?
            .prepare_cached("SELECT device, position FROM returned WHERE number = ?1")
            .and_then(|mut query| {
                query
                    .query_map([number], |row| {
                        Ok((DeviceId(Uuid::from_bytes(row.get(0)?)), row.get(1)?))
                    })
                    .and_then(Iterator::collect)
            })
            .doing("looking up who came back")?;
        found.into_iter().map(|(device, position)| Ok((device, from_sql(position)?))).collect()
    }

    fn last_contact_day(&self, nth: u32) -> Result<Option<TimestampMs>, StorageError> {
        let day: Option<i64> = self
            .conn()?
            .prepare_cached("SELECT day FROM contact_day ORDER BY day DESC LIMIT 1 OFFSET ?1")
            .and_then(|mut query| {
                query.query_row([nth.saturating_sub(1)], |row| row.get(0)).optional()
            })
            .doing("looking up a day of contacts")?;
        Ok(day.map(|day| day.saturating_mul(DAY_MS)))
    }
}

impl WriteRecovery for SqliteWrite<'_> {
    fn note_moved(&mut self) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "UPDATE recovery SET moved = (SELECT position + 1 FROM counter)
                 WHERE closed_at = 0",
            )
            .and_then(|mut update| update.execute([]))
            .doing("noting that changes came back")?;
        Ok(())
    }

    fn put_recovery(&mut self, recovery: &StoredRecovery) -> Result<(), StorageError> {
        let StoredRecovery { number, position, opened_at, is_announced, closed_at, .. } = *recovery;
        self.conn()?
            .prepare_cached(
                "INSERT INTO recovery (number, position, opened_at, is_announced, closed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (number) DO UPDATE SET closed_at = excluded.closed_at",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    number,
                    to_sql(position),
                    opened_at,
                    is_announced,
                    closed_at
                ])
            })
            .doing("storing a recovery")?;
        Ok(())
    }

    fn note_returned(
        &mut self,
        number: u32,
        device: DeviceId,
        at: TimestampMs,
    ) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "INSERT INTO returned (number, device, at, position)
                 VALUES (?1, ?2, ?3, (SELECT position FROM counter))
                 ON CONFLICT (number, device) DO UPDATE SET position = excluded.position",
            )
            .and_then(|mut insert| insert.execute(params![number, device.0.as_bytes(), at]))
            .doing("noting who came back")?;
        Ok(())
    }
}
