//! Writing records: one transaction, one group per tap.

use std::{cell::Cell, collections::BTreeMap};

use rand::{RngExt, rngs::StdRng};
use rusqlite::Connection;
use serde_json::{Map, Value as Json};

use super::{
    ReplicaError, draw_suffix, flat::FlatDocument, rebuild::project_stored, text::text_of,
};
use crate::{
    access::Grant,
    crdt::{
        Action, Edit, State,
        archive::{ARCHIVED, Archival, Archived},
    },
    domain::{
        compose::Composer,
        edit::{Actors, EditError, Plan},
        record::{Documents, settled_field},
        taps::TapError,
    },
    ids::{ActorId, DocumentId, Part, RecordId},
    schema::{Entity, Kind, RowId, Schema},
    store::{
        StoreError, document,
        index::{self, Changed},
        meta, outbox, rows,
        undo::Before,
    },
    sync::{
        digest,
        frame::{Digest, GROUP_CHANGES_MAX},
    },
    time::TimestampMs,
};

/// Bytes of the changes of one group, at most: a group must fit into one message to the server.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Edits records within one transaction.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) tx: &'a Connection,
    pub(super) schema: &'static Schema,
    pub(super) now_ms: TimestampMs,
    pub(super) rng: &'a mut StdRng,
    /// Under which documents are begun.
    pub(super) actor: ActorId,
    /// Whether the actor was drawn anew, so that it must be kept.
    is_actor_drawn: bool,
    /// Records whose rows this transaction wrote: what they are found by follows at its end.
    pub(super) changed: Changed,
    /// What this transaction changed in the digest over all confirmed documents.
    held_change: Digest,
    is_held_changed: bool,
    /// The group that changes join, how many it has, and their bytes.
    group: Option<(i64, usize, usize)>,
    is_group_open: bool,
    /// Whether new records may leave required fields empty.
    pub(super) takes_gaps: bool,
    /// The user who writes, as a record, once it was looked up.
    user: Option<Option<RecordId>>,
    /// Whether what is written can be taken back; what imports write cannot.
    pub(super) is_undoable: bool,
    /// The tap that is being taken back.
    pub(super) undoes: Option<i64>,
    /// Whether the record that is being written is new.
    pub(super) is_creating: bool,
    /// What the user may do, once it was looked up.
    pub(super) grant: Option<Option<Grant>>,
    /// Whether what the grant does not allow is written all the same.
    pub(super) is_insisting: bool,
    /// Whether any document waits for the server's copy, once it was looked up.
    pub(super) has_awaited: Cell<Option<bool>>,
}

/// The actors of a record's parts.
#[derive(Debug)]
struct PartActors {
    standard: ActorId,
    by_part: BTreeMap<Part, ActorId>,
}

