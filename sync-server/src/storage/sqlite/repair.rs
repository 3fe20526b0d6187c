//! Repairs of a whole database, while no server uses it.
//!
//! Each makes anew what follows from something else: documents from their history, columns of changes
//! from their bytes, rows from documents, digests and places from documents. What is replaced and not
//! derived goes into the table `quarantine` first. Each may be run again.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use outrider_core::{
    doctor::salvage::{ReplaceError, ReplacePoints, Replacement, SavedTable, copy_tables},
    ids::DocumentId,
    store::{StoreError, hold, journal},
    time::TimestampMs,
};
use rusqlite::{Connection, OpenFlags, params};
use serde::Serialize;

use super::{
    DATABASE_FILE, Doing, Durability, audit, connection, document, feed,
    heal::{self, Healed},
    migrate, rows,
    verify::{Findings, Subject},
};
use crate::storage::{AuditLine, SCOPE_ALL, StorageError};

const DOING: &str = "repairing the database";
/// How long others are waited for who have the database open.
const PATIENCE: Duration = Duration::from_secs(2);
/// The points at which a crash is tried.
const POINTS: ReplacePoints =
    ["server.salvage.drafted", "server.salvage.linked", "server.salvage.named"];

/// A repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// Copies what can be read into a new file; the old one is kept.
    Salvage,
    /// Writes the columns of changes anew from their bytes.
    History,
    /// Puts damaged documents aside and makes them anew from their history.
    Documents,
    /// Makes typed rows, and what records are found by, anew from the documents.
    Rows,
    /// Puts documents and families where they belong in the feed.
    Feed,
    /// Counts the digests of streams anew.
    Streams,
}

impl Repair {
    /// All of them, in the order in which they are done.
    pub const ALL: [Self; 6] =
        [Self::Salvage, Self::History, Self::Documents, Self::Feed, Self::Streams, Self::Rows];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Salvage => "salvage",
            Self::History => "history",
            Self::Documents => "documents",
            Self::Rows => "rows",
            Self::Feed => "feed",
            Self::Streams => "streams",
        }
    }

    /// Whether it may be done with others, without a look at each: all but exchanging the whole file.
    #[must_use]
    pub fn is_safe(self) -> bool {
        self != Self::Salvage
    }

    /// What repairs a problem of this kind; some need a backup.
    #[must_use]
    pub fn of(subject: Subject) -> Option<Self> {
        match subject {
            Subject::Database => Some(Self::Salvage),
            Subject::History => Some(Self::History),
            Subject::Document => Some(Self::Documents),
            Subject::Row | Subject::Index => Some(Self::Rows),
            Subject::Feed => Some(Self::Feed),
            Subject::Stream => Some(Self::Streams),
            Subject::Scope | Subject::Chain | Subject::Device | Subject::Ledger => None,
        }
    }
}

impl FromStr for Repair {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|repair| repair.name() == name);
        let known = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("there is no such fix; there are {known}"))
    }
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Which one.
    pub repair: Repair,
    /// How many it repaired.
    pub repaired: u64,
    /// What nothing could be made of.
    pub lost: u64,
    /// Where the file that was replaced lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<PathBuf>,
    /// What was copied into a new file, by table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<SavedTable>,
}

