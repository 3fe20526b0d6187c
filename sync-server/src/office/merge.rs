//! Merging two records at the office, taking it back, and telling two apart for good.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    access::Policy,
    crdt::Edit,
    domain::{
        merge::{self, MergeError, MergePlan},
        record,
    },
    ids::{DocumentId, Part, RecordId},
    points,
    schema::Entity,
    store::likeness::{DISTINCT, distinct_fields, distinct_id},
    time::TimestampMs,
};
use serde_json::{Map, Value as Json};

use super::{Author, OfficeError, base::Base, edit::Tap, view::entity_of};
use crate::storage::{Read, Storage};

/// Plans a merge: both halves side by side.
///
/// # Errors
///
/// [`OfficeError::Merge`] when the two cannot be merged.
pub fn plan_merge(
    read: &dyn Read,
    loser: RecordId,
    survivor: RecordId,
    take: &BTreeSet<String>,
) -> Result<MergePlan, OfficeError> {
    let entity = entity_of(read, loser)?.ok_or(OfficeError::UnknownRecord(loser))?;
    let other = entity_of(read, survivor)?.ok_or(OfficeError::UnknownRecord(survivor))?;
    merge::check_pair((loser, entity), (survivor, other))?;
    for record in [loser, survivor] {
        let into = read.heir(entity, record)?;
        if into != record {
            return Err(MergeError::Already { record, into }.into());
        }
    }
    let (theirs, ours) = (shown(read, entity, loser)?, shown(read, entity, survivor)?);
    Ok(merge::plan(entity, &theirs, &ours, take)?)
}

fn shown(read: &dyn Read, entity: &Entity, id: RecordId) -> Result<Map<String, Json>, OfficeError> {
    let documents = super::documents(read, id)?.ok_or(OfficeError::UnknownRecord(id))?.1;
    let Json::Object(shown) = record::to_json(entity, id, &documents) else {
        return Err(OfficeError::UnknownRecord(id));
    };
    Ok(shown)
}

/// Makes `loser` lead to `survivor`, which takes over what it has not and the fields that `take`
/// names.
///
/// # Errors
///
/// [`OfficeError::Merge`] when the two cannot be merged; nothing is written then.
pub fn merge(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    (loser, survivor): (RecordId, RecordId),
    take: &BTreeSet<String>,
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    let plan = plan_merge(&*tap.desk.tx, loser, survivor, take)?;
    let base = Base::load(&*tap.desk.tx, survivor, None, author)?;
    let edits = plan.loser_edits(base.entity, survivor)?;
    if !plan.fields.is_empty() {
        tap.write_fields(survivor, base, &plan.fields, false, None)?;
    }
    write_edits(&mut tap, author, loser, edits)?;
    points::reach("server.merge.before_commit");
    tap.finish()?;
    points::reach("server.merge.after_commit");
    Ok(())
}

/// Takes a merge back; gives the fields that the survivor keeps because somebody has written there
/// since.
///
/// # Errors
///
/// [`OfficeError::Merge`] when the record was not merged.
pub fn unmerge(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    loser: RecordId,
    now_ms: TimestampMs,
) -> Result<Vec<String>, OfficeError> {
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    let read = &*tap.desk.tx;
    let entity = entity_of(read, loser)?.ok_or(OfficeError::UnknownRecord(loser))?;
    let theirs = shown(read, entity, loser)?;
    let survivor = merge::noted_survivor(&theirs).ok_or(MergeError::NotMerged(loser))?;
    let is_here = entity_of(read, survivor)?.is_some();
    let ours = if is_here { shown(read, entity, survivor)? } else { Map::new() };
    let plan = merge::unmerge(entity, &theirs, &ours);
    if !plan.fields.is_empty() {
        let base = Base::load(read, survivor, None, author)?;
        tap.write_fields(survivor, base, &plan.fields, false, None)?;
    }
    write_edits(&mut tap, author, loser, plan.loser_edits)?;
    tap.finish()?;
    Ok(plan.stays)
}

fn write_edits(
    tap: &mut Tap<'_>,
    author: &Author,
    record: RecordId,
    edits: BTreeMap<Part, Vec<Edit>>,
) -> Result<(), OfficeError> {
    let mut base = Base::load(&*tap.desk.tx, record, None, author)?;
    for (part, edits) in edits {
        let Some(flat) = base.flat.remove(&part) else { continue };
        tap.write_flat(DocumentId { record, part }, base.entity, flat, edits)?;
    }
    Ok(())
}

/// Remembers that two records look the same and are not.
///
/// # Errors
///
/// [`OfficeError::UnknownRecord`] when one is not there, [`OfficeError::Merge`] when they are not two
/// of one entity.
pub fn tell_apart(
    storage: &dyn Storage,
    policy: &Policy,
    author: &Author,
    (one, other): (RecordId, RecordId),
    now_ms: TimestampMs,
) -> Result<(), OfficeError> {
    let id = distinct_id(one, other);
    let read = storage.read()?;
    let entity = entity_of(&*read, one)?.ok_or(OfficeError::UnknownRecord(one))?;
    let second = entity_of(&*read, other)?.ok_or(OfficeError::UnknownRecord(other))?;
    merge::check_pair((one, entity), (other, second))?;
    let is_known = entity_of(&*read, id)?.is_some();
    drop(read);
    if is_known {
        return super::restore(storage, policy, author, id, None, now_ms);
    }
    let fields = distinct_fields(entity, one, other);
    let mut tap = Tap::open(storage, policy, author, now_ms)?;
    tap.create(DISTINCT, id, &fields)?;
    tap.finish().map(drop)
}
