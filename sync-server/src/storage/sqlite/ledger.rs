//! The database and the ledger beside it: what the database has seen of it, and carrying out again
//! what a restored database forgot.

use std::path::Path;

use outrider_core::points;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{Doing, device, erasure, feed, standing, to_sql};
use crate::{
    ledger::{EnrolledDevice, Entry, Ledger, LedgerError, Noted, Reached},
    storage::{Device, StorageError},
};

const DOING: &str = "comparing the database with its ledger";

/// How far the database has seen its ledger; `None` if it never had one.
pub(super) fn known(conn: &Connection) -> Result<Option<Reached>, StorageError> {
    let sql = "SELECT id, entries, hash FROM ledger WHERE id <> x''";
    let mut query = conn.prepare_cached(sql).doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    let Some(row) = rows.next().doing(DOING)? else { return Ok(None) };
    Ok(Some(Reached {
        id: row.get(0).doing(DOING)?,
        entries: super::from_sql(row.get(1).doing(DOING)?)?,
        hash: row.get(2).doing(DOING)?,
    }))
}

fn set_known(conn: &Connection, reached: &Reached) -> Result<(), StorageError> {
    conn.prepare_cached("UPDATE ledger SET id = ?1, entries = ?2, hash = ?3")
        .and_then(|mut update| {
            update.execute(params![reached.id, to_sql(reached.entries), reached.hash])
        })
        .doing(DOING)?;
    Ok(())
}

/// Opens the ledger at `path`, or begins it, and brings the database up to it.
pub(super) fn reconcile(
    conn: &mut Connection,
    path: &Path,
    is_synced: bool,
) -> Result<Ledger, StorageError> {
    // Nearly always there is nothing to do, and nobody has to wait for the write transaction.
    if let Some((ledger, _)) = Ledger::open(path, is_synced)?
        && known(conn)? == Some(ledger.reached())
    {
        return Ok(ledger);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).doing(DOING)?;
    let ledger = match (Ledger::open(path, is_synced)?, known(&tx)?) {
        (None, Some(_)) => {
            return Err(LedgerError::Missing { path: path.display().to_string() }.into());
        }
        (None, None) => begin(&tx, path, is_synced)?,
        (Some((ledger, _)), _) => {
            follow(&tx, &ledger)?;
            ledger
        }
    };
    points::reach("server.ledger.before_known");
    tx.commit().doing(DOING)?;
    Ok(ledger)
}

/// Begins a ledger with what the database knows.
pub(super) fn begin(
    conn: &Connection,
    path: &Path,
    is_synced: bool,
) -> Result<Ledger, StorageError> {
    let id = conn.query_row("SELECT randomblob(16)", [], |row| row.get(0)).doing(DOING)?;
    let mut entries = enrolments(conn)?;
    entries.extend(standing::shut_out(conn)?);
    entries.extend(erasure::known(conn)?);
    let ledger = Ledger::begin(path, id, &entries, is_synced)?;
    set_known(conn, &ledger.reached())?;
    Ok(ledger)
}

fn enrolments(conn: &Connection) -> Result<Vec<Entry>, StorageError> {
    let devices = device::list(conn)?.into_iter();
    Ok(devices.map(|contact| Entry::Enrolled(enrolled(&contact.device))).collect())
}

/// Appends what a transaction notes, right before it commits; it has [caught up](catch_up).
pub(super) fn append(
    conn: &Connection,
    ledger: &Ledger,
    noted: &[Entry],
) -> Result<(), StorageError> {
    set_known(conn, &ledger.append(noted)?)?;
    for entry in noted {
        if let Entry::Erased { record, .. } = entry {
            points::reach("server.ledger.before_forget");
            ledger.forget_person(*record)?;
        }
    }
    Ok(())
}

/// Brings the database up to the ledger.
pub(super) fn follow(conn: &Connection, ledger: &Ledger) -> Result<(), StorageError> {
    let position = feed::position(conn)? + 1;
    if catch_up(conn, ledger, position)? {
        feed::advance(conn, position, &[])?;
    }
    set_known(conn, &ledger.reached())
}

