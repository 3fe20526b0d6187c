//! Who changed what: every edit is in the history, with what was there before and after.

use std::collections::BTreeMap;

use outrider_core::{
    crdt,
    domain::history::{FieldChange, Fold, text_changes},
    ids::{DocumentId, RecordId},
    schema::{Entity, Kind},
};
use outrider_sync_server::storage::Storage;

use super::{Edit, Suite, canonical};
use crate::Failure;

const PHASE: &str = "history";

impl Suite {
    pub(super) fn tell_history(&mut self) -> Result<(), Failure> {
        let mut told: BTreeMap<RecordId, Vec<FieldChange<()>>> = BTreeMap::new();
        for made in self.made.clone() {
            told.insert(made.id, self.changes(made.entity, made.id)?);
        }
        for Edit { entity, id, field, before, after } in self.edits.clone() {
            let entries = told.get(&id).map(Vec::as_slice).unwrap_or_default();
            let mut entries = entries.iter().filter(|entry| entry.field == field.name);
            let is_told = match field.kind {
                Kind::Register | Kind::Once | Kind::Office => {
                    let (before, after) =
                        (canonical(&field.ty, &before), canonical(&field.ty, &after));
                    entries.any(|entry| entry.old == before && entry.new == after)
                }
                Kind::Counter => entries.any(|entry| entry.old == before && entry.new == after),
                // Two edits at least: that of its creation, and that of the edit.
                Kind::Set | Kind::Rows | Kind::Log | Kind::Text => entries.count() >= 2,
            };
            self.check(PHASE, is_told, || {
                format!("{}.{}: {before} to {after} is not told", entity.name, field.name)
            });
        }
        Ok(())
    }

    /// All that the office can tell of a record.
    fn changes(
        &self,
        entity: &'static Entity,
        record: RecordId,
    ) -> Result<Vec<FieldChange<()>>, Failure> {
        let read = self.world.office.storage()?.read()?;
        let mut told = Vec::new();
        for part in entity.parts() {
            let id = DocumentId { record, part: part.clone() };
            let changes = read.changes_since(&id, 0, usize::MAX)?;
            if part.is_flat() {
                let mut fold = Fold::new(entity, part);
                for change in changes {
                    told.extend(fold.apply(&crdt::decode(&change.bytes)?, &()));
                }
            } else {
                let changes: Vec<(Vec<u8>, ())> =
                    changes.into_iter().map(|change| (change.bytes, ())).collect();
                told.extend(text_changes(part.as_str(), &changes, 0)?);
            }
        }
        Ok(told)
    }
}
