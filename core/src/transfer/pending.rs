//! References whose record is not here yet, kept with the row until a later import brings it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::{By, Reference, Target as FieldTarget};
use crate::{
    ids::RecordId,
    schema::{Field, Schema, Type},
};

/// The references of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// Name of the entity of the record that holds the links.
    pub(super) entity: String,
    /// Where the row is not a record of its own: whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) row: Option<RowPlace>,
    /// By field.
    pub(super) links: BTreeMap<String, Wanted>,
    /// Whether the import that brought the record was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_taken_back: bool,
}

/// A row of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowPlace {
    /// The record.
    pub(super) record: RecordId,
    /// The field that has rows.
    pub(super) field: String,
    /// The id of the row.
    pub(super) id: String,
}

/// What names the record that a link means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// The text in the file.
    pub(super) text: String,
    /// `key`, `id`, or a field.
    pub(super) by: String,
    /// The system whose key it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) source: String,
}

impl Pending {
    pub(super) fn new(entity: &str, row: Option<RowPlace>) -> Self {
        Self { entity: entity.to_owned(), row, ..Self::default() }
    }

    /// Reads what [`Pending::write`] wrote; nothing if it cannot be read, as only this room writes
    /// it.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The same, of a record whose import was taken back.
    pub(super) fn taken_back(text: &str) -> String {
        Self { is_taken_back: true, ..Self::read(text) }.write()
    }

    /// As text; empty if nothing waits.
    pub(super) fn write(&self) -> String {
        if self.links.is_empty() && !self.is_taken_back {
            return String::new();
        }
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn add(&mut self, target: &FieldTarget, reference: &Reference, text: String) {
        let (by, source) = match &reference.by {
            By::Key { source } => ("key".to_owned(), source.clone()),
            By::Id => ("id".to_owned(), String::new()),
            By::Field(field) => (field.name.clone(), String::new()),
        };
        self.links.insert(target.field.name.clone(), Wanted { text, by, source });
    }

    /// The field of this name that holds a link.
    pub(super) fn field(&self, schema: &'static Schema, name: &str) -> Option<&'static Field> {
        let entity = schema.entity(&self.entity)?;
        match &self.row {
            Some(row) => entity.field(&row.field)?.column(name),
            None => entity.field(name),
        }
    }
}

impl Wanted {
    /// How the record is found; nothing if the schema no longer has what it is found by.
    pub(super) fn reference(&self, field: &Field, schema: &'static Schema) -> Option<Reference> {
        let Type::Link(entity) = &field.ty else { return None };
        let entity = schema.entity(entity)?;
        let by = match self.by.as_str() {
            "key" => By::Key { source: self.source.clone() },
            "id" => By::Id,
            name => By::Field(entity.field(name)?),
        };
        Some(Reference { entity, by, missing: super::file::Missing::LeaveEmpty })
    }
}
