//! What a row says made into what a record takes: links found, parts laid over parts.

use serde_json::{Map, Value as Json};

use super::{
    engine::{Engine, Run},
    error::RowProblem,
    file::Missing,
    mapping::{Content, Target as FieldTarget},
    pending::Pending,
    row::{Fault, Said},
    rows_cell::edit_rows,
    target::{Target, TargetError},
};
use crate::{
    ids::RecordId,
    schema::Kind,
    store::{StoreError, imports::Found},
};

/// Fields to write, and references whose record is not here.
pub(super) struct Resolved {
    pub(super) fields: Map<String, Json>,
    pub(super) pending: Pending,
}

/// Why a row was not written: its own fault, or the target's.
pub(super) enum Stop {
    Fault(Fault),
    Failed(TargetError),
}

impl From<TargetError> for Stop {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Refused(words) => Self::Fault((None, RowProblem::Refused(words))),
            failed @ TargetError::Failed(_) => Self::Failed(failed),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl<'m> Engine<'m> {
    /// Finds the records that references name.
    pub(super) fn resolve(
        &mut self,
        run: &Run,
        target: &dyn Target,
        fields: impl Iterator<Item = (&'m FieldTarget, Said)>,
        pending: Pending,
    ) -> Result<Resolved, Stop> {
        let mut resolved = Resolved { fields: Map::new(), pending };
        for (field, said) in fields {
            let name = &field.field.name;
            let (text, reference) = match (said, &field.reference) {
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
            let found = self.lookup.find(target, &run.scratch, reference, &text)?;
            if let Found::One(id) = found {
                resolved.fields.insert(name.clone(), id.to_string().into());
            } else if reference.missing == Missing::Reject || field.must_be_filled() {
                return Err(Stop::Fault((field.first_slot(), not_found(field, found))));
            } else {
                resolved.fields.insert(name.clone(), Json::Null);
                resolved.pending.add(field, reference, text);
            }
        }
        Ok(resolved)
    }

    /// Writes fields of a record that exists; returns whether anything changed.
    pub(super) fn write_fields(
        &self,
        target: &mut dyn Target,
        record: RecordId,
        current: &Json,
        fields: Map<String, Json>,
    ) -> Result<bool, Stop> {
        let mut edits = Map::new();
        for field in &self.mapping.targets {
            let Some(json) = fields.get(&field.field.name) else { continue };
            let edit = match field.field.kind {
                // A file sets them once; afterwards people count, and who wrote first stays.
                Kind::Counter | Kind::Once => continue,
                // What people added beside the file's members stays.
                Kind::Set if json.is_null() => continue,
                Kind::Set => serde_json::json!({ "add": json }),
                Kind::Rows => {
                    let Some(edit) = edit_rows(current.get(&field.field.name), json) else {
                        continue;
                    };
                    edit
                }
                Kind::Register | Kind::Text | Kind::Office | Kind::Log => {
                    if matches!(field.content, Content::Parts(_)) {
                        overlay(field, current, json)
                    } else {
                        json.clone()
                    }
                }
            };
            edits.insert(field.field.name.clone(), edit);
        }
        if edits.is_empty() {
            return Ok(false);
        }
        Ok(target.update(record, &edits)?)
    }
}

fn not_found(target: &FieldTarget, found: Found) -> RowProblem {
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
fn overlay(target: &FieldTarget, current: &Json, json: &Json) -> Json {
    let Content::Parts(parts) = &target.content else { return json.clone() };
    let known = current.get(&target.field.name).and_then(Json::as_object);
    let mut object = known.cloned().unwrap_or_default();
    for (part, _) in parts {
        match json.get(part) {
            Some(text) => drop(object.insert(part.clone(), text.clone())),
            None => drop(object.remove(part)),
        }
    }
    if object.is_empty() { Json::Null } else { Json::Object(object) }
}
