//! The audit: its chain, its heads, its anchor.

use outrider_core::{sync::head::AuditHead, time::TimestampMs};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{Doing, damaged, from_sql, read::Connected, to_sql, write::SqliteWrite};
use crate::storage::{
    AuditLine, StorageError,
    audit::{
        AUDIT_SCAN_MAX, AuditAnchor, AuditFilter, AuditHash, AuditPage, AuditTip, ReadAudit,
        StoredAuditLine, WriteAudit,
    },
};

/// The columns that [`read_line`] expects.
macro_rules! select_line {
    ($rest:literal) => {
        concat!(
            "SELECT id, chain, at, device, account, action, record, part, hash, subject, count, \
             code FROM audit ",
            $rest
        )
    };
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<StoredAuditLine> {
    Ok(StoredAuditLine {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        chain: row.get(1)?,
        at: row.get(2)?,
        device: row.get(3)?,
        account: row.get(4)?,
        action: row.get(5)?,
        record: row.get(6)?,
        part: row.get(7)?,
        hash: row.get(8)?,
        subject: row.get(9)?,
        count: row.get::<_, Option<i64>>(10)?.map(i64::unsigned_abs),
        code: row.get(11)?,
    })
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<AuditHead> {
    Ok(AuditHead {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        hash: row.get(1)?,
        at: row.get(2)?,
        signature: row.get(3)?,
    })
}

/// Where the chain ends.
pub(super) fn tip(conn: &Connection) -> Result<AuditTip, StorageError> {
    const DOING: &str = "looking where the audit ends";
    let last = conn
        .prepare_cached("SELECT id, chain FROM audit ORDER BY id DESC LIMIT 1")
        .and_then(|mut query| {
            query.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()
        })
        .doing(DOING)?;
    if let Some((number, hash)) = last {
        return Ok(AuditTip { number: from_sql(number)?, hash });
    }
    let anchor = anchor(conn)?;
    Ok(anchor.map_or_else(AuditTip::default, |anchor| AuditTip {
        number: anchor.number,
        hash: anchor.hash,
    }))
}

fn anchor(conn: &Connection) -> Result<Option<AuditAnchor>, StorageError> {
    const DOING: &str = "looking where old lines of the audit ended";
    conn.prepare_cached("SELECT number, hash, at, signature FROM audit_anchor")
        .and_then(|mut query| {
            let read = |row: &Row<'_>| {
                Ok(AuditAnchor {
                    number: row.get::<_, i64>(0)?.unsigned_abs(),
                    hash: row.get(1)?,
                    at: row.get(2)?,
                    signature: row.get(3)?,
                })
            };
            query.query_row([], read).optional()
        })
        .doing(DOING)
}

/// Adds a line after `tip`; returns where the chain ends now.
pub(super) fn add(
    conn: &Connection,
    tip: &AuditTip,
    line: &AuditLine,
) -> Result<AuditTip, StorageError> {
    const DOING: &str = "writing the audit";
    let number = tip.number + 1;
    let stored = StoredAuditLine::new(number, line);
    let hash = stored.link(&tip.hash);
    conn.prepare_cached(
        "INSERT INTO audit (id, chain, at, device, account, action, record, part, hash, subject,
                            count, code)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .doing(DOING)?
    .execute(params![
        to_sql(number),
        hash,
        stored.at,
        stored.device,
        stored.account,
        stored.action,
        stored.record,
        stored.part,
        stored.hash,
        stored.subject,
        stored.count.map(to_sql),
        stored.code,
    ])
    .doing(DOING)?;
    Ok(AuditTip { number, hash })
}

/// Gives lines from before the chain their numbers and hashes. Done once, by the migration: lines
/// that lose their hash later are found by the check.
pub(super) fn chain_old_lines(conn: &Connection) -> Result<(), StorageError> {
    const DOING: &str = "making a chain of the audit";
    let ids: Vec<i64> = conn
        .prepare("SELECT id FROM audit ORDER BY id")
        .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        .doing(DOING)?;
    let mut tip = AuditTip::default();
    for id in ids {
        let mut line = conn
            .prepare_cached(select_line!("WHERE id = ?1"))
            .and_then(|mut query| query.query_row([id], read_line))
            .doing(DOING)?;
        line.number = tip.number + 1;
        let hash = line.link(&tip.hash);
        // In ascending order a number is free before it is given: none grows.
        conn.prepare_cached("UPDATE audit SET id = ?2, chain = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id, to_sql(line.number), hash]))
            .doing(DOING)?;
        tip = AuditTip { number: line.number, hash };
    }
    Ok(())
}

impl<T: Connected> ReadAudit for T {
    fn audit_tip(&self) -> Result<AuditTip, StorageError> {
        tip(self.conn()?)
    }

    fn audit_hash(&self, number: u64) -> Result<Option<AuditHash>, StorageError> {
        let conn = self.conn()?;
        let found: Option<Vec<u8>> = conn
            .prepare_cached("SELECT chain FROM audit WHERE id = ?1")
            .and_then(|mut query| query.query_row([to_sql(number)], |row| row.get(0)).optional())
            .doing("looking up a line of the audit")?;
        match found {
            Some(hash) => hash.try_into().map(Some).map_err(|_| damaged("a line of the audit")),
            None => Ok(anchor(conn)?.filter(|a| a.number == number).map(|a| a.hash)),
        }
    }

    fn audit_anchor(&self) -> Result<Option<AuditAnchor>, StorageError> {
        anchor(self.conn()?)
    }

    fn audit_number_before(&self, at: TimestampMs) -> Result<u64, StorageError> {
        let conn = self.conn()?;
        let first: Option<i64> = conn
            .query_row("SELECT id FROM audit WHERE at >= ?1 ORDER BY id LIMIT 1", [at], |row| {
                row.get(0)
            })
            .optional()
            .doing("looking for old lines of the audit")?;
        match first {
            Some(first) => Ok(from_sql(first)?.saturating_sub(1)),
            None => Ok(tip(conn)?.number),
        }
    }

    fn audit_heads(&self, after: u64, limit: usize) -> Result<Vec<AuditHead>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn()?
            .prepare_cached(
                "SELECT number, hash, at, signature FROM audit_head
                 WHERE number > ?1 ORDER BY number LIMIT ?2",
            )
            .and_then(|mut query| {
                query.query_map(params![to_sql(after), limit], read_head)?.collect()
            })
            .doing("reading heads of the audit")
    }

    fn audit_head(&self) -> Result<Option<AuditHead>, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT number, hash, at, signature FROM audit_head ORDER BY number DESC LIMIT 1",
            )
            .and_then(|mut query| query.query_row([], read_head).optional())
            .doing("reading the head of the audit")
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Result<Vec<StoredAuditLine>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn()?
            .prepare_cached(select_line!("WHERE id > ?1 ORDER BY id LIMIT ?2"))
            .and_then(|mut query| {
                query.query_map(params![to_sql(after), limit], read_line)?.collect()
            })
            .doing("reading the audit")
    }

    fn audit_page(&self, filter: &AuditFilter) -> Result<AuditPage, StorageError> {
        const DOING: &str = "reading a page of the audit";
        let conn = self.conn()?;
        let first = anchor(conn)?.map_or(0, |anchor| anchor.number) + 1;
        let end = filter.before.unwrap_or(u64::MAX).min(tip(conn)?.number + 1);
        let begin = end.saturating_sub(AUDIT_SCAN_MAX).max(first);
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        // Lines have no index but their number: writing them is what happens often.
        let mut query = conn
            .prepare_cached(select_line!(
                "WHERE id >= :begin AND id < :end
                   AND (:action IS NULL OR action = :action)
                   AND (:record IS NULL OR record = :record)
                   AND (:who IS NULL OR device = :who OR account = :who OR subject = :who)
                   AND (:user IS NULL
                        OR device IN (SELECT id FROM device WHERE user = :user)
                        OR subject IN (SELECT id FROM device WHERE user = :user)
                        OR account IN (SELECT id FROM account WHERE user = :user OR login = :user)
                        OR subject IN (SELECT id FROM account WHERE user = :user OR login = :user))
                 ORDER BY id DESC LIMIT :limit"
            ))
            .doing(DOING)?;
        let lines: Vec<StoredAuditLine> = query
            .query_map(
                named_params! {
                    ":begin": to_sql(begin),
                    ":end": to_sql(end),
                    ":action": filter.action,
                    ":record": filter.record.as_ref().map(|id| id.as_bytes().to_vec()),
                    ":who": filter.who.as_ref().map(|id| id.as_bytes().to_vec()),
                    ":user": filter.user,
                    ":limit": limit,
                },
                read_line,
            )
            .and_then(Iterator::collect)
            .doing(DOING)?;
        let next = match lines.last() {
            Some(last) if lines.len() == filter.limit => last.number,
            Some(_) | None => begin,
        };
        Ok(AuditPage { lines, next: (next > first).then_some(next) })
    }
}

impl WriteAudit for SqliteWrite<'_> {
    fn add_audit_head(&mut self, head: &AuditHead) -> Result<(), StorageError> {
        self.conn()?
            .prepare_cached(
                "INSERT INTO audit_head (number, hash, at, signature) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (number) DO NOTHING",
            )
            .and_then(|mut insert| {
                insert.execute(params![to_sql(head.number), head.hash, head.at, head.signature])
            })
            .map(drop)
            .doing("keeping a head of the audit")
    }

    fn prune_audit(&mut self, anchor: &AuditAnchor) -> Result<(), StorageError> {
        const DOING: &str = "taking old lines of the audit away";
        let number = to_sql(anchor.number);
        let conn = self.conn()?;
        conn.execute(
            "INSERT INTO audit_anchor (only, number, hash, at, signature)
             VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT (only) DO UPDATE SET number = ?1, hash = ?2, at = ?3, signature = ?4",
            params![number, anchor.hash, anchor.at, anchor.signature],
        )
        .doing(DOING)?;
        conn.execute("DELETE FROM audit WHERE id <= ?1", [number]).doing(DOING)?;
        conn.execute("DELETE FROM audit_head WHERE number < ?1", [number]).doing(DOING)?;
        Ok(())
    }
}
