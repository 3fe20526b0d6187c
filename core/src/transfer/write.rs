//! What a row says made into what a record takes: links found, parts laid over parts.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{
    engine::Engine,
    error::RowProblem,
    file::Missing,
    mapping::{Content, Target},
    row::{Fault, Said},
    rows_cell::edit_rows,
};
use crate::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
    schema::Kind,
    store::{StoreError, imports::Found},
};

/// Fields to write, and references whose record is not here, by field.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) fields: Map<String, Json>,
    pub(super) pending: BTreeMap<String, String>,
}

/// Why a row was not written: its own fault, or the store's.
pub(super) enum Stop {
    Fault(Fault),
    Store(ReplicaError),
}

impl From<ReplicaError> for Stop {
    fn from(error: ReplicaError) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl<'m> Engine<'m> {
    /// Finds the records that references name.
    pub(super) fn resolve(
        &mut self,
        writer: &Writer<'_>,
        targets: impl Iterator<Item = (&'m Target, Said)>,
    ) -> Result<Resolved, Stop> {
        let mut resolved = Resolved::default();
        for (target, said) in targets {
            let name = &target.field.name;
            let (text, reference) = match (said, &target.reference) {
                (Said::Reference(text), Some(reference)) => (text, reference),
                (Said::Reference(text), None) => {
                    resolved.fields.insert(name.clone(), text.into());
                    continue;
                }
                (Said::Value(json), _) => {
                    resolved.fields.insert(name.clone(), json);
                    continue;
                }
            };
            let found = self.lookup.find(writer, name, reference, &text)?;
            if let Found::One(id) = found {
                resolved.fields.insert(name.clone(), id.to_string().into());
            } else if reference.missing == Missing::Reject || target.must_be_filled() {
                return Err(Stop::Fault((target.first_slot(), not_found(target, found))));
            } else {
                resolved.fields.insert(name.clone(), Json::Null);
                resolved.pending.insert(name.clone(), text);
            }
        }
        Ok(resolved)
    }

    /// Writes fields of a record that exists; returns whether anything changed.
    pub(super) fn write_fields(
        &self,
        writer: &mut Writer<'_>,
        record: RecordId,
        fields: Map<String, Json>,
    ) -> Result<bool, Stop> {
        let mut edits = Map::new();
        let mut current = None;
        for target in &self.mapping.targets {
            let Some(json) = fields.get(&target.field.name) else { continue };
            let edit = match target.field.kind {
                // A file sets them once; afterwards people count, and who wrote first stays.
                Kind::Counter | Kind::Once => continue,
                // What people added beside the file's members stays.
                Kind::Set if json.is_null() => continue,
                Kind::Set => serde_json::json!({ "add": json }),
                Kind::Rows => {
                    if current.is_none() {
                        current = writer.read(record)?;
                    }
                    let known = current.as_ref().and_then(|record| record.get(&target.field.name));
                    let Some(edit) = edit_rows(known, json) else { continue };
                    edit
                }
                Kind::Register | Kind::Text | Kind::Office | Kind::Log => {
                    if matches!(target.content, Content::Parts(_)) {
                        if current.is_none() {
                            current = writer.read(record)?;
                        }
                        overlay(target, current.as_ref(), json)
                    } else {
                        json.clone()
                    }
                }
            };
            edits.insert(target.field.name.clone(), edit);
        }
        if edits.is_empty() {
            return Ok(false);
        }
        writer.attempt(|writer| writer.update(record, &edits)).map_err(refused)
    }
}

/// What a record does not take is the row's fault; everything else stops the import.
pub(super) fn refused(error: ReplicaError) -> Stop {
    let is_own =
        matches!(error, ReplicaError::Edit(_) | ReplicaError::Write(_) | ReplicaError::Text(_));
    if is_own {
        Stop::Fault((None, RowProblem::Refused(error.to_string())))
    } else {
        Stop::Store(error)
    }
}

fn not_found(target: &Target, found: Found) -> RowProblem {
    let field = target.field.name.clone();
    let (entity, by) = target.reference.as_ref().map_or_else(Default::default, |reference| {
        (reference.entity.name.clone(), reference.by.name().to_owned())
    });
    match found {
        Found::Several => RowProblem::AmbiguousReference { field, entity, by },
        Found::None | Found::One(_) => RowProblem::MissingReference { field, entity },
    }
}

/// The parts that the file gives over those that the record has.
fn overlay(target: &Target, current: Option<&Json>, json: &Json) -> Json {
    let Content::Parts(parts) = &target.content else { return json.clone() };
    let known = current.and_then(|record| record.get(&target.field.name)).and_then(Json::as_object);
    let mut object = known.cloned().unwrap_or_default();
    for (part, _) in parts {
        match json.get(part) {
            Some(text) => drop(object.insert(part.clone(), text.clone())),
            None => drop(object.remove(part)),
        }
    }
    if object.is_empty() { Json::Null } else { Json::Object(object) }
}
