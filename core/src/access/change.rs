//! What is wrong with a change: which of its keys its author may not write, and why.

use std::collections::BTreeSet;

use super::{
    Grant, Level, Operation, PartKind, Standing,
    discount::is_over,
    grant::Question,
    scope::{OWNER, TEAM, TERRITORY},
};
use crate::{
    crdt::{State, archive::ARCHIVED},
    ids::{Part, RecordId},
    schema::{Entity, Family, Key},
};

/// The author may not do this with this record.
pub const NOT_PERMITTED: &str = "not_permitted";
/// The author may not change whose a record is.
pub const NOT_ASSIGNABLE: &str = "not_assignable";
/// The author may not archive the record, or bring it back.
pub const NOT_ARCHIVABLE: &str = "not_archivable";
/// The author may not make the record one with another.
pub const NOT_MERGEABLE: &str = "not_mergeable";
/// The author sees the field and does not change it.
pub const READ_ONLY: &str = "read_only";
/// The discount is higher than the author may give.
pub const OVER_DISCOUNT_LIMIT: &str = "over_discount_limit";

/// All codes with which the policy refuses.
pub const CODES: [&str; 6] =
    [NOT_PERMITTED, NOT_ASSIGNABLE, NOT_ARCHIVABLE, NOT_MERGEABLE, READ_ONLY, OVER_DISCOUNT_LIMIT];

/// The fields that a merge writes.
const MERGE_FIELDS: [&str; 3] = ["redirect_to", "merged", "merged_restricted"];

/// The fields of a user that say who stands in, and when.
const ABSENCE_FIELDS: [&str; 2] = ["delegate_id", "delegated"];

/// Why the policy refuses keys of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`CODES`].
    pub code: &'static str,
    /// The keys that it is about; all of the change if empty.
    pub keys: Vec<String>,
}

/// Makes a refusal with a code of the keys of which a question over (key, field) is true.
type Refuse<'a> = dyn Fn(&'static str, &dyn Fn(&str, &str) -> bool) -> Option<Refusal> + 'a;

/// The record that is written.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Which one.
    pub record: RecordId,
    /// Its entity.
    pub entity: &'a Entity,
    /// Which part is written.
    pub part: &'a Part,
    /// Whether the record begins with this change, or with the group that the change belongs to.
    pub is_new: bool,
    /// Where the record stood before.
    pub before: &'a Standing,
    /// Where it stands with the change.
    pub after: &'a Standing,
}

impl Target<'_> {
    /// Where the record must be for its author to write it.
    fn standing(&self) -> &Standing {
        if self.is_new { self.after } else { self.before }
    }
}

impl Grant {
    fn may(&self, target: Target<'_>, operation: Operation, part: PartKind) -> bool {
        let Target { entity, .. } = target;
        let standing = target.standing();
        self.allows(&Question { operation, entity: &entity.name, part, standing })
    }

    /// Whether the author may write in this part of the record at all.
    #[must_use]
    pub fn writes(&self, target: Target<'_>) -> bool {
        let part = PartKind::of(target.part);
        match (target.is_new, part) {
            (true, PartKind::Main) => self.may(target, Operation::Create, part),
            // Who begins a record fills it in, as far as its parts can be written at all.
            (true, PartKind::Restricted | PartKind::Texts) => {
                let level = self.level(&target.entity.name, Operation::Edit, part);
                level > Level::None && self.may(target, Operation::Create, PartKind::Main)
            }
            (false, _) => self.may(target, Operation::Edit, part),
        }
    }

