//! Read transactions, and reading within a write transaction.

use outrider_core::{
    crdt::OpId,
    ids::{ActorId, ActorPrefix, ChangeHash, DeviceId, DocumentId, RecordId},
    reports::{PipelineReport, pipeline_of},
    schema::{Entity, Schema},
    store::{
        likeness::{self, Likely, PairPage},
        near::{self, NearQuery, NearRecord},
        query::{self, IdPage, Query},
        redirect, rollup,
        search::{self, SearchPage, SearchQuery},
        timeline::{self, TimelinePage, TimelineQuery},
    },
    sync::frame::{Author, Digest, DocumentDigest, Provenance, Stream, StreamDigest},
    time::TimestampMs,
};
use rusqlite::Connection;
use serde_json::{Map, Value as Json};

use super::{Doing, SqliteStorage, backups, change, device, document, feed, heal, rows, stream};
use crate::storage::{
    ArrivedChange, Counts, Device, DeviceContact, FeedQuery, FeedRow, Read, StorageError,
    StoredChange, StoredDocument, StoredRefusal,
};

/// A read transaction; its connection goes back to the pool at the end.
pub(super) struct SqliteRead<'s> {
    storage: &'s SqliteStorage,
    /// With whose eyes the connection reads.
    sight: Option<Digest>,
    conn: Option<Connection>,
}

impl<'s> SqliteRead<'s> {
    /// Begins on `conn`.
    pub(super) fn begin(
        storage: &'s SqliteStorage,
        sight: Option<Digest>,
        conn: Connection,
    ) -> Result<Self, StorageError> {
        conn.execute_batch("BEGIN").doing("beginning to read")?;
        // A deferred transaction sees the database as it is at its first read: now.
        feed::position(&conn)?;
        Ok(Self { storage, sight, conn: Some(conn) })
    }
}

impl Drop for SqliteRead<'_> {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        // A connection that cannot end its transaction is closed, which ends it.
        if conn.execute_batch("ROLLBACK").is_ok() {
            self.storage.give_back(self.sight, conn);
        }
        self.storage.mend_found();
    }
}

/// What has a connection within a transaction can read.
pub(super) trait Connected {
    /// The connection.
    fn conn(&self) -> Result<&Connection, StorageError>;

    /// Takes note that a document was found damaged.
    fn note_damage(&self, id: &DocumentId);

    /// Writes what the transaction has not yet written of the digests of streams.
    fn settle_streams(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Connected for SqliteRead<'_> {
    fn note_damage(&self, id: &DocumentId) {
        self.storage.damaged().found.insert(id.clone());
    }

    fn conn(&self) -> Result<&Connection, StorageError> {
        self.conn.as_ref().ok_or_else(|| StorageError::Damaged("a read that has ended".to_owned()))
    }
}

impl<T: Connected> Read for T {
    fn instance(&self) -> Result<[u8; 16], StorageError> {
        self.conn()?
            .query_row("SELECT instance FROM meta", [], |row| row.get(0))
            .doing("reading the store's id")
    }

    fn device_by_token(&self, token_hash: &[u8; 32]) -> Result<Option<Device>, StorageError> {
        device::find_by_token(self.conn()?, token_hash)
    }

    fn device(&self, id: DeviceId) -> Result<Option<Device>, StorageError> {
        device::find_by_id(self.conn()?, id)
    }

    fn device_by_prefix(&self, prefix: ActorPrefix) -> Result<Option<Device>, StorageError> {
        device::find_by_prefix(self.conn()?, prefix)
    }

    fn devices(&self) -> Result<Vec<DeviceContact>, StorageError> {
        device::list(self.conn()?)
    }

    fn office_device(&self, user: &str) -> Result<Option<Device>, StorageError> {
        device::find_of_office(self.conn()?, user)
    }

    fn authors_since(&self, position: u64) -> Result<Vec<Author>, StorageError> {
        device::authors_since(self.conn()?, position)
    }

    fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StorageError> {
        match document::find(self.conn()?, id) {
            Err(StorageError::DamagedDocument { .. }) => {
                self.note_damage(id);
                heal::find(self.conn()?, id)
            }
            Err(StorageError::Torn { .. }) => heal::find(self.conn()?, id),
            found => found,
        }
    }

    fn change(
        &self,
        id: &DocumentId,
        hash: ChangeHash,
    ) -> Result<Option<StoredChange>, StorageError> {
        change::find(self.conn()?, id, hash)
    }

