//! An import taken back: what it made is archived, what it changed is as before, where nobody has
//! written since.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{
    Progress,
    effect::{Effect, imprint},
    engine::has_row,
    error::ImportError,
    target::{Place, Target, TargetError},
};
use crate::{
    ids::{RecordId, from_hex},
    schema::{Kind, Schema},
    store::imports::{Batch, ImportedRow},
};

/// How long an import can be taken back.
pub const UNDO_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

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
            for (name, (old, new)) in fields {
                let current = now.get(name).unwrap_or(&Json::Null);
                if current == old {
                    continue;
                }
                match edit_back(&now, name, old, new) {
                    Some(edit) if current == new || edit.is_object() => {
                        edits.insert(name.clone(), edit);
                    }
                    Some(_) | None => is_kept = true,
                }
            }
            let is_written = !edits.is_empty() && target.update(record, &edits)?;
            if *restored && !is_kept && now.get("is_archived").is_none() {
                target.archive(record)?;
            }
            let fingerprint = bytes(was);
            target
                .notes()
                .keep_imported(record, &ImportedRow { fingerprint, pending: String::new() })?;
            Ok(match (is_written || *restored, is_kept) {
                (_, true) => Undone::Kept,
                (true, false) => Undone::Restored,
                (false, false) => Undone::Gone,
            })
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
    let entity = now.get("entity").and_then(Json::as_str);
    let entity = entity.and_then(|name| Schema::current().entity(name));
    if entity.is_none_or(|entity| imprint(entity, &now) != made) {
        return Ok(Undone::Kept);
    }
    target.archive(record)?;
    target.notes().forget_imported(record)?;
    Ok(Undone::Archived)
}

/// The edit that brings the old value back; a set loses the members that came.
fn edit_back(record: &Json, name: &str, old: &Json, new: &Json) -> Option<Json> {
    let entity = record.get("entity").and_then(Json::as_str)?;
    let field = Schema::current().entity(entity)?.field(name)?;
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

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| from_hex::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte);
    pairs.filter_map(byte).collect()
}
