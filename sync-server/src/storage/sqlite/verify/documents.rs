//! Each document made again from its history.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{
        self, Clock, State, TextDocument, export::export, history::clock_with, state::merge_clock,
    },
    ids::{ChangeHash, DocumentId},
    sync::{digest, frame::Digest},
};
use rusqlite::{Connection, params};

use super::{Findings, Progress, REPORT_EVERY, Subject, count};
use crate::storage::{
    Content, StorageError, StoredChange, TextContent,
    sqlite::{Doing, change, document, heal},
};

const DOING: &str = "checking documents";
/// Changes of one document that are read at once; all of them.
const CHANGES_MAX: usize = i64::MAX as usize;

/// Checks all documents with their histories.
pub(super) fn check(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    let total = count(conn, "SELECT count(*) FROM document")?;
    let mut query = conn
        .prepare("SELECT record, part, digest FROM document ORDER BY record, part")
        .doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        if findings.documents.is_multiple_of(REPORT_EVERY) {
            progress("documents", findings.documents, total);
        }
        findings.documents += 1;
        let id = document::id_of(row)?;
        let stored: Option<Digest> = row.get(2).ok();
        if let Err(error) = check_document(conn, &id, stored, findings) {
            findings.add(Subject::Document, &id, super::with_cause(&error));
        }
    }
    progress("documents", total, total);
    check_orphans(conn, findings)
}

/// Changes of documents that are not there, and how many changes there are in all.
fn check_orphans(conn: &Connection, findings: &mut Findings) -> Result<(), StorageError> {
    for id in heal::missing(conn)? {
        findings.add(Subject::Document, id, "has changes, but there is no such document");
    }
    let (counted, noted) = conn
        .query_row("SELECT (SELECT count(*) FROM change), changes FROM counter", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .doing(DOING)?;
    if counted != noted {
        findings.add(
            Subject::History,
            "counter",
            format!("{noted} changes are noted, {counted} are there"),
        );
    }
    Ok(())
}

fn check_document(
    conn: &Connection,
    id: &DocumentId,
    stored_digest: Option<Digest>,
    findings: &mut Findings,
) -> Result<(), StorageError> {
    let changes = change::since(conn, id, 0, CHANGES_MAX)?;
    findings.changes += changes.len() as u64;
    let Some(stored) = document::find(conn, id)? else { return Ok(()) };
    let (generation, heads) = match &stored.content {
        Content::Flat(state) => {
            check_flat(id, state, &changes, findings);
            (state.generation, state.head_hashes())
        }
        Content::Text(text) => {
            check_text(id, text, &changes, findings);
            (text.generation, text.heads.clone())
        }
    };
    let column: u32 = conn
        .query_row(
            "SELECT generation FROM document WHERE record = ?1 AND part = ?2",
            params![id.record.as_bytes(), id.part.as_str()],
            |row| row.get(0),
        )
        .doing(DOING)?;
    if column != generation {
        findings.add(Subject::Document, id, "its generation is not the column's");
    }
    if stored_digest != Some(digest::of_document(id, generation, &heads)) {
        findings.add(Subject::Document, id, "its digest is not that of its heads");
    }
    if changes.last().is_some_and(|change| change.position > stored.position) {
        findings.add(Subject::Document, id, "a change came after its position");
    }
    Ok(())
}

fn check_flat(id: &DocumentId, stored: &State, changes: &[StoredChange], findings: &mut Findings) {
    let mut state = State { generation: stored.generation, ..State::default() };
    let mut clocks: BTreeMap<ChangeHash, &Clock> = BTreeMap::new();
    for change in changes {
        let mut wrong = |what: &str| {
            findings.add(Subject::History, id, format!("change {} {what}", change.hash));
        };
        let encoded = match crdt::decode(&change.bytes) {
            Ok(encoded) => encoded,
            Err(error) => {
                wrong(&format!("cannot be read: {error}"));
                continue;
            }
        };
        let read = &encoded.change;
        if encoded.hash != change.hash {
            wrong("has other bytes than its hash names");
        }
        let columns = (change.actor, change.seq, change.start_op, change.max_op);
        if columns != (read.actor, read.seq, read.start_op, read.max_op())
            || read.ops.iter().map(|op| &op.key).ne(&change.keys)
            || read.time_ms != change.made_at
        {
            wrong("says something else than its columns");
        }
        let mut past = Clock::new();
        for dep in &read.deps {
            match clocks.get(dep) {
                Some(clock) => merge_clock(&mut past, clock),
                None => wrong("follows a change that did not come before it"),
            }
        }
        if clock_with(&past, &encoded) != change.clock {
            wrong("has another clock than its past");
        }
        clocks.insert(change.hash, &change.clock);
        state.apply(&encoded);
    }
    if state != *stored {
        let what = if state.heads == stored.heads { "values or clock" } else { "heads" };
        findings.add(Subject::Document, id, format!("its history comes to other {what}"));
    }
    // Anyone's Automerge must open it.
    if let Err(error) = export(changes.iter().map(|change| change.bytes.as_slice())) {
        findings.add(Subject::History, id, format!("Automerge does not load it: {error}"));
    }
}

fn check_text(
    id: &DocumentId,
    stored: &TextContent,
    changes: &[StoredChange],
    findings: &mut Findings,
) {
    for change in changes {
        let mut wrong = |what: &str| {
            findings.add(Subject::History, id, format!("change {} {what}", change.hash));
        };
        match crdt::header(&change.bytes) {
            Err(error) => wrong(&format!("cannot be read: {error}")),
            Ok(read) if read.hash != change.hash => wrong("has other bytes than its hash names"),
            Ok(read) => {
                let columns = (change.actor, change.seq, change.start_op, change.max_op);
                if columns != (read.actor, read.seq, read.start_op, read.max_op())
                    || read.time_ms != change.made_at
                {
                    wrong("says something else than its columns");
                }
            }
        }
    }
    let bytes: Vec<&[u8]> = changes.iter().map(|change| change.bytes.as_slice()).collect();
    for (what, made) in [
        ("what is saved of it", TextDocument::load(&stored.saved)),
        ("its history", TextDocument::from_changes(&bytes)),
    ] {
        match made.and_then(|made| Ok((made.heads(), made.text()?))) {
            Ok((heads, _)) if heads != stored.heads => {
                findings.add(Subject::Document, id, format!("{what} comes to other heads"));
            }
            Ok((_, text)) if text != stored.text => {
                findings.add(Subject::Document, id, format!("{what} comes to another text"));
            }
            Ok(_) => {}
            Err(error) => {
                findings.add(Subject::Document, id, format!("{what} does not load: {error}"));
            }
        }
    }
}
