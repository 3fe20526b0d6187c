//! Erasures: the tables, and what makes removed data unreadable in the files.

use outrider_core::{
    ids::{DeviceId, DocumentId, Part, RecordId},
    schema::Schema,
    store::{rows, search},
    time::TimestampMs,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::{Doing, damaged, document, from_sql, read::Connected, to_sql, write::SqliteWrite};
use crate::{
    ledger::Entry,
    storage::{
        StorageError,
        erasure::{ErasedCounts, Erasure, ReadErasure, WriteErasure},
    },
};

const READING: &str = "reading erasures";
const ERASING: &str = "erasing a record";

macro_rules! select_erasure {
    ($rest:literal) => {
        concat!(
            "SELECT number, record, entity, at, by_device, generation, counts, is_swept \
             FROM erasure ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Erasure, StorageError> {
    let counts: String = row.get(6).doing(READING)?;
    let by: Option<[u8; 16]> = row.get(4).doing(READING)?;
    Ok(Erasure {
        number: from_sql(row.get(0).doing(READING)?)?,
        record: RecordId::from_bytes(row.get(1).doing(READING)?),
        entity: row.get(2).doing(READING)?,
        at: row.get(3).doing(READING)?,
        by: by.map(|id| DeviceId(Uuid::from_bytes(id))),
        generation: row.get(5).doing(READING)?,
        counts: serde_json::from_str(&counts).map_err(damaged)?,
        is_swept: row.get(7).doing(READING)?,
    })
}

/// Notes that the ledger says that a record was erased, unless it is erased here.
pub(super) fn note_due(
    conn: &Connection,
    record: RecordId,
    at: TimestampMs,
) -> Result<(), StorageError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO erasure_due (record, at)
         SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM erasure WHERE record = ?1)",
    )
    .and_then(|mut insert| insert.execute(params![record.as_bytes(), at]))
    .doing("noting what has to be erased again")?;
    Ok(())
}

/// What a new ledger has to say of erasures.
pub(super) fn known(conn: &Connection) -> Result<Vec<Entry>, StorageError> {
    conn.prepare_cached("SELECT record, at FROM erasure ORDER BY number")
        .doing(READING)?
        .query_map([], |row| {
            Ok(Entry::Erased { record: RecordId::from_bytes(row.get(0)?), at: row.get(1)? })
        })
        .and_then(Iterator::collect)
        .doing(READING)
}

/// Overwrites in the files what erasures removed, if some are not known to be. Whether nothing is
/// left to do: what somebody is reading right now is left for the next time.
pub(super) fn sweep(conn: &Connection) -> Result<bool, StorageError> {
    const DOING: &str = "overwriting what was erased";
    let open: bool = conn
        .query_row("SELECT EXISTS (SELECT 1 FROM erasure WHERE is_swept = 0)", [], |row| row.get(0))
        .doing(DOING)?;
    if !open {
        return Ok(true);
    }
    search::sweep(conn).doing(DOING)?;
    let empty = || {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            .doing(DOING)
    };
    if empty()? != 0 {
        return Ok(false);
    }
    conn.execute("UPDATE erasure SET is_swept = 1", []).doing(DOING)?;
    Ok(true)
}

/// Removes the changes of a record; their hashes stay, because the chain goes over them. How many
/// there were.
pub(super) fn remove_changes(conn: &Connection, record: RecordId) -> Result<u64, StorageError> {
    conn.prepare_cached(
        "INSERT INTO erased_change (position, id, hash)
         SELECT position, id, hash FROM change WHERE record = ?1",
    )
    .and_then(|mut insert| insert.execute([record.as_bytes()]))
    .doing(ERASING)?;
    let gone = conn
        .prepare_cached("DELETE FROM change WHERE record = ?1")
        .and_then(|mut delete| delete.execute([record.as_bytes()]))
        .doing(ERASING)? as u64;
    conn.prepare_cached("UPDATE counter SET changes = max(changes - ?1, 0)")
        .and_then(|mut update| update.execute([to_sql(gone)]))
        .doing(ERASING)?;
    Ok(gone)
}

