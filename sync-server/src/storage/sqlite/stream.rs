//! Digests of streams, kept up to date with every document.

use std::collections::BTreeMap;

use outrider_core::{
    ids::{Part, RecordId},
    sync::{
        digest,
        frame::{Digest, DocumentDigest, Stream, StreamDigest},
    },
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Doing, damaged, from_sql, to_sql};
use crate::storage::{SCOPE_ALL, StorageError};

/// What a transaction does to the digests of streams, written once: a push of a thousand changes
/// touches few streams.
#[derive(Debug, Default)]
pub(super) struct StreamChanges(BTreeMap<(String, Part), (Digest, i64)>);

impl StreamChanges {
    /// Adds a document to its stream's digest.
    pub(super) fn add(&mut self, entity: &str, part: &Part, document: &Digest) {
        self.toggle(entity, part, document, 1);
    }

    /// Takes a document out of its stream's digest.
    pub(super) fn remove(&mut self, entity: &str, part: &Part, document: &Digest) {
        self.toggle(entity, part, document, -1);
    }

    fn toggle(&mut self, entity: &str, part: &Part, document: &Digest, by: i64) {
        let (set, count) = self.0.entry((entity.to_owned(), part.clone())).or_default();
        digest::toggle(set, document);
        *count += by;
    }

    /// Writes what was done since the last time.
    pub(super) fn write(&mut self, conn: &Connection) -> Result<(), StorageError> {
        for ((entity, part), (change, by)) in std::mem::take(&mut self.0) {
            write(conn, &entity, &part, &change, by)?;
        }
        Ok(())
    }
}

fn write(
    conn: &Connection,
    entity: &str,
    part: &Part,
    change: &Digest,
    by: i64,
) -> Result<(), StorageError> {
    const DOING: &str = "updating a stream's digest";
    let found: Option<(Digest, i64)> = conn
        .prepare_cached(
            "SELECT digest, count FROM stream_digest WHERE scope = ?1 AND entity = ?2 AND part = ?3",
        )
        .doing(DOING)?
        .query_row(params![SCOPE_ALL, entity, part.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .doing(DOING)?;
    let (mut set, count) = found.unwrap_or_default();
    digest::toggle(&mut set, change);
    conn.prepare_cached(
        "INSERT INTO stream_digest (scope, entity, part, digest, count) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (scope, entity, part) DO UPDATE SET
             digest = excluded.digest, count = excluded.count",
    )
    .doing(DOING)?
    .execute(params![SCOPE_ALL, entity, part.as_str(), set, (count + by).max(0)])
    .doing(DOING)?;
    Ok(())
}

/// Digests of all streams of a scope that have documents.
pub(super) fn digests(conn: &Connection, scope: &str) -> Result<Vec<StreamDigest>, StorageError> {
    const DOING: &str = "reading the digests of streams";
    let mut query = conn
        .prepare_cached(
            "SELECT entity, part, digest, count FROM stream_digest
             WHERE scope = ?1 AND count > 0 ORDER BY entity, part",
        )
        .doing(DOING)?;
    let mut found = query.query(params![scope]).doing(DOING)?;
    let mut digests = Vec::new();
    while let Some(row) = found.next().doing(DOING)? {
        let part: String = row.get(1).doing(DOING)?;
        digests.push(StreamDigest {
            stream: Stream {
                scope: scope.to_owned(),
                entity: row.get(0).doing(DOING)?,
                part: part.parse().map_err(damaged)?,
            },
            digest: row.get(2).doing(DOING)?,
            count: from_sql(row.get(3).doing(DOING)?)?,
        });
    }
    Ok(digests)
}

/// Digests of all streams, from the documents that are seen on this connection.
pub(super) fn seen(conn: &Connection) -> Result<Vec<StreamDigest>, StorageError> {
    const DOING: &str = "comparing what a device may hold";
    let mut streams: BTreeMap<(String, String), (Digest, u64)> = BTreeMap::new();
    let mut query = conn
        .prepare_cached(
            // Who sees little must not pay for what there is: families are found by their scopes.
            "SELECT entity, part, digest FROM document
             WHERE family IN (
                     SELECT f.family FROM family_feed AS f
                     JOIN temp.sight_scope AS s ON s.scope = f.scope WHERE f.gone = 0)
                OR alone IN (
                     SELECT f.family FROM family_feed AS f
                     JOIN temp.sight_scope AS s ON s.scope = f.scope WHERE f.gone = 0)
                OR entity IN (SELECT entity FROM temp.sight_level WHERE level = 4)",
        )
        .doing(DOING)?;
    let mut found = query.query([]).doing(DOING)?;
    while let Some(row) = found.next().doing(DOING)? {
        let name = (row.get(0).doing(DOING)?, row.get(1).doing(DOING)?);
        let (set, count) = streams.entry(name).or_default();
        digest::toggle(set, &row.get(2).doing(DOING)?);
        *count += 1;
    }
    streams
        .into_iter()
        .map(|((entity, part), (digest, count))| {
            let part = part.parse().map_err(damaged)?;
            let stream = Stream { scope: SCOPE_ALL.to_owned(), entity, part };
            Ok(StreamDigest { stream, digest, count })
        })
        .collect()
}

/// How many records are seen on this connection, and the bytes of their documents.
pub(super) fn seen_size(conn: &Connection) -> Result<(u64, u64), StorageError> {
    let (records, bytes): (i64, i64) = conn
        .prepare_cached(
            "SELECT coalesce(sum(part = 'main'), 0), coalesce(sum(length(content)), 0) FROM document",
        )
        .and_then(|mut query| query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .doing("counting what is seen")?;
    Ok((from_sql(records)?, from_sql(bytes)?))
}

/// Digests of a stream's documents after a record.
pub(super) fn document_digests(
    conn: &Connection,
    stream: &Stream,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<DocumentDigest>, StorageError> {
    const DOING: &str = "reading the digests of documents";
    // The scope of everybody is the only one that has documents today.
    if stream.scope != SCOPE_ALL {
        return Ok(Vec::new());
    }
    let after: &[u8] = after.as_ref().map_or(&[], |record| record.as_bytes());
    let mut query = conn
        .prepare_cached(
            "SELECT record, digest FROM document
             WHERE entity = ?1 AND part = ?2 AND record > ?3 ORDER BY record LIMIT ?4",
        )
        .doing(DOING)?;
    query
        .query_map(
            params![stream.entity, stream.part.as_str(), after, to_sql(limit as u64)],
            |row| {
                Ok(DocumentDigest {
                    record: RecordId::from_bytes(row.get(0)?),
                    digest: row.get(1)?,
                })
            },
        )
        .and_then(Iterator::collect)
        .doing(DOING)
}
