//! An open replica, looked at from all sides. Nothing is written.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Finding, Fix, Kind, Reason};
use crate::{
    crdt::TextDocument,
    ids::DocumentId,
    replica::{Replica, ReplicaError, decode_own, heal::digest_of, project_stored},
    store::{
        Store, StoreError, credentials, document, inbox, meta, outbox, pages, quarantine, rows,
    },
    sync::{digest, frame::Digest},
    time::{DAY_MS, TimestampMs},
};

/// Days after which it is worth knowing that an edit still waits.
const WAITING_DAYS: i64 = 7;
/// How far a clock may be off the office's before it is told.
const CLOCK_OFF_MS: i64 = 10 * 60 * 1_000;

impl Replica {
    /// Looks for everything that may be wrong with this store.
    ///
    /// # Errors
    ///
    /// Fails when the database does in another way than by damage, which is a finding.
    pub fn examine(&self) -> Result<Vec<Finding>, ReplicaError> {
        let conn = self.store().conn();
        let mut found = Vec::new();
        let checks: [(Kind, Result<Vec<Finding>, ReplicaError>); 7] = [
            (Kind::Pages, page_check(conn)),
            (Kind::Documents, documents(self)),
            (Kind::Rows, row_check(self)),
            (Kind::Outbox, outbox_check(conn)),
            (Kind::Cursor, standing(conn)),
            (Kind::Waiting, waiting(conn, self.clock_ms())),
            (Kind::OtherProcess, other_process(conn)),
        ];
        for (kind, checked) in checks {
            match checked {
                Ok(more) => found.extend(more),
                // What cannot be read is a finding too; the other checks go on.
                Err(ReplicaError::Store(error)) if error.is_damage() => {
                    found.push(Finding::problem(kind, Some(Fix::Salvage)).named(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn page_check(conn: &Connection) -> Result<Vec<Finding>, ReplicaError> {
    let mut found = Finding::problem(Kind::Pages, Some(Fix::Salvage));
    for line in pages::integrity_check(conn).map_err(StoreError::from)? {
        found.add(line);
    }
    Ok(Vec::from_iter((found.count > 0).then_some(found)))
}

fn documents(replica: &Replica) -> Result<Vec<Finding>, ReplicaError> {
    let conn = replica.store().conn();
    let mut damaged = Finding::problem(Kind::Documents, Some(Fix::Documents));
    let mut astray = Finding::problem(Kind::Follow, Some(Fix::Documents));
    let mut digests = Finding::problem(Kind::Digests, Some(Fix::Digests));
    let mut held = Digest::default();
    for id in document::ids(conn)? {
        let stored = match document::load(conn, &id) {
            Err(StoreError::DamagedDocument { id, why }) => {
                damaged.add(format!("{id}: {why}"));
                continue;
            }
            stored => stored?,
        };
        let Some(stored) = stored else { continue };
        held_with(&mut held, stored.digest.as_ref());
        let confirmed = stored.confirmed.as_ref().unwrap_or(&stored.state);
        let is_awaited = quarantine::is_awaited(conn, &id)?;
        if !is_awaited && stored.digest.is_some() && stored.digest != digest_of(&id, confirmed) {
            digests.add(&id);
        }
        if !is_awaited && !follows(conn, &id, &stored)? {
            astray.add(&id);
        }
    }
    if held != meta::held(conn)? {
        digests.add("all");
    }
    let kept = quarantine::count(conn)?;
    let awaited = Finding::problem(Kind::Awaited, None).counted(kept.awaited);
    let aside = Finding::notice(Kind::Quarantine).counted(kept.kept);
    let all = [damaged, astray, digests, awaited, aside];
    Ok(all.into_iter().filter(|found| found.count > 0).collect())
}

fn held_with(held: &mut Digest, digest: Option<&Digest>) {
    if let Some(digest) = digest {
        digest::toggle(held, digest);
    }
}

/// Whether a document is what is confirmed with what waits on top.
pub(super) fn follows(
    conn: &Connection,
    id: &DocumentId,
    stored: &document::StoredDocument,
) -> Result<bool, ReplicaError> {
    let waiting = match outbox::waiting_of(conn, id) {
        // That is another finding.
        Err(StoreError::DamagedChange { .. }) => return Ok(true),
        waiting => waiting?,
    };
    let Some(confirmed) = &stored.confirmed else { return Ok(waiting.is_empty()) };
    if !id.part.is_flat() {
        let text = TextDocument::load(&stored.state)?;
        return Ok(waiting.iter().all(|own| text.contains(own.hash)));
    }
    let mut state = document::decode_state(id, confirmed)?;
    let generation = state.generation;
    for own in waiting.iter().filter(|own| own.generation == generation) {
        state.apply(&decode_own(own)?);
    }
    Ok(state == document::decode_state(id, &stored.state)?)
}

/// Compares the rows with those that the documents make in memory.
fn row_check(replica: &Replica) -> Result<Vec<Finding>, ReplicaError> {
    let mut found = Finding::problem(Kind::Rows, Some(Fix::Rows));
    for line in differing_rows(replica)? {
        // `entity id values`: values are not told.
        let end = line.match_indices(' ').nth(1).map_or(line.len(), |(at, _)| at);
        found.add(line.get(..end).unwrap_or_default());
    }
    Ok(Some(found).filter(|found| found.count > 0).into_iter().collect())
}

/// Rows, as text, that are there and should not be, or the other way round; each record once.
pub(super) fn differing_rows(replica: &Replica) -> Result<Vec<String>, ReplicaError> {
    let schema = replica.schema();
    let mut store = Store::in_memory()?;
    let tx = store.begin()?;
    rows::create_tables(&tx, schema).map_err(StoreError::from)?;
    let mut awaited = BTreeSet::new();
    let damaged = document::for_each(replica.store().conn(), |id, entity, state| {
        let Some(entity) = schema.entity(entity) else { return Ok(()) };
        project_stored(&tx, entity, id, state)
    })?;
    // Rows of what cannot be read are what is left of it.
    awaited.extend(damaged.into_iter().map(|(id, _)| id.record));
    awaited.extend(quarantine::awaited(replica.store().conn())?.into_iter().map(|id| id.record));
    let made: BTreeSet<String> =
        rows::dump(&tx, schema).map_err(StoreError::from)?.into_iter().collect();
    let kept: BTreeSet<String> = replica.dump_rows()?.into_iter().collect();
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let is_awaited = |line: &str| {
        let hex = line.split(' ').nth(1).unwrap_or_default().to_lowercase();
        awaited.iter().any(|record| record.0.simple().to_string() == hex)
    };
    let mut told = BTreeSet::new();
    Ok(kept
        .difference(&made)
        .chain(made.difference(&kept))
        .filter(|line| !is_awaited(line) && told.insert(name(line)))
        .cloned()
        .collect())
}

fn outbox_check(conn: &Connection) -> Result<Vec<Finding>, ReplicaError> {
    let mut damaged = Finding::problem(Kind::Outbox, Some(Fix::Outbox));
    for (number, document) in outbox::damaged_waiting(conn)? {
        let document = document.map_or_else(|| "?".to_owned(), |id| id.to_string());
        damaged.add(format!("{number} {document}"));
    }
    let mut strays = Finding::problem(Kind::Strays, None);
    for id in outbox::waiting_documents(conn)? {
        let is_here = match document::load(conn, &id) {
            Err(StoreError::DamagedDocument { .. }) => true,
            loaded => loaded?.is_some(),
        };
        if !is_here && !quarantine::is_awaited(conn, &id)? {
            strays.add(id);
        }
    }
    let mut own = Finding::notice(Kind::OwnChanges);
    outbox::damaged_acknowledged(conn)?.into_iter().for_each(|number| own.add(number));
    Ok([damaged, strays, own].into_iter().filter(|found| found.count > 0).collect())
}

fn cursor(conn: &Connection) -> Result<Vec<Finding>, ReplicaError> {
    match meta::cursor(conn) {
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.is_damage() => {
            Ok(vec![Finding::problem(Kind::Cursor, Some(Fix::ForgetCursor)).named(error)])
        }
        Err(error) => Err(error.into()),
    }
}

fn standing(conn: &Connection) -> Result<Vec<Finding>, ReplicaError> {
    let mut found = cursor(conn)?;
    let off_ms = credentials::clock_offset(conn)?.saturating_abs();
    if off_ms > CLOCK_OFF_MS {
        let minutes = off_ms.unsigned_abs() / 60_000;
        found.push(Finding::notice(Kind::Clock).counted(minutes));
    }
    let open = inbox::open(conn, usize::MAX)?.len() as u64;
    if open > 0 {
        found.push(Finding::notice(Kind::Inbox).counted(open));
    }
    Ok(found)
}

fn waiting(conn: &Connection, now_ms: TimestampMs) -> Result<Vec<Finding>, ReplicaError> {
    let Some((oldest, count)) = outbox::waiting_since(conn, now_ms - WAITING_DAYS * DAY_MS)? else {
        return Ok(Vec::new());
    };
    let reason = match (meta::enrolment(conn)?, meta::last_sync(conn)?) {
        (None, _) => Reason::NotEnrolled,
        (Some(_), Some(last)) if last > oldest => Reason::PutOff,
        (Some(_), _) => Reason::NoContact,
    };
    let days = now_ms.saturating_sub(oldest) / DAY_MS;
    let mut found = Finding::notice(Kind::Waiting).counted(count);
    found.reason = Some(reason);
    found.names.push(days.to_string());
    Ok(vec![found])
}

fn other_process(conn: &Connection) -> Result<Vec<Finding>, ReplicaError> {
    conn.busy_timeout(std::time::Duration::ZERO).map_err(StoreError::from)?;
    let begun = Transaction::new_unchecked(conn, TransactionBehavior::Immediate);
    let is_busy = begun
        .as_ref()
        .is_err_and(|error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy));
    drop(begun);
    conn.busy_timeout(crate::store::BUSY_TIMEOUT).map_err(StoreError::from)?;
    Ok(is_busy.then(|| Finding::notice(Kind::OtherProcess)).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was a problem of the pages, for which writing the store anew was offered.
    #[test]
    fn a_database_that_cannot_be_read_now_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.db");
        let (reading, writing) =
            (Connection::open(&file).unwrap(), Connection::open(&file).unwrap());
        writing.execute_batch("CREATE TABLE one (two); BEGIN EXCLUSIVE").unwrap();
        reading.busy_timeout(std::time::Duration::ZERO).unwrap();
        for checked in [page_check(&reading), cursor(&reading)] {
            let Err(ReplicaError::Store(error)) = checked else { panic!("{checked:?}") };
            assert!(!error.is_damage(), "{error}");
        }
        writing.execute_batch("COMMIT").unwrap();
        assert_eq!(page_check(&reading).unwrap(), []);
    }
}
