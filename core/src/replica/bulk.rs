//! What an import needs beside what people do: records that may leave gaps, looking things up in
//! the transaction that writes, one row that fails alone, and a rehearsal that leaves no trace.

use rusqlite::Connection;
use serde_json::{Map, Value as Json};

use super::{Replica, ReplicaError, Writer, text::text_of};
use crate::{
    domain::record::{self, Documents},
    ids::{DocumentId, RecordId},
    store::{document, imports},
};

impl Replica {
    /// Runs `write` as [`Replica::transaction`] does, and takes all of it back.
    ///
    /// # Errors
    ///
    /// Passes on the error of `write`, or that of the database.
    pub fn rehearse<T, E: From<ReplicaError>>(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.check_lease()?;
        let tx = self.store.begin().map_err(ReplicaError::from)?;
        let mut writer =
            Writer::new(&tx, self.schema, self.clock.now_ms(), &mut self.rng, self.actor)
                .map_err(ReplicaError::from)?;
        // Dropped without a commit, the transaction leaves nothing.
        write(&mut writer)
    }
}

impl Writer<'_> {
    /// The connection within the transaction, for the functions of the store.
    pub(crate) fn conn(&self) -> &Connection {
        self.tx
    }

    /// A record as JSON, with what this transaction wrote; `None` if it is not here.
    pub(crate) fn read(&self, id: RecordId) -> Result<Option<Json>, ReplicaError> {
        let mut documents = Documents::default();
        let mut entity = None;
        for (part, stored) in self.stored_all(id)? {
            let name = DocumentId { record: id, part };
            if name.part.is_flat() {
                let state = document::decode_state(&name, &stored.state)?;
                documents.flat.insert(name.part, state);
            } else {
                documents.texts.insert(name.part.as_str().to_owned(), text_of(&stored)?);
            }
            entity = Some(stored.entity);
        }
        let Some(entity) = entity else { return Ok(None) };
        Ok(Some(record::to_json(self.entity(&entity)?, id, &documents)))
    }

    /// Creates a record that may leave required fields empty.
    pub(crate) fn create_with_gaps(
        &mut self,
        entity: &str,
        id: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), ReplicaError> {
        self.takes_gaps = true;
        let created = self.create(entity, Some(id), fields);
        self.takes_gaps = false;
        created.map(drop)
    }

    /// Runs `write`, which nobody takes back by undo; if it fails, nothing of it stays, and the
    /// transaction goes on.
    pub(crate) fn attempt<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        imports::open_savepoint(self.tx)?;
        self.is_undoable = false;
        let done = write(self);
        self.is_undoable = true;
        imports::close_savepoint(self.tx, done.is_ok())?;
        done
    }
}
