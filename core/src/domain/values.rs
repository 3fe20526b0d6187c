//! What a field says in one document: settled values, sets, rows and logs as JSON.

use serde_json::{Map, Value as Json};

use super::rank::rank_of;
use crate::{
    crdt::{
        State,
        read::{is_concurrent, settle},
        rows::Row,
    },
    ids::Part,
    schema::{Entity, Field, Kind},
    value::Value,
};

/// The value of a register as its rule settles it; `Null` when there is none.
#[must_use]
pub fn shown<'a>(field: &Field, state: &'a State) -> &'a Value {
    settle(field.settle, state.survivors(&field.name), |value| rank_of(field, value))
        .map_or(&Value::Null, |reading| &reading.shown.value)
}

/// The members of a set, as people see them.
#[must_use]
pub fn members(field: &Field, state: &State) -> Vec<Json> {
    state.members(&field.name).into_iter().map(|member| unescape(member).into()).collect()
}

/// The member that a key such as `tags/vip` names.
pub(crate) fn member_json(key: &str) -> Json {
    key.split_once('/').map_or(Json::Null, |(_, member)| unescape(member).into())
}

fn unescape(member: &str) -> String {
    member.replace("%2F", "/").replace("%2f", "/").replace("%25", "%")
}

/// The rows of a field as JSON objects, ordered by their `position` (then by id).
#[must_use]
pub fn rows_json(field: &Field, state: &State) -> Vec<Json> {
    let mut rows: Vec<(String, Json)> = state
        .rows(&field.name)
        .into_iter()
        .map(|row| {
            let json = row_json(field, &row);
            let position = json.get("position").and_then(Json::as_str).unwrap_or("").to_owned();
            (position, json)
        })
        .collect();
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    rows.into_iter().map(|(_, json)| json).collect()
}

pub(super) fn row_json(field: &Field, row: &Row<'_>) -> Json {
    let mut json = Map::from_iter([("id".to_owned(), Json::from(row.id))]);
    for (name, ops) in &row.cells {
        let Some(column) = field.column(name) else { continue };
        if let Some(reading) = settle(column.settle, ops, |value| rank_of(column, value)) {
            json.insert((*name).to_owned(), column.ty.to_json(&reading.shown.value));
        }
    }
    if row.is_revived {
        json.insert("is_revived".to_owned(), true.into());
    }
    Json::Object(json)
}

/// The entries of a log as JSON, in the order in which they were written.
#[must_use]
pub fn entries(field: &Field, state: &State) -> Vec<Json> {
    state
        .entries(&field.name)
        .into_iter()
        .filter_map(|(_, op)| serde_json::from_str(op.value.as_text()?).ok())
        .collect()
}

/// Counts fields and cells of the part under which a person should look at several values.
#[must_use]
pub fn count_conflicts(entity: &Entity, part: &Part, state: &State) -> i64 {
    let concurrent = state.keys.iter().filter(|(_, ops)| ops.len() > 1 && is_concurrent(ops));
    let open = concurrent.filter(|(key, ops)| {
        let name = key.split('/').next().unwrap_or_default();
        let column = key.rsplit('/').next().unwrap_or_default();
        let Some(field) = entity.field(name).filter(|field| field.part == *part) else {
            return false;
        };
        let field = match field.kind {
            Kind::Register | Kind::Office if field.is_note() => return false,
            Kind::Register | Kind::Office => field,
            Kind::Rows => match field.column(column) {
                Some(cell) => cell,
                None => return false,
            },
            Kind::Once | Kind::Counter | Kind::Set | Kind::Log | Kind::Text => return false,
        };
        settle(field.settle, ops, |value| rank_of(field, value))
            .is_some_and(|reading| !reading.beside.is_empty())
    });
    i64::try_from(open.count()).unwrap_or(i64::MAX)
}