/// Carries out what the ledger has and the database has not: it was restored, or a process ended
/// between the two. Returns whether a device came, which takes a position.
pub(super) fn catch_up(
    conn: &Connection,
    ledger: &Ledger,
    position: u64,
) -> Result<bool, StorageError> {
    ledger.read_on()?;
    let known = known(conn)?;
    if known == Some(ledger.reached()) {
        return Ok(false);
    }
    let path = || ledger.path().display().to_string();
    let (_, entries) =
        Ledger::open(ledger.path(), false)?.ok_or_else(|| LedgerError::Missing { path: path() })?;
    let found = entries.len() as u64;
    let after = match &known {
        None => 0,
        Some(known) if known.id != ledger.reached().id => {
            return Err(LedgerError::Foreign { path: path() }.into());
        }
        Some(known) => {
            let behind = || LedgerError::Behind { path: path(), found, known: known.entries };
            let is_there = match known.entries.checked_sub(1) {
                None => true,
                Some(last) => usize::try_from(last)
                    .ok()
                    .and_then(|last| entries.get(last))
                    .is_some_and(|noted| noted.hash == known.hash),
            };
            if !is_there {
                return Err(behind().into());
            }
            known.entries
        }
    };
    let mut is_changed = false;
    for noted in entries.iter().filter(|noted| noted.number > after) {
        is_changed |= carry_out(conn, ledger, noted, position)?;
    }
    if known.is_none() {
        // Who was enrolled before there was a ledger.
        let is_named = |device: &EnrolledDevice| {
            entries.iter().any(|noted| {
                noted.entry.enrolled().is_some_and(|named| named.device == device.device)
            })
        };
        let mut missing = enrolments(conn)?;
        missing.retain(|entry| entry.enrolled().is_some_and(|device| !is_named(device)));
        if !missing.is_empty() {
            ledger.append(&missing)?;
        }
    }
    Ok(is_changed)
}

/// Carries out one entry, if it was not yet. Returns whether a device came.
fn carry_out(
    conn: &Connection,
    ledger: &Ledger,
    noted: &Noted,
    position: u64,
) -> Result<bool, StorageError> {
    match &noted.entry {
        Entry::Enrolled(enrolled) => {
            if device::find_by_id(conn, enrolled.device)?.is_some() {
                return Ok(false);
            }
            // Its transaction never committed, and the user got another one: nothing was written
            // under it.
            if enrolled.is_office && device::find_of_office(conn, &enrolled.user)?.is_some() {
                return Ok(false);
            }
            device::add(conn, &device_of(enrolled), position)?;
            if !enrolled.is_office {
                // It goes on with the tokens that it has, or takes those that its answer would have brought.
                standing::begin_tokens(conn, enrolled.device, enrolled.enrolled_at)?;
                standing::remove_request(conn, enrolled.device)?;
            }
            if let Some(code_hash) = &enrolled.code_hash {
                standing::set_code_hash(conn, enrolled.device, code_hash)?;
                device::take_code(conn, code_hash)?;
            }
            Ok(true)
        }
        Entry::Revoked { device, at } => {
            device::forget_token(conn, *device)?;
            standing::revoke_again(conn, *device, *at).map(|()| false)
        }
        Entry::WipeOrdered { device, at } => {
            standing::order_wipe_again(conn, *device, *at).map(|()| false)
        }
        Entry::UserDisabled { user, at } => {
            standing::set_disabled(conn, user, Some(*at)).map(|()| false)
        }
        Entry::UserEnabled { user, .. } => standing::set_disabled(conn, user, None).map(|()| false),
        Entry::AccountDisabled { login, .. } => {
            super::accounts::lock_out(conn, login).map(|()| false)
        }
        Entry::Erased { record, at } => {
            ledger.forget_person(*record)?;
            erasure::note_due(conn, *record, *at).map(|()| false)
        }
    }
}

/// A device as the ledger has it.
pub(super) fn enrolled(device: &Device) -> EnrolledDevice {
    let Device {
        id,
        name,
        user,
        user_record,
        prefix,
        public_key,
        token_hash,
        enrolled_at,
        is_office,
    } = device.clone();
    EnrolledDevice {
        device: id,
        name,
        user,
        user_record,
        prefix,
        public_key,
        token_hash,
        enrolled_at,
        is_office,
        code_hash: None,
    }
}

fn device_of(enrolled: &EnrolledDevice) -> Device {
    let EnrolledDevice {
        device: id,
        name,
        user,
        user_record,
        prefix,
        public_key,
        token_hash,
        enrolled_at,
        is_office,
        code_hash: _,
    } = enrolled.clone();
    Device { id, name, user, user_record, prefix, public_key, token_hash, enrolled_at, is_office }
}

#[cfg(test)]
mod tests;
