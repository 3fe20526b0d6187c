//! Users as records: whoever gets into the system is somebody that records can name as their
//! owner or creator.

use std::sync::Arc;

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
use crate::storage::{Read, Storage, StorageError, Write};

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
    let text = || Json::from(login.trim());
    let fields = Map::from_iter([("login".to_owned(), text()), ("name".to_owned(), text())]);
    tap.create(USER, record, &fields)?;
    tell_devices(&mut *tap.desk.tx, login, record)?;
    tap.finish()?;
    Ok(record)
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
