//! Operations of one record as what people write in another.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{Action, OpId, State},
    ids::Part,
    schema::{Entity, Key, Kind},
};
use serde_json::{Map, Value as Json, json};

/// An operation: its name, key and action.
pub(super) type Written = (OpId, String, Action);

/// Operations of one record as fields that another takes.
pub(super) fn fields_of(
    entity: &Entity,
    part: &Part,
    theirs: &State,
    ops: &[Written],
) -> Map<String, Json> {
    let mut fields = Map::new();
    let mut cells: BTreeMap<(String, String), Map<String, Json>> = BTreeMap::new();
    for (_, key, action) in ops {
        match entity.parse_key(part, key) {
            Ok(Key::Register(field)) if field.kind == Kind::Register && !field.by_program => {
                let json = match action {
                    Action::Put(value) => field.ty.to_json(value),
                    Action::Delete => Json::Null,
                };
                fields.insert(field.name.clone(), json);
            }
            Ok(Key::Member { field, .. }) => {
                let way = if matches!(action, Action::Put(_)) { "add" } else { "remove" };
                let member = key.split_once('/').map_or("", |(_, member)| member);
                let member = member.replace("%2F", "/").replace("%2f", "/").replace("%25", "%");
                let change = fields.entry(field.name.clone()).or_insert_with(|| json!({}));
                push(change, way, member.into());
            }
            Ok(Key::Cell { field, row, column }) => {
                if let Action::Put(value) = action {
                    let cells = cells.entry((field.name.clone(), row.to_string())).or_default();
                    cells.insert(column.name.clone(), column.ty.to_json(value));
                }
            }
            Ok(Key::RowGone { field, row }) => {
                let id = row.to_string();
                if theirs.rows(&field.name).iter().any(|row| row.id == id) {
                    let change = fields.entry(field.name.clone()).or_insert_with(|| json!({}));
                    push(change, "remove", id.into());
                }
            }
            Ok(Key::Register(_) | Key::Counter { .. } | Key::Entry { .. }) | Err(_) => {}
        }
    }
    for ((field, row), mut cells) in cells {
        let is_there = theirs.rows(&field).iter().any(|known| known.id == row);
        let change = fields.entry(field).or_insert_with(|| json!({}));
        if is_there {
            let Json::Object(change) = change else { continue };
            if let Json::Object(edited) = change.entry("edit").or_insert_with(|| json!({})) {
                edited.insert(row, Json::Object(cells));
            }
        } else {
            cells.insert("id".to_owned(), row.into());
            push(change, "add", Json::Object(cells));
        }
    }
    fields
}

/// Adds an item to a list of a change of a set or of rows.
fn push(change: &mut Json, way: &str, item: Json) {
    let Json::Object(change) = change else { return };
    if let Json::Array(items) = change.entry(way).or_insert_with(|| json!([])) {
        items.push(item);
    }
}
