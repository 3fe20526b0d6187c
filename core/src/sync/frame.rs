//! The messages of the sync protocol, version 2.
//!
//! CBOR by field number, so that a later version may add fields; `docs/PROTOCOL.md` describes
//! them for implementers. Nothing here is trusted: sizes are limited where bytes are read
//! ([`codec`](super::codec)), contents where they are used.

mod bounded;
#[cfg(test)]
mod tests;

pub use bounded::PUSH_DECODED_MAX;

use minicbor::{Decode, Encode};

pub use super::head::AuditHead;
use crate::ids::{ActorId, ActorPrefix, ChangeHash, DeviceId, DocumentId, Part, RecordId};

/// The version that this code speaks.
pub const PROTOCOL_VERSION: u8 = 2;
/// Changes in one push, at most.
pub const PUSH_CHANGES_MAX: usize = 1_000;
/// Bytes of all changes in one push, each uncompressed, at most; a device sends half of it.
pub const PUSH_PLAIN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Changes in one group, at most.
pub const GROUP_CHANGES_MAX: usize = 64;
/// Documents in one request to fetch, at most.
pub const FETCH_DOCUMENTS_MAX: usize = 1_000;
/// Records in one page of a check.
pub const CHECK_PAGE: usize = 5_000;

/// 16 bytes that name the content of something much larger.
pub type Digest = [u8; 16];

/// The scope that stands for everything that a device may hold.
pub const SCOPE_MINE: &str = "all";

/// What is compared by digests: one part of one entity, in one scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Stream {
    /// [`SCOPE_MINE`]: everything that the device may hold.
    #[n(0)]
    pub scope: String,
    /// Name of the entity.
    #[n(1)]
    pub entity: String,
    /// Which part of its records.
    #[n(2)]
    pub part: Part,
}

/// One change on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PushChange {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// Its part.
    #[n(1)]
    pub part: Part,
    /// Name of its entity.
    #[n(2)]
    pub entity: String,
    /// The generation that the device knows.
    #[n(3)]
    pub generation: u32,
    /// One Automerge change chunk.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// Changes that one tap made: judged and committed whole.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PushGroup {
    /// The changes, in the order in which they were written.
    #[cbor(n(0), decode_with = "bounded::changes")]
    pub changes: Vec<PushChange>,
}

/// What a device holds: everything up to a position, under a grant.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HeldView {
    /// The position.
    #[n(0)]
    pub position: u64,
    /// The feed's digest there.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: Digest,
    /// The digest of the grant.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub grant: Digest,
}

/// What a device sends up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PushRequest {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub version: u8,
    /// Groups in the order in which they were written.
    #[cbor(n(1), decode_with = "bounded::groups")]
    pub groups: Vec<PushGroup>,
    /// The author's device.
    #[n(2)]
    pub device: DeviceId,
    /// P-256 signature (64 bytes) of the device over all changes; see [`sign`](super::sign).
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// What its author saw who wrote these changes; none before the first pull.
    #[n(4)]
    pub held: Option<HeldView>,
    /// Whether these changes were acknowledged before, by a server that lost them since.
    #[n(5)]
    pub is_again: Option<bool>,
    /// The last place in the feed that the device was told in an answer to a push.
    #[n(6)]
    pub pushed: Option<FeedPoint>,
}

impl PushRequest {
    /// A push that says nothing of what its author saw.
    #[must_use]
    pub const fn new(device: DeviceId, groups: Vec<PushGroup>, signature: Vec<u8>) -> Self {
        let (held, is_again, pushed) = (None, None, None);
        Self { version: PROTOCOL_VERSION, groups, device, signature, held, is_again, pushed }
    }
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is in the history, durably.
    #[n(0)]
    Applied,
    /// It was there already.
    #[n(1)]
    Duplicate,
    /// It follows changes that the server does not have.
    #[n(2)]
    Pending(#[n(0)] Vec<ChangeHash>),
    /// It will never be applied: a code, and the keys that caused it (all if empty).
    #[n(3)]
    Refused(#[n(0)] String, #[cbor(n(1), decode_with = "bounded::keys")] Vec<String>),
    /// Another change has its actor and number.
    #[n(4)]
    Forked,
    /// Not now: send it again after so many milliseconds.
    #[n(5)]
    Retry(#[n(0)] u64),
    /// The record was erased; the change belongs to a generation that is gone.
    #[n(6)]
    Erased,
}

/// The server's answer to one change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// Which change.
    #[n(0)]
    pub hash: ChangeHash,
    /// What became of it.
    #[n(1)]
    pub outcome: Outcome,
}

/// A place in the server's feed: a position, and the digest of the chain there, which names
/// everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct FeedPoint {
    /// The position.
    #[n(0)]
    pub position: u64,
    /// The feed's digest there.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: Digest,
}

/// The answers to a push, one for each change in its order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PushResponse {
    /// One for each change.
    #[n(0)]
    pub answers: Vec<Answer>,
    /// A place in the feed at which every change is that was answered `applied` or `duplicate`.
    #[n(1)]
    pub reached: Option<FeedPoint>,
    /// False if the feed lacks the place that the push named: it has lost what it acknowledged.
    #[n(2)]
    pub is_pushed_known: Option<bool>,
}

