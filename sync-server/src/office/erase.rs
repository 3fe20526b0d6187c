//! Erasing a person: everything of a record goes, for good.
//!
//! The main part begins again in a new generation with what says nothing of the person: where the
//! record belongs (family, owner, team, territory), and that it is archived. Its other parts, its
//! history, refused and waiting edits, what imports remember, its row and what it is found by are
//! removed in the same transaction, and overwritten in the files after it. From then on the record
//! is closed: every change of it is answered `erased`.
//!
//! Records that were merged into the person's are the person's too and go with it, and so do requests
//! for approval of edits of them, which repeat what somebody wanted to write. Records that only name
//! the person stay: [`naming`](super::naming) lists them for whoever erases.

use std::{collections::BTreeSet, sync::Arc};

use outrider_core::{
    access::Policy,
    crdt::{OpId, Stamp, State, Survivor, archive::ARCHIVED, archive::Archived, reroot},
    ids::{ActorId, DocumentId, Part, RecordId},
    points,
    schema::{Entity, Family, Key, Kind, Schema, Type},
    store::query::{Compare, Filter, PAGE_MAX, Query},
    time::TimestampMs,
    value::Value,
};

use super::{
    Author, Draws, OfficeError, SYSTEM_USER,
    author::{author_for, author_with},
    review::{ABOUT, PROPOSAL, about_record},
};
use crate::{
    ledger::Entry,
    storage::{
        AuditLine, Content, NewChange, Read, Storage, StorageError, Write,
        access::ReviewState,
        erasure::{ErasedCounts, Erasure},
    },
};

/// Entities whose records can be a person.
pub const PERSONS: &[&str] = &["contact", "customer", "lead", "user"];
/// The field that forbids erasing.
const LEGAL_HOLD: &str = "legal_hold";
/// The field that says who may read the record beside its owner.
const VISIBILITY: &str = "visibility";
/// The field that says who created the record: whom it is of says nothing that others need.
const CREATED_BY: &str = "created_by";
/// Users, and groups of users: links to these say where a record belongs.
const GROUPS: &[&str] = &["user", "team", "territory"];

/// Why a record cannot be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Only an administrator may.
    #[error("only an administrator may erase; ask one")]
    NotPermitted,
    /// No such record.
    #[error("there is no record {0}")]
    UnknownRecord(RecordId),
    /// It was erased before.
    #[error("record {0} was erased before; its certificate says what is confirmed")]
    Already(RecordId),
    /// No person.
    #[error("a record of `{0}` is no person; a contact, customer, lead or user can be erased")]
    NotAPerson(String),
    /// The law wants it kept.
    #[error(
        "record {0} is under legal hold and cannot be erased; take `legal_hold` away first, if you may"
    )]
    LegalHold(RecordId),
    /// The office failed.
    #[error(transparent)]
    Office(#[from] OfficeError),
}

impl From<StorageError> for EraseError {
    fn from(error: StorageError) -> Self {
        Self::Office(error.into())
    }
}

impl EraseError {
    /// The failure of the storage behind it.
    pub(crate) fn into_storage(self) -> StorageError {
        if let Self::Office(OfficeError::Storage(error)) = self {
            return error;
        }
        StorageError::Damaged(self.to_string())
    }
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The records, with what went of each: the one that was named last.
    pub erasures: Vec<Erasure>,
    /// Whether what went is overwritten in the files already; else the next start does it.
    pub is_swept: bool,
}

