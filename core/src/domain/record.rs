//! A record as people see it: values by field, what is in conflict, where it stands.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{
    rank::rank_of,
    values::{entries, members, rows_json, shown},
};
use crate::{
    crdt::{OpId, State, Survivor, archive::Archival, read::settle},
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind, Language, Settle, types},
    value::Value,
};

/// The documents of one record, as far as they are here.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// Flat parts.
    pub flat: BTreeMap<Part, State>,
    /// Long texts by field.
    pub texts: BTreeMap<String, String>,
}

/// One of several concurrent values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictingValue {
    /// The value as JSON.
    pub value: Json,
    /// Names the operation that wrote it.
    #[serde(skip)]
    pub op: OpId,
    /// Whether it is the one that shows.
    pub is_shown: bool,
}

/// A field or cell with several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldConflict {
    /// The part of the record.
    #[serde(skip)]
    pub part: Option<Part>,
    /// The key: a field's name, or `lines/<row>/qty`.
    pub key: String,
    /// Whether nothing acts on the value until a person chooses.
    pub must_settle: bool,
    /// The values, the one that shows last.
    pub values: Vec<ConflictingValue>,
}

/// Builds the JSON of a record: every field that has a value, and derived ones.
#[must_use]
pub fn to_json(entity: &Entity, id: RecordId, documents: &Documents) -> Json {
    let mut json = Map::new();
    json.insert("id".to_owned(), id.to_string().into());
    json.insert("entity".to_owned(), entity.name.as_str().into());
    for field in &entity.fields {
        let value = field_json(field, documents);
        if !value.is_null() {
            json.insert(field.name.clone(), value);
        }
    }
    let custom = custom(entity, documents);
    if !custom.is_empty() {
        json.insert("custom".to_owned(), Json::Object(custom));
    }
    super::derived::add_derived(entity, &mut json);
    if let Some(main) = documents.flat.get(&Part::Main) {
        match main.archival() {
            Archival::Active => {}
            Archival::Archived(_) => {
                json.insert("is_archived".to_owned(), true.into());
            }
            Archival::Revived(_) => {
                json.insert("is_revived".to_owned(), true.into());
            }
        }
    }
    json.remove(crate::crdt::archive::ARCHIVED);
    let conflicts = conflicts(entity, documents);
    if !conflicts.is_empty() {
        json.insert("conflicts".to_owned(), json!(conflicts));
    }
    Json::Object(json)
}

/// Single values of fields that this version has no definition of: a company's own, or a newer version's.
fn custom(entity: &Entity, documents: &Documents) -> Map<String, Json> {
    let mut custom = Map::new();
    for state in documents.flat.values() {
        for (key, ops) in &state.keys {
            if key.contains('/') || entity.field(key).is_some() {
                continue;
            }
            if let Some(reading) = settle(Settle::Winner, ops, |_| None)
                && reading.shown.value != Value::Null
            {
                custom.insert(key.clone(), types::plain_json(&reading.shown.value));
            }
        }
    }
    custom
}

fn field_json(field: &Field, documents: &Documents) -> Json {
    if field.kind == Kind::Text {
        return documents
            .texts
            .get(&field.name)
            .filter(|text| !text.is_empty())
            .map_or(Json::Null, |text| text.as_str().into());
    }
    let Some(state) = documents.flat.get(&field.part) else { return Json::Null };
    match field.kind {
        Kind::Register | Kind::Office => {
            settle(field.settle, state.survivors(&field.name), |value| rank_of(field, value))
                .map_or(Json::Null, |reading| field.ty.to_json(&reading.shown.value))
        }
        Kind::Once => {
            state.once(&field.name).map_or(Json::Null, |first| field.ty.to_json(&first.value))
        }
        Kind::Counter => match state.counter(&field.name) {
            0 => Json::Null,
            count => count.into(),
        },
        Kind::Set => array(members(field, state)),
        Kind::Rows => array(rows_json(field, state)),
        Kind::Log => array(entries(field, state)),
        Kind::Text => Json::Null,
    }
}

fn array(items: Vec<Json>) -> Json {
    if items.is_empty() { Json::Null } else { Json::Array(items) }
}

/// All fields and cells of a record with several values that a person should look at.
#[must_use]
pub fn conflicts(entity: &Entity, documents: &Documents) -> Vec<FieldConflict> {
    let mut found = Vec::new();
    for (part, state) in &documents.flat {
        for (key, ops) in state.keys.iter().filter(|(_, ops)| ops.len() > 1) {
            let Some(field) = settled_field(entity, part, key) else { continue };
            let Some(reading) = settle(field.settle, ops, |value| rank_of(field, value)) else {
                continue;
            };
            if reading.beside.is_empty() {
                continue;
            }
            let mut values: Vec<ConflictingValue> =
                reading.beside.iter().map(|op| conflicting(field, op, false)).collect();
            values.push(conflicting(field, reading.shown, true));
            let must_settle = field.settle == Settle::Person;
            found.push(FieldConflict {
                part: Some(part.clone()),
                key: key.clone(),
                must_settle,
                values,
            });
        }
    }
    found
}

fn conflicting(field: &Field, op: &Survivor, is_shown: bool) -> ConflictingValue {
    ConflictingValue { value: field.ty.to_json(&op.value), op: op.id, is_shown }
}

/// The field or column whose rule settles a key, if a person may have to.
#[must_use]
pub fn settled_field<'a>(entity: &'a Entity, part: &Part, key: &str) -> Option<&'a Field> {
    let mut names = key.split('/');
    let field = entity.field(names.next()?).filter(|field| field.part == *part)?;
    match field.kind {
        Kind::Register | Kind::Office => {
            let is_asked = field.name != crate::crdt::archive::ARCHIVED && !field.is_note();
            is_asked.then_some(field)
        }
        Kind::Rows => field.column(names.nth(1)?),
        Kind::Once | Kind::Counter | Kind::Set | Kind::Log | Kind::Text => None,
    }
}

/// The name of a record for people: its title field as one reads it, else its id.
#[must_use]
pub fn title(entity: &Entity, id: RecordId, main: &State) -> String {
    let Some(field) = entity.title_field() else { return id.to_string() };
    let value = match field.kind {
        Kind::Once => main.once(&field.name).map_or(&Value::Null, |first| &first.value),
        Kind::Register
        | Kind::Office
        | Kind::Counter
        | Kind::Set
        | Kind::Rows
        | Kind::Log
        | Kind::Text => shown(field, main),
    };
    match value {
        Value::Null => id.to_string(),
        Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => {
            field.ty.display(value, Language::En)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::ActorId, schema::Schema};

    #[test]
    fn fields_without_a_definition_are_shown_as_custom() {
        let entity = Schema::builtin().entity("customer").unwrap();
        let written = |counter, value: Value| Survivor {
            id: OpId { counter, actor: ActorId([1; 16]) },
            value,
        };
        let mut main = State::default();
        let mut put = |key: &str, ops: Vec<Survivor>| main.keys.insert(key.to_owned(), ops);
        put("company_name", vec![written(1, "Acme".into())]);
        put("loyalty", vec![written(2, Value::Int(1)), written(3, Value::Int(3))]);
        put("club", vec![written(4, Value::Null)]);
        put("visits_planned/x/at", vec![written(5, Value::Int(7))]);
        let documents = Documents { flat: [(Part::Main, main)].into(), ..Documents::default() };
        let json = to_json(entity, RecordId::from_bytes([7; 16]), &documents);
        assert_eq!(json["company_name"], "Acme");
        assert_eq!(json["custom"], json!({ "loyalty": 3 }), "the newest value of single fields");
    }
}
