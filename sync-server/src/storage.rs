//! What the server keeps, behind one trait.
//!
//! A backend gives read transactions (a consistent view) and write transactions (exclusive, one at
//! a time per tenant). **Everything in a write transaction that is dropped without
//! [`Write::commit`] must vanish.** What `commit` returned for is durable: synced to disk.
//! Positions are taken inside `commit`, so they are in commit order and a reader never passes one
//! that is still open.
//!
//! `conformance` holds the tests that every backend must pass. [`sqlite`] is the embedded one.

use outrider_core::{
    access::Grant,
    crdt::OpId,
    ids::{ActorId, ActorPrefix, ChangeHash, DeviceId, DocumentId, RecordId},
    reports::PipelineReport,
    schema::Entity,
    store::{
        imports::Notes,
        likeness::{Likely, PairPage},
        near::{NearQuery, NearRecord},
        query::{IdPage, Query},
        search::{SearchPage, SearchQuery},
        timeline::{TimelinePage, TimelineQuery},
    },
    sync::frame::{Author, Digest, DocumentDigest, FeedPoint, Provenance, Stream, StreamDigest},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json};
use tokio::sync::watch;

use crate::ledger::{Entry, LedgerError};

pub mod access;
pub mod accounts;
pub mod audit;
pub mod erasure;
pub mod recovery;
pub mod sqlite;
pub mod standing;
mod stored;

pub use audit::AuditLine;
pub use stored::{
    ArrivedChange, Content, Device, DeviceContact, EnrolmentCode, FeedCursor, FeedQuery, FeedRow,
    NewChange, StoredChange, StoredDocument, StoredRefusal, TextContent,
};

#[cfg(test)]
mod conformance;

/// The scope of everybody.
pub const SCOPE_ALL: &str = "all";

/// Why the storage failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database said no.
    #[error("the database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// Pages of the file are not what SQLite wrote.
    #[error(
        "the database file is damaged (found while {doing}); end the server and run its command `doctor`: it says what can still be read, copies that into a new file, and keeps the old one"
    )]
    Torn {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// A stored document is not as it was stored, and its history does not make it anew.
    #[error("{id} is damaged: {why}; the command `doctor` says what can be done")]
    DamagedDocument {
        /// Which one.
        id: DocumentId,
        /// By what it was noticed.
        why: String,
    },
    /// A list was asked for in a way that its entity does not know.
    #[error("{0}")]
    Query(String),
    /// Something stored cannot be read back.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The database belongs to a newer server.
    #[error(
        "the database has schema {found}, this server knows up to {known}; install the newer server again"
    )]
    TooNew {
        /// Version in the file.
        found: u32,
        /// Highest version that this server knows.
        known: u32,
    },
    /// The SQLite library has defects that lose data.
    #[error("SQLite {found} is too old to be trusted with data")]
    Engine {
        /// Its version.
        found: &'static str,
    },
    /// The file is some other program's database.
    #[error(
        "outrider.db in the data folder is no server's data (a device keeps its store in such a file too); name another folder with --data"
    )]
    Foreign,
    /// Another server uses the folder.
    #[error(
        "another server uses the data folder {path}, or another command does; end it first, or name another one with --data"
    )]
    InUse {
        /// Which folder.
        path: String,
    },
    /// The ledger beside the database cannot be used, or is another one's.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The files cannot be opened.
    #[error("cannot open the data folder {path}: {source}")]
    Open {
        /// Which folder.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StorageError {
    /// Whether it is damage of what is stored: everything else goes on meanwhile.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::DamagedDocument { .. } | Self::Torn { .. })
    }
}