/// Erases a person's record, with those that were merged into it.
///
/// # Errors
///
/// Returns [`EraseError`]; nothing is erased then.
pub fn erase(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<Erased, EraseError> {
    if !may_erase(policy, author) {
        return Err(EraseError::NotPermitted);
    }
    let mut write = storage.write()?;
    let records = erased_with(&*write, record)?;
    let mut erasures = Vec::with_capacity(records.len());
    for record in records {
        erasures.push(erase_one(&mut *write, author, Some(author), record, 0, now_ms)?);
        // In the ledger before the commit: a backup that is put back does not bring it back.
        write.note(Entry::Erased { record, at: now_ms });
    }
    points::reach("server.erase.before_commit");
    write.commit()?;
    points::reach("server.erase.before_sweep");
    // It is done, and not to be told as a failure: what cannot be overwritten now the next start does.
    let is_swept = storage.sweep().unwrap_or_else(|error| {
        tracing::warn!(%record, error = &error as &dyn std::error::Error, "erased, not overwritten yet");
        false
    });
    points::reach("server.erase.after_sweep");
    Ok(Erased { erasures, is_swept })
}

/// Erases a record again on a server that was put back to a moment before: what a ledger that
/// outlived the backup demands. A record that is not there is closed all the same.
///
/// Its new generation is the time in seconds: no device that knows an earlier erasure of the record
/// can know a higher one, so all take over this one.
///
/// # Errors
///
/// Fails when the storage does; nothing is erased then.
pub fn replay_erasure(
    storage: &dyn Storage,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<Erasure, EraseError> {
    replay_as(storage, &author_for(storage, SYSTEM_USER, None, now_ms)?, record, now_ms)
}

fn replay_as(
    storage: &dyn Storage,
    writer: &Author,
    record: RecordId,
    now_ms: TimestampMs,
) -> Result<Erasure, EraseError> {
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX);
    let mut write = storage.write()?;
    let erasure = erase_one(&mut *write, writer, None, record, seconds, now_ms)?;
    write.commit()?;
    storage.sweep()?;
    Ok(erasure)
}

/// Erases what is due, before anything of it is served; returns how many records that were.
///
/// Due is what the ledger says was erased and a restored database still has, and requests for
/// approval of edits of an erased record that came late.
///
/// # Errors
///
/// Fails when the storage does; what was not erased is still due then.
pub fn replay_erasures(storage: &dyn Storage, now_ms: TimestampMs) -> Result<usize, EraseError> {
    let due = storage.read()?.erasures_due()?;
    for record in &due {
        replay_erasure(storage, *record, now_ms)?;
    }
    Ok(due.len())
}

/// As [`replay_erasures`], with other draws than the process's: for simulations.
///
/// # Errors
///
/// As [`replay_erasures`].
pub fn replay_erasures_with(
    storage: &dyn Storage,
    draws: &Arc<Draws>,
    now_ms: TimestampMs,
) -> Result<usize, EraseError> {
    let due = storage.read()?.erasures_due()?;
    if due.is_empty() {
        return Ok(0);
    }
    let writer = author_with(storage, SYSTEM_USER, None, draws, now_ms)?;
    for record in &due {
        replay_as(storage, &writer, *record, now_ms)?;
    }
    Ok(due.len())
}

/// While everybody may do everything everybody may erase; with rules the server itself,
/// administrators, and those whom the office pages found to be one although they are no user.
fn may_erase(policy: &Policy, author: &Author) -> bool {
    let device = &author.device;
    !policy.rules.is_on
        || device.user == SYSTEM_USER
        || device.user_record.is_none_or(|user| policy.is_administrator(user))
}

/// The records of a person: the one that goes on for `record` last, after all merged into it.
///
/// # Errors
///
/// Returns [`EraseError`] if one of them cannot be erased.
pub(super) fn erased_with(read: &dyn Read, record: RecordId) -> Result<Vec<RecordId>, EraseError> {
    let Some((entity, _)) = main_of(read, record)? else {
        return Err(EraseError::UnknownRecord(record));
    };
    let heir = read.heir(entity, record)?;
    let mut records = read.halves(entity, heir)?;
    records.retain(|half| *half != heir);
    records.push(heir);
    let mut open = Vec::with_capacity(records.len());
    for one in records {
        if read.erasure_of(one)?.is_some() {
            continue;
        }
        let Some((entity, state)) = main_of(read, one)? else { continue };
        if !PERSONS.contains(&entity.name.as_str()) {
            return Err(EraseError::NotAPerson(entity.name.clone()));
        }
        let held = state.survivors(LEGAL_HOLD).iter().any(|op| op.value == Value::Bool(true));
        if held {
            return Err(EraseError::LegalHold(one));
        }
        open.push(one);
    }
    if open.is_empty() {
        return Err(EraseError::Already(record));
    }
    // Also requests of requests: each repeats what the one before says.
    let (mut requests, mut sought) = (BTreeSet::new(), open.clone());
    while let Some(one) = sought.pop() {
        for request in requests_about(read, one)? {
            if requests.insert(request) {
                sought.push(request);
            }
        }
    }
    let mut records: Vec<RecordId> = requests.into_iter().collect();
    records.extend(open);
    Ok(records)
}

/// Requests for approval of edits of a record, also those that were refused themselves.
fn requests_about(read: &dyn Read, record: RecordId) -> Result<BTreeSet<RecordId>, StorageError> {
    let mut found = BTreeSet::new();
    for state in ReviewState::ALL {
        let mut after = 0;
        loop {
            let page = read.reviews(state, after, PAGE_MAX)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let requests = page.iter().filter(|review| review.entity == PROPOSAL);
            let about = requests.filter(|review| about_record(&review.bytes) == Some(record));
            found.extend(about.map(|review| review.document.record));
        }
    }
    found.extend(entered_requests(read, record)?);
    Ok(found)
}

fn entered_requests(read: &dyn Read, record: RecordId) -> Result<Vec<RecordId>, StorageError> {
    let Some(entity) = Schema::current().entity(PROPOSAL) else { return Ok(Vec::new()) };
    let filter =
        Filter { column: ABOUT.to_owned(), compare: Compare::Is, value: record.to_string() };
    let mut query = Query { filters: vec![filter], limit: PAGE_MAX, ..Query::default() };
    query.with_archived = true;
    let mut found = Vec::new();
    loop {
        let page = read.list(entity, &query)?;
        for request in page.ids {
            if read.erasure_of(request)?.is_none() {
                found.push(request);
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(found);
        }
    }
}

fn main_of(
    read: &dyn Read,
    record: RecordId,
) -> Result<Option<(&'static Entity, State)>, StorageError> {
    let main = DocumentId { record, part: Part::Main };
    let Some(stored) = read.document(&main)? else { return Ok(None) };
    let Some(entity) = Schema::current().entity(&stored.entity) else { return Ok(None) };
    Ok(match stored.content {
        Content::Flat(state) => Some((entity, state)),
        Content::Text(_) => None,
    })
}

fn erase_one(
    write: &mut dyn Write,
    writer: &Author,
    by: Option<&Author>,
    record: RecordId,
    generation: u32,
    now_ms: TimestampMs,
) -> Result<Erasure, EraseError> {
    let id = DocumentId { record, part: Part::Main };
    let found = main_of(write, record)?;
    let entity = found.as_ref().map_or_else(String::new, |(entity, _)| entity.name.clone());
    let family = write.place_of(record)?.map_or(record, |(family, _)| family);
    let counts = write.remove_past(record, &entity)?;
    let mut erasure = Erasure {
        number: 0,
        record,
        entity,
        at: now_ms,
        by: by.map(|author| author.device.id),
        generation,
        counts,
        is_swept: false,
    };
    if let Some((entity, state)) = found {
        let rest = what_remains(entity, state, by, now_ms);
        let actor = fresh_actor(writer, &rest);
        let stamp = Stamp { actor, time_ms: now_ms, message: None };
        let keep = |key: &str| is_kept(entity, key);
        let mut rerooted = reroot::reroot(&rest, stamp, keep).map_err(OfficeError::from)?;
        rerooted.state.generation = rerooted.state.generation.max(generation);
        erasure.generation = rerooted.state.generation;
        if let Some(change) = &rerooted.change {
            let clock = rerooted.state.clock.clone();
            write.add_change(&id, &NewChange::flat(change, clock, writer.device.id), now_ms)?;
        }
        write.put_document(&id, &entity.name, family, &Content::Flat(rerooted.state))?;
    }
    erasure.number = write.put_erasure(&erasure)?;
    let line = AuditLine::new(now_ms, "erased").device(by.map(|author| author.device.id));
    let line = line.document(id).count(total(&counts)).code(erasure.entity.clone());
    write.add_audit(&line)?;
    Ok(erasure)
}

fn total(counts: &ErasedCounts) -> u64 {
    counts.documents + counts.changes + counts.refused + counts.imports
}

/// The state with the record archived, whatever it was.
fn what_remains(
    entity: &Entity,
    mut state: State,
    by: Option<&Author>,
    now_ms: TimestampMs,
) -> State {
    // Rows are not kept, so what they delete is not either.
    state.keys.retain(|key, _| is_kept(entity, key));
    let by = by.and_then(|author| author.device.user_record);
    let value = Archived::new(&state, by, now_ms).to_value();
    let actor = state.clock.keys().next().copied().unwrap_or(ActorId([0; 16]));
    let id = OpId { counter: state.max_op + 1, actor };
    state.keys.insert(ARCHIVED.to_owned(), vec![Survivor { id, value }]);
    state
}

/// Whether a key stays: it says where the record belongs, and nothing of the person.
fn is_kept(entity: &Entity, key: &str) -> bool {
    if key == ARCHIVED {
        return true;
    }
    let Ok(key) = entity.parse_key(&Part::Main, key) else { return false };
    let field = match key {
        Key::Register(field) | Key::Member { field, .. } => field,
        Key::Counter { .. } | Key::Cell { .. } | Key::RowGone { .. } | Key::Entry { .. } => {
            return false;
        }
    };
    let is_family = matches!(&entity.family, Family::Link(link) if *link == field.name);
    let is_group = matches!(&field.ty, Type::Link(to) if GROUPS.contains(&to.as_str()));
    let is_place = is_group && field.name != CREATED_BY && field.kind != Kind::Once;
    let is_redirect = field.name == outrider_core::domain::merge::REDIRECT;
    is_family || is_place || is_redirect || field.name == VISIBILITY
}

/// An actor that has not written in the document.
fn fresh_actor(writer: &Author, state: &State) -> ActorId {
    loop {
        let actor = ActorId::new(writer.device.prefix, writer.draw());
        if !state.clock.contains_key(&actor) {
            return actor;
        }
    }
}
