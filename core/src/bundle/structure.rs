//! What a bundle says of the records of a device.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::ids::RecordId;

/// Version of the form.
pub const STRUCTURE_VERSION: u32 = 1;

/// The records of a device and what waits, with every word replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Structure {
    /// [`STRUCTURE_VERSION`].
    pub version: u32,
    /// The cursor's position.
    pub position: u64,
    /// Records as the office confirmed them, as far as they fit.
    pub records: Vec<MaskedRecord>,
    /// What waits, tap by tap, in the order of writing.
    pub taps: Vec<MaskedTap>,
    /// Records that were left out.
    pub left_out: u64,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskedRecord {
    /// Its mapped id.
    pub record: RecordId,
    /// Name of its entity.
    pub entity: String,
    /// Its fields, with values replaced.
    pub fields: Map<String, Json>,
    /// What its documents look like.
    pub shapes: Vec<Shape>,
}

/// What a document looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Which part.
    pub part: String,
    /// Bytes of its state.
    pub bytes: u64,
    /// How often it was re-rooted.
    pub generation: u32,
    /// Actors that ever wrote in it.
    pub actors: u64,
    /// Changes that nothing follows.
    pub heads: u64,
    /// Keys that hold something.
    pub keys: u64,
    /// Keys that hold several values.
    pub conflicts: u64,
    /// Highest counter of its operations.
    pub max_op: u64,
    /// Changes that wait in it.
    pub waiting: u64,
}

/// What one tap wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskedTap {
    /// Its edits, one for each document.
    pub edits: Vec<MaskedEdit>,
}

/// One edit that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskedEdit {
    /// The mapped id of the record.
    pub record: RecordId,
    /// Name of its entity.
    pub entity: String,
    /// Whether nothing of the record was confirmed when it was written.
    pub is_new: bool,
    /// What it wrote, as an edit: values replaced.
    pub fields: Map<String, Json>,
    /// Fields in which others wrote meanwhile, which its author had not seen.
    pub beside: Vec<String>,
}
