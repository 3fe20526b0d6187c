//! Records that are the same, edits that are taken back, and what became of a record.

use std::{collections::BTreeSet, time::SystemTime};

use outrider_core::domain::history::What;
use outrider_core::{
    ids::RecordId,
    replica::{self as core, history, likeness::NamedLikely, undo},
};
use serde_json::Value as Json;

use crate::{
    error::CrmError,
    records::CrmChanges,
    replica::Replica,
    values::{FieldValue, Scalar, moment},
    words,
};

/// A record that may be the same as another.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct LikelyRecord {
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// How alike they are: higher is more, see `is_sure`.
    pub score: f64,
    /// Whether they are the same as far as anybody can tell; otherwise a person should look.
    pub is_sure: bool,
}

/// What a merge that was taken back gave.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Unmerged {
    /// The record that went on.
    pub survivor: RecordId,
    /// Fields that are again what they were.
    pub given_back: Vec<String>,
    /// Fields that stay, because somebody wrote them since.
    pub stays: Vec<String>,
}

/// What one tap changed under one key.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct TapItem {
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name.
    pub title: String,
    /// The key.
    pub key: String,
    /// The field as forms call it.
    pub label: String,
    /// What it was before.
    pub old: Option<FieldValue>,
    /// What it became.
    pub new: Option<FieldValue>,
}

/// What one press of a button wrote.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Tap {
    /// Names it on this device.
    pub number: i64,
    /// When.
    pub made_at: SystemTime,
    /// Whether the office has it.
    pub is_sent: bool,
    /// Whether it was taken back.
    pub is_undone: bool,
    /// What it changed.
    pub items: Vec<TapItem>,
}

/// What taking a tap back did.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Undone {
    /// What is again as it was.
    pub items: Vec<TapItem>,
    /// Keys that stay as they are, because somebody wrote them since or they are final.
    pub skipped: Vec<String>,
}

/// One entry of what this device knows of a record's past.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct HistoryEntry {
    /// The key.
    pub key: String,
    /// The field as forms call it.
    pub label: String,
    /// What happened: `changed`, `settled`, `added`, `removed`, `came_back`, `archived`, `restored`,
    /// `revived`, `edited`.
    pub what: String,
    /// What it was before, as far as it is known.
    pub old: Option<FieldValue>,
    /// What it became.
    pub new: Option<FieldValue>,
    /// Who did it, as far as it is known.
    pub by: Option<String>,
    /// Whether it was done here.
    pub is_own: bool,
    /// When, as far as it is known.
    pub made_at: Option<SystemTime>,
    /// Whether the office has it.
    pub is_sent: bool,
}

#[uniffi::export]
impl Replica {
    /// Records that may be the same as one with these fields, the likeliest first: to be asked before a
    /// record is created. `itself` is the record of these fields, if it is stored.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(itself = None))]
    pub fn find_duplicates(
        &self,
        fields: CrmChanges,
        itself: Option<RecordId>,
    ) -> Result<Vec<LikelyRecord>, CrmError> {
        let entity = fields.entity();
        let fields = fields.written().at_creation();
        let found =
            self.with_of(Some(entity), |replica| replica.likely(entity, &fields, itself))?;
        let likely = found.into_iter().map(|NamedLikely { title, likely }| LikelyRecord {
            record: likely.record,
            title,
            score: likely.likeness.score,
            is_sure: likely.likeness.verdict == outrider_core::likeness::score::Verdict::Sure,
        });
        Ok(likely.collect())
    }

    /// Makes `loser` lead to `survivor`; of the fields in `take` the loser's values replace the survivor's.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotPermitted`, and `Invalid` for records that cannot be merged.
    #[uniffi::method(default(take = []))]
    pub fn merge(
        &self,
        loser: RecordId,
        survivor: RecordId,
        take: Vec<String>,
    ) -> Result<(), CrmError> {
        let take: BTreeSet<String> = take.into_iter().collect();
        self.with(|replica| replica.merge(loser, survivor, &take).map(drop))
    }

