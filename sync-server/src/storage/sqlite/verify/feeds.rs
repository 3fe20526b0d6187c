//! The feed against the documents, the digests of streams against theirs, the chain against the
//! history.

use std::collections::BTreeMap;

use outrider_core::{
    ids::{ChangeHash, to_hex},
    sync::{digest, frame::Digest},
};
use rusqlite::{Connection, Row};

use super::{Findings, Progress, REPORT_EVERY, Subject};
use crate::storage::{
    SCOPE_ALL, StorageError,
    sqlite::{Doing, document, feed, from_sql},
};

const DOING: &str = "checking the feed";

/// Checks places, digests and chain.
pub(super) fn check(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    check_places(conn, findings)?;
    check_streams(conn, findings)?;
    check_chain(conn, findings, progress)
}

/// Documents whose place in the feed is not theirs, and units that stand too early.
///
/// A document stands in its family, and in the unit of its record alone if that is read alone. What
/// left a unit keeps a row there that says so.
fn check_places(conn: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    let wrong: [(&str, &str); 5] = [
        (
            "SELECT d.record, d.part FROM document d
             LEFT JOIN record_feed r ON r.family = d.family AND r.record = d.record
                 AND r.part = d.part AND r.gone = 0
             WHERE r.record IS NULL OR r.entity <> d.entity OR r.position <> d.position
             ORDER BY d.record, d.part",
            "does not stand in the feed where it should",
        ),
        (
            "SELECT d.record, d.part FROM document d
             LEFT JOIN record_feed r ON r.family = d.alone AND r.record = d.record
                 AND r.part = d.part AND r.gone = 0
             WHERE d.alone IS NOT NULL
                 AND (r.record IS NULL OR r.entity <> d.entity OR r.position <> d.position)
             ORDER BY d.record, d.part",
            "does not stand in the feed of the record alone where it should",
        ),
        (
            "SELECT r.record, r.part FROM record_feed r
             LEFT JOIN document d ON d.record = r.record AND d.part = r.part
                 AND (d.family = r.family OR d.alone = r.family)
             WHERE r.gone = 0 AND d.record IS NULL ORDER BY r.record, r.part",
            "stands in the feed, but there is no such document in that family",
        ),
        (
            "SELECT d.record, d.part FROM document d
             LEFT JOIN family_feed f ON f.family = d.family AND f.scope = 'all'
             WHERE f.family IS NULL ORDER BY d.record, d.part",
            "is of a family that does not stand in the feed",
        ),
        (
            "SELECT DISTINCT r.record, r.part FROM record_feed r
             JOIN family_feed f ON f.family = r.family AND f.gone = 0
             WHERE r.gone = 0 AND f.position < r.position ORDER BY r.record, r.part",
            "changed after the position of its family",
        ),
    ];
    for (sql, words) in wrong {
        let mut query = conn.prepare(sql).doing(DOING)?;
        let mut rows = query.query([]).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            findings.add(Subject::Feed, document::id_of(row)?, words);
        }
    }
    Ok(())
}

/// Digests of streams that are not those of their documents.
fn check_streams(conn: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    let mut made: BTreeMap<(String, String), (Digest, i64)> = BTreeMap::new();
    let sql = "SELECT entity, part, digest FROM document";
    each(conn, sql, |row| {
        let (set, count) = made.entry((row.get(0)?, row.get(1)?)).or_default();
        digest::toggle(set, &row.get(2)?);
        *count += 1;
        Ok(())
    })?;
    let mut stored: BTreeMap<(String, String), (Digest, i64)> = BTreeMap::new();
    let sql = "SELECT entity, part, digest, count FROM stream_digest
               WHERE scope = 'all' AND count > 0";
    each(conn, sql, |row| {
        stored.insert((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?));
        Ok(())
    })?;
    debug_assert_eq!(SCOPE_ALL, "all");
    let mut names: Vec<_> = made.keys().chain(stored.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        if made.get(name) != stored.get(name) {
            let (entity, part) = name;
            let words = "the digest is not that of its documents";
            findings.add(Subject::Stream, format!("{entity}/{part}"), words);
        }
    }
    Ok(())
}

/// Positions whose digest does not follow from the one before and the changes that came there.
fn check_chain(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    let last = feed::position(conn)?;
    let mut marks: BTreeMap<u64, ChangeHash> = BTreeMap::new();
    let mut query = conn.prepare("SELECT position, mark FROM restoration").doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let mark = ChangeHash(row.get(1).doing(DOING)?);
        marks.insert(from_sql(row.get(0).doing(DOING)?)?, mark);
    }
    // Both walk along the positions; changes of one position are in the order of their arrival.
    let mut query = conn
        .prepare(
            "SELECT position, hash, id FROM change
             UNION ALL SELECT position, hash, id FROM erased_change ORDER BY 1, 3",
        )
        .doing(DOING)?;
    let mut changes = query.query([]).doing(DOING)?;
    let next =
        |changes: &mut rusqlite::Rows<'_>| -> Result<Option<(u64, ChangeHash)>, StorageError> {
            let Some(row) = changes.next().doing(DOING)? else { return Ok(None) };
            let hash = ChangeHash(row.get(1).doing(DOING)?);
            Ok(Some((from_sql(row.get(0).doing(DOING)?)?, hash)))
        };
    let mut change = next(&mut changes)?;
    let mut before = Digest::default();
    for position in 1..=last {
        if position % REPORT_EVERY == 0 {
            progress("feed", position, last);
        }
        let mut hashes: Vec<ChangeHash> = marks.get(&position).copied().into_iter().collect();
        while let Some((at, hash)) = change
            && at <= position
        {
            if at == position {
                hashes.push(hash);
            } else {
                let words = "came at a position before the feed";
                findings.add(Subject::Chain, to_hex(&hash.0), words);
            }
            change = next(&mut changes)?;
        }
        let made = digest::chain(&before, position, &hashes);
        match feed::digest_at(conn, position) {
            Ok(Some(stored)) if stored == made => before = stored,
            Ok(Some(stored)) => {
                let words = "the digest does not follow from the one before and its changes";
                findings.add(Subject::Chain, format!("position {position}"), words);
                // Only the position itself is named, not all after it.
                before = stored;
            }
            Ok(None) => {
                findings.add(Subject::Chain, format!("position {position}"), "is missing");
                before = made;
            }
            Err(error) => {
                let words = super::with_cause(&error);
                findings.add(Subject::Chain, format!("position {position}"), words);
                before = made;
            }
        }
    }
    while let Some((at, hash)) = change {
        let words = format!("came at position {at}, the feed ends at {last}");
        findings.add(Subject::Chain, to_hex(&hash.0), words);
        change = next(&mut changes)?;
    }
    let beyond = super::count(
        conn,
        "SELECT count(*) FROM feed WHERE position > (SELECT position FROM counter) OR position < 1",
    )?;
    if beyond > 0 {
        findings.add(
            Subject::Chain,
            format!("position {last}"),
            format!("{beyond} positions stand beyond"),
        );
    }
    progress("feed", last, last);
    Ok(())
}

fn each(
    conn: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> Result<(), StorageError> {
    let mut query = conn.prepare(sql).doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        take(row).doing(DOING)?;
    }
    Ok(())
}
