//! Edits of the office, from entered fields to an accepted change.

use outrider_core::{
    access::{PartKind, Policy, change::NOT_PERMITTED},
    crdt::{self, Action, Edit, Stamp, State, archive::ARCHIVED, archive::Archived},
    domain::{
        compose::Composer,
        edit::{EditError, Plan},
        merge::REDIRECT,
        record::{self, settled_field},
    },
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Field, Kind, RowId, Schema},
    sync::frame::{Answer, GROUP_CHANGES_MAX, Outcome, PushChange, PushGroup},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json};

use super::{
    Author, OfficeError,
    base::{Base, FlatBase, text_base},
    erase::{EraseError, replay_erasures},
    review::PROPOSAL,
};
use crate::{
    accept::Desk,
    storage::{Device, Storage, StorageError},
};

/// What somebody chose among several values.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// The key: a field's name, or `lines/<row>/qty`.
    pub key: &'a str,
    /// The value, which need not be one of them.
    pub value: &'a Json,
    /// The position that the page showed. A value that came after it stays beside the choice.
    pub seen: Option<u64>,
}

/// Creates a record.
///
/// # Errors
///
/// Returns [`OfficeError`] when the entity or a field is unknown, a value does not fit, or a
/// required field is missing; nothing is written then.
pub fn create(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    entity: &str,
    fields: &Map<String, Json>,
    now_ms: TimestampMs,
) -> Result<RecordId, OfficeError> {
    let record = RecordId::new(now_ms.unsigned_abs(), author.draw());
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    tap.create(entity, record, fields)?;
    tap.finish()?;
    if entity == PROPOSAL {
        // One about an erased record goes at once.
        replay_erasures(storage, now_ms).map_err(EraseError::into_storage)?;
    }
    Ok(record)
}

/// Changes fields of a record; returns whether anything was written.
///
/// `seen` is the position that the form showed. The edit is written on the record as it was
/// there, and what equals what the form showed is not written.
///
/// # Errors
///
/// Returns [`OfficeError`] when the record is not there or a value does not fit; nothing is
/// written then.
pub fn update(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    record: RecordId,
    fields: &Map<String, Json>,
    seen: Option<u64>,
    now_ms: TimestampMs,
) -> Result<bool, OfficeError> {
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    let mut record = record;
    let mut base = Base::load(&*tap.desk.tx, record, seen, author)?;
    // Whoever saw that the record was merged means the one that goes on.
    let main = base.documents.flat.get(&Part::Main);
    if main.is_some_and(|main| main.register(REDIRECT).is_some()) {
        record = tap.desk.tx.heir(base.entity, record)?;
        base = Base::load(&*tap.desk.tx, record, seen, author)?;
    }
    tap.check_reads(base.entity, record, fields.keys())?;
    match seen {
        Some(_) => {
            let changed = without_shown(&base, record, fields);
            tap.write_fields(record, base, &changed, false, seen)?;
        }
        None => tap.write_fields(record, base, fields, false, seen)?,
    }
    tap.finish()
}

/// Archives a record as it was at position `seen`, or as it is: what was written beside that
/// brings it back, flagged.
///
/// # Errors
///
/// Returns [`OfficeError`] when the record is not there.
pub fn archive(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    record: RecordId,
    seen: Option<u64>,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    edit_main(storage, policy, author, (record, seen), now_ms, |state| {
        let value = Archived::new(state, author.device.user_record, now_ms).to_value();
        Some(Edit { key: ARCHIVED.to_owned(), action: Action::Put(value) })
    })
}

/// Brings an archived record back.
///
/// # Errors
///
/// Returns [`OfficeError`] when the record is not there.
pub fn restore(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    record: RecordId,
    seen: Option<u64>,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    edit_main(storage, policy, author, (record, seen), now_ms, |state| {
        let is_archived = !state.survivors(ARCHIVED).is_empty();
        is_archived.then(|| Edit { key: ARCHIVED.to_owned(), action: Action::Delete })
    })
}

/// Settles a conflict: writes a value in place of all that were shown.
///
/// # Errors
///
/// Returns [`OfficeError`] when there is no such record or conflict, or the value does not fit.
pub fn settle(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    record: RecordId,
    settlement: Settlement<'_>,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    let Settlement { key, value, seen } = settlement;
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    let mut base = Base::load(&*tap.desk.tx, record, seen, author)?;
    let none = || OfficeError::NoConflict { record, key: key.chars().take(80).collect() };
    let entity = base.entity;
    let (part, field) = base
        .flat
        .keys()
        .find_map(|part| Some((part.clone(), settled_field(entity, part, key)?)))
        .ok_or_else(none)?;
    tap.check_reads(entity, record, [&field.name])?;
    let flat = base.flat.remove(&part).ok_or_else(none)?;
    if flat.state.survivors(key).len() < 2 {
        return Err(none());
    }
    let value = field
        .ty
        .from_json(value)
        .map_err(|source| EditError::Value { field: key.to_owned(), source })?;
    let edit = Edit { key: key.to_owned(), action: Action::Put(value) };
    tap.write_flat(DocumentId { record, part }, entity, flat, vec![edit])?;
    tap.finish().map(drop)
}

