//! Who may see what, as it is stored: rules, scopes of units, grants that were given, edits that
//! wait for a decision.
//!
//! Parts of the [`Read`](super::Read) and [`Write`](super::Write) contracts. A *unit* is what comes
//! into a scope and leaves it as a whole: a family, or one record alone that has readers of its
//! own ([`alone`]). Moving a unit writes a row for each scope that it leaves or enters, however many
//! records it has.

use outrider_core::{
    access::{Directory, Rules, Scope},
    ids::{ChangeHash, DeviceId, DocumentId, Part, RecordId},
    schema::{Entity, Family, Schema, Type},
    sync::frame::Digest,
    time::TimestampMs,
};

use super::{FeedRow, StorageError};

/// Changes of a record among which a device's last one is looked for.
pub const OWN_CHANGES_SEEN: u32 = 200;
/// What the scope of all records of an entity that heads families begins with.
const ENTITY_SCOPE: &str = "e:";

/// The scope of all records of an entity of which each is a family of its own.
#[must_use]
pub fn entity_scope(entity: &str) -> String {
    [ENTITY_SCOPE, entity].concat()
}

/// Whether an entity's records have members of other entities in their families.
fn heads_others(entity: &Entity) -> bool {
    let heads = |other: &Entity| {
        let Family::Link(field) = &other.family else { return false };
        let to = other.field(field).map(|field| &field.ty);
        matches!(to, Some(Type::Link(to)) if *to == entity.name)
    };
    Schema::current().entities().any(heads)
}

/// The scope in which all records of an entity are, if each is a family of its own: who reads all
/// of them need not walk through what others change.
#[must_use]
pub fn scope_of_entity(entity: &Entity) -> Option<String> {
    (entity.family == Family::Itself && !heads_others(entity)).then(|| entity_scope(&entity.name))
}

/// The unit of a record alone.
#[must_use]
pub fn alone(record: RecordId) -> RecordId {
    RecordId::derived(record, "alone")
}

/// A scope that a unit is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitScope {
    /// The scope.
    pub scope: Scope,
    /// The position at which it came in last.
    pub since: u64,
    /// The position at which it came in first.
    pub first: u64,
    /// The position at which it left, if it did.
    pub left: Option<u64>,
}

/// A unit that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// The position of its last change.
    pub position: u64,
    /// The unit.
    pub unit: RecordId,
}

/// Where an edit that was refused stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewState {
    /// Refused, and told to its author.
    Kept,
    /// Waits for somebody to decide.
    Open,
    /// Entered.
    Granted,
    /// Not entered.
    Declined,
}

impl ReviewState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Open, Self::Granted, Self::Declined];

    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Open => "open",
            Self::Granted => "granted",
            Self::Declined => "declined",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// An edit that the policy refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its number; 0 before it is stored.
    pub id: u64,
    /// Where it stands.
    pub state: ReviewState,
    /// Why it waits: `late`, `asked`, `ended`; empty while nobody is to decide.
    pub reason: String,
    /// The device that sent it.
    pub device: DeviceId,
    /// The user of that device.
    pub user: Option<RecordId>,
    /// The document.
    pub document: DocumentId,
    /// Name of its entity.
    pub entity: String,
    /// The change.
    pub hash: ChangeHash,
    /// Why it was refused.
    pub code: String,
    /// The keys that were refused; all if empty.
    pub keys: Vec<String>,
    /// The change as its author wrote it.
    pub bytes: Vec<u8>,
    /// The author's clock.
    pub made_at: TimestampMs,
    /// When it was received.
    pub received_at: TimestampMs,
    /// When it was decided.
    pub decided_at: Option<TimestampMs>,
    /// Who decided.
    pub decided_by: String,
    /// The request for approval that asks for it.
    pub proposal: Option<RecordId>,
}

/// What a device held at its last recorded pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// The grant, as it was signed.
    pub grant: Vec<u8>,
    /// Everything up to here.
    pub position: u64,
    /// When.
    pub at: TimestampMs,
}

