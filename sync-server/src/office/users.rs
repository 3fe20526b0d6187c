//! Users as records: whoever gets into the system is somebody that records can name as their
//! owner or creator.

use std::{collections::BTreeMap, sync::Arc};

use outrider_core::{
    access::Policy,
    ids::RecordId,
    schema::{Entity, Schema},
    store::query::{Compare, Filter, Query},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json};

use super::{
    Author, OfficeError, SYSTEM_USER,
    author::{Draws, author_with},
    edit::Tap,
};
use crate::storage::{Device, Read, Storage, StorageError, Write};

/// The entity of users.
const USER: &str = "user";
/// The name under which ids of users are derived: a server that was restored from an older backup
/// makes a user's record under the id that devices know.
const SOURCE: &str = "login";

/// The record of the user with this login, if there is one.
///
/// # Errors
///
/// Fails when the storage does.
pub fn find_user(read: &dyn Read, login: &str) -> Result<Option<RecordId>, StorageError> {
    let Some(entity) = users() else { return Ok(None) };
    let column = "login".to_owned();
    let filter = Filter { column, compare: Compare::Is, value: login.trim().to_owned() };
    let query = Query { filters: vec![filter], limit: 1, with_archived: true, ..Query::default() };
    Ok(read.list(entity, &query)?.ids.into_iter().next())
}

/// Finds the record of the user with this login, or makes one, as a change of the office.
///
/// It has the login and a name and no role: what a user may do is said by somebody.
///
/// # Errors
///
/// Fails when the storage does, the login is no text that fits, or the system has no randomness.
pub fn ensure_user(
    storage: &dyn Storage,
    policy: &Policy,
    login: &str,
    now_ms: TimestampMs,
) -> Result<RecordId, OfficeError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    ensure_user_with(storage, policy, login, u128::from_be_bytes(random), now_ms)
}

/// As [`ensure_user`], with 128 random bits that are used here alone.
///
/// # Errors
///
/// As [`ensure_user`].
pub fn ensure_user_with(
    storage: &dyn Storage,
    policy: &Policy,
    login: &str,
    random: u128,
    now_ms: TimestampMs,
) -> Result<RecordId, OfficeError> {
    if let Some(found) = find_user(&*storage.read()?, login)? {
        return Ok(found);
    }
    // Its actors are of these draws alone, so they have never written.
    let draws = Arc::new(Draws::from_seed(random.to_be_bytes()));
    let author = author_with(storage, SYSTEM_USER, None, &draws, now_ms)?;
    let mut tap = Tap::open(storage, policy, &author, now_ms)?;
    // Again, now that nobody else writes.
    if let Some(found) = find_user(&*tap.desk.tx, login)? {
        return Ok(found);
    }
    let record = free_id(&*tap.desk.tx, &author, login.trim())?;
    tap.create(USER, record, &fields_of(login))?;
    tell_devices(&mut *tap.desk.tx, login, record)?;
    tap.finish()?;
    Ok(record)
}

/// Makes the records of users again who have devices, and whom the database has forgotten: it was put back
/// to before they came, and the ledger let their devices in again. Returns how many.
///
/// They have what [`ensure_user`] gives, under the ids that devices know. What was said of them since
/// comes back from devices, or is said again.
///
/// # Errors
///
/// As [`ensure_user`].
pub fn restore_users(storage: &dyn Storage, now_ms: TimestampMs) -> Result<usize, OfficeError> {
    let lost = lost_users(&*storage.read()?)?;
    if lost.is_empty() {
        return Ok(0);
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    restore_users_with(storage, &Arc::new(Draws::from_seed(random)), now_ms)
}

/// As [`restore_users`], with other draws than the process's: for simulations.
///
/// # Errors
///
/// As [`restore_users`].
pub fn restore_users_with(
    storage: &dyn Storage,
    draws: &Arc<Draws>,
    now_ms: TimestampMs,
) -> Result<usize, OfficeError> {
    let mut restored = 0;
    for (record, login) in lost_users(&*storage.read()?)? {
        let author = author_with(storage, SYSTEM_USER, None, draws, now_ms)?;
        let mut tap = Tap::open(storage, &Policy::open(), &author, now_ms)?;
        // Again, now that nobody else writes.
        if is_lost(&*tap.desk.tx, record, &login)? {
            tap.create(USER, record, &fields_of(&login))?;
            tap.finish()?;
            restored += 1;
        }
    }
    Ok(restored)
}

/// Records of users that are not there although devices belong to them, each with the login.
fn lost_users(read: &dyn Read) -> Result<BTreeMap<RecordId, String>, StorageError> {
    let mut lost = BTreeMap::new();
    for Device { user, user_record, .. } in read.devices()?.into_iter().map(|one| one.device) {
        if let Some(record) = user_record
            && is_lost(read, record, &user)?
        {
            lost.insert(record, user);
        }
    }
    Ok(lost)
}

/// Whether a user's record is not there, was not erased, and no other has the login.
fn is_lost(read: &dyn Read, record: RecordId, login: &str) -> Result<bool, StorageError> {
    Ok(super::view::entity_of(read, record)?.is_none()
        && read.erasure_of(record)?.is_none()
        && find_user(read, login)?.is_none())
}

/// What a user's record begins with.
fn fields_of(login: &str) -> Map<String, Json> {
    let text = || Json::from(login.trim());
    Map::from_iter([("login".to_owned(), text()), ("name".to_owned(), text())])
}

fn users() -> Option<&'static Entity> {
    Schema::current().entity(USER)
}

/// The id that the login gives; another one if that is somebody's who has another login now.
fn free_id(read: &dyn Read, author: &Author, login: &str) -> Result<RecordId, StorageError> {
    let mut id = RecordId::external(USER, SOURCE, login);
    while super::view::entity_of(read, id)?.is_some() {
        id = RecordId::derived(id, &author.device.id.to_string());
    }
    Ok(id)
}

/// Devices that the user has already belong to the record too.
fn tell_devices(tx: &mut dyn Write, login: &str, record: RecordId) -> Result<(), StorageError> {
    for known in tx.devices()? {
        if known.device.user == login && known.device.user_record.is_none() {
            tx.set_user_record(known.device.id, record)?;
        }
    }
    Ok(())
}
