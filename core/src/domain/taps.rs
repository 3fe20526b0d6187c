//! Taps: what one press of a button writes in several records.
//!
//! Pure plans: from records as they are shown to the records that are created and changed, in one
//! group. Where two devices may press the same button while apart, the new records have ids
//! derived from their cause ([`RecordId::derived`]) and fields that follow from it alone, so that
//! both make the same records and not twice as many.

mod activity;
mod lead;
mod visit;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value as Json};

use crate::ids::RecordId;

pub use activity::{Completion, complete_activity};
pub use lead::{Converted, convert_lead};
pub use visit::{Arrival, CheckEvent, PartUsed, check_in, use_part};

/// Metres from the site within which an arrival counts as verified, beside the accuracy.
pub const GEOFENCE_M: u32 = 200;
/// Metres of accuracy beyond which a position says nothing.
pub const ACCURACY_MAX_M: u32 = 1_000;

/// A record's JSON, as people see it.
pub(crate) type Record = Map<String, Json>;

/// One record that a tap writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The record is created; if it is here already it stays as it is.
    Create {
        /// Name of its entity.
        entity: &'static str,
        /// The record.
        record: RecordId,
        /// Its fields.
        fields: Record,
    },
    /// Fields of a record are changed.
    Update {
        /// The record.
        record: RecordId,
        /// The fields.
        fields: Record,
    },
}

/// Why a tap does nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapError {
    /// The record is of another entity.
    #[error("record {record} is no {wanted}; name one that is")]
    WrongEntity {
        /// The record.
        record: RecordId,
        /// The entity that the tap is for.
        wanted: &'static str,
    },
    /// Required rows of the checklist are open.
    #[error(
        "{left} required rows of the checklist are not done; do them, say another outcome than `done`, or force it"
    )]
    ChecklistLeft {
        /// How many.
        left: u64,
    },
    /// The quantity is no number above nothing.
    #[error("`{0}` is no quantity above 0; write a number such as 2 or 0.5")]
    Quantity(String),
}

/// Copies fields that have a value, each under the name that it has there.
fn copy(from: &Record, names: &[(&str, &str)]) -> Record {
    let named = names.iter().filter_map(|(there, here)| {
        let value = from.get(*there).filter(|value| !value.is_null())?;
        Some(((*here).to_owned(), value.clone()))
    });
    named.collect()
}

/// An update with what differs from what is shown; none if nothing does. Doing it again is nothing.
fn update(record: RecordId, shown: &Record, mut fields: Record) -> Option<Write> {
    fields.retain(|name, value| shown.get(name) != Some(value));
    (!fields.is_empty()).then_some(Write::Update { record, fields })
}

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

fn put(fields: &mut Record, name: &str, value: impl Into<Json>) {
    fields.insert(name.to_owned(), value.into());
}