impl Actors for PartActors {
    fn actor(&self, part: &Part) -> ActorId {
        self.by_part.get(part).copied().unwrap_or(self.standard)
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        tx: &'a Connection,
        schema: &'static Schema,
        now_ms: TimestampMs,
        rng: &'a mut StdRng,
        actor: ActorId,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            tx,
            schema,
            now_ms,
            rng,
            actor,
            is_actor_drawn: false,
            changed: Changed::default(),
            held_change: Digest::default(),
            is_held_changed: false,
            group: None,
            is_group_open: false,
            takes_gaps: false,
            user: None,
            is_undoable: true,
            undoes: None,
            is_creating: false,
            grant: None,
            is_insisting: false,
            has_awaited: Cell::new(None),
        })
    }

    /// Writes what is kept once per transaction; returns the actor under which to go on.
    pub(super) fn finish(mut self) -> Result<ActorId, StoreError> {
        index::follow(self.tx, self.schema, &self.changed)?;
        if self.is_held_changed {
            self.write_held()?;
        }
        if self.is_actor_drawn {
            meta::set_actor(self.tx, self.actor)?;
        }
        Ok(self.actor)
    }

    /// Writes and returns the digest over all confirmed documents, with what this transaction
    /// changed so far.
    pub(super) fn write_held(&mut self) -> Result<Digest, StoreError> {
        let mut held = meta::held(self.tx)?;
        digest::toggle(&mut held, &self.held_change);
        self.held_change = Digest::default();
        self.is_held_changed = false;
        meta::set_held(self.tx, &held)?;
        Ok(held)
    }

    pub(super) fn replace_digest(&mut self, old: Option<Digest>, new: Option<Digest>) {
        for changed in old.iter().chain(&new) {
            digest::toggle(&mut self.held_change, changed);
        }
        self.is_held_changed = true;
    }

    pub(super) fn entity(&self, name: &str) -> Result<&'static Entity, ReplicaError> {
        self.schema.entity(name).ok_or_else(|| ReplicaError::UnknownEntity {
            name: name.chars().take(80).collect(),
            known: self.schema.entities().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The user who writes, as a record, where there is one.
    pub(super) fn user(&mut self) -> Result<Option<RecordId>, StoreError> {
        if let Some(user) = self.user {
            return Ok(user);
        }
        let user = meta::enrolment(self.tx)?.and_then(|enrolment| enrolment.user_record);
        self.user = Some(user);
        Ok(user)
    }

    /// What stood before the edits of a document, if they can be taken back.
    pub(super) fn before(
        &self,
        entity: &Entity,
        part: &Part,
        state: &State,
        edits: &[Edit],
    ) -> Option<Before> {
        if !self.is_undoable {
            return None;
        }
        let is_new = self.is_creating;
        let olds =
            if is_new { BTreeMap::new() } else { super::undo::olds(entity, part, state, edits) };
        Some(Before { undoes: self.undoes, is_new, olds })
    }

    /// The number of the group that changes join, once one did.
    pub(super) fn open_group(&self) -> Option<i64> {
        self.group.map(|(id, _, _)| id)
    }

    /// Whether a record is archived.
    pub(super) fn is_archived(&self, record: RecordId) -> Result<bool, StoreError> {
        let main = self.load_flat(&DocumentId { record, part: Part::Main })?;
        let archival = main.map(|document| document.state.archival());
        Ok(matches!(archival, Some(Archival::Archived(_))))
    }

    /// The group that the next change, of so many bytes, joins.
    pub(super) fn group_id(&mut self, change_bytes: usize) -> Result<i64, ReplicaError> {
        let (id, count, bytes) = match self.group {
            Some(group) => group,
            None => (outbox::next_group(self.tx)?, 0, 0),
        };
        let (count, bytes) = (count + 1, bytes + change_bytes);
        if count > GROUP_CHANGES_MAX || bytes > GROUP_BYTES_MAX {
            return Err(ReplicaError::GroupTooLarge { max: GROUP_CHANGES_MAX });
        }
        self.group = Some((id, count, bytes));
        Ok(id)
    }

    pub(super) fn redraw_actor(&mut self) {
        self.actor = ActorId::new(self.actor.prefix(), draw_suffix(self.rng));
        self.is_actor_drawn = true;
    }

    /// Removes a document of which nothing is left; other parts of its record stay.
    pub(super) fn drop_document(
        &mut self,
        id: &DocumentId,
        entity: Option<&Entity>,
    ) -> Result<(), StoreError> {
        document::remove(self.tx, id)?;
        let Some(entity) = entity else { return Ok(()) };
        rows::delete(self.tx, entity, id.record)?;
        self.changed.note(entity, id.record);
        for (part, stored) in self.stored_all(id.record)? {
            let other = DocumentId { record: id.record, part };
            project_stored(self.tx, entity, &other, &stored.state)?;
        }
        Ok(())
    }

    /// Makes everything that `write` does one group: judged and committed whole by the server.
    ///
    /// # Errors
    ///
    /// Passes on the error of `write`.
    pub fn group<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        self.group = None;
        self.is_group_open = true;
        let done = write(self);
        self.is_group_open = false;
        self.group = None;
        done
    }

    /// Makes everything that `write` does part of the open group, or a group of its own.
    pub(super) fn in_group<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        if self.is_group_open { write(self) } else { self.group(write) }
    }

    pub(super) fn begin_tap(&mut self) {
        if !self.is_group_open {
            self.group = None;
        }
    }

    /// Whether a record is here.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn exists(&self, record: RecordId) -> Result<bool, ReplicaError> {
        Ok(!document::parts(self.tx, record)?.is_empty())
    }

    /// Passes for a record of this entity.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownRecord`] when it is not here, and an error when it is another entity's.
    pub fn check_entity(&self, record: RecordId, wanted: &'static str) -> Result<(), ReplicaError> {
        let parts = document::parts(self.tx, record)?;
        match parts.first() {
            None => Err(ReplicaError::UnknownRecord(record)),
            Some((_, entity)) if entity == wanted => Ok(()),
            Some(_) => Err(TapError::WrongEntity { record, wanted }.into()),
        }
    }

    /// Creates a record, under `id` if one is given.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the entity or a field is unknown, a value does not fit, a
    /// required field is missing, or the record exists.
    pub fn create(
        &mut self,
        entity: &str,
        id: Option<RecordId>,
        fields: &Map<String, Json>,
    ) -> Result<RecordId, ReplicaError> {
        self.begin_tap();
        let entity = self.entity(entity)?;
        let record = match id {
            Some(id) if self.exists(id)? => return Err(ReplicaError::Exists(id)),
            Some(id) => id,
            None => RecordId::new(self.now_ms.unsigned_abs(), self.rng.random()),
        };
        self.is_creating = true;
        let created =
            self.write_fields(entity, record, BTreeMap::new(), Documents::default(), true, fields);
        self.is_creating = false;
        created?;
        Ok(record)
    }

    /// Changes fields of a record; returns whether anything was written. What is written of a
    /// record that was merged into another goes to that one.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here or a value does not fit.
    pub fn update(
        &mut self,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<bool, ReplicaError> {
        self.begin_tap();
        let (entity, flat, documents) = self.load(record)?;
        if documents.flat.get(&Part::Main).is_some_and(super::merge::leads) {
            let heir = self.heir(entity, record)?;
            if heir != record {
                return self.update_itself(heir, fields);
            }
        }
        self.write_fields(entity, record, flat, documents, false, fields)
    }

    /// As [`Writer::update`], but of the record itself, wherever it leads.
    pub(super) fn update_itself(
        &mut self,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<bool, ReplicaError> {
        self.begin_tap();
        let (entity, flat, documents) = self.load(record)?;
        self.write_fields(entity, record, flat, documents, false, fields)
    }

    fn write_fields(
        &mut self,
        entity: &'static Entity,
        record: RecordId,
        mut flat: BTreeMap<Part, FlatDocument>,
        documents: Documents,
        is_new: bool,
        fields: &Map<String, Json>,
    ) -> Result<bool, ReplicaError> {
        let mut by_part = BTreeMap::new();
        for part in entity.parts().into_iter().filter(Part::is_flat) {
            let actor = self.actor_for(flat.get(&part));
            by_part.insert(part, actor);
        }
        let actors = PartActors { standard: self.actor, by_part };
        let user = self.user()?;
        let (now_ms, takes_gaps) = (self.now_ms, self.takes_gaps);
        let rng = &mut *self.rng;
        let plan = Composer {
            entity,
            documents: &documents,
            actors: &actors,
            user,
            now_ms,
            is_new,
            takes_gaps,
            is_office: false,
            draw_row: || RowId::new(rng.random()),
        }
        .compose(fields)?;
        let Plan { flat: edits, texts } = plan;
        let mut is_written = false;
        for (part, edits) in edits {
            let id = DocumentId { record, part };
            let actor = actors.actor(&id.part);
            self.write_flat(&id, entity, flat.remove(&id.part), actor, edits)?;
            is_written = true;
        }
        for (field, text) in texts {
            let id = DocumentId { record, part: Part::Text(field) };
            is_written |= self.write_text(&id, entity, &text)?;
        }
        Ok(is_written)
    }

    /// Loads a record for writing.
    pub(super) fn load(
        &self,
        record: RecordId,
    ) -> Result<(&'static Entity, BTreeMap<Part, FlatDocument>, Documents), ReplicaError> {
        let mut flat = BTreeMap::new();
        let mut documents = Documents::default();
        let mut entity = None;
        for (part, stored) in self.stored_all(record)? {
            if part.is_flat() {
                let id = DocumentId { record, part };
                let document = FlatDocument::decode(&id, stored)?;
                entity = Some(document.entity.clone());
                documents.flat.insert(id.part.clone(), document.state.clone());
                flat.insert(id.part, document);
            } else {
                documents.texts.insert(part.as_str().to_owned(), text_of(&stored)?);
            }
        }
        let entity = entity.ok_or(ReplicaError::UnknownRecord(record))?;
        Ok((self.entity(&entity)?, flat, documents))
    }

    /// Archives a record.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here.
    pub fn archive(&mut self, record: RecordId) -> Result<(), ReplicaError> {
        let at = self.now_ms;
        self.edit_main(record, |state| {
            let value = Archived::new(state, None, at).to_value();
            Some(Edit { key: ARCHIVED.to_owned(), action: Action::Put(value) })
        })
    }

    /// Brings an archived record back.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here.
    pub fn restore(&mut self, record: RecordId) -> Result<(), ReplicaError> {
        self.edit_main(record, |state| {
            let is_archived = !state.survivors(ARCHIVED).is_empty();
            is_archived.then(|| Edit { key: ARCHIVED.to_owned(), action: Action::Delete })
        })
    }

    fn edit_main(
        &mut self,
        record: RecordId,
        edit: impl FnOnce(&State) -> Option<Edit>,
    ) -> Result<(), ReplicaError> {
        self.begin_tap();
        let id = DocumentId { record, part: Part::Main };
        let document = self.load_flat(&id)?.ok_or(ReplicaError::UnknownRecord(record))?;
        let entity = self.entity(&document.entity)?;
        let Some(edit) = edit(&document.state) else { return Ok(()) };
        let actor = self.actor_for(Some(&document));
        self.write_flat(&id, entity, Some(document), actor, vec![edit])
    }

    /// Settles a conflict by writing `value` in place of all values under `key`.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when there is no such record or conflict, or the value does not
    /// fit.
    pub fn settle(
        &mut self,
        record: RecordId,
        key: &str,
        value: &Json,
    ) -> Result<(), ReplicaError> {
        self.begin_tap();
        let (entity, mut flat, _) = self.load(record)?;
        let none = || ReplicaError::NoConflict { record, key: key.chars().take(80).collect() };
        let (part, field) = flat
            .keys()
            .find_map(|part| Some((part.clone(), settled_field(entity, part, key)?)))
            .ok_or_else(none)?;
        if field.kind == Kind::Office {
            return Err(EditError::OfficeOwned(field.name.clone()).into());
        }
        let document = flat.remove(&part).ok_or_else(none)?;
        if document.state.survivors(key).len() < 2 {
            return Err(none());
        }
        let value = field
            .ty
            .from_json(value)
            .map_err(|source| EditError::Value { field: key.to_owned(), source })?;
        let edit = Edit { key: key.to_owned(), action: Action::Put(value) };
        let actor = self.actor_for(Some(&document));
        self.write_flat(&DocumentId { record, part }, entity, Some(document), actor, vec![edit])
    }

    /// Writes every waiting change anew under the standard actor's prefix.
    pub(super) fn rewrite_all_waiting(&mut self) -> Result<(), ReplicaError> {
        for id in outbox::waiting_documents(self.tx)? {
            if id.part.is_flat() {
                self.rewrite_flat(&id, None)?;
            } else {
                self.rewrite_text(&id, None)?;
            }
        }
        Ok(())
    }
}