fn edit_main(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    (record, seen): (RecordId, Option<u64>),
    now_ms: TimestampMs,
    edit: impl FnOnce(&State) -> Option<Edit>,
) -> Result<(), OfficeError> {
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    let mut base = Base::load(&*tap.desk.tx, record, seen, author)?;
    let flat = base.flat.remove(&Part::Main).ok_or(OfficeError::UnknownRecord(record))?;
    let Some(edit) = edit(&flat.state) else { return Ok(()) };
    tap.write_flat(DocumentId { record, part: Part::Main }, base.entity, flat, vec![edit])?;
    tap.finish().map(drop)
}

/// The fields that say something else than the form showed.
pub(super) fn without_shown(
    base: &Base,
    record: RecordId,
    fields: &Map<String, Json>,
) -> Map<String, Json> {
    let shown = record::to_json(base.entity, record, &base.documents);
    let is_shown = |name: &String, json: &Json| {
        let field = base.entity.field(name).filter(|field| field.kind != Kind::Text);
        field.is_some_and(|field| {
            let shown = shown.get(name).unwrap_or(&Json::Null);
            json == shown || canonical(field, json).is_some_and(|json| json == *shown)
        })
    };
    let changed = fields.iter().filter(|(name, json)| !is_shown(name, json));
    changed.map(|(name, json)| (name.clone(), json.clone())).collect()
}

/// The value as it would be shown once it is written.
fn canonical(field: &Field, json: &Json) -> Option<Json> {
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => {
            field.ty.from_json(json).ok().map(|value| field.ty.to_json(&value))
        }
        Kind::Counter | Kind::Set | Kind::Rows | Kind::Log | Kind::Text => None,
    }
}

/// Edits of a flat document as a change on a base.
pub(super) fn flat_change(
    DocumentId { record, part }: DocumentId,
    entity: &Entity,
    base: FlatBase,
    edits: Vec<Edit>,
    time_ms: TimestampMs,
) -> Result<PushChange, OfficeError> {
    let FlatBase { mut state, actor, mut own } = base;
    let stamp = Stamp { actor, time_ms, message: None };
    let change = crdt::write(&mut state, &mut own, stamp, edits)?;
    let (entity, generation, bytes) = (entity.name.clone(), state.generation, change.bytes);
    Ok(PushChange { record, part, entity, generation, bytes })
}

/// What one tap of the office writes: one group, in one transaction.
pub(super) struct Tap<'a> {
    pub(super) desk: Desk<'a>,
    author: &'a Author,
    now_ms: TimestampMs,
    changes: Vec<PushChange>,
    takes_gaps: bool,
}

impl<'a> Tap<'a> {
    pub(super) fn open(
        storage: &'a dyn Storage,
        policy: &Policy,
        author: &'a Author,
        now_ms: TimestampMs,
    ) -> Result<Self, StorageError> {
        let desk = Desk::open(storage, policy, &author.device, now_ms)?;
        Ok(Self { desk, author, now_ms, changes: Vec::new(), takes_gaps: false })
    }