impl PushResponse {
    /// Answers that say nothing of the feed.
    #[must_use]
    pub const fn new(answers: Vec<Answer>) -> Self {
        Self { answers, reached: None, is_pushed_known: None }
    }
}

/// How far a pull that was cut off had come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Progress {
    /// 0: streams that share the cursor; 1: streams that are being filled.
    #[n(0)]
    pub pass: u8,
    /// Position of the family that was being sent.
    #[n(1)]
    pub family_position: u64,
    /// That family.
    #[n(2)]
    pub family: RecordId,
    /// Its last record that arrived.
    #[n(3)]
    pub record: RecordId,
    /// The part that arrived.
    #[n(4)]
    pub part: Part,
    /// The position that the shared cursor may take once the pull is complete, if pass 0 ended.
    #[n(5)]
    pub reached: Option<u64>,
}

/// What a device asks: everything that changed since its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PullRequest {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub version: u8,
    /// Everything up to here is held; 0 for a new device.
    #[n(1)]
    pub position: u64,
    /// The feed's digest at `position`.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub digest: Digest,
    /// Where an earlier pull was cut off.
    #[n(4)]
    pub progress: Option<Progress>,
    /// Uncompressed bytes that the answer may have; the server may send less.
    #[n(5)]
    pub budget_bytes: u64,
    /// Digest over everything that is held, for the idle question.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub held: Digest,
    /// The digest of the grant under which everything up to `position` is held; zeros for none.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub grant: Digest,
    /// The highest number of an erasure that was carried out here; none before the first.
    #[n(8)]
    pub erased: Option<u64>,
    /// The number of the last recovery of the server after which this device wrote anew what was
    /// lost; none before the first.
    #[n(10)]
    pub recovered: Option<u32>,
    /// Whether everything that was acknowledged and that the server may lack was sent again since
    /// this conversation began.
    #[n(11)]
    pub has_tried: Option<bool>,
    /// Whether the server did not know an earlier cursor and has told of no recovery since: data that
    /// was put back twice knows nothing of the first time.
    #[n(12)]
    pub is_cursor_lost: Option<bool>,
    /// The last head of the server's audit that this device was told.
    #[n(20)]
    pub audit_head: Option<AuditHead>,
    /// The last [`PushResponse::reached`]: a server whose feed does not have it has lost what was
    /// acknowledged there, and says that it does not know the cursor.
    #[n(21)]
    pub pushed: Option<FeedPoint>,
}

/// What a user may do, as the server signed it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedGrant {
    /// JSON of the [grant](crate::access::Grant).
    #[cbor(n(0), with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// P-256 signature (64 bytes) of the server over the body, as a document of the kind `grant`.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// The content of a document on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// A whole state ([`State::to_bytes`](crate::crdt::State::to_bytes)).
    #[n(0)]
    State(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// What changed since the request's position ([`Delta::to_bytes`](crate::crdt::Delta)).
    #[n(1)]
    Delta(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Changes of a long text, in an order in which they can be applied.
    #[n(2)]
    Text(#[cbor(n(0), decode_with = "bounded::texts")] Vec<minicbor::bytes::ByteVec>),
}

/// Who wrote one of several concurrent values, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Provenance {
    /// The operation's actor.
    #[n(0)]
    pub actor: ActorId,
    /// The operation's counter.
    #[n(1)]
    pub counter: u64,
    /// The author's clock.
    #[n(2)]
    pub made_at: i64,
}

/// One document on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DocumentFrame {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// Its part.
    #[n(1)]
    pub part: Part,
    /// Name of its entity.
    #[n(2)]
    pub entity: String,
    /// The record's family.
    #[n(4)]
    pub family: RecordId,
    /// The family's position.
    #[n(5)]
    pub family_position: u64,
    /// Which pass of the pull it belongs to.
    #[n(6)]
    pub pass: u8,
    /// Its content.
    #[n(7)]
    pub body: Body,
    /// For keys with several values: who wrote each, and when.
    #[n(8)]
    pub provenance: Vec<Provenance>,
    /// The unit of the record alone, where it comes by that and not with its family.
    #[n(9)]
    pub unit: Option<RecordId>,
}

/// Who stands behind the actors of one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Author {
    /// The prefix.
    #[n(0)]
    pub prefix: ActorPrefix,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// The name of the user at enrolment.
    #[n(2)]
    pub user: String,
    /// The name of the device.
    #[n(3)]
    pub device_name: String,
}

