//! From what a person enters to all edits that follow from it: the one place in which device and
//! office make them, so that both write the same.
//!
//! Beside the fields that were entered: who created a record and when, whose it is, and an entry
//! of the stage's history for every move.

use serde_json::{Map, Value as Json};

use super::{
    edit::{Actors, EditError, Plan, Planner},
    record::Documents,
    stage::note_stage,
};
use crate::{
    ids::RecordId,
    schema::{Entity, RowId},
    time::{TimestampMs, to_rfc3339},
};

/// The field that says when a record was created; filled in unless it is given.
const CREATED_AT: &str = "created_at";
/// The field that says who created a record; filled in unless it is given.
const CREATED_BY: &str = "created_by";
/// The field that says whose a record is; its creator's unless it is given.
const OWNER: &str = "owner_id";

/// What an edit is made from.
#[derive(Debug)]
pub struct Composer<'a, R: FnMut() -> RowId> {
    /// The record's entity.
    pub entity: &'a Entity,
    /// The record as it stands.
    pub documents: &'a Documents,
    /// Under which actor each part will be written.
    pub actors: &'a dyn Actors,
    /// The user who writes, once that is a record.
    pub user: Option<RecordId>,
    /// The time now.
    pub now_ms: TimestampMs,
    /// Whether the record is being created.
    pub is_new: bool,
    /// Whether a new record may leave required fields empty, as imports do; it then belongs to
    /// nobody unless the fields say so.
    pub takes_gaps: bool,
    /// Whether the writer is the office, which alone writes the fields that it owns.
    pub is_office: bool,
    /// Draws ids of rows and entries.
    pub draw_row: R,
}

impl<R: FnMut() -> RowId> Composer<'_, R> {
    /// Turns `fields` into edits, and adds what follows from them.
    ///
    /// # Errors
    ///
    /// Returns the first [`EditError`]; nothing is planned then.
    pub fn compose(&mut self, fields: &Map<String, Json>) -> Result<Plan, EditError> {
        let entry = (self.draw_row)();
        let mut planner = Planner {
            entity: self.entity,
            documents: self.documents,
            actors: self.actors,
            is_new: self.is_new,
            is_office: self.is_office,
            draw_row: &mut self.draw_row,
        };
        let mut plan =
            if self.takes_gaps { planner.plan_with_gaps(fields)? } else { planner.plan(fields)? };
        if self.is_new {
            let added = creation(self.entity, fields, self.user, self.now_ms, self.takes_gaps);
            for (part, edits) in planner.plan_with_gaps(&added)?.flat {
                plan.flat.entry(part).or_default().extend(edits);
            }
        }
        note_stage(self.entity, self.documents, &mut plan, self.user, (self.now_ms, entry));
        Ok(plan)
    }
}

/// What a new record says about its creation beside the `fields` that were entered.
fn creation(
    entity: &Entity,
    fields: &Map<String, Json>,
    user: Option<RecordId>,
    now_ms: TimestampMs,
    takes_gaps: bool,
) -> Map<String, Json> {
    let user = user.map(|user| Json::from(user.to_string()));
    let owner = user.clone().filter(|_| !takes_gaps);
    let at = Some(Json::from(to_rfc3339(now_ms)));
    [(CREATED_AT, at), (CREATED_BY, user), (OWNER, owner)]
        .into_iter()
        .filter(|(name, _)| entity.field(name).is_some() && !fields.contains_key(*name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
