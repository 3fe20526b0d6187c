//! What is stored, as it is handed in and out.

use outrider_core::{
    crdt::{Clock, EncodedChange, State},
    ids::{ActorId, ActorPrefix, ChangeHash, DeviceId, DocumentId, Part, RecordId},
    sync::{digest, frame::Digest},
    time::TimestampMs,
};

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What its user called it.
    pub name: String,
    /// Name of the user it was enrolled for.
    pub user: String,
    /// The user's record, once the user is one.
    pub user_record: Option<RecordId>,
    /// What the ids of its actors begin with.
    pub prefix: ActorPrefix,
    /// SEC1 bytes of its P-256 key.
    pub public_key: Vec<u8>,
    /// SHA-256 of its bearer token.
    pub token_hash: [u8; 32],
    /// When it was enrolled.
    pub enrolled_at: TimestampMs,
    /// Whether it is no device but stands for a user who writes at the office.
    pub is_office: bool,
}

/// A device, and what was heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceContact {
    /// The device.
    pub device: Device,
    /// When it was last heard of, to the minute.
    pub last_contact_at: TimestampMs,
    /// Changes that were accepted from it.
    pub changes: u64,
}

/// An accepted change as the latest news name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedChange {
    /// The document.
    pub document: DocumentId,
    /// Name of its entity.
    pub entity: String,
    /// The device that signed it.
    pub device: DeviceId,
    /// The keys that it wrote (empty for texts).
    pub keys: Vec<String>,
    /// The author's clock.
    pub made_at: TimestampMs,
    /// When the server received it.
    pub received_at: TimestampMs,
    /// At which position of the feed.
    pub position: u64,
}

/// A one-time code for enrolling a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// SHA-256 of the code.
    pub code_hash: [u8; 32],
    /// For which user.
    pub user: String,
    /// Until when it is good.
    pub expires_at: TimestampMs,
    /// Whether whoever has it needs nobody's approval.
    pub approves: bool,
}

/// A document as the server holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Name of its entity.
    pub entity: String,
    /// Its family.
    pub family: RecordId,
    /// Its content.
    pub content: Content,
    /// The position of its last change.
    pub position: u64,
}

/// The content of a document as the server holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A flat document.
    Flat(State),
    /// A long text.
    Text(TextContent),
}

impl Content {
    /// What tells the document as it is now from what it was: made of its generation and its heads.
    #[must_use]
    pub fn digest(&self, id: &DocumentId) -> Digest {
        match self {
            Self::Flat(state) => digest::of_document(id, state.generation, &state.head_hashes()),
            Self::Text(text) => digest::of_document(id, text.generation, &text.heads),
        }
    }
}

/// A long text as the server holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextContent {
    /// How often it was re-rooted.
    pub generation: u32,
    /// The saved Automerge document.
    pub saved: Vec<u8>,
    /// Its heads, ascending.
    pub heads: Vec<ChangeHash>,
    /// The text, for rows and search.
    pub text: String,
}

/// An accepted change on its way into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// The change (for texts with no operations decoded).
    pub hash: ChangeHash,
    /// Who wrote it.
    pub actor: ActorId,
    /// Its number.
    pub seq: u64,
    /// Counter of its first operation.
    pub start_op: u64,
    /// Counter of its last operation.
    pub max_op: u64,
    /// The clock of its past with itself.
    pub clock: Clock,
    /// The uncompressed chunk.
    pub bytes: Vec<u8>,
    /// The keys that it wrote (empty for texts).
    pub keys: Vec<String>,
    /// The device that signed it.
    pub device: DeviceId,
    /// The author's clock.
    pub made_at: TimestampMs,
}

impl NewChange {
    /// Takes a flat change apart for the history.
    #[must_use]
    pub fn flat(encoded: &EncodedChange, clock: Clock, device: DeviceId) -> Self {
        let change = &encoded.change;
        Self {
            hash: encoded.hash,
            actor: change.actor,
            seq: change.seq,
            start_op: change.start_op,
            max_op: change.max_op(),
            clock,
            bytes: encoded.bytes.clone(),
            keys: change.ops.iter().map(|op| op.key.clone()).collect(),
            device,
            made_at: change.time_ms,
        }
    }
}

/// A change in the history, as much of it as pulls and checks need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange {
    /// Its hash.
    pub hash: ChangeHash,
    /// Who wrote it.
    pub actor: ActorId,
    /// Its number.
    pub seq: u64,
    /// Counter of its first operation.
    pub start_op: u64,
    /// Counter of its last operation.
    pub max_op: u64,
    /// The clock of its past with itself.
    pub clock: Clock,
    /// The uncompressed chunk.
    pub bytes: Vec<u8>,
    /// The keys that it wrote.
    pub keys: Vec<String>,
    /// The device that signed it.
    pub device: DeviceId,
    /// The author's clock.
    pub made_at: TimestampMs,
    /// When the server received it.
    pub received_at: TimestampMs,
    /// At which position of the feed.
    pub position: u64,
}

/// A remembered refusal: the same change gets the same answer again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefusal {
    /// The refused change.
    pub hash: ChangeHash,
    /// Why.
    pub code: String,
    /// Which keys.
    pub keys: Vec<String>,
}

/// Where a page of the feed begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    /// Position of the family.
    pub family_position: u64,
    /// The family.
    pub family: RecordId,
    /// The last record that was sent of it.
    pub record: RecordId,
    /// The last part that was sent of it.
    pub part: Part,
}

/// One document that a feed names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Where the feed stands with it.
    pub cursor: FeedCursor,
    /// Name of its entity.
    pub entity: String,
    /// Position of its last change.
    pub position: u64,
}

/// Which documents a page of the feed is to name.
#[derive(Debug, Clone)]
pub struct FeedQuery<'a> {
    /// The scope.
    pub scope: &'a str,
    /// Documents changed after this position.
    pub base: u64,
    /// Families after this place, in order of (position, family), their documents by (record,
    /// name of the part).
    pub after: Option<&'a FeedCursor>,
    /// Rows, at most.
    pub limit: usize,
}
