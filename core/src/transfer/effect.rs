//! What an import did to a record, kept so that it can be taken back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::{
    engine::Engine,
    pending::RowPlace,
    target::{Target, TargetError},
};
use crate::{
    ids::{RecordId, to_hex},
    schema::{Entity, Field, Kind},
};

/// Bytes of an imprint.
const IMPRINT_BYTES: usize = 8;

/// What it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    /// It made the record.
    Created {
        /// Tells whether somebody changed it since.
        imprint: String,
    },
    /// It changed fields.
    Changed {
        /// By field: the value before, and the one that it wrote.
        fields: BTreeMap<String, (Json, Json)>,
        /// The fingerprint that the last import before had left.
        was: String,
        /// Whether it brought the record back from the archive.
        #[serde(default)]
        restored: bool,
    },
    /// It changed cells of a row of a record.
    Cells {
        /// Which row.
        place: RowPlace,
        /// By column: the value before, and the one that it wrote.
        fields: BTreeMap<String, (Json, Json)>,
    },
    /// It added a row to a record.
    Row {
        /// Which row.
        place: RowPlace,
    },
}

impl Effect {
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Effect::write`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Engine<'_> {
    pub(super) fn keep_effect(
        &self,
        target: &dyn Target,
        record: RecordId,
        effect: &Effect,
    ) -> Result<(), TargetError> {
        match self.batch {
            None => Ok(()),
            Some(batch) => Ok(target.notes().keep_effect(batch, record, &effect.write())?),
        }
    }

    /// Notes what differs from `old`.
    pub(super) fn keep_change(
        &self,
        target: &dyn Target,
        record: RecordId,
        old: &Json,
        was: &[u8],
    ) -> Result<(), TargetError> {
        if self.batch.is_none() {
            return Ok(());
        }
        let new = target.read(record)?.unwrap_or_default();
        let value = |json: &Json, name: &str| json.get(name).cloned().unwrap_or(Json::Null);
        let fields = self.mapping.entity.fields.iter().filter(|field| is_imported(field));
        let fields = fields.filter_map(|field| {
            let (old, new) = (value(old, &field.name), value(&new, &field.name));
            (old != new).then(|| (field.name.clone(), (old, new)))
        });
        let fields = fields.collect();
        let restored = old.get("is_archived").is_some() && new.get("is_archived").is_none();
        self.keep_effect(target, record, &Effect::Changed { fields, was: to_hex(was), restored })
    }
}

/// Whether an import may have written a field; what the program fills in by itself it has not.
fn is_imported(field: &Field) -> bool {
    match field.kind {
        Kind::Log | Kind::Counter | Kind::Rows => false,
        Kind::Once => false,
        Kind::Register | Kind::Office | Kind::Set | Kind::Text => !field.by_program,
    }
}

/// A short digest over the fields of a record that people see and write.
pub(super) fn imprint(entity: &Entity, record: &Map<String, Json>) -> String {
    let mut hash = Sha256::new();
    for field in entity.fields.iter().filter(|field| is_imported(field) || field.kind == Kind::Rows)
    {
        let Some(json) = record.get(&field.name).filter(|json| !json.is_null()) else { continue };
        hash.update(field.name.as_bytes());
        hash.update([0]);
        let json = match (field.kind, json) {
            // Rows have drawn ids: their number tells that some were added.
            (Kind::Rows, Json::Array(rows)) => rows.len().into(),
            (Kind::Set, Json::Array(members)) => {
                let mut members: Vec<String> = members.iter().map(Json::to_string).collect();
                members.sort();
                members.dedup();
                members.into()
            }
            (_, json) => json.clone(),
        };
        hash.update(json.to_string().as_bytes());
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    to_hex(digest.get(..IMPRINT_BYTES).unwrap_or_default())
}