    /// Refuses to write fields that the author may not read, before anything is compared with what
    /// stands there: whether it is equal would tell.
    pub(super) fn check_reads<'f>(
        &self,
        entity: &Entity,
        record: RecordId,
        fields: impl IntoIterator<Item = &'f String>,
    ) -> Result<(), OfficeError> {
        let mut hidden = Vec::new();
        for name in fields {
            let kind = entity.field(name).map_or(PartKind::Main, |field| PartKind::of(&field.part));
            if !self.desk.reads_part(entity, record, kind)? {
                hidden.push(name.clone());
            }
        }
        if hidden.is_empty() {
            return Ok(());
        }
        Err(OfficeError::Refused { code: NOT_PERMITTED.to_owned(), keys: hidden })
    }

    /// Adds a new record, which nobody has written yet.
    pub(super) fn create(
        &mut self,
        entity: &str,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), OfficeError> {
        let entity = Schema::current()
            .entity(entity)
            .ok_or_else(|| OfficeError::UnknownEntity(entity.chars().take(80).collect()))?;
        let base = Base::of_new(entity, record, self.author);
        self.write_fields(record, base, fields, true, None)
    }

    /// From now on new records may leave required fields empty.
    pub(super) fn take_gaps(&mut self) {
        self.takes_gaps = true;
    }

    /// Changes fields of a record as it is.
    pub(super) fn update(
        &mut self,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), OfficeError> {
        let base = Base::load(&*self.desk.tx, record, None, self.author)?;
        self.write_fields(record, base, fields, false, None)
    }

    /// Archives a record as it is, or brings it back.
    pub(super) fn set_archived(
        &mut self,
        record: RecordId,
        is_archived: bool,
    ) -> Result<(), OfficeError> {
        let mut base = Base::load(&*self.desk.tx, record, None, self.author)?;
        let flat = base.flat.remove(&Part::Main).ok_or(OfficeError::UnknownRecord(record))?;
        let action = if is_archived {
            let by = self.author.device.user_record;
            Action::Put(Archived::new(&flat.state, by, self.now_ms).to_value())
        } else if flat.state.survivors(ARCHIVED).is_empty() {
            return Ok(());
        } else {
            Action::Delete
        };
        let edit = Edit { key: ARCHIVED.to_owned(), action };
        self.write_flat(DocumentId { record, part: Part::Main }, base.entity, flat, vec![edit])
    }

    pub(super) fn write_fields(
        &mut self,
        record: RecordId,
        mut base: Base,
        fields: &Map<String, Json>,
        is_new: bool,
        seen: Option<u64>,
    ) -> Result<(), OfficeError> {
        let plan = Composer {
            entity: base.entity,
            documents: &base.documents,
            actors: &base,
            user: self.author.device.user_record,
            now_ms: self.now_ms,
            is_new,
            takes_gaps: self.takes_gaps,
            is_office: true,
            draw_row: || RowId::new(self.author.draw()),
        }
        .compose(fields)?;
        let Plan { flat, texts } = plan;
        for (part, edits) in flat {
            let Some(document) = base.flat.remove(&part) else { continue };
            self.write_flat(DocumentId { record, part }, base.entity, document, edits)?;
        }
        for (field, text) in texts {
            let id = DocumentId { record, part: Part::Text(field) };
            self.write_text(&id, base.entity, &text, seen)?;
        }
        Ok(())
    }

    pub(super) fn write_flat(
        &mut self,
        id: DocumentId,
        entity: &Entity,
        base: FlatBase,
        edits: Vec<Edit>,
    ) -> Result<(), OfficeError> {
        self.changes.push(flat_change(id, entity, base, edits, self.now_ms)?);
        Ok(())
    }

    fn write_text(
        &mut self,
        id: &DocumentId,
        entity: &Entity,
        new_text: &str,
        seen: Option<u64>,
    ) -> Result<(), OfficeError> {
        let (mut text, actor) = text_base(&*self.desk.tx, id, seen, self.author)?;
        for change in text.edit_in_steps(actor, self.now_ms, new_text)? {
            self.add(id.clone(), entity, 0, change.bytes);
        }
        Ok(())
    }

    fn add(&mut self, id: DocumentId, entity: &Entity, generation: u32, bytes: Vec<u8>) {
        let DocumentId { record, part } = id;
        let entity = entity.name.clone();
        self.changes.push(PushChange { record, part, entity, generation, bytes });
    }

    /// Has everything judged and makes it durable; returns whether there was anything.
    pub(super) fn finish(mut self) -> Result<bool, OfficeError> {
        let is_any = self.judge()?;
        if is_any {
            self.desk.finish()?;
        }
        Ok(is_any)
    }

    /// Has a group judged as another's, nobody asking again whether it is allowed.
    pub(super) fn judge_as(&mut self, device: Device, group: PushGroup) -> Result<(), OfficeError> {
        let answers = self.desk.as_device(device, |desk| desk.take_group(&group))?;
        check_answers(answers)
    }

    /// Has what was added judged as one group, nobody asking whether it is allowed.
    pub(super) fn judge_freely(&mut self) -> Result<(), OfficeError> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Ok(());
        }
        self.judge_as(self.author.device.clone(), PushGroup { changes })
    }

    /// Has what was added judged as one group; returns whether there was anything. What is refused
    /// leaves nothing.
    pub(super) fn judge(&mut self) -> Result<bool, OfficeError> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Ok(false);
        }
        if changes.len() > GROUP_CHANGES_MAX {
            return Err(OfficeError::TooLarge);
        }
        let group = PushGroup { changes };
        let answers = self.desk.take_group(&group)?;
        check_answers(answers)?;
        Ok(true)
    }
}

/// The first refusal among answers, as an error.
fn check_answers(answers: Vec<Answer>) -> Result<(), OfficeError> {
    let mut is_too_large = false;
    for answer in answers {
        let (code, keys) = match answer.outcome {
            Outcome::Applied | Outcome::Duplicate => continue,
            // Of a group that another member has refused, or more texts than one push may try.
            Outcome::Retry(_) => {
                is_too_large = true;
                continue;
            }
            Outcome::Refused(code, keys) => (code, keys),
            Outcome::Pending(_) => ("pending".to_owned(), Vec::new()),
            Outcome::Forked => ("forked".to_owned(), Vec::new()),
            Outcome::Erased => ("erased".to_owned(), Vec::new()),
        };
        return Err(OfficeError::Refused { code, keys });
    }
    if is_too_large {
        return Err(OfficeError::TooLarge);
    }
    Ok(())
}