/// Digest and number of the documents of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StreamDigest {
    /// The stream.
    #[n(0)]
    pub stream: Stream,
    /// Exclusive or of the digests of its documents.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: Digest,
    /// How many documents it has.
    #[n(2)]
    pub count: u64,
}

/// One step of a pull's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PullFrame {
    /// Always first.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// A document.
    #[n(1)]
    Document(#[n(0)] Box<DocumentFrame>),
    /// Somebody whose changes the device may meet.
    #[n(2)]
    Author(#[n(0)] Author),
    /// A unit (a family, or a record alone) is no longer in this scope.
    #[n(3)]
    Leave(#[n(0)] RecordId, #[n(1)] String),
    /// Always last.
    #[n(4)]
    End(#[n(0)] End),
    /// A unit is in this scope.
    #[n(5)]
    Enter(#[n(0)] RecordId, #[n(1)] String),
    /// A record is no longer of this family: the family, then the record.
    #[n(6)]
    Depart(#[n(0)] RecordId, #[n(1)] RecordId),
    /// A record was erased: everything of it goes, whatever waits. The number of the erasure
    /// comes first; they come in its order, before all documents.
    #[n(7)]
    Erase(#[n(0)] u64, #[n(1)] RecordId),
}

/// How the server begins its answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub version: u8,
    /// The server's store; another one after a restore that was announced.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub instance: [u8; 16],
    /// Whether the request's cursor is part of the server's feed. If not, the server was
    /// restored: the device keeps everything and sends back what the server lacks.
    #[n(2)]
    pub is_cursor_known: bool,
    /// The server's clock.
    #[n(4)]
    pub now_ms: i64,
    /// Documents that this pull may bring, about, for showing progress.
    #[n(5)]
    pub expected: u64,
    /// What the device's user may do, if it is not what the request named.
    #[n(6)]
    pub grant: Option<SignedGrant>,
    /// The feed's position when the answer began: what an answer without an end tells of is no
    /// newer.
    #[n(7)]
    pub position: Option<u64>,
    /// Up to this position the feed is in backups, as many of them as the operator keeps: whatever is
    /// restored has it. None while there are not so many; then devices keep all that they wrote.
    #[n(8)]
    pub backed_up: Option<u64>,
    /// The server's last recovery, if there was one.
    #[n(10)]
    pub recovery: Option<Recovery>,
}

/// That the server was put back to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Recovery {
    /// Counts them.
    #[n(0)]
    pub number: u32,
    /// Whether nothing is expected from anybody any more: what still lacks is written anew by
    /// whoever holds it.
    #[n(1)]
    pub is_closed: bool,
}

/// How the server ends its answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct End {
    /// Whether the budget ended the answer: ask again with the progress made.
    #[n(0)]
    pub is_more: bool,
    /// The new cursor, when there is no more.
    #[n(1)]
    pub position: u64,
    /// The feed's digest there.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub digest: Digest,
    /// Digests of all streams at `position`; empty when they cannot be given for one position,
    /// or when the device's own digest was right.
    #[n(3)]
    pub streams: Vec<StreamDigest>,
    /// The position that pass 0 reached, for [`Progress::reached`].
    #[n(4)]
    pub reached: Option<u64>,
    /// Whether the request's digest over everything that is held was right; none if it was not
    /// compared.
    #[n(10)]
    pub is_held_right: Option<bool>,
    /// The newest head of the server's audit, for the device to remember.
    #[n(20)]
    pub audit_head: Option<AuditHead>,
}

/// Asks for the digests of a stream's documents, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CheckRequest {
    /// The stream.
    #[n(0)]
    pub stream: Stream,
    /// The last record of the page before.
    #[n(1)]
    pub after: Option<RecordId>,
}

/// The digest of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DocumentDigest {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// Over record, part, generation and heads.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: Digest,
}

/// One page of a stream's digests, ascending by record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CheckResponse {
    /// At most [`CHECK_PAGE`] of them; fewer mean the end.
    #[n(0)]
    pub documents: Vec<DocumentDigest>,
    /// As [`Hello::backed_up`].
    #[n(1)]
    pub backed_up: Option<u64>,
}

/// Names a document in a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct DocumentName {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// Its part.
    #[n(1)]
    pub part: Part,
}

impl DocumentName {
    /// The document of this name.
    #[must_use]
    pub fn id(&self) -> DocumentId {
        DocumentId { record: self.record, part: self.part.clone() }
    }
}

impl From<&DocumentId> for DocumentName {
    fn from(id: &DocumentId) -> Self {
        Self { record: id.record, part: id.part.clone() }
    }
}

/// Asks for whole documents; the answer has the frames of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FetchRequest {
    /// At most [`FETCH_DOCUMENTS_MAX`].
    #[n(0)]
    pub documents: Vec<DocumentName>,
}
