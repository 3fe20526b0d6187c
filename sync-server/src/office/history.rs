//! Who changed what, and records as they were.
//!
//! Folded from the history that the gate let in: all changes of a document in their order of
//! arrival. A page goes backwards from the newest entry, or from where the page before ended.

use std::{
    collections::{BTreeMap, VecDeque},
    str::FromStr,
};

use outrider_core::{
    crdt::{self, export::export, text::first_change},
    domain::{
        history::{FieldChange, Fold, What, text_changes},
        record::{self, Documents},
    },
    ids::{ChangeHash, DeviceId, DocumentId, Part, RecordId},
    schema::Entity,
    time::TimestampMs,
};
use serde::Serialize;
use serde_json::Value as Json;

use super::{
    OfficeError,
    base::{check_position, each_change_until, flat_at, text_at},
    review::granted_in,
    view::{People, entity_of},
};
use crate::storage::{Read, StorageError, access::Review};

/// Entries on one page, at most.
pub const HISTORY_PAGE_MAX: usize = 200;

/// Which part of a history to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of this field alone.
    pub field: Option<String>,
    /// Where the page before ended.
    pub after: Option<Place>,
    /// Entries, at most [`HISTORY_PAGE_MAX`].
    pub limit: usize,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { field: None, after: None, limit: 50 }
    }
}

/// The place of an entry in a record's history, as the text `position.part.number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    position: u64,
    part: usize,
    number: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { position, part, number } = self;
        write!(f, "{position}.{part}.{number}")
    }
}

impl FromStr for Place {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        let wrong = || StorageError::Query("this is not a cursor of an earlier page".to_owned());
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or_else(wrong);
        let position = next()?.parse().map_err(|_| wrong())?;
        let part = next()?.parse().map_err(|_| wrong())?;
        let number = next()?.parse().map_err(|_| wrong())?;
        Ok(Self { position, part, number })
    }
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryPage {
    /// What happened, newest first.
    pub entries: Vec<HistoryEntry>,
    /// Where to go on, if there is more.
    #[serde(serialize_with = "place_as_text")]
    pub next: Option<Place>,
}

/// One thing that happened to a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// The position at which it was accepted.
    pub position: u64,
    /// The part of the record.
    pub part: String,
    /// The key: a field's name, `tags/vip`, `lines/<row>/qty`.
    pub key: String,
    /// Name of the field.
    pub field: String,
    /// What happened.
    pub what: What,
    /// What a person saw before.
    pub old: Json,
    /// What a person saw afterwards.
    pub new: Json,
    /// What the author wrote, where something else shows.
    pub written: Option<Json>,
    /// Whether several values stand there afterwards.
    pub is_conflict: bool,
    /// Who wrote it.
    pub user: String,
    /// The device that signed it.
    pub device: DeviceId,
    /// What its user calls it.
    pub device_name: String,
    /// Who granted it, if it was refused first.
    pub approved_by: Option<String>,
    /// When it was written, by the author's clock.
    pub made_at: TimestampMs,
    /// When the server received it.
    pub received_at: TimestampMs,
    /// Names the change.
    pub hash: ChangeHash,
    /// Words that travelled with the change.
    pub message: Option<String>,
}

fn place_as_text<S: serde::Serializer>(place: &Option<Place>, to: S) -> Result<S::Ok, S::Error> {
    match place {
        Some(place) => to.collect_str(place),
        None => to.serialize_none(),
    }
}

/// What the server knows of a change beside what it says.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    position: u64,
    device: DeviceId,
    received_at: TimestampMs,
}

/// The last entries of one part, as many as a page may need.
struct Tail {
    part: usize,
    before: Option<Place>,
    most: usize,
    kept: VecDeque<(Place, FieldChange<Arrived>)>,
}

impl Tail {
    fn take(&mut self, number: usize, change: FieldChange<Arrived>) {
        let place = Place { position: change.meta.position, part: self.part, number };
        if self.before.is_some_and(|before| place >= before) {
            return;
        }
        if self.kept.len() == self.most {
            self.kept.pop_front();
        }
        self.kept.push_back((place, change));
    }
}

