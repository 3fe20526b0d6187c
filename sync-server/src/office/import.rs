//! The office as the place of an import: the engine of the devices, each row a change of the
//! office's author, judged by the gate like any other.

use std::sync::Arc;

use outrider_core::{
    access::{Level, Operation, PartKind, Policy, change::NOT_PERMITTED},
    domain::record,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Schema, SqlValue},
    store::{
        imports::{Found, Notes},
        likeness::Likely,
        query::{Compare, Filter, Query},
    },
    time::{Clock, TimestampMs},
    transfer::{Place, Target, TargetError, Work},
};
use serde_json::{Map, Value as Json};

use super::{Author, OfficeError, edit::Tap, view::documents};
use crate::{
    accept::grant_of,
    storage::{Storage, StorageError},
};

/// The storage, and in whose name records are written.
#[derive(Debug)]
pub struct OfficePlace<'a> {
    storage: &'a dyn Storage,
    policy: &'a Policy,
    author: &'a Author,
    clock: Arc<dyn Clock>,
}

impl<'a> OfficePlace<'a> {
    /// Imports go into `storage` as edits of `author`.
    #[must_use]
    pub fn new(
        storage: &'a dyn Storage,
        policy: &'a Policy,
        author: &'a Author,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { storage, policy, author, clock }
    }

    fn open(&self) -> Result<OfficeTarget<'a>, TargetError> {
        let tap = Tap::open(self.storage, self.policy, self.author, self.clock.now_ms());
        let mut tap = tap.map_err(failed)?;
        tap.take_gaps();
        Ok(OfficeTarget { tap })
    }
}

impl Place for OfficePlace<'_> {
    fn write(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        let mut target = self.open()?;
        work(&mut target)?;
        target.tap.desk.finish().map(drop).map_err(failed)
    }

    fn rehearse(&mut self, work: Work<'_>) -> Result<(), TargetError> {
        // Dropped without a commit, the transaction leaves nothing.
        work(&mut self.open()?)
    }

    fn may_import(&self, entity: &str) -> Result<bool, TargetError> {
        let grant = grant_of(self.policy, &self.author.device, self.clock.now_ms());
        Ok(grant.level(entity, Operation::Import, PartKind::Main) > Level::None)
    }

    fn batch_rows(&self) -> usize {
        BATCH_ROWS
    }

    fn now_ms(&self) -> TimestampMs {
        self.clock.now_ms()
    }
}

/// Rows of one transaction: devices that push wait for it.
const BATCH_ROWS: usize = 200;
/// Records with one value that are looked at, at most: of those that the author may not read
/// nothing is told.
const CANDIDATES_MAX: usize = 50;

struct OfficeTarget<'a> {
    tap: Tap<'a>,
}

impl OfficeTarget<'_> {
    fn entity_of(&self, record: RecordId) -> Result<Option<&'static Entity>, TargetError> {
        let main = DocumentId { record, part: Part::Main };
        let stored = self.tap.desk.tx.document(&main).map_err(failed)?;
        Ok(stored.and_then(|stored| Schema::current().entity(&stored.entity)))
    }

    /// The record that goes on for one: itself, if it was not merged into another.
    fn heir(&self, record: RecordId) -> Result<RecordId, TargetError> {
        let main = DocumentId { record, part: Part::Main };
        let stored = self.tap.desk.tx.document(&main).map_err(failed)?;
        let entity = stored.and_then(|stored| Schema::current().entity(&stored.entity));
        let Some(entity) = entity else { return Ok(record) };
        self.tap.desk.tx.heir(entity, record).map_err(failed)
    }

    /// Has the row judged, and lets the transaction's own reads find it.
    fn judge(&mut self) -> Result<bool, TargetError> {
        let is_written = self.tap.judge().map_err(refused)?;
        self.tap.desk.begin_anew().map_err(failed)?;
        Ok(is_written)
    }
}

