//! The history of an opportunity's stage: every move leaves an entry that nobody edits.

use serde_json::json;

use super::{edit::Plan, record::Documents, values::shown};
use crate::{
    crdt::{Action, Edit},
    ids::{Part, RecordId},
    schema::{Entity, RowId, entry_key},
    time::{TimestampMs, to_rfc3339},
    value::Value,
};

/// The field that holds the stage.
const STAGE: &str = "sales_stage";
/// The log that holds its history.
pub(super) const HISTORY: &str = "stages";

/// Adds an entry of the stage's history to a plan that moves the stage.
pub fn note_stage(
    entity: &Entity,
    documents: &Documents,
    plan: &mut Plan,
    user: Option<RecordId>,
    (now_ms, entry): (TimestampMs, RowId),
) {
    let (Some(stage), Some(history)) = (entity.field(STAGE), entity.field(HISTORY)) else { return };
    let Some(edits) = plan.flat.get_mut(&Part::Main) else { return };
    let moved = edits.iter().find(|edit| edit.key == STAGE).map(|edit| &edit.action);
    let Some(Action::Put(to)) = moved else { return };
    let from = documents.flat.get(&Part::Main).map_or(&Value::Null, |state| shown(stage, state));
    let moved = json!({
        "from_stage": from.as_text(), "to_stage": to.as_text(), "at": to_rfc3339(now_ms),
        "by_user": user,
    });
    // Four short members always make an entry.
    let Some(Ok(value)) = moved.as_object().map(|moved| history.entry_from_json(moved)) else {
        return;
    };
    edits.push(Edit { key: entry_key(history, entry), action: Action::Put(value) });
}