/// Looking up who may see what.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadAccess {
    /// The rules that count; those of number 0 if nobody decided.
    fn rules(&self) -> Result<Rules, StorageError>;
    /// The position of the last change of a record that a device wrote, if it is among the newest
    /// [`OWN_CHANGES_SEEN`] of its main part.
    fn last_own_change(
        &self,
        record: RecordId,
        device: DeviceId,
    ) -> Result<Option<u64>, StorageError>;
    /// The position at which users, teams, territories or roles last changed.
    fn directory_position(&self) -> Result<u64, StorageError>;
    /// Users, teams and territories, as their records say.
    fn directory(&self) -> Result<Directory, StorageError>;
    /// The scopes that a family is in, with those of a record alone if it has some; also those
    /// that it left.
    fn scopes_of(
        &self,
        family: RecordId,
        alone: Option<RecordId>,
    ) -> Result<Vec<UnitScope>, StorageError>;
    /// Units of some scopes that changed after `base`, ascending by (position, unit) after a place,
    /// about `limit`; none that the scopes have lost.
    fn changed_units(
        &self,
        scopes: &[String],
        base: u64,
        after: Option<(u64, RecordId)>,
        limit: usize,
    ) -> Result<Vec<UnitRow>, StorageError>;
    /// How many documents are in units of some scopes that changed after `base`.
    fn count_units(&self, scopes: &[String], base: u64) -> Result<u64, StorageError>;
    /// Units that left one of the scopes after `base`, with the scope, at most `limit` after a
    /// place.
    fn left_units(
        &self,
        scope: &str,
        base: u64,
        after: Option<(u64, RecordId)>,
        limit: usize,
    ) -> Result<Vec<UnitRow>, StorageError>;
    /// Documents of a unit after one of them, at most `limit`.
    fn unit_documents(
        &self,
        unit: RecordId,
        after: Option<(RecordId, Part)>,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StorageError>;
    /// Records of which a document left a unit after `base`.
    fn left_records(&self, unit: RecordId, base: u64) -> Result<Vec<RecordId>, StorageError>;
    /// Whether this unit is a record alone, and which.
    fn record_alone(&self, unit: RecordId) -> Result<Option<RecordId>, StorageError>;
    /// The family of a record and its unit alone, from its main part.
    fn place_of(
        &self,
        record: RecordId,
    ) -> Result<Option<(RecordId, Option<RecordId>)>, StorageError>;
    /// A grant that was given, by its digest.
    fn sent_grant(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StorageError>;
    /// What a device held at its last recorded pull.
    fn device_view(&self, device: DeviceId) -> Result<Option<DeviceView>, StorageError>;
    /// An edit that was refused.
    fn review(&self, id: u64) -> Result<Option<Review>, StorageError>;
    /// An edit that was refused, by its change.
    fn review_of(
        &self,
        document: &DocumentId,
        hash: ChangeHash,
    ) -> Result<Option<Review>, StorageError>;
    /// Edits of a record that were refused first and granted then.
    fn granted_reviews(&self, record: RecordId) -> Result<Vec<Review>, StorageError>;
    /// Whether a device handed in an edit of a document when it was turned away, whatever became of
    /// it.
    fn was_handed_in(&self, document: &DocumentId, device: DeviceId) -> Result<bool, StorageError>;
    /// Edits in a state, the oldest first, at most `limit` after a number.
    fn reviews(
        &self,
        state: ReviewState,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Review>, StorageError>;
}

/// Changing who may see what.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteAccess {
    /// Decides on rules; their number must be one higher than that of the rules before.
    fn add_rules(
        &mut self,
        rules: &Rules,
        made_at: TimestampMs,
        made_by: &str,
    ) -> Result<(), StorageError>;
    /// Keeps a grant that is given to a device.
    fn keep_grant(&mut self, digest: &Digest, body: &[u8]) -> Result<(), StorageError>;
    /// Notes what a device holds, at a recorded pull.
    fn note_view(
        &mut self,
        device: DeviceId,
        digest: &Digest,
        position: u64,
        at: TimestampMs,
    ) -> Result<(), StorageError>;
    /// Notes that a device holds nothing any more.
    fn forget_view(&mut self, device: DeviceId) -> Result<(), StorageError>;
    /// Keeps an edit that was refused; one that is kept already stays.
    fn add_review(&mut self, review: &Review) -> Result<(), StorageError>;
    /// Says where an edit stands now.
    fn set_review(&mut self, review: &Review) -> Result<(), StorageError>;
}