impl<T: Connected> ReadErasure for T {
    fn erasure_of(&self, record: RecordId) -> Result<Option<Erasure>, StorageError> {
        let mut query =
            self.conn()?.prepare_cached(select_erasure!("WHERE record = ?1")).doing(READING)?;
        let mut rows = query.query([record.as_bytes()]).doing(READING)?;
        rows.next().doing(READING)?.map(read).transpose()
    }

    fn erasures_due(&self) -> Result<Vec<RecordId>, StorageError> {
        self.conn()?
            .prepare_cached("SELECT record FROM erasure_due ORDER BY at, record")
            .doing(READING)?
            .query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?)))
            .and_then(Iterator::collect)
            .doing(READING)
    }

    fn erasures_after(&self, number: u64) -> Result<Vec<Erasure>, StorageError> {
        let mut query = self
            .conn()?
            .prepare_cached(select_erasure!("WHERE number > ?1 ORDER BY number"))
            .doing(READING)?;
        let mut rows = query.query([to_sql(number)]).doing(READING)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().doing(READING)? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn erasures_done(&self, device: DeviceId) -> Result<u64, StorageError> {
        let number = self
            .conn()?
            .prepare_cached("SELECT coalesce(max(number), 0) FROM erasure_done WHERE device = ?1")
            .and_then(|mut query| query.query_row([device.0.as_bytes()], |row| row.get(0)))
            .doing(READING)?;
        from_sql(number)
    }

    fn erasure_confirmed(&self, number: u64) -> Result<Vec<(DeviceId, TimestampMs)>, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT device, min(at) FROM erasure_done WHERE number >= ?1
                 GROUP BY device ORDER BY min(at), device",
            )
            .doing(READING)?
            .query_map([to_sql(number)], |row| {
                Ok((DeviceId(Uuid::from_bytes(row.get(0)?)), row.get(1)?))
            })
            .and_then(Iterator::collect)
            .doing(READING)
    }

    fn documents_with(
        &self,
        texts: &[String],
        limit: usize,
    ) -> Result<Vec<(DocumentId, String)>, StorageError> {
        const DOING: &str = "looking for a person's data";
        let texts = serde_json::to_string(texts).map_err(damaged)?;
        let mut query = self
            .conn()?
            .prepare_cached(
                "SELECT record, part, entity FROM document
                 WHERE EXISTS (
                     SELECT 1 FROM json_each(?1) AS sought
                     WHERE instr(content, CAST(sought.value AS BLOB)) > 0
                        OR instr(text, sought.value) > 0)
                 ORDER BY record, part LIMIT ?2",
            )
            .doing(DOING)?;
        let mut rows = query.query(params![texts, to_sql(limit as u64)]).doing(DOING)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            found.push((document::id_of(row)?, row.get(2).doing(DOING)?));
        }
        Ok(found)
    }

    fn changes_with(&self, texts: &[String]) -> Result<u64, StorageError> {
        let texts = serde_json::to_string(texts).map_err(damaged)?;
        let count = self
            .conn()?
            .prepare_cached(
                "SELECT count(*) FROM change WHERE EXISTS (
                     SELECT 1 FROM json_each(?1) AS sought
                     WHERE instr(bytes, CAST(sought.value AS BLOB)) > 0)",
            )
            .and_then(|mut query| query.query_row([texts], |row| row.get(0)))
            .doing("looking for a person's data")?;
        from_sql(count)
    }

    fn exports_since(
        &self,
        record: RecordId,
        entity: &str,
        since: TimestampMs,
    ) -> Result<u64, StorageError> {
        let count = self
            .conn()?
            .prepare_cached(
                "SELECT count(*) FROM audit WHERE at >= ?3
                   AND (action = 'disclosed' AND record = ?1
                     OR action = 'exported' AND (record = ?1
                       OR record IS NULL AND substr(code, 1, length(?2) + 1) = ?2 || ' '))",
            )
            .and_then(|mut query| {
                query.query_row(params![record.as_bytes(), entity, since], |row| row.get(0))
            })
            .doing("counting exports")?;
        from_sql(count)
    }
}

