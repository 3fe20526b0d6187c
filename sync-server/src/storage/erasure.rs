//! What was erased, and who confirmed it, as it is stored.
//!
//! Parts of the [`Read`](super::Read) and [`Write`](super::Write) contracts. An erased record is
//! closed: changes of it are answered `erased` for ever, whatever they are.

use outrider_core::{
    ids::{DeviceId, DocumentId, RecordId},
    time::TimestampMs,
};
use serde::{Deserialize, Serialize};

use super::StorageError;

/// How much an erasure took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErasedCounts {
    /// Parts and texts of the record.
    pub documents: u64,
    /// Changes of its history.
    pub changes: u64,
    /// Refused edits that were remembered, kept or waiting.
    pub refused: u64,
    /// What imports remembered of it.
    pub imports: u64,
}

/// An erased record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its number; 0 before it is stored.
    pub number: u64,
    /// The record.
    pub record: RecordId,
    /// Name of its entity; empty if nothing of it was here.
    pub entity: String,
    /// When.
    pub at: TimestampMs,
    /// Who did it: what stands for the user among the devices.
    pub by: Option<DeviceId>,
    /// The generation that its documents have now.
    pub generation: u32,
    /// How much went.
    pub counts: ErasedCounts,
    /// Whether it is overwritten in the files too.
    pub is_swept: bool,
}

/// Looking up what was erased.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadErasure {
    /// The erasure of a record.
    fn erasure_of(&self, record: RecordId) -> Result<Option<Erasure>, StorageError>;
    /// Records that the ledger says were erased, and that a restored database still has.
    fn erasures_due(&self) -> Result<Vec<RecordId>, StorageError>;
    /// Erasures after a number, in their order.
    fn erasures_after(&self, number: u64) -> Result<Vec<Erasure>, StorageError>;
    /// Up to which number a device said that it carried erasures out.
    fn erasures_done(&self, device: DeviceId) -> Result<u64, StorageError>;
    /// Which devices carried an erasure out, and when each first said so.
    fn erasure_confirmed(&self, number: u64) -> Result<Vec<(DeviceId, TimestampMs)>, StorageError>;
    /// Documents in which one of these texts stands now, with their entities, by record, at most
    /// `limit`. Reads everything there is.
    fn documents_with(
        &self,
        texts: &[String],
        limit: usize,
    ) -> Result<Vec<(DocumentId, String)>, StorageError>;
    /// How many changes of the history hold one of these texts. Reads everything there is.
    fn changes_with(&self, texts: &[String]) -> Result<u64, StorageError>;
    /// How many files were exported since a moment in which a record may be: files of itself, and
    /// files with records of its entity.
    fn exports_since(
        &self,
        record: RecordId,
        entity: &str,
        since: TimestampMs,
    ) -> Result<u64, StorageError>;
}

/// Erasing.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteErasure {
    /// Removes everything of a record but its main document: history, refusals, edits that wait,
    /// its other parts, its row, what imports remember.
    fn remove_past(&mut self, record: RecordId, entity: &str)
    -> Result<ErasedCounts, StorageError>;
    /// Notes an erasure, in place of an earlier one of the record, whose number it keeps; returns
    /// the number.
    fn put_erasure(&mut self, erasure: &Erasure) -> Result<u64, StorageError>;
    /// Notes that a record has to be erased, unless it is erased already.
    fn note_erasure_due(&mut self, record: RecordId, at: TimestampMs) -> Result<(), StorageError>;
    /// Notes up to which number a device carried erasures out.
    fn note_erasures(
        &mut self,
        device: DeviceId,
        number: u64,
        at: TimestampMs,
    ) -> Result<(), StorageError>;
}