/// What happened to a record, newest first.
///
/// # Errors
///
/// [`OfficeError::UnknownRecord`]; [`StorageError::Query`] for a field that its entity does not
/// have; fails when the storage does.
pub fn history(
    read: &dyn Read,
    id: RecordId,
    query: &HistoryQuery,
) -> Result<HistoryPage, OfficeError> {
    let entity = entity_of(read, id)?.ok_or(OfficeError::UnknownRecord(id))?;
    let limit = query.limit.clamp(1, HISTORY_PAGE_MAX);
    let mut found = Vec::new();
    for (number, part) in parts_of(entity, query)?.into_iter().enumerate() {
        let Some(part) = part else { continue };
        let mut tail = Tail {
            part: number,
            before: query.after,
            most: limit + 1,
            kept: VecDeque::with_capacity(limit + 1),
        };
        let name = DocumentId { record: id, part };
        if name.part.is_flat() {
            fold_flat(read, entity, &name, query, &mut tail)?;
        } else {
            fold_text(read, &name, &mut tail)?;
        }
        found.extend(
            tail.kept.into_iter().map(|(place, change)| (place, name.part.clone(), change)),
        );
    }
    found.sort_by_key(|(place, ..)| std::cmp::Reverse(*place));
    let next = match (found.get(limit), limit.checked_sub(1).and_then(|last| found.get(last))) {
        (Some(_), Some((place, ..))) => Some(*place),
        (Some(_) | None, _) => None,
    };
    let mut people = People::new(read);
    let approvals = Approvals::of(read, id)?;
    let entries = found.into_iter().take(limit).map(|(_, part, change)| {
        let by = approvals.authors_of(&part, &change, &mut people)?;
        Ok(entry(change, &part, by))
    });
    Ok(HistoryPage { entries: entries.collect::<Result<_, StorageError>>()?, next })
}

/// The parts of an entity in their order; `None` for those that the query leaves out.
fn parts_of(entity: &Entity, query: &HistoryQuery) -> Result<Vec<Option<Part>>, StorageError> {
    let wanted = match &query.field {
        None => None,
        Some(name) => Some(entity.field(name).ok_or_else(|| {
            let name: String = name.chars().take(80).collect();
            StorageError::Query(format!("{} has no field `{name}`", entity.name))
        })?),
    };
    let is_wanted = |part: &Part| wanted.is_none_or(|field| field.part == *part);
    Ok(entity.parts().into_iter().map(|part| is_wanted(&part).then_some(part)).collect())
}

fn until(tail: &Tail) -> u64 {
    tail.before.map_or(u64::MAX, |place| place.position)
}

fn fold_flat(
    read: &dyn Read,
    entity: &Entity,
    id: &DocumentId,
    query: &HistoryQuery,
    tail: &mut Tail,
) -> Result<(), StorageError> {
    let mut fold = Fold::new(entity, id.part.clone());
    let mut number = 0;
    each_change_until(read, id, until(tail), |change| {
        let arrived = Arrived {
            position: change.position,
            device: change.device,
            received_at: change.received_at,
        };
        let encoded = crdt::decode(&change.bytes)
            .map_err(|error| StorageError::Damaged(format!("{id}: {error}")))?;
        for change in fold.apply(&encoded, &arrived) {
            if query.field.as_ref().is_none_or(|field| *field == change.field) {
                tail.take(number, change);
            }
            number += 1;
        }
        Ok(())
    })
}

/// Long texts have a bounded number of changes, which are read at once.
fn fold_text(read: &dyn Read, id: &DocumentId, tail: &mut Tail) -> Result<(), OfficeError> {
    let mut changes: Vec<(Vec<u8>, Arrived)> = Vec::new();
    let mut last_shown = 0;
    each_change_until(read, id, until(tail), |change| {
        let arrived = Arrived {
            position: change.position,
            device: change.device,
            received_at: change.received_at,
        };
        let place = Place { position: change.position, part: tail.part, number: changes.len() };
        changes.push((change.bytes, arrived));
        if tail.before.is_none_or(|before| place < before) {
            last_shown = changes.len();
        }
        Ok(())
    })?;
    changes.truncate(last_shown);
    let first = changes.len().saturating_sub(tail.most);
    for (number, change) in (first..).zip(text_changes(id.part.as_str(), &changes, first)?) {
        tail.take(number, change);
    }
    Ok(())
}

