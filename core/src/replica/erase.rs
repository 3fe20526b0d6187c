//! Erasing: the office says that a record is gone, and everything of it goes from this device.
//!
//! What is left of the record (its place, nothing personal) comes as the state of a new generation
//! with the same pull. Whatever waited here goes too: the law beats the promise that nothing typed
//! is lost, and the inbox says how many values that were.

use std::collections::BTreeSet;

use super::{Replica, ReplicaError, Writer, flat::refused_values};
use crate::{
    ids::{DocumentId, Part, RecordId},
    store::{StoreError, document, erased, outbox, rows},
    sync::tokens::ErasedAnswer,
};

impl Replica {
    /// The highest number of an erasure that was carried out here.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn erased_through(&self) -> Result<u64, ReplicaError> {
        Ok(erased::reached(self.store.conn())?)
    }

    /// Carries out erasures of which the office told outside of a pull; how many typed values went
    /// that the office never had.
    ///
    /// # Errors
    ///
    /// Fails when the store does; nothing is erased then.
    pub fn take_erasures(&mut self, erased: &[ErasedAnswer]) -> Result<u64, ReplicaError> {
        self.exchange(|writer| {
            erased
                .iter()
                .try_fold(0, |taken, one| Ok(taken + writer.erase(one.number, one.record)?))
        })
    }

    /// Writes over what erasures left in the files of the store. Returns whether all of it was
    /// reached: what another process is reading right now is left for the next time.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn sweep_erased(&mut self) -> Result<bool, ReplicaError> {
        Ok(erased::sweep(self.store.conn())?)
    }
}

impl Writer<'_> {
    /// Takes everything of an erased record off this device; how many typed values went that the
    /// office never had. An erasure that was carried out before does nothing.
    pub(super) fn erase(&mut self, number: u64, record: RecordId) -> Result<u64, ReplicaError> {
        if number <= erased::reached(self.tx)? {
            return Ok(0);
        }
        let documents = self.stored_all(record)?;
        let mut taken = self.count_refused(record)?;
        let mut names = BTreeSet::new();
        for (part, stored) in documents {
            let id = DocumentId { record, part };
            taken += self.count_waiting(&id, &stored.entity)?;
            self.replace_digest(stored.digest, None);
            document::remove(self.tx, &id)?;
            names.insert(stored.entity);
        }
        for entity in names.iter().filter_map(|name| self.schema.entity(name)) {
            rows::delete(self.tx, entity, record).map_err(StoreError::from)?;
            self.changed.note(entity, record);
        }
        erased::remove_traces(self.tx, record)?;
        let entity = names.first().map_or("", String::as_str);
        erased::note(self.tx, (record, entity), number, taken, self.now_ms)?;
        // No number of an actor that wrote there is used again.
        self.redraw_actor();
        Ok(taken)
    }

    /// Whoever writes into an erased record is told at once.
    pub(super) fn check_not_erased(&self, record: RecordId) -> Result<(), ReplicaError> {
        match erased::is_erased(self.tx, record)? {
            true => Err(ReplicaError::Erased(record)),
            false => Ok(()),
        }
    }

    fn count_refused(&self, record: RecordId) -> Result<u64, ReplicaError> {
        let refused = erased::refused_of(self.tx, record)?;
        let values = |text: &String| {
            let json = serde_json::from_str::<serde_json::Value>(text).ok();
            json.and_then(|json| json.as_object().map(serde_json::Map::len)).unwrap_or(1) as u64
        };
        Ok(refused.iter().map(values).sum())
    }

    fn count_waiting(&self, id: &DocumentId, entity: &str) -> Result<u64, ReplicaError> {
        // One that is damaged goes all the same.
        let own = outbox::readable_of(self.tx, id)?.into_iter();
        let waiting: Vec<_> = own.filter(|(_, is_there)| !is_there).map(|(own, _)| own).collect();
        if waiting.is_empty() || matches!(id.part, Part::Text(_)) {
            return Ok(u64::from(!waiting.is_empty()));
        }
        let entity = self.schema.entity(entity);
        // What cannot be read goes all the same, and counts as one.
        let values = |own: &_| {
            let values = refused_values(entity, own).ok();
            values.and_then(|values| values.as_object().map(serde_json::Map::len)).unwrap_or(1)
        };
        Ok(waiting.iter().map(values).sum::<usize>() as u64)
    }
}
