//! Where an import writes: a device's store or the office's storage.
//!
//! The engine is the same for both. A [`Place`] gives transactions, a [`Target`] is one at work:
//! it has the records, and the [`Notes`] that imports keep beside them.

use serde_json::{Map, Value as Json};

use crate::{
    ids::RecordId,
    replica::ReplicaError,
    schema::{Entity, SqlValue},
    store::{
        StoreError,
        imports::{Found, Notes},
        likeness::Likely,
    },
    time::TimestampMs,
};

/// Why a target did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The record does not take the values: the row's own fault. Nothing of it was written.
    #[error("{0}")]
    Refused(String),
    /// Something failed that ends the import.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for TargetError {
    fn from(error: StoreError) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<ReplicaError> for TargetError {
    fn from(error: ReplicaError) -> Self {
        let is_own =
            matches!(error, ReplicaError::Edit(_) | ReplicaError::Write(_) | ReplicaError::Text(_));
        if is_own { Self::Refused(error.to_string()) } else { Self::Failed(Box::new(error)) }
    }
}

/// Something to do in a transaction.
pub type Work<'w> = &'w mut dyn FnMut(&mut dyn Target) -> Result<(), TargetError>;

/// Gives transactions to an import.
#[expect(clippy::missing_errors_doc, reason = "all fail as `TargetError` says")]
pub trait Place {
    /// Runs `work` in one transaction: all of it is durable afterwards, or none of it happened.
    fn write(&mut self, work: Work<'_>) -> Result<(), TargetError>;
    /// Runs `work` as [`Place::write`] does, and takes all of it back.
    fn rehearse(&mut self, work: Work<'_>) -> Result<(), TargetError>;
    /// Many writes follow, or have ended.
    fn set_bulk(&mut self, _is_bulk: bool) -> Result<(), TargetError> {
        Ok(())
    }
    /// Whether whoever imports may import records of an entity.
    fn may_import(&self, entity: &str) -> Result<bool, TargetError>;
    /// Rows of one transaction, at most: everybody else who writes waits for it.
    fn batch_rows(&self) -> usize {
        super::BATCH_ROWS_MAX
    }
    /// The time now.
    fn now_ms(&self) -> TimestampMs;
}

/// A transaction of an import.
#[expect(clippy::missing_errors_doc, reason = "all fail as `TargetError` says")]
pub trait Target {
    /// Whether a record is here.
    fn exists(&self, record: RecordId) -> Result<bool, TargetError>;
    /// Refuses a row whose record is here and may not be looked at by whoever imports.
    fn check_touch(&self, _record: RecordId) -> Result<(), TargetError> {
        Ok(())
    }
    /// Whether a record is here that whoever imports may name.
    fn is_named(&self, record: RecordId) -> Result<bool, TargetError> {
        self.exists(record)
    }
    /// A record as its documents say it, or the one that it was merged into; `None` if it is not
    /// here.
    fn read(&self, record: RecordId) -> Result<Option<Json>, TargetError>;
    /// Creates a record that may leave required fields empty.
    fn create(
        &mut self,
        entity: &str,
        record: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), TargetError>;
    /// Changes fields of a record; returns whether anything was written.
    fn update(&mut self, record: RecordId, fields: &Map<String, Json>)
    -> Result<bool, TargetError>;
    /// Archives a record.
    fn archive(&mut self, record: RecordId) -> Result<(), TargetError>;
    /// Brings an archived record back.
    fn restore(&mut self, record: RecordId) -> Result<(), TargetError>;
    /// The record that is not archived and has `value` in a column.
    fn find_by(
        &self,
        entity: &Entity,
        column: &str,
        value: &SqlValue,
    ) -> Result<Found, TargetError>;
    /// Records that may be the same as one with these fields, the likeliest first.
    fn likely(
        &self,
        entity: &Entity,
        fields: &Map<String, Json>,
        own: RecordId,
    ) -> Result<Vec<Likely>, TargetError>;
    /// Whether other records were merged into this one.
    fn has_halves(&self, entity: &Entity, record: RecordId) -> Result<bool, TargetError>;
    /// What imports remember.
    fn notes(&self) -> &dyn Notes;
}