/// Who is behind a change.
struct Authors {
    user: String,
    device: DeviceId,
    device_name: String,
    approved_by: Option<String>,
}

/// The edits of a record that were refused and granted: the changes by which they stand in the
/// history are those of whoever granted them, or of the device that handed them in.
struct Approvals<'a> {
    read: &'a dyn Read,
    granted: BTreeMap<(Part, ChangeHash), Review>,
}

impl<'a> Approvals<'a> {
    fn of(read: &'a dyn Read, record: RecordId) -> Result<Self, StorageError> {
        let granted = read.granted_reviews(record)?.into_iter();
        let granted = granted.map(|one| ((one.document.part.clone(), one.hash), one)).collect();
        Ok(Self { read, granted })
    }

    fn authors_of(
        &self,
        part: &Part,
        change: &FieldChange<Arrived>,
        people: &mut People<'_>,
    ) -> Result<Authors, StorageError> {
        let (user, device_name) = people.of(change.actor.prefix())?;
        let device = change.meta.device;
        let of = |hash: ChangeHash| self.granted.get(&(part.clone(), hash));
        // Who says that it was granted must be who granted it.
        let named = change.message.as_deref().and_then(granted_in).and_then(of);
        if let Some(review) = named.filter(|review| review.decided_by == user)
            && let Some(author) = self.read.device(review.device)?
        {
            let (device, device_name) = (author.id, author.name);
            return Ok(Authors { user: author.user, device, device_name, approved_by: Some(user) });
        }
        let approved_by = of(change.hash).map(|review| review.decided_by.clone());
        Ok(Authors { user, device, device_name, approved_by })
    }
}

fn entry(change: FieldChange<Arrived>, part: &Part, by: Authors) -> HistoryEntry {
    let Authors { user, device, device_name, approved_by } = by;
    HistoryEntry {
        position: change.meta.position,
        part: part.as_str().to_owned(),
        key: change.key,
        field: change.field,
        what: change.what,
        old: change.old,
        new: change.new,
        written: change.written,
        is_conflict: change.is_conflict,
        user,
        device,
        device_name,
        approved_by,
        made_at: change.made_at,
        received_at: change.meta.received_at,
        hash: change.hash,
        message: change.message,
    }
}

/// A record as it was at a position; `None` if it was not there yet.
///
/// # Errors
///
/// [`OfficeError::UnknownPosition`]; fails when the storage does.
pub fn as_of(read: &dyn Read, id: RecordId, position: u64) -> Result<Option<Json>, OfficeError> {
    check_position(read, Some(position))?;
    let Some(entity) = entity_of(read, id)? else { return Ok(None) };
    let mut documents = Documents::default();
    for part in entity.parts() {
        let name = DocumentId { record: id, part };
        if name.part.is_flat() {
            let Some(state) = flat_at(read, &name, Some(position))? else { continue };
            if !state.is_empty() {
                documents.flat.insert(name.part, state);
            }
        } else {
            let text = text_at(read, &name, Some(position))?.text()?;
            documents.texts.insert(name.part.as_str().to_owned(), text);
        }
    }
    if !documents.flat.contains_key(&Part::Main) {
        return Ok(None);
    }
    Ok(Some(record::to_json(entity, id, &documents)))
}

/// The history of a part as a standard Automerge file; `None` if there is no such document.
///
/// # Errors
///
/// Fails when the storage does, or the history cannot be put together.
pub fn export_automerge(
    read: &dyn Read,
    id: RecordId,
    part: &Part,
) -> Result<Option<Vec<u8>>, OfficeError> {
    let name = DocumentId { record: id, part: part.clone() };
    if read.document(&name)?.is_none() {
        return Ok(None);
    }
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    if !part.is_flat() {
        chunks.push(first_change().bytes.clone());
    }
    each_change_until(read, &name, u64::MAX, |change| {
        chunks.push(change.bytes);
        Ok(())
    })?;
    Ok(Some(export(chunks.iter().map(Vec::as_slice))?))
}