impl Target for OfficeTarget<'_> {
    fn exists(&self, record: RecordId) -> Result<bool, TargetError> {
        let main = DocumentId { record, part: Part::Main };
        Ok(self.tap.desk.tx.document(&main).map_err(failed)?.is_some())
    }

    fn check_touch(&self, record: RecordId) -> Result<(), TargetError> {
        match self.entity_of(record)? {
            Some(entity) if !self.tap.desk.reads(entity, record).map_err(failed)? => {
                let keys = Vec::new();
                Err(refused(OfficeError::Refused { code: NOT_PERMITTED.to_owned(), keys }))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn is_named(&self, record: RecordId) -> Result<bool, TargetError> {
        let entity = self.entity_of(record)?;
        entity.map_or(Ok(false), |entity| self.tap.desk.reads(entity, record).map_err(failed))
    }

    fn read(&self, record: RecordId) -> Result<Option<Json>, TargetError> {
        let record = self.heir(record)?;
        let found = documents(&*self.tap.desk.tx, record).map_err(refused)?;
        let Some((entity, documents)) = found else { return Ok(None) };
        let mut json = record::to_json(entity, record, &documents);
        let Some(fields) = json.as_object_mut() else { return Ok(Some(json)) };
        // What may not be read is as good as empty: an attempt to fill it is refused.
        for kind in PartKind::ALL {
            if !self.tap.desk.reads_part(entity, record, kind).map_err(failed)? {
                let hidden = entity.fields.iter().filter(|one| PartKind::of(&one.part) == kind);
                hidden.for_each(|field| drop(fields.remove(&field.name)));
            }
        }
        Ok(Some(json))
    }

    fn create(
        &mut self,
        entity: &str,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), TargetError> {
        self.tap.create(entity, record, fields).map_err(refused)?;
        self.judge().map(drop)
    }

    fn update(
        &mut self,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<bool, TargetError> {
        let record = self.heir(record)?;
        if let Some(entity) = self.entity_of(record)? {
            self.tap.check_reads(entity, record, fields.keys()).map_err(refused)?;
        }
        self.tap.update(record, fields).map_err(refused)?;
        self.judge()
    }

    fn archive(&mut self, record: RecordId) -> Result<(), TargetError> {
        self.tap.set_archived(record, true).map_err(refused)?;
        self.judge().map(drop)
    }

    fn restore(&mut self, record: RecordId) -> Result<(), TargetError> {
        self.tap.set_archived(record, false).map_err(refused)?;
        self.judge().map(drop)
    }

    fn find_by(
        &self,
        entity: &Entity,
        column: &str,
        value: &SqlValue,
    ) -> Result<Found, TargetError> {
        let value = match value {
            SqlValue::Null => return Ok(Found::None),
            SqlValue::Integer(number) => number.to_string(),
            SqlValue::Text(text) => text.clone(),
        };
        let filter = Filter { column: column.to_owned(), compare: Compare::Is, value };
        let query = Query { filters: vec![filter], limit: CANDIDATES_MAX, ..Query::default() };
        let Some(entity) = Schema::current().entity(&entity.name) else { return Ok(Found::None) };
        let page = self.tap.desk.tx.list(entity, &query).map_err(failed)?;
        let mut seen = Vec::new();
        for id in page.ids {
            if self.tap.desk.reads(entity, id).map_err(failed)? {
                seen.push(id);
            }
        }
        Ok(match seen.as_slice() {
            [] => Found::None,
            [only] => Found::One(*only),
            [..] => Found::Several,
        })
    }

    fn likely(
        &self,
        entity: &Entity,
        fields: &Map<String, Json>,
        own: RecordId,
    ) -> Result<Vec<Likely>, TargetError> {
        let Some(entity) = Schema::current().entity(&entity.name) else { return Ok(Vec::new()) };
        let mut likely = self.tap.desk.tx.likely(entity, fields, Some(own)).map_err(failed)?;
        let mut error = None;
        likely.retain(|one| {
            self.tap.desk.reads(entity, one.record).unwrap_or_else(|failed| {
                error = Some(failed);
                false
            })
        });
        error.map_or(Ok(likely), |error| Err(failed(error)))
    }

    fn has_halves(&self, entity: &Entity, record: RecordId) -> Result<bool, TargetError> {
        Ok(!self.tap.desk.tx.halves(entity, record).map_err(failed)?.is_empty())
    }

    fn notes(&self) -> &dyn Notes {
        self.tap.desk.tx.import_notes()
    }
}

fn failed(error: StorageError) -> TargetError {
    TargetError::Failed(Box::new(error))
}

/// What the row does not say well is its own fault; everything else ends the import.
fn refused(error: OfficeError) -> TargetError {
    match error {
        OfficeError::Storage(_) | OfficeError::Random(_) => TargetError::Failed(Box::new(error)),
        OfficeError::UnknownEntity(_)
        | OfficeError::UnknownRecord(_)
        | OfficeError::UnknownPosition(_)
        | OfficeError::Edit(_)
        | OfficeError::Write(_)
        | OfficeError::Text(_)
        | OfficeError::Export(_)
        | OfficeError::NoConflict { .. }
        | OfficeError::NoReview(_)
        | OfficeError::NotEntered(_)
        | OfficeError::Merge(_)
        | OfficeError::File(_)
        | OfficeError::TooLarge
        | OfficeError::Refused { .. } => TargetError::Refused(error.to_string()),
    }
}