/// Repairs what was found in the database of `folder`, which the caller has locked.
///
/// # Errors
///
/// [`StorageError`] when the database cannot be written; nothing of this repair counts then.
pub fn repair(
    folder: &Path,
    what: Repair,
    findings: &Findings,
    now_ms: TimestampMs,
) -> Result<Repaired, StorageError> {
    if what == Repair::Salvage {
        return salvage(folder, now_ms);
    }
    let path = folder.join(DATABASE_FILE);
    let mut conn = connection::open(&path, connection::Role::Writer, Durability::Synced)?;
    let tx = conn.transaction().doing(DOING)?;
    let (repaired, lost) = match what {
        Repair::Salvage => (0, 0),
        Repair::History => (mend_histories(&tx)?, 0),
        Repair::Documents => remake_documents(&tx, findings, now_ms)?,
        Repair::Rows => {
            rows::rebuild(&tx)?;
            let is_row = |subject| matches!(subject, Subject::Row | Subject::Index);
            (findings.problems.iter().filter(|found| is_row(found.subject)).count() as u64, 0)
        }
        Repair::Feed => (place_documents(&tx)?, 0),
        Repair::Streams => (count_streams(&tx)?, 0),
    };
    let line = AuditLine::new(now_ms, "repaired").count(repaired).code(what.name());
    let tip = audit::tip(&tx)?;
    audit::add(&tx, &tip, &line)?;
    tx.commit().doing(DOING)?;
    Ok(Repaired { repair: what, repaired, lost, kept_in: None, tables: Vec::new() })
}

fn ids(conn: &Connection) -> Result<Vec<DocumentId>, StorageError> {
    let mut query =
        conn.prepare("SELECT record, part FROM document ORDER BY record, part").doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        // One that has lost its name is nobody's.
        found.extend(document::id_of(row).ok());
    }
    Ok(found)
}

fn mend_histories(conn: &Connection) -> Result<u64, StorageError> {
    let mut mended = 0;
    for id in ids(conn)? {
        mended += heal::mend_history(conn, &id)?;
    }
    Ok(mended)
}

/// Documents that cannot be read, and those that their history does not come to.
fn remake_documents(
    conn: &Connection,
    findings: &Findings,
    now_ms: TimestampMs,
) -> Result<(u64, u64), StorageError> {
    let (mut remade, mut lost) = (0, 0);
    for id in ids(conn)? {
        let name = id.to_string();
        let told = findings
            .problems
            .iter()
            .find(|found| found.subject == Subject::Document && found.name == name);
        let healed = match (document::find(conn, &id), told) {
            (Err(_), _) => heal::heal(conn, &id, now_ms)?,
            (Ok(_), Some(told)) => heal::remake(conn, &id, told.found.clone(), now_ms)?,
            (Ok(_), None) => Healed::Whole,
        };
        match healed {
            Healed::Whole => {}
            Healed::Rebuilt(_) => remade += 1,
            Healed::Lost(_) | Healed::Known => lost += 1,
        }
    }
    for id in heal::missing(conn)? {
        match heal::bring_back(conn, &id)? {
            Some(stored) => {
                heal::show(conn, &id, &stored)?;
                remade += 1;
            }
            None => lost += 1,
        }
    }
    Ok((remade, lost))
}

fn place_documents(conn: &Connection) -> Result<u64, StorageError> {
    let mut query = conn
        .prepare(
            "SELECT record, part, entity, family, alone, position FROM document
             ORDER BY record, part",
        )
        .doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let before = changes_of(conn)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let id = document::id_of(row)?;
        let entity: String = row.get(2).doing(DOING)?;
        let family: [u8; 16] = row.get(3).doing(DOING)?;
        let alone: Option<[u8; 16]> = row.get(4).doing(DOING)?;
        let position = super::from_sql(row.get(5).doing(DOING)?)?;
        for (unit, is_family) in [(Some(family), true), (alone, false)]
            .into_iter()
            .filter_map(|(unit, is)| Some((unit?, is)))
        {
            let unit = outrider_core::ids::RecordId::from_bytes(unit);
            if is_family {
                feed::begin(conn, unit, position)?;
            }
            conn.execute(
                "UPDATE family_feed SET position = ?2
                 WHERE family = ?1 AND gone = 0 AND position < ?2",
                params![unit.as_bytes(), super::to_sql(position)],
            )
            .doing(DOING)?;
            let stands: bool = conn
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM record_feed WHERE family = ?1 AND record = ?2
                         AND part = ?3 AND entity = ?4 AND position = ?5 AND gone = 0)",
                    params![
                        unit.as_bytes(),
                        id.record.as_bytes(),
                        id.part.as_str(),
                        entity,
                        super::to_sql(position)
                    ],
                    |row| row.get(0),
                )
                .doing(DOING)?;
            if !stands {
                feed::put_record(conn, unit, &id, &entity, position)?;
            }
        }
    }
    drop(rows);
    conn.execute(
        "DELETE FROM record_feed WHERE gone = 0 AND NOT EXISTS (
             SELECT 1 FROM document d WHERE d.record = record_feed.record
                 AND d.part = record_feed.part
                 AND (d.family = record_feed.family OR d.alone = record_feed.family))",
        [],
    )
    .doing(DOING)?;
    Ok(changes_of(conn)? - before)
}