/// A consistent view of what is stored.
#[expect(clippy::missing_errors_doc, reason = "they are the same for all methods, said once")]
pub trait Read:
    accounts::ReadAccounts
    + audit::ReadAudit
    + access::ReadAccess
    + erasure::ReadErasure
    + recovery::ReadRecovery
    + standing::ReadStandings
{
    /// The id of this store, drawn when it was created.
    ///
    /// # Errors
    ///
    /// As all methods here: [`StorageError`] when the backend fails or stored data is damaged.
    fn instance(&self) -> Result<[u8; 16], StorageError>;
    /// The device with this token.
    fn device_by_token(&self, token_hash: &[u8; 32]) -> Result<Option<Device>, StorageError>;
    /// The device with this id.
    fn device(&self, id: DeviceId) -> Result<Option<Device>, StorageError>;
    /// The device whose actors begin with `prefix`.
    fn device_by_prefix(&self, prefix: ActorPrefix) -> Result<Option<Device>, StorageError>;
    /// All devices with what was heard of them, in the order of their enrolment.
    fn devices(&self) -> Result<Vec<DeviceContact>, StorageError>;
    /// What stands for `user` at the office.
    fn office_device(&self, user: &str) -> Result<Option<Device>, StorageError>;
    /// Who was enrolled after a position, ascending by position.
    fn authors_since(&self, position: u64) -> Result<Vec<Author>, StorageError>;
    /// A document.
    fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StorageError>;
    /// A change of a document, by hash.
    fn change(
        &self,
        id: &DocumentId,
        hash: ChangeHash,
    ) -> Result<Option<StoredChange>, StorageError>;
    /// The hash of the `seq`-th change of an actor in a document.
    fn change_hash(
        &self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<Option<ChangeHash>, StorageError>;
    /// The change of a document that holds an operation.
    fn change_with_op(
        &self,
        id: &DocumentId,
        op: OpId,
    ) -> Result<Option<StoredChange>, StorageError>;
    /// Changes of a document after a position, ascending by (position, order of arrival), at most `limit`.
    fn changes_since(
        &self,
        id: &DocumentId,
        position: u64,
        limit: usize,
    ) -> Result<Vec<StoredChange>, StorageError>;
    /// The last `scan` changes of all documents that were received at `since` or later, the latest
    /// first.
    fn arrivals(&self, since: TimestampMs, scan: usize)
    -> Result<Vec<ArrivedChange>, StorageError>;
    /// When the given operations of a document were made.
    fn provenance(&self, id: &DocumentId, ops: &[OpId]) -> Result<Vec<Provenance>, StorageError>;
    /// What was refused of an actor in a document under a number.
    fn refusal(
        &self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<Option<StoredRefusal>, StorageError>;
    /// The position of the last commit that changed a document; 0 at first.
    fn position(&self) -> Result<u64, StorageError>;
    /// Up to which position the feed is in all the backups that the operator keeps; `None` while
    /// there are not so many.
    fn backed_up(&self) -> Result<Option<u64>, StorageError>;
    /// The feed's digest at a position; zeros at 0, `None` for one that is not in the feed.
    fn feed_digest(&self, position: u64) -> Result<Option<Digest>, StorageError>;
    /// Whether the feed has a place that a device was told.
    fn has_place(&self, place: FeedPoint) -> Result<bool, StorageError> {
        Ok(place.position == 0 || self.feed_digest(place.position)? == Some(place.digest))
    }
    /// A page of the feed.
    fn feed_page(&self, query: &FeedQuery<'_>) -> Result<Vec<FeedRow>, StorageError>;
    /// How many documents of a scope changed after a position.
    fn feed_count(&self, scope: &str, base: u64) -> Result<u64, StorageError>;
    /// Digests of all streams of a scope that have documents.
    fn stream_digests(&self, scope: &str) -> Result<Vec<StreamDigest>, StorageError>;
    /// Digests of all streams of what is seen, made from each document: where
    /// [`stream_digests`](Self::stream_digests) has everybody's, these are of whose eyes read.
    fn seen_digests(&self) -> Result<Vec<StreamDigest>, StorageError>;
    /// How many records are seen, and the bytes of their documents.
    fn seen_size(&self) -> Result<(u64, u64), StorageError>;
    /// Digests of a stream's documents after a record, ascending, at most `limit`.
    fn document_digests(
        &self,
        stream: &Stream,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<DocumentDigest>, StorageError>;
    /// A page of an entity's records.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for what the entity does not know.
    fn list(&self, entity: &Entity, query: &Query) -> Result<IdPage, StorageError>;
    /// A page of an entity's records that a search finds, and how many there are: the best hits
    /// first, unless the query has an order or conditions of its own.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for what the entity does not know.
    fn list_found(
        &self,
        entity: &Entity,
        text: &str,
        query: &Query,
    ) -> Result<(IdPage, u64), StorageError>;
    /// For how many of an entity's records the conditions of a query hold.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for what the entity does not know.
    fn count(&self, entity: &Entity, query: &Query) -> Result<u64, StorageError>;
    /// Records with fields that have several values, at most `limit`, and how many such fields
    /// there are in all.
    fn conflicts(&self, limit: usize) -> Result<(Vec<RecordId>, u64), StorageError>;
    /// Searches all records for what a person typed, the best hits first.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for an entity that there is not or a cursor that is none.
    fn search(&self, query: &SearchQuery) -> Result<SearchPage, StorageError>;
    /// Records near a place, nearest first.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for a place that is not on Earth, and an entity without positions.
    fn near(&self, query: &NearQuery) -> Result<Vec<NearRecord>, StorageError>;
    /// What happened in a family, newest first.
    ///
    /// # Errors
    ///
    /// [`StorageError::Query`] for what the family does not know.
    fn timeline(
        &self,
        family: RecordId,
        query: &TimelineQuery,
    ) -> Result<TimelinePage, StorageError>;
    /// Adds to a record's JSON what the records that link to it come to.
    fn add_rollups(
        &self,
        entity: &Entity,
        id: RecordId,
        json: &mut Map<String, Json>,
    ) -> Result<(), StorageError>;
    /// The record that goes on for one: itself, unless it was merged.
    fn heir(&self, entity: &Entity, record: RecordId) -> Result<RecordId, StorageError>;
    /// The records that were merged into one.
    fn halves(&self, entity: &Entity, record: RecordId) -> Result<Vec<RecordId>, StorageError>;
    /// The records that may be the same as one with these fields, the likeliest first; `except` is
    /// the record itself, if it is stored.
    fn likely(
        &self,
        entity: &Entity,
        fields: &Map<String, Json>,
        except: Option<RecordId>,
    ) -> Result<Vec<Likely>, StorageError>;
    /// A page of pairs of records that may be the same, of at most `scan` records after one.
    fn likely_pairs(
        &self,
        entity: &Entity,
        after: Option<RecordId>,
        scan: usize,
    ) -> Result<PairPage, StorageError>;
    /// Where the sales stand.
    fn pipeline(&self) -> Result<PipelineReport, StorageError>;
    /// Number of records, devices (without those of the office) and changes, for the status page.
    fn counts(&self) -> Result<Counts, StorageError>;
}

/// How much is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Documents.
    pub documents: u64,
    /// Changes in the history.
    pub changes: u64,
    /// Enrolled devices.
    pub devices: u64,
}

/// An exclusive transaction.
#[expect(clippy::missing_errors_doc, reason = "they are the same for all methods, said once")]
pub trait Write:
    Read
    + accounts::WriteAccounts
    + audit::WriteAudit
    + access::WriteAccess
    + erasure::WriteErasure
    + recovery::WriteRecovery
    + standing::WriteStandings
{
    /// Stores a document's new content: the state, its typed row, its place in the feed (taking
    /// the record, with all its parts, out of the family that it was in before) and the digest of
    /// its stream.
    ///
    /// # Errors
    ///
    /// As all methods here: [`StorageError`] when the backend fails.
    fn put_document(
        &mut self,
        id: &DocumentId,
        entity: &str,
        family: RecordId,
        content: &Content,
    ) -> Result<(), StorageError>;
    /// Adds an accepted change to a document's history.
    fn add_change(
        &mut self,
        id: &DocumentId,
        change: &NewChange,
        received_at: TimestampMs,
    ) -> Result<(), StorageError>;
    /// Remembers a refusal; the first one under an actor's number stays.
    fn add_refusal(
        &mut self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
        refusal: &StoredRefusal,
    ) -> Result<(), StorageError>;
    /// Forgets that a change was refused: it was granted.
    fn remove_refusal(
        &mut self,
        id: &DocumentId,
        actor: ActorId,
        seq: u64,
    ) -> Result<(), StorageError>;
    /// Adds a line to the chain of the audit.
    fn add_audit(&mut self, line: &AuditLine) -> Result<(), StorageError>;
    /// Creates an enrolment code.
    fn add_code(&mut self, code: &EnrolmentCode) -> Result<(), StorageError>;
    /// Takes an enrolment code out, if it is there (expired or not).
    fn take_code(&mut self, code_hash: &[u8; 32]) -> Result<Option<EnrolmentCode>, StorageError>;
    /// Adds an enrolled device, or what stands for a user at the office, of which there is one.
    fn add_device(&mut self, device: &Device) -> Result<(), StorageError>;
    /// Says which record the user of a device is.
    fn set_user_record(&mut self, id: DeviceId, record: RecordId) -> Result<(), StorageError>;
    /// What imports remember, within this transaction.
    fn import_notes(&self) -> &dyn Notes;
    /// Writes an entry to the ledger with the commit, before it counts.
    /// [`add_device`](Self::add_device) does so itself.
    fn note(&mut self, entry: Entry);
    /// Puts documents aside that are damaged and makes them anew from their history, in this
    /// transaction; how many were made anew.
    fn mend(&mut self, ids: &[DocumentId]) -> Result<u64, StorageError>;
    /// Notes when a device was last heard of; no news.
    fn set_last_contact(&mut self, id: DeviceId, at: TimestampMs) -> Result<(), StorageError>;
    /// Makes everything durable. Takes the next position if a document, change or device was
    /// added, and extends the feed's digest by the hashes of the added changes; returns the
    /// position reached.
    fn commit(self: Box<Self>) -> Result<u64, StorageError>;
}

/// Gives transactions.
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// Begins a read transaction.
    ///
    /// # Errors
    ///
    /// [`StorageError`] when the backend fails.
    fn read(&self) -> Result<Box<dyn Read + '_>, StorageError>;
    /// Begins a read transaction with a user's eyes: what the grant does not let the user read is
    /// not there, in no answer of any method.
    ///
    /// # Errors
    ///
    /// [`StorageError`] when the backend fails.
    fn read_as(&self, grant: &Grant) -> Result<Box<dyn Read + '_>, StorageError>;
    /// Begins the write transaction, waiting for the one before to end.
    ///
    /// # Errors
    ///
    /// [`StorageError`] when the backend fails.
    fn write(&self) -> Result<Box<dyn Write + '_>, StorageError>;
    /// Makes what erasures removed unreadable in what lies below, too. Whether nothing is left to
    /// do; what is being read right now is left for the next time.
    ///
    /// # Errors
    ///
    /// [`StorageError`] when the backend fails.
    fn sweep(&self) -> Result<bool, StorageError>;
    /// The position of the last commit through this storage, told after each one that takes a
    /// position. Who looks late sees the newest one alone.
    fn news(&self) -> watch::Receiver<u64>;
}

/// The next changes of a document after a position, about `limit`: all of each position that is
/// begun.
pub(crate) fn whole_positions(
    read: &dyn Read,
    id: &DocumentId,
    position: u64,
    mut limit: usize,
) -> Result<Vec<StoredChange>, StorageError> {
    loop {
        let mut page = read.changes_since(id, position, limit)?;
        if page.len() < limit {
            return Ok(page);
        }
        // The last position may go on behind the page.
        let last = page.last().map_or(position, |change| change.position);
        page.retain(|change| change.position < last);
        if !page.is_empty() {
            return Ok(page);
        }
        limit *= 2;
    }
}
