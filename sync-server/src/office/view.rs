//! One record as people see it at the office.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{OpId, archive::Archival},
    domain::{
        derived::add_timely,
        record::{self, Documents, FieldConflict},
    },
    ids::{ActorPrefix, DocumentId, Part, RecordId},
    schema::{Entity, Schema},
    time::TimestampMs,
};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::OfficeError;
use crate::storage::{Content, Read, StorageError};

/// A record.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Its entity.
    pub entity: &'static Entity,
    /// Its id.
    pub id: RecordId,
    /// Its name for people.
    pub title: String,
    /// Its fields that have a value, and derived ones.
    pub json: Map<String, Json>,
    /// Fields and cells with several values.
    pub conflicts: Vec<ConflictView>,
    /// The position at which it was read: what an edit of it names as `seen`.
    pub position: u64,
    /// Whether it is archived.
    pub is_archived: bool,
}

impl RecordView {
    /// Adds what changes as time goes by: days left, what is overdue.
    #[must_use]
    pub fn at(mut self, now_ms: TimestampMs) -> Self {
        add_timely(self.entity, &mut self.json, now_ms);
        self
    }
}

/// A field or cell with several values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictView {
    /// The key: a field's name, or `lines/<row>/qty`.
    pub key: String,
    /// Name of the field.
    pub field: String,
    /// Whether nothing acts on the value until a person chooses.
    pub must_settle: bool,
    /// The values, the one that shows last.
    pub values: Vec<ConflictValue>,
}

/// One of several concurrent values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictValue {
    /// The value as JSON.
    pub value: Json,
    /// Name of its author.
    pub user: String,
    /// The device on which it was written.
    pub device_name: String,
    /// When, by the author's clock.
    pub made_at: Option<TimestampMs>,
    /// Whether it is the one that shows.
    pub is_shown: bool,
}

/// How much of a record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    Whole,
    /// Without long texts: for lists.
    Flat,
}

/// A record; `None` if there is none.
///
/// # Errors
///
/// Fails when the storage does.
pub fn view(read: &dyn Read, id: RecordId) -> Result<Option<RecordView>, OfficeError> {
    Ok(view_of(read, id, Depth::Whole)?)
}

pub(super) fn view_of(
    read: &dyn Read,
    id: RecordId,
    depth: Depth,
) -> Result<Option<RecordView>, StorageError> {
    let Some((entity, documents)) = load(read, id, depth)? else { return Ok(None) };
    let Json::Object(mut json) = record::to_json(entity, id, &documents) else { return Ok(None) };
    json.remove("conflicts");
    if depth == Depth::Whole {
        read.add_rollups(entity, id, &mut json)?;
    }
    let mut people = People::new(read);
    let conflicts = record::conflicts(entity, &documents)
        .into_iter()
        .map(|conflict| people.conflict(id, conflict))
        .collect::<Result<_, _>>()?;
    let main = documents.flat.get(&Part::Main);
    Ok(Some(RecordView {
        entity,
        id,
        title: main.map_or_else(|| id.to_string(), |main| record::title(entity, id, main)),
        json,
        conflicts,
        position: read.position()?,
        is_archived: main.is_some_and(|main| matches!(main.archival(), Archival::Archived(_))),
    }))
}

/// A record's documents with its entity; `None` if there is none, or the schema does not know it.
///
/// # Errors
///
/// Fails when the storage does.
pub fn documents(
    read: &dyn Read,
    id: RecordId,
) -> Result<Option<(&'static Entity, Documents)>, OfficeError> {
    Ok(load(read, id, Depth::Whole)?)
}

fn load(
    read: &dyn Read,
    id: RecordId,
    depth: Depth,
) -> Result<Option<(&'static Entity, Documents)>, StorageError> {
    let Some(entity) = entity_of(read, id)? else { return Ok(None) };
    let mut documents = Documents::default();
    for part in entity.parts() {
        if depth == Depth::Flat && !part.is_flat() {
            continue;
        }
        let name = DocumentId { record: id, part };
        let found = match read.document(&name) {
            // A part that is damaged is not shown; the record is.
            Err(error) if error.is_damage() && name.part != Part::Main => continue,
            found => found?,
        };
        match found.map(|stored| stored.content) {
            None => {}
            Some(Content::Flat(state)) => {
                documents.flat.insert(name.part, state);
            }
            Some(Content::Text(text)) => {
                documents.texts.insert(name.part.as_str().to_owned(), text.text);
            }
        }
    }
    Ok(Some((entity, documents)))
}

/// The entity of a record.
pub(super) fn entity_of(
    read: &dyn Read,
    id: RecordId,
) -> Result<Option<&'static Entity>, StorageError> {
    let main = DocumentId { record: id, part: Part::Main };
    let stored = read.document(&main)?;
    Ok(stored.and_then(|stored| Schema::current().entity(&stored.entity)))
}

/// The names of records for people, with the names of their entities; what is not there is left
/// out.
///
/// # Errors
///
/// Fails when the storage does.
pub fn titles(
    read: &dyn Read,
    ids: impl IntoIterator<Item = RecordId>,
) -> Result<BTreeMap<RecordId, (String, String)>, OfficeError> {
    let mut known = BTreeMap::new();
    for id in ids {
        if known.contains_key(&id) {
            continue;
        }
        let main = DocumentId { record: id, part: Part::Main };
        let stored = match read.document(&main) {
            Err(error) if error.is_damage() => continue,
            found => found?,
        };
        let Some(stored) = stored else { continue };
        let Some(entity) = Schema::current().entity(&stored.entity) else { continue };
        if let Content::Flat(state) = &stored.content {
            known.insert(id, (stored.entity.clone(), record::title(entity, id, state)));
        }
    }
    Ok(known)
}

/// Who wrote what: users and devices by the prefix of their actors.
pub(super) struct People<'a> {
    read: &'a dyn Read,
    known: BTreeMap<ActorPrefix, (String, String)>,
}

impl<'a> People<'a> {
    pub(super) fn new(read: &'a dyn Read) -> Self {
        Self { read, known: BTreeMap::new() }
    }

    /// The user and the device's name behind a prefix; empty if nobody has it.
    pub(super) fn of(&mut self, prefix: ActorPrefix) -> Result<(String, String), StorageError> {
        if let Some(known) = self.known.get(&prefix) {
            return Ok(known.clone());
        }
        let found = self.read.device_by_prefix(prefix)?;
        let found = found.map_or_else(Default::default, |device| (device.user, device.name));
        self.known.insert(prefix, found.clone());
        Ok(found)
    }

    fn conflict(
        &mut self,
        record: RecordId,
        conflict: FieldConflict,
    ) -> Result<ConflictView, StorageError> {
        let part = conflict.part.unwrap_or(Part::Main);
        let id = DocumentId { record, part };
        let ops: Vec<OpId> = conflict.values.iter().map(|value| value.op).collect();
        let made: BTreeMap<OpId, TimestampMs> = self
            .read
            .provenance(&id, &ops)?
            .into_iter()
            .map(|made| (OpId { counter: made.counter, actor: made.actor }, made.made_at))
            .collect();
        let mut values = Vec::with_capacity(conflict.values.len());
        for value in conflict.values {
            let (user, device_name) = self.of(value.op.actor.prefix())?;
            values.push(ConflictValue {
                value: value.value,
                user,
                device_name,
                made_at: made.get(&value.op).copied(),
                is_shown: value.is_shown,
            });
        }
        let field = conflict.key.split('/').next().unwrap_or_default().to_owned();
        Ok(ConflictView { key: conflict.key, field, must_settle: conflict.must_settle, values })
    }
}