    fn change_hash(
        &self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<Option<ChangeHash>, StorageError> {
        change::find_hash(self.conn()?, id, actor, seq)
    }

    fn change_with_op(
        &self,
        id: &DocumentId,
        op: OpId,
    ) -> Result<Option<StoredChange>, StorageError> {
        change::find_with_op(self.conn()?, id, op)
    }

    fn changes_since(
        &self,
        id: &DocumentId,
        position: u64,
        limit: usize,
    ) -> Result<Vec<StoredChange>, StorageError> {
        change::since(self.conn()?, id, position, limit)
    }

    fn arrivals(
        &self,
        since: TimestampMs,
        scan: usize,
    ) -> Result<Vec<ArrivedChange>, StorageError> {
        change::arrivals(self.conn()?, since, scan)
    }

    fn provenance(&self, id: &DocumentId, ops: &[OpId]) -> Result<Vec<Provenance>, StorageError> {
        change::provenance(self.conn()?, id, ops)
    }

    fn refusal(
        &self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<Option<StoredRefusal>, StorageError> {
        change::find_refusal(self.conn()?, id, actor, seq)
    }

    fn position(&self) -> Result<u64, StorageError> {
        feed::position(self.conn()?)
    }

    fn backed_up(&self) -> Result<Option<u64>, StorageError> {
        backups::covered(self.conn()?)
    }

    fn feed_digest(&self, position: u64) -> Result<Option<Digest>, StorageError> {
        feed::digest_at(self.conn()?, position)
    }

    fn feed_page(&self, query: &FeedQuery<'_>) -> Result<Vec<FeedRow>, StorageError> {
        feed::page(self.conn()?, query)
    }

    fn feed_count(&self, scope: &str, base: u64) -> Result<u64, StorageError> {
        feed::count(self.conn()?, scope, base)
    }

    fn stream_digests(&self, scope: &str) -> Result<Vec<StreamDigest>, StorageError> {
        self.settle_streams()?;
        stream::digests(self.conn()?, scope)
    }

    fn seen_digests(&self) -> Result<Vec<StreamDigest>, StorageError> {
        stream::seen(self.conn()?)
    }

    fn seen_size(&self) -> Result<(u64, u64), StorageError> {
        stream::seen_size(self.conn()?)
    }

    fn document_digests(
        &self,
        stream: &Stream,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<DocumentDigest>, StorageError> {
        stream::document_digests(self.conn()?, stream, after, limit)
    }

    fn list(&self, entity: &Entity, query: &Query) -> Result<IdPage, StorageError> {
        query::list(self.conn()?, entity, query).map_err(rows::asked)
    }

    fn list_found(
        &self,
        entity: &Entity,
        text: &str,
        query: &Query,
    ) -> Result<(IdPage, u64), StorageError> {
        search::list(self.conn()?, Schema::current(), entity, text, query).map_err(rows::asked)
    }

    fn count(&self, entity: &Entity, query: &Query) -> Result<u64, StorageError> {
        query::count(self.conn()?, entity, query).map_err(rows::asked)
    }

    fn conflicts(&self, limit: usize) -> Result<(Vec<RecordId>, u64), StorageError> {
        let (conn, schema) = (self.conn()?, Schema::current());
        let records = query::with_conflicts(conn, schema, limit).map_err(rows::asked)?;
        Ok((records, query::count_conflicts(conn, schema).map_err(rows::asked)?))
    }

    fn search(&self, query: &SearchQuery) -> Result<SearchPage, StorageError> {
        search::search(self.conn()?, Schema::current(), query).map_err(rows::asked)
    }

    fn near(&self, query: &NearQuery) -> Result<Vec<NearRecord>, StorageError> {
        near::near(self.conn()?, Schema::current(), query).map_err(rows::asked)
    }

    fn timeline(
        &self,
        family: RecordId,
        query: &TimelineQuery,
    ) -> Result<TimelinePage, StorageError> {
        timeline::timeline(self.conn()?, Schema::current(), family, query).map_err(rows::asked)
    }

    fn add_rollups(
        &self,
        entity: &Entity,
        id: RecordId,
        json: &mut Map<String, Json>,
    ) -> Result<(), StorageError> {
        rollup::add_rollups(self.conn()?, Schema::current(), entity, id, json).map_err(rows::asked)
    }

    fn heir(&self, entity: &Entity, record: RecordId) -> Result<RecordId, StorageError> {
        redirect::resolve(self.conn()?, entity, record).doing("following a merge")
    }

    fn halves(&self, entity: &Entity, record: RecordId) -> Result<Vec<RecordId>, StorageError> {
        redirect::halves(self.conn()?, entity, record).doing("following a merge")
    }

    fn likely(
        &self,
        entity: &Entity,
        fields: &Map<String, Json>,
        except: Option<RecordId>,
    ) -> Result<Vec<Likely>, StorageError> {
        likeness::likely(self.conn()?, entity, fields, except).map_err(rows::asked)
    }

    fn likely_pairs(
        &self,
        entity: &Entity,
        after: Option<RecordId>,
        scan: usize,
    ) -> Result<PairPage, StorageError> {
        likeness::pairs(self.conn()?, entity, after, scan).map_err(rows::asked)
    }

    fn pipeline(&self) -> Result<PipelineReport, StorageError> {
        pipeline_of(self.conn()?, Schema::current()).map_err(rows::asked)
    }

    fn counts(&self) -> Result<Counts, StorageError> {
        device::counts(self.conn()?)
    }
}
