//! Which family a record belongs to: its customer's, or its own.

use outrider_core::{
    crdt::State,
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Family, Schema},
};

use super::Desk;
use crate::storage::{Content, StorageError};

/// The family that the main part of a record names.
pub(super) fn family_of(entity: &Entity, record: RecordId, main: &State) -> RecordId {
    match &entity.family {
        Family::Itself => record,
        Family::Link(field) => main
            .register(field)
            .and_then(|register| register.winner.value.as_text()?.parse().ok())
            .unwrap_or(record),
    }
}

impl Desk<'_> {
    /// Sets the families of all changed documents. Returns the stored documents that no change
    /// touched but that move with their record.
    pub(super) fn find_families(&mut self) -> Result<Vec<(DocumentId, RecordId)>, StorageError> {
        let changed: Vec<DocumentId> = self
            .documents
            .iter()
            .filter(|(_, held)| held.is_changed)
            .map(|(id, _)| id.clone())
            .collect();
        let mut moved = Vec::new();
        for id in changed {
            let main = DocumentId { record: id.record, part: Part::Main };
            self.load(&main)?;
            let Some(held) = self.documents.get(&main) else { continue };
            let entity = held.entity.as_deref().and_then(|name| Schema::current().entity(name));
            let family = match (entity, &held.content) {
                (Some(entity), Content::Flat(state)) => family_of(entity, id.record, state),
                _ => id.record,
            };
            let before = held.stored_family;
            if let Some(held) = self.documents.get_mut(&id) {
                held.family = family;
            }
            let is_moving = before.is_some_and(|before| before != family);
            if let (true, true, Some(entity)) = (id.part == Part::Main, is_moving, entity) {
                for part in entity.parts() {
                    let other = DocumentId { record: id.record, part };
                    if !self.documents.get(&other).is_some_and(|held| held.is_changed) {
                        moved.push((other, family));
                    }
                }
            }
        }
        Ok(moved)
    }
}