impl WriteErasure for SqliteWrite<'_> {
    fn remove_past(
        &mut self,
        record: RecordId,
        entity: &str,
    ) -> Result<ErasedCounts, StorageError> {
        let mut counts = ErasedCounts::default();
        let parts = document::parts_of(self.conn()?, record)?;
        counts.documents = parts.len() as u64;
        for id in parts.iter().filter(|id| id.part != Part::Main) {
            self.remove_document(id)?;
        }
        let conn = self.conn()?;
        if let Some(entity) = Schema::current().entity(entity) {
            rows::delete(conn, entity, record).doing(ERASING)?;
        }
        let remove = |sql: &str| {
            let gone = conn.prepare_cached(sql)?.execute([record.as_bytes()])?;
            Ok::<_, rusqlite::Error>(gone as u64)
        };
        counts.changes = remove_changes(conn, record)?;
        counts.refused = remove("DELETE FROM refusal WHERE record = ?1").doing(ERASING)?
            + remove("DELETE FROM review WHERE record = ?1").doing(ERASING)?;
        // What was kept aside of it says what it said.
        remove("DELETE FROM quarantine WHERE record = ?1").doing(ERASING)?;
        counts.imports = remove("DELETE FROM import_row WHERE record = ?1").doing(ERASING)?
            + remove("DELETE FROM import_effect WHERE record = ?1").doing(ERASING)?;
        Ok(counts)
    }

    fn put_erasure(&mut self, erasure: &Erasure) -> Result<u64, StorageError> {
        let counts = serde_json::to_string(&erasure.counts).map_err(damaged)?;
        let number = self
            .conn()?
            .prepare_cached(
                // The time in seconds at least: a server that was put back to a backup gives no
                // number twice.
                "INSERT INTO erasure (number, record, entity, at, by_device, generation, counts)
                 VALUES ((SELECT max(coalesce(max(number), 0) + 1, ?3 / 1000) FROM erasure),
                         ?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (record) DO UPDATE SET
                     entity = excluded.entity, at = excluded.at, by_device = excluded.by_device,
                     generation = excluded.generation, counts = excluded.counts, is_swept = 0
                 RETURNING number",
            )
            .and_then(|mut insert| {
                insert
                    .query_row(
                        params![
                            erasure.record.as_bytes(),
                            erasure.entity,
                            erasure.at,
                            erasure.by.as_ref().map(|by| by.0.as_bytes()),
                            erasure.generation,
                            counts,
                        ],
                        |row| row.get(0),
                    )
                    .optional()
            })
            .doing(ERASING)?;
        self.conn()?
            .prepare_cached("DELETE FROM erasure_due WHERE record = ?1")
            .and_then(|mut delete| delete.execute([erasure.record.as_bytes()]))
            .doing(ERASING)?;
        from_sql(number.unwrap_or_default())
    }

    fn note_erasure_due(&mut self, record: RecordId, at: TimestampMs) -> Result<(), StorageError> {
        note_due(self.conn()?, record, at)
    }

    fn note_erasures(
        &mut self,
        device: DeviceId,
        number: u64,
        at: TimestampMs,
    ) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "INSERT OR IGNORE INTO erasure_done (device, number, at)
                 SELECT ?1, min(?2, (SELECT coalesce(max(number), 0) FROM erasure)), ?3",
            )
            .and_then(|mut insert| insert.execute(params![device.0.as_bytes(), to_sql(number), at]))
            .doing("noting what a device erased")?;
        Ok(())
    }
}
