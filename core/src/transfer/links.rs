//! References tried again when all files are read: those of this run, and those that earlier
//! imports left, whatever file they came from.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{
    effect::{Effect, imprint},
    engine::{Engine, Run, has_row},
    lookup::Lookup,
    pending::{Pending, Wanted},
    report::{RowNote, count},
    target::{Target, TargetError},
};
use crate::{
    ids::RecordId,
    schema::Schema,
    store::imports::{Found, ImportedRow, scratch::WaitingRow},
};

/// What came of trying.
struct Tried {
    /// What is still not there, by field, with the text that names it.
    missing: BTreeMap<String, String>,
    /// What several records answer to.
    ambiguous: BTreeMap<String, String>,
    /// Whether a link was written.
    is_written: bool,
    left: Pending,
}

impl Engine<'_> {
    /// Tries the references of a row of this file again, and tells of those that stay empty.
    pub(super) fn link(
        &mut self,
        run: &Run,
        target: &mut dyn Target,
        waiting: &WaitingRow,
    ) -> Result<(), TargetError> {
        let pending = Pending::read(&waiting.pending);
        let tried = link(run, target, &mut self.lookup, waiting.record, pending)?;
        for (field, text) in &tried.missing {
            count(&mut self.report.missing_references, field);
            self.tell(waiting.row, field, text, "there is no such record; left empty");
        }
        for (field, text) in &tried.ambiguous {
            count(&mut self.report.ambiguous_references, field);
            self.tell(waiting.row, field, text, "several records answer to this; left empty");
        }
        if tried.is_written && waiting.is_unchanged {
            self.report.unchanged -= 1;
            self.report.updated += 1;
        }
        if let (true, Some(batch)) = (tried.is_written, self.batch) {
            renew_effect(target, batch, waiting.record, &tried.left)?;
        }
        Ok(())
    }

    fn tell(&mut self, row: u64, field: &str, text: &str, reason: &str) {
        let slot = self
            .mapping
            .targets
            .iter()
            .find(|target| target.field.name == field)
            .and_then(super::mapping::Target::first_slot);
        let column = slot.and_then(|slot| self.mapping.columns.get(slot));
        let column = column.map_or_else(String::new, |column| column.name.clone());
        let note = RowNote { row, column, reason: format!("`{field}`: {reason}") };
        self.report.keep_left_empty(&note);
        // The text alone, in its column: the rest of the row was imported.
        let cells = self.width_cells(slot, text);
        self.told.push((note, cells));
    }
}

/// Tries the references of a row that an earlier import left; returns whether a link was written.
pub(super) fn link_earlier(
    run: &Run,
    target: &mut dyn Target,
    lookup: &mut Lookup,
    record: RecordId,
    pending: &str,
) -> Result<bool, TargetError> {
    if run.scratch.is_waiting(record)? {
        return Ok(false);
    }
    Ok(link(run, target, lookup, record, Pending::read(pending))?.is_written)
}

fn link(
    run: &Run,
    target: &mut dyn Target,
    lookup: &mut Lookup,
    record: RecordId,
    pending: Pending,
) -> Result<Tried, TargetError> {
    let schema = Schema::current();
    let left = Pending { links: BTreeMap::new(), ..pending.clone() };
    let (missing, ambiguous) = (BTreeMap::new(), BTreeMap::new());
    let mut tried = Tried { missing, ambiguous, is_written: false, left };
    let mut found_fields = Map::new();
    for (name, wanted) in &pending.links {
        let field = pending.field(schema, name);
        let Some(reference) = field.and_then(|field| wanted.reference(field, schema)) else {
            continue;
        };
        let mut keep = |among: &mut BTreeMap<String, String>, wanted: &Wanted| {
            among.insert(name.clone(), wanted.text.clone());
            tried.left.links.insert(name.clone(), wanted.clone());
        };
        match lookup.find(target, &run.scratch, &reference, &wanted.text)? {
            Found::One(id) => drop(found_fields.insert(name.clone(), id.to_string().into())),
            Found::None => keep(&mut tried.missing, wanted),
            Found::Several => keep(&mut tried.ambiguous, wanted),
        }
    }
    if found_fields.is_empty() {
        return Ok(tried);
    }
    tried.is_written = write(target, record, &pending, found_fields)?;
    if let Some(row) = target.notes().imported(record)? {
        let row = ImportedRow { pending: tried.left.write(), ..row };
        target.notes().keep_imported(record, &row)?;
    }
    Ok(tried)
}

/// Writes links that were found; what a person has filled in meanwhile stays.
fn write(
    target: &mut dyn Target,
    record: RecordId,
    pending: &Pending,
    mut fields: Map<String, Json>,
) -> Result<bool, TargetError> {
    let (record, edit) = match &pending.row {
        None => {
            let current = target.read(record)?.unwrap_or_default();
            fields.retain(|name, _| is_empty(&current, name));
            (record, fields)
        }
        Some(place) => {
            let current = target.read(place.record)?.unwrap_or_default();
            let rows = current.get(&place.field).and_then(Json::as_array);
            let is_it = |row: &&Json| row.get("id").and_then(Json::as_str) == Some(&place.id);
            let row = rows.and_then(|rows| rows.iter().find(is_it));
            fields.retain(|name, _| row.is_some_and(|row| is_empty(row, name)));
            if fields.is_empty() || !has_row(&current, place) {
                return Ok(false);
            }
            let edit = json!({ "edit": { place.id.as_str(): fields } });
            (place.record, Map::from_iter([(place.field.clone(), edit)]))
        }
    };
    // In a rehearsal the record is not there.
    if edit.is_empty() || !target.exists(record)? {
        return Ok(false);
    }
    target.update(record, &edit)
}

fn is_empty(json: &Json, name: &str) -> bool {
    json.get(name).is_none_or(Json::is_null)
}

/// The record is another one since its effect was noted, by the import itself.
fn renew_effect(
    target: &dyn Target,
    batch: i64,
    record: RecordId,
    pending: &Pending,
) -> Result<(), TargetError> {
    let effect = target.notes().effect(batch, record)?;
    let Some(Effect::Created { .. }) = effect.as_deref().and_then(Effect::read) else {
        return Ok(());
    };
    let Some(entity) = Schema::current().entity(&pending.entity) else { return Ok(()) };
    let Some(Json::Object(now)) = target.read(record)? else { return Ok(()) };
    let effect = Effect::Created { imprint: imprint(entity, &now) };
    Ok(target.notes().keep_effect(batch, record, &effect.write())?)
}
