//! Rows made anew from the documents: repair, and the proof that they are a cache.

use rusqlite::Connection;

use super::{Replica, ReplicaError, heal::heal};
use crate::{
    crdt::TextDocument,
    ids::DocumentId,
    points,
    schema::Entity,
    store::{
        StoreError,
        document::{self, decode_state},
        index, meta, rows,
    },
};

impl Replica {
    /// Makes the rows anew if they were made by another version of the schema: fields that an
    /// older app kept without knowing them get their columns now.
    pub(super) fn follow_schema(&mut self) -> Result<(), ReplicaError> {
        let version = self.schema.version;
        if meta::schema_version(self.store.conn())? == Some(version) {
            return Ok(());
        }
        // Also while the lease is over: a device that was away for long and comes back with a newer
        // app must open, or it never hears from its server again.
        self.project_all()?;
        let tx = self.store.begin()?;
        meta::set_schema_version(&tx, version)?;
        points::reach("device.schema.before_commit");
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.schema.after_commit");
        Ok(())
    }

    /// Drops all rows and projects every document again.
    ///
    /// # Errors
    ///
    /// Fails when the store does; the rows are as before then.
    pub fn rebuild_rows(&mut self) -> Result<(), ReplicaError> {
        self.check_lease()?;
        self.project_all()
    }

    fn project_all(&mut self) -> Result<(), ReplicaError> {
        let schema = self.schema;
        let tx = self.store.begin()?;
        rows::clear(&tx, schema).map_err(StoreError::from)?;
        let damaged = document::for_each(&tx, |id, entity, state| {
            let Some(entity) = schema.entity(entity) else { return Ok(()) };
            project_stored(&tx, entity, id, state)
        })?;
        for (id, why) in &damaged {
            heal(&tx, schema, id, why, self.clock.now_ms())?;
        }
        index::rebuild(&tx, schema)?;
        points::reach("device.rebuild.before_commit");
        tx.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// All rows of all entities as text, in a fixed order: equal before and after a rebuild, and
    /// equal on replicas that agree.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn dump_rows(&self) -> Result<Vec<String>, ReplicaError> {
        Ok(rows::dump(self.conn()?, self.schema).map_err(StoreError::from)?)
    }
}

/// Projects one stored document into its record's row.
pub(crate) fn project_stored(
    conn: &Connection,
    entity: &Entity,
    id: &DocumentId,
    state: &[u8],
) -> Result<(), StoreError> {
    let DocumentId { record, part } = id;
    if part.is_flat() {
        let state = decode_state(id, state)?;
        rows::project_flat(conn, entity, *record, part, &state)?;
    } else {
        let text = TextDocument::load(state)
            .and_then(|text| text.text())
            .map_err(|error| StoreError::damaged_document(id, error))?;
        rows::project_text(conn, entity, *record, part.as_str(), &text)?;
    }
    Ok(())
}
