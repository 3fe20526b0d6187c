//! Who may see a record, as it is noted, against what follows from the documents.

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Schema},
};
use rusqlite::Connection;

use super::{Findings, Progress, REPORT_EVERY, Subject};
use crate::storage::{
    Content, StorageError,
    access::alone,
    sqlite::{Doing, document, scope},
};

const DOING: &str = "checking who may see a record";

/// Checks scopes of families, of records alone, and readers.
pub(super) fn check(
    conn: &Connection,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    let total = super::count(conn, "SELECT count(*) FROM document WHERE part = 'main'")?;
    let mut query = conn
        .prepare("SELECT record, part FROM document WHERE part = 'main' ORDER BY record")
        .doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let mut done = 0;
    while let Some(row) = rows.next().doing(DOING)? {
        done += 1;
        if done % REPORT_EVERY == 0 {
            progress("scopes", done, total);
        }
        let id = document::id_of(row)?;
        // What cannot be read is told where documents are checked.
        let Ok(Some(stored)) = document::find(conn, &id) else { continue };
        let (Some(entity), Content::Flat(state)) =
            (Schema::current().entity(&stored.entity), &stored.content)
        else {
            continue;
        };
        let wanted = if stored.family == id.record {
            scope::wanted_of_family(entity, id.record, state)
        } else {
            Default::default()
        };
        if scope::live(conn, id.record)? != wanted {
            findings.add(Subject::Scope, &id, "the family is in other scopes than its head says");
        }
        if scope::live(conn, alone(id.record))? != scope::wanted_alone(conn, id.record)? {
            let words = "the record alone is in other scopes than its readers say";
            findings.add(Subject::Scope, &id, words);
        }
        check_readers(conn, (entity, id.record), state, findings)?;
    }
    progress("scopes", total, total);
    Ok(())
}

fn check_readers(
    conn: &Connection,
    (entity, record): (&Entity, RecordId),
    state: &outrider_core::crdt::State,
    findings: &mut Findings,
) -> Result<(), StorageError> {
    let wanted = match entity.readers.is_empty() {
        true => Default::default(),
        false => scope::wanted_readers(entity, record, state),
    };
    if scope::known_readers(conn, record)? != wanted {
        findings.add(Subject::Scope, record, "it is noted for other readers than it names");
    }
    Ok(())
}
