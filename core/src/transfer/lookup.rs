//! Which record a text names: a cache over the tables, and over what a rehearsal would have made.

use std::collections::HashMap;

use super::{
    mapping::{By, Reference, lookup_value},
    target::{Target, TargetError},
};
use crate::{
    ids::RecordId,
    schema::{Entity, SqlValue},
    store::imports::{Found, scratch::Scratch},
};

/// Records that are remembered during an import, at most; then remembering starts anew.
pub const CACHED_MAX: usize = 20_000;

/// Records by what names them: entity, by what, and the text.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    known: HashMap<String, HashMap<String, RecordId>>,
    count: usize,
}

impl Lookup {
    /// The record that `text` names.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub(super) fn find(
        &mut self,
        target: &dyn Target,
        scratch: &Scratch,
        reference: &Reference,
        text: &str,
    ) -> Result<Found, TargetError> {
        let place = reference.place();
        if let Some(id) = self.known.get(&place).and_then(|known| known.get(text)) {
            return Ok(Found::One(*id));
        }
        let found = find(target, scratch, reference, text)?;
        if let Found::One(id) = found {
            if self.count >= CACHED_MAX {
                self.known.clear();
                self.count = 0;
            }
            self.known.entry(place).or_default().insert(text.to_owned(), id);
            self.count += 1;
        }
        Ok(found)
    }
}

impl Reference {
    fn place(&self) -> String {
        match &self.by {
            By::Key { source } => [&self.entity.name, "\u{1f}key\u{1f}", source].concat(),
            By::Id => [&self.entity.name, "\u{1f}id"].concat(),
            By::Field(field) => made_place(self.entity, &field.name),
        }
    }
}

/// Where a rehearsal notes what it would have made, for references by a field.
pub(super) fn made_place(entity: &Entity, field: &str) -> String {
    [&entity.name, "\u{1f}by\u{1f}", field].concat()
}

/// Where a rehearsal notes what it would have made, for references by key or id.
pub(super) const MADE: &str = "record";

/// The id of a record as the notes of a rehearsal have it.
pub(super) fn id_value(id: RecordId) -> SqlValue {
    SqlValue::Text(id.to_string())
}

fn find(
    target: &dyn Target,
    scratch: &Scratch,
    reference: &Reference,
    text: &str,
) -> Result<Found, TargetError> {
    let by_id = |id: RecordId| -> Result<Found, TargetError> {
        if target.is_named(id)? {
            return Ok(Found::One(id));
        }
        Ok(scratch.find_made(MADE, &id_value(id))?)
    };
    match &reference.by {
        By::Key { source } => by_id(RecordId::external(&reference.entity.name, source, text)),
        By::Id => text.trim().parse().map_or(Ok(Found::None), by_id),
        By::Field(field) => {
            let Some(value) = lookup_value(field, text) else { return Ok(Found::None) };
            let found = target.find_by(reference.entity, &field.name, &value)?;
            let made = scratch.find_made(&made_place(reference.entity, &field.name), &value)?;
            Ok(match (found, made) {
                (Found::None, made) => made,
                (found, Found::None) => found,
                (Found::One(one), Found::One(other)) if one == other => found,
                _ => Found::Several,
            })
        }
    }
}