    /// Takes a merge back.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotPermitted`, and `Invalid` for a record that was not merged.
    pub fn unmerge(&self, loser: RecordId) -> Result<Unmerged, CrmError> {
        let core::merge::Unmerged { survivor, given_back, stays } =
            self.with(|replica| replica.unmerge(loser))?;
        Ok(Unmerged { survivor, given_back, stays })
    }

    /// Remembers that two records look the same and are not; returns whether that is new.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Invalid` for records of different entities.
    pub fn tell_apart(&self, one: RecordId, other: RecordId) -> Result<bool, CrmError> {
        self.with(|replica| replica.tell_apart(one, other))
    }

    /// The taps of this device that can be taken back, the newest first.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    #[uniffi::method(default(limit = 20))]
    pub fn undoable(&self, limit: u32) -> Result<Vec<Tap>, CrmError> {
        let found = self.with(|replica| replica.undoable(limit as usize))?;
        let taps = found.into_iter().map(|tap| {
            let undo::Tap { group, made_at, is_acknowledged, undoes: _, is_undone, items } = tap;
            let items = items.into_iter().map(|item| self.tap_item(item)).collect();
            let made_at = moment(made_at);
            Tap { number: group, made_at, is_sent: is_acknowledged, is_undone, items }
        });
        Ok(taps.collect())
    }

    /// Takes a tap back: what it changed is again as it was, except what somebody wrote since.
    ///
    /// # Errors
    ///
    /// `NotFound` when it cannot be taken back.
    pub fn undo(&self, number: i64) -> Result<Undone, CrmError> {
        let undo::Undone { group: _, by_group: _, items, skipped } =
            self.with(|replica| replica.undo(number))?;
        Ok(Undone {
            items: items.into_iter().map(|item| self.tap_item(item)).collect(),
            skipped: skipped.into_iter().map(|skipped| skipped.key).collect(),
        })
    }

    /// What this device knows of a record's past: own changes, the newest first, then the values that others
    /// wrote; at most 1,000 entries.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    #[uniffi::method(default(field = None))]
    pub fn history(
        &self,
        record: RecordId,
        field: Option<String>,
    ) -> Result<Vec<HistoryEntry>, CrmError> {
        let (entity, found) = self.with(|replica| {
            let title = replica.title(record)?;
            let entity = title.map(|(entity, _)| entity.name.clone()).unwrap_or_default();
            Ok((entity, replica.history(record, field.as_deref())?))
        })?;
        let entries = found.into_iter().map(|entry| {
            let history::LocalChange {
                key,
                field: _,
                what,
                old,
                new,
                by,
                is_own,
                made_at,
                progress,
            } = entry;
            HistoryEntry {
                label: words::label_of_key(&entity, &key, self.language),
                key,
                what: word_of(what).to_owned(),
                old: FieldValue::from_json(&old),
                new: FieldValue::from_json(&new),
                by,
                is_own,
                made_at: made_at.map(moment),
                is_sent: progress != history::Progress::Waiting,
            }
        });
        Ok(entries.collect())
    }
}

impl Replica {
    fn tap_item(&self, item: undo::TapItem) -> TapItem {
        let undo::TapItem { entity, record, title, key, what: _, old, new } = item;
        let value = |json: &Json| FieldValue::from_json(json);
        let label = words::label_of_key(&entity, &key, self.language);
        TapItem { entity, record, title, key, label, old: value(&old), new: value(&new) }
    }
}

fn word_of(what: What) -> &'static str {
    match what {
        What::Changed => "changed",
        What::Settled => "settled",
        What::Added => "added",
        What::Removed => "removed",
        What::CameBack => "came_back",
        What::Archived => "archived",
        What::Restored => "restored",
        What::Revived => "revived",
        What::Edited => "edited",
    }
}
