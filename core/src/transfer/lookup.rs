//! Which record a text names: a cache over the tables.

use std::collections::HashMap;

use super::mapping::{By, Reference, lookup_value};
use crate::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
    store::imports::{self, Found},
};

/// Records that are remembered during an import, at most; then remembering starts anew.
pub const CACHED_MAX: usize = 20_000;

/// Records by what names them, per field.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    known: HashMap<&'static str, HashMap<String, RecordId>>,
    count: usize,
}

impl Lookup {
    /// The record that `text` names in `field`.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub(super) fn find(
        &mut self,
        writer: &Writer<'_>,
        field: &'static str,
        reference: &Reference,
        text: &str,
    ) -> Result<Found, ReplicaError> {
        if let Some(id) = self.known.get(field).and_then(|known| known.get(text)) {
            return Ok(Found::One(*id));
        }
        let found = find(writer, reference, text)?;
        if let Found::One(id) = found {
            if self.count >= CACHED_MAX {
                self.known.clear();
                self.count = 0;
            }
            self.known.entry(field).or_default().insert(text.to_owned(), id);
            self.count += 1;
        }
        Ok(found)
    }
}

fn find(writer: &Writer<'_>, reference: &Reference, text: &str) -> Result<Found, ReplicaError> {
    match &reference.by {
        By::Key { source } => {
            let id = RecordId::external(&reference.entity.name, source, text);
            Ok(if writer.exists(id)? { Found::One(id) } else { Found::None })
        }
        By::Field(field) => {
            let Some(value) = lookup_value(field, text) else { return Ok(Found::None) };
            Ok(imports::find_by(writer.conn(), reference.entity, &field.name, &value)?)
        }
    }
}
