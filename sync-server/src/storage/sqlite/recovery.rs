//! Recoveries: the tables.

use std::collections::BTreeSet;

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

fn read(row: &Row<'_>) -> rusqlite::Result<(StoredRecovery, i64)> {
    let known = StoredRecovery {
        number: row.get(0)?,
        position: 0,
        opened_at: row.get(2)?,
        is_announced: row.get(3)?,
        closed_at: row.get(4)?,
    };
    Ok((known, row.get(1)?))
}

impl<T: Connected> ReadRecovery for T {
    fn recovery(&self) -> Result<Option<StoredRecovery>, StorageError> {
        let found = self
            .conn()?
            .prepare_cached(
                "SELECT number, position, opened_at, is_announced, closed_at FROM recovery
                 ORDER BY number DESC LIMIT 1",
            )
            .and_then(|mut query| query.query_row([], read).optional())
            .doing("looking up the last recovery")?;
        found
            .map(|(known, position)| Ok(StoredRecovery { position: from_sql(position)?, ..known }))
            .transpose()
    }

    fn returned(&self, number: u32) -> Result<BTreeSet<DeviceId>, StorageError> {
        self.conn()?
            .prepare_cached("SELECT device FROM returned WHERE number = ?1")
            .and_then(|mut query| {
                query
                    .query_map([number], |row| Ok(DeviceId(Uuid::from_bytes(row.get(0)?))))
                    .and_then(Iterator::collect)
            })
            .doing("looking up who came back")
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
    fn put_recovery(&mut self, recovery: &StoredRecovery) -> Result<(), StorageError> {
        let StoredRecovery { number, position, opened_at, is_announced, closed_at } = *recovery;
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
                "INSERT OR IGNORE INTO returned (number, device, at) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut insert| insert.execute(params![number, device.0.as_bytes(), at]))
            .doing("noting who came back")?;
        Ok(())
    }
}