fn changes_of(conn: &Connection) -> Result<u64, StorageError> {
    let count = conn.query_row("SELECT total_changes()", [], |row| row.get(0)).doing(DOING)?;
    super::from_sql(count)
}

fn count_streams(conn: &Connection) -> Result<u64, StorageError> {
    let removed =
        conn.execute("DELETE FROM stream_digest WHERE scope = ?1", [SCOPE_ALL]).doing(DOING)?;
    let mut streams = super::stream::StreamChanges::default();
    let mut query =
        conn.prepare("SELECT record, part, entity, digest FROM document").doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let id = document::id_of(row)?;
        let entity: String = row.get(2).doing(DOING)?;
        streams.add(&entity, &id.part, &row.get(3).doing(DOING)?);
    }
    streams.write(conn)?;
    Ok(removed as u64)
}

/// Copies every row that can be read into a new file, which takes the old one's place.
fn salvage(folder: &Path, now_ms: TimestampMs) -> Result<Repaired, StorageError> {
    const NOTHING: &str = "nothing can be read of the database; put back a backup with `restore`";
    let path = folder.join(DATABASE_FILE);
    if !hold::begins_well(&path) {
        return Err(StorageError::Damaged(NOTHING.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(&path, flags).doing(DOING)?;
    old.busy_timeout(PATIENCE).doing(DOING)?;
    let replacement = Replacement::begin(folder, old).map_err(replacing)?;
    let tables = {
        let role = connection::Role::Writer;
        let new = connection::open(replacement.draft(), role, Durability::Synced)?;
        migrate::make_tables(&new)?;
        new.pragma_update(None, "foreign_keys", false).doing(DOING)?;
        new.execute_batch("BEGIN IMMEDIATE").doing(DOING)?;
        let tables = copy_tables(replacement.old(), &new).map_err(rows::asked)?;
        // Of documents on torn pages the history may be whole.
        for id in heal::missing(&new)? {
            heal::bring_back(&new, &id)?;
        }
        // Rows and scopes are made anew by the server that opens it.
        new.execute_batch(
            "UPDATE meta SET schema_version = 0;
             UPDATE counter SET changes = (SELECT count(*) FROM change),
                 position = max(position, (SELECT coalesce(max(position), 0) FROM feed));
             COMMIT;",
        )
        .doing(DOING)?;
        journal::fold(&new).doing(DOING)?;
        tables
    };
    if tables.iter().all(|table| table.rows == 0) {
        return Err(StorageError::Damaged(NOTHING.to_owned()));
    }
    let kept_in = Some(replacement.finish(now_ms, POINTS).map_err(replacing)?);
    let repaired = tables.iter().map(|table| table.rows).sum();
    let lost = tables.iter().filter(|table| table.is_torn).count() as u64;
    Ok(Repaired { repair: Repair::Salvage, repaired, lost, kept_in, tables })
}

fn replacing(error: ReplaceError) -> StorageError {
    match error {
        ReplaceError::Store(StoreError::InUse(path)) => {
            StorageError::InUse { path: path.display().to_string() }
        }
        ReplaceError::Store(error) => rows::asked(error),
        ReplaceError::File { path, source } => {
            StorageError::Open { path: path.display().to_string(), source }
        }
    }
}