    /// What of a flat change the policy refuses; `after` is the document with the change.
    ///
    /// One reason at a time, the gravest first: what is left when its keys are taken out may be
    /// refused for another.
    #[must_use]
    pub fn judge(&self, target: Target<'_>, keys: &[&str], after: &State) -> Option<Refusal> {
        let Target { entity, part, .. } = target;
        let field =
            |key: &str| entity.parse_key(part, key).ok().map(|key| key.field().name.clone());
        let fields: Vec<(&str, String)> =
            keys.iter().filter_map(|key| Some((*key, field(key)?))).collect();
        let refuse = |code, is_refused: &dyn Fn(&str, &str) -> bool| {
            let keys: BTreeSet<&str> = fields
                .iter()
                .filter(|(key, field)| is_refused(key, field))
                .map(|(key, _)| *key)
                .collect();
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            (!keys.is_empty()).then_some(Refusal { code, keys })
        };
        let withheld = refuse(NOT_PERMITTED, &|_, field| self.is_withheld(&entity.name, field));
        if self.is_open || withheld.is_some() {
            return withheld;
        }
        if !self.writes(target) {
            let is_allowed = |field: &str| {
                let operation = special(target.is_new, field);
                operation.is_some_and(|operation| self.may(target, operation, PartKind::Main))
            };
            return refuse(NOT_PERMITTED, &|_, field| !is_allowed(field));
        }
        if let Some(refusal) = self.judge_special(target, &refuse) {
            return Some(refusal);
        }
        if !target.is_new && !self.reaches_after(target) {
            // Nobody puts a record into a family in which they could not write it.
            let is_family =
                |field: &str| matches!(&entity.family, Family::Link(link) if link == field);
            if let Some(refusal) = refuse(NOT_PERMITTED, &|_, field| is_family(field)) {
                return Some(refusal);
            }
        }
        let kind = PartKind::of(part);
        let read_only = refuse(READ_ONLY, &|_, field| {
            self.is_read_only(&entity.name, field, kind) || self.is_anothers_absence(target, field)
        });
        read_only.or_else(|| {
            let limit = self.discount_limit()?;
            let over = |key: &str, _: &str| {
                let parsed: Option<Key<'_>> = entity.parse_key(part, key).ok();
                parsed.is_some_and(|key| is_over(entity, &key, after, limit))
            };
            refuse(OVER_DISCOUNT_LIMIT, &over)
        })
    }

    /// Whether the record, as it stands with the change, may be edited.
    fn reaches_after(&self, target: Target<'_>) -> bool {
        let Target { entity, after: standing, .. } = target;
        let (operation, part) = (Operation::Edit, PartKind::Main);
        self.allows(&Question { operation, entity: &entity.name, part, standing })
    }

    /// Whether a field says who stands in for somebody else: only they themselves say it, and those
    /// who edit all users. Whoever stands in for a week would prolong it.
    fn is_anothers_absence(&self, target: Target<'_>, field: &str) -> bool {
        target.entity.name == "user"
            && ABSENCE_FIELDS.contains(&field)
            && self.user != Some(target.record)
            && self.level("user", Operation::Edit, PartKind::Main) < Level::All
    }

    /// The fields that are operations of their own: whose the record is, archiving, merging.
    fn judge_special(&self, target: Target<'_>, refuse: &Refuse<'_>) -> Option<Refusal> {
        let specials = [
            (Operation::Assign, NOT_ASSIGNABLE),
            (Operation::Archive, NOT_ARCHIVABLE),
            (Operation::Merge, NOT_MERGEABLE),
        ];
        specials.into_iter().find_map(|(operation, code)| {
            if self.may(target, operation, PartKind::Main) {
                return None;
            }
            refuse(code, &|_, field| special(target.is_new, field) == Some(operation))
        })
    }
}

/// The operation that writing a field is, where it is none of editing.
///
/// Whose a new record is, is part of creating it: it must be within reach then.
fn special(is_new: bool, field: &str) -> Option<Operation> {
    match field {
        OWNER | TEAM | TERRITORY if !is_new => Some(Operation::Assign),
        ARCHIVED => Some(Operation::Archive),
        _ if MERGE_FIELDS.contains(&field) => Some(Operation::Merge),
        _ => None,
    }
}
