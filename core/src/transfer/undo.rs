//! An import taken back: what it made is archived, what it changed is as before, where nobody has
//! written since.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{
    Progress,
    effect::{Effect, imprint},
    engine::{has_row, row_of},
    error::ImportError,
    pending::Pending,
    target::{Place, Target, TargetError},
};
use crate::{
    ids::{RecordId, from_hex},
    schema::{Entity, Field, Kind, Schema},
    store::imports::{Batch, ImportedRow},
    time::DAY_MS,
};

/// How long an import can be taken back.
pub const UNDO_DAYS: i64 = 30;

/// What was taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportUndone {
    /// Records that the import had made, now archived.
    pub archived: u64,
    /// Records that have their values of before again.
    pub restored: u64,
    /// Rows that the import had added to records, now removed.
    pub rows_removed: u64,
    /// Records that stay as they are, because somebody has changed them since.
    pub kept: u64,
}

enum Undone {
    Archived,
    Restored,
    Removed,
    Kept,
    /// It is not there any more, or was taken back before.
    Gone,
}

/// Takes an import back, in transactions of its own; interrupted, it is simply done again.
///
/// # Errors
///
/// [`ImportError::UnknownBatch`] and [`ImportError::TooLate`]; fails when the target does.
pub fn undo_import(
    place: &mut dyn Place,
    id: i64,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportUndone, ImportError> {
    let now_ms = place.now_ms();
    let mut found: Option<Batch> = None;
    place.rehearse(&mut |target| {
        found = target.notes().batch(id)?;
        Ok(())
    })?;
    let mut batch = found.ok_or(ImportError::UnknownBatch(id))?;
    if batch.undone_at.is_some() {
        return Err(ImportError::UndoneBefore(id));
    }
    if now_ms - batch.begun_at > UNDO_DAYS * DAY_MS {
        return Err(ImportError::TooLate { days: UNDO_DAYS });
    }
    let mut undone = ImportUndone::default();
    let mut after: Option<RecordId> = None;
    let mut rows = 0;
    let limit = place.batch_rows();
    loop {
        let mut last = None;
        place.write(&mut |target| {
            let effects = target.notes().effects(id, after, limit)?;
            last = effects.last().map(|(record, _)| *record);
            for (record, effect) in &effects {
                rows += 1;
                let Some(effect) = Effect::read(effect) else { continue };
                match undo(target, *record, &effect)? {
                    Undone::Archived => undone.archived += 1,
                    Undone::Restored => undone.restored += 1,
                    Undone::Removed => undone.rows_removed += 1,
                    Undone::Kept => undone.kept += 1,
                    Undone::Gone => {}
                }
            }
            Ok(())
        })?;
        let Some(last) = last else { break };
        after = Some(last);
        progress(Progress { rows, bytes: 0, bytes_total: 0 });
    }
    batch.undone_at = Some(now_ms);
    place.write(&mut |target| Ok(target.notes().save_batch(&batch)?))?;
    Ok(undone)
}

fn undo(target: &mut dyn Target, record: RecordId, effect: &Effect) -> Result<Undone, TargetError> {
    match effect {
        Effect::Created { imprint } => undo_creation(target, record, imprint),
        Effect::Changed { fields, was, restored } => {
            let Some(now) = target.read(record)? else { return Ok(Undone::Gone) };
            let mut edits = Map::new();
            let mut is_kept = false;
            let entity = entity_of(&now);
            for (name, (old, new)) in fields {
                let current = now.get(name).unwrap_or(&Json::Null);
                if current == old {
                    continue;
                }
                let field = entity.and_then(|entity| entity.field(name));
                // Of a set the members that came go, whatever people added.
                let is_set = field.is_some_and(|field| field.kind == Kind::Set);
                match field.and_then(|field| edit_back(field, old, new)) {
                    Some(edit) if current == new || is_set => {
                        edits.insert(name.clone(), edit);
                    }
                    Some(_) | None => is_kept = true,
                }
            }
            let is_written = !edits.is_empty() && target.update(record, &edits)?;
            if *restored && !is_kept && now.get("is_archived").is_none() {
                target.archive(record)?;
            }
            let mut fingerprint = bytes(was);
            if is_kept && let Some(row) = target.notes().imported(record)? {
                // What a person changed stays when either file is imported again.
                fingerprint.extend(row.fingerprint);
            }
            if fingerprint.is_empty() {
                target.notes().forget_imported(record)?;
            } else {
                let pending =
                    if *restored && !is_kept { Pending::taken_back("") } else { String::new() };
                let row = ImportedRow { fingerprint, pending };
                target.notes().keep_imported(record, &row)?;
            }
            Ok(match (is_written || *restored, is_kept) {
                (_, true) => Undone::Kept,
                (true, false) => Undone::Restored,
                (false, false) => Undone::Gone,
            })
        }
        Effect::Cells { place, fields } => {
            let now = target.read(place.record)?.unwrap_or_default();
            let Some(row) = row_of(&now, place) else { return Ok(Undone::Gone) };
            let is_ours = |(name, (_, new)): &(&String, &(Json, Json))| {
                row.get(name.as_str()).unwrap_or(&Json::Null) == new
            };
            let back: Map<String, Json> = fields
                .iter()
                .filter(is_ours)
                .map(|(name, (old, _))| (name.clone(), old.clone()))
                .collect();
            if back.len() < fields.len() {
                return Ok(Undone::Kept);
            }
            target.notes().forget_imported(record)?;
            let edit = json!({ "edit": { place.id.as_str(): back } });
            target.update(place.record, &Map::from_iter([(place.field.clone(), edit)]))?;
            Ok(Undone::Restored)
        }
        Effect::Row { place } => {
            target.notes().forget_imported(record)?;
            let Some(now) = target.read(place.record)? else { return Ok(Undone::Gone) };
            if !has_row(&now, place) {
                return Ok(Undone::Gone);
            }
            let edit = json!({ "remove": [place.id] });
            target.update(place.record, &Map::from_iter([(place.field.clone(), edit)]))?;
            Ok(Undone::Removed)
        }
    }
}

fn undo_creation(
    target: &mut dyn Target,
    record: RecordId,
    made: &str,
) -> Result<Undone, TargetError> {
    let Some(Json::Object(now)) = target.read(record)? else { return Ok(Undone::Gone) };
    if now.contains_key("is_archived") {
        return Ok(Undone::Gone);
    }
    let now = Json::Object(now);
    let (Some(entity), Some(fields)) = (entity_of(&now), now.as_object()) else {
        return Ok(Undone::Kept);
    };
    if imprint(entity, fields) != made || target.has_halves(entity, record)? {
        return Ok(Undone::Kept);
    }
    target.archive(record)?;
    // The next import of the file brings it back, with what the file says by then.
    if let Some(row) = target.notes().imported(record)? {
        let row = ImportedRow { pending: Pending::taken_back(&row.pending), ..row };
        target.notes().keep_imported(record, &row)?;
    }
    Ok(Undone::Archived)
}

/// The edit that brings the old value back; a set loses the members that came.
fn edit_back(field: &Field, old: &Json, new: &Json) -> Option<Json> {
    if field.kind == Kind::Set {
        let old = old.as_array().cloned().unwrap_or_default();
        let came = new.as_array().cloned().unwrap_or_default();
        let came: Vec<Json> = came.into_iter().filter(|item| !old.contains(item)).collect();
        return Some(json!({ "remove": came }));
    }
    if !old.is_null() {
        return Some(old.clone());
    }
    // A required field cannot be emptied again; it stays.
    let emptied = if field.kind == Kind::Text { Json::from("") } else { Json::Null };
    (!field.required).then_some(emptied)
}

fn entity_of(record: &Json) -> Option<&'static Entity> {
    Schema::current().entity(record.get("entity")?.as_str()?)
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| from_hex::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte);
    pairs.filter_map(byte).collect()
}
