//! Merging two records that are the same, and taking it back.
//!
//! A merge is one tap of at most four changes: the record that goes leads to the one that goes on
//! (`redirect_to`), which takes over what it has not. Neither document loses anything, no link is
//! rewritten ([`store::redirect`](crate::store::redirect)).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Replica, ReplicaError, Writer};
use crate::{
    domain::{
        merge::{self, MergeError, MergePlan, REDIRECT},
        record,
    },
    ids::{DocumentId, Part, RecordId},
    schema::Entity,
    store::{StoreError, likeness, redirect},
};

/// What came of taking a merge back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmerged {
    /// The record that had gone on for it.
    pub survivor: RecordId,
    /// Fields of which the survivor gave back what it had taken over.
    pub given_back: Vec<String>,
    /// Fields that it keeps, because somebody has written there since.
    pub stays: Vec<String>,
}

impl Replica {
    /// What a merge would do.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Merge`] when the two cannot be merged.
    pub fn plan_merge(
        &mut self,
        loser: RecordId,
        survivor: RecordId,
        take: &BTreeSet<String>,
    ) -> Result<MergePlan, ReplicaError> {
        self.transaction(|writer| Ok(writer.plan_merge(loser, survivor, take)?.1))
    }

    /// Makes `loser` lead to `survivor`.
    ///
    /// # Errors
    ///
    /// As [`Replica::plan_merge`].
    pub fn merge(
        &mut self,
        loser: RecordId,
        survivor: RecordId,
        take: &BTreeSet<String>,
    ) -> Result<MergePlan, ReplicaError> {
        self.transaction(|writer| writer.merge(loser, survivor, take))
    }

    /// Takes a merge back.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Merge`] when the record was not merged.
    pub fn unmerge(&mut self, loser: RecordId) -> Result<Unmerged, ReplicaError> {
        self.transaction(|writer| writer.unmerge(loser))
    }

    /// Remembers that two records look the same and are not; returns whether that is new.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when one is not here, or they are of different entities.
    pub fn tell_apart(&mut self, one: RecordId, other: RecordId) -> Result<bool, ReplicaError> {
        self.transaction(|writer| writer.tell_apart(one, other))
    }

    /// The record that goes on for one: itself, unless it was merged.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn resolve(&self, record: RecordId) -> Result<RecordId, ReplicaError> {
        let Some((entity, _)) = self.title(record)? else { return Ok(record) };
        Ok(redirect::resolve(self.conn()?, entity, record).map_err(StoreError::from)?)
    }

    /// The records that were merged into one.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn halves(&self, record: RecordId) -> Result<Vec<RecordId>, ReplicaError> {
        let Some((entity, _)) = self.title(record)? else { return Ok(Vec::new()) };
        Ok(redirect::halves(self.conn()?, entity, record).map_err(StoreError::from)?)
    }
}

impl Writer<'_> {
    /// Where the writes of a record go: to the one that goes on for it.
    pub(super) fn heir(&self, entity: &Entity, record: RecordId) -> Result<RecordId, StoreError> {
        Ok(redirect::resolve(self.tx, entity, record)?)
    }

    fn shown(
        &self,
        record: RecordId,
    ) -> Result<(&'static Entity, Map<String, Json>), ReplicaError> {
        let (entity, _, documents) = self.load(record)?;
        let Json::Object(shown) = record::to_json(entity, record, &documents) else {
            return Err(ReplicaError::UnknownRecord(record));
        };
        Ok((entity, shown))
    }

    /// What a merge would do, with the entity of both.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Merge`] when the two cannot be merged.
    pub fn plan_merge(
        &self,
        loser: RecordId,
        survivor: RecordId,
        take: &BTreeSet<String>,
    ) -> Result<(&'static Entity, MergePlan), ReplicaError> {
        let (entity, theirs) = self.shown(loser)?;
        let (other, ours) = self.shown(survivor)?;
        merge::check_pair((loser, entity), (survivor, other))?;
        for record in [loser, survivor] {
            let into = self.heir(entity, record)?;
            if into != record {
                return Err(MergeError::Already { record, into }.into());
            }
        }
        Ok((entity, merge::plan(entity, &theirs, &ours, take)?))
    }

    /// Makes `loser` lead to `survivor`, which takes over what it has not and the fields that
    /// `take` names.
    ///
    /// # Errors
    ///
    /// As [`Writer::plan_merge`].
    pub fn merge(
        &mut self,
        loser: RecordId,
        survivor: RecordId,
        take: &BTreeSet<String>,
    ) -> Result<MergePlan, ReplicaError> {
        let (entity, plan) = self.plan_merge(loser, survivor, take)?;
        let edits = plan.loser_edits(entity, survivor)?;
        self.in_group(|writer| {
            if !plan.fields.is_empty() {
                writer.update_itself(survivor, &plan.fields)?;
            }
            writer.write_edits(loser, edits)
        })?;
        Ok(plan)
    }

    /// Takes a merge back: the record stands by itself again, and the survivor gives back what it
    /// took over where nobody has written since.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Merge`] when the record was not merged.
    pub fn unmerge(&mut self, loser: RecordId) -> Result<Unmerged, ReplicaError> {
        let (entity, theirs) = self.shown(loser)?;
        let survivor = merge::noted_survivor(&theirs).ok_or(MergeError::NotMerged(loser))?;
        let ours = if self.exists(survivor)? { self.shown(survivor)?.1 } else { Map::new() };
        let plan = merge::unmerge(entity, &theirs, &ours);
        self.in_group(|writer| {
            if !plan.fields.is_empty() {
                writer.update_itself(survivor, &plan.fields)?;
            }
            writer.write_edits(loser, plan.loser_edits)
        })?;
        let given_back = plan.fields.keys().cloned().collect();
        Ok(Unmerged { survivor, given_back, stays: plan.stays })
    }

    /// Writes edits that follow from a merge, which no person writes by hand.
    fn write_edits(
        &mut self,
        record: RecordId,
        edits: BTreeMap<Part, Vec<crate::crdt::Edit>>,
    ) -> Result<(), ReplicaError> {
        let (entity, mut flat, _) = self.load(record)?;
        for (part, edits) in edits {
            let document = flat.remove(&part);
            let actor = self.actor_for(document.as_ref());
            self.write_flat(&DocumentId { record, part }, entity, document, actor, edits)?;
        }
        Ok(())
    }

    /// Remembers that two records look the same and are not; returns whether that is new.
    ///
    /// # Errors
    ///
    /// As [`Replica::tell_apart`].
    pub fn tell_apart(&mut self, one: RecordId, other: RecordId) -> Result<bool, ReplicaError> {
        let (entity, _) = self.shown(one)?;
        let (second, _) = self.shown(other)?;
        merge::check_pair((one, entity), (other, second))?;
        let id = likeness::distinct_id(one, other);
        if self.exists(id)? {
            let was_archived = self.is_archived(id)?;
            self.restore(id)?;
            return Ok(was_archived);
        }
        self.create(likeness::DISTINCT, Some(id), &likeness::distinct_fields(entity, one, other))?;
        Ok(true)
    }
}

/// Whether a record's JSON leads elsewhere.
pub(super) fn leads(main: &crate::crdt::State) -> bool {
    main.register(REDIRECT).is_some()
}
