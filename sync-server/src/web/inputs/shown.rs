//! From a record to what its form shows.

use std::collections::BTreeMap;

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Type},
};
use serde_json::{Map, Value as Json};

use super::{input_name, is_asked, linked, parts};
use crate::web::form::Fields;

/// The names of records by id: what links show.
pub(in crate::web) type Titles = BTreeMap<RecordId, (String, String)>;

/// The inputs of a record's form with their values.
pub(in crate::web) fn shown(entity: &Entity, json: &Map<String, Json>, titles: &Titles) -> Fields {
    let mut fields = Fields::default();
    for field in entity.fields.iter().filter(|field| is_asked(field, false)) {
        let Some(value) = json.get(&field.name) else { continue };
        let name = input_name(field);
        match field.kind {
            Kind::Register | Kind::Once | Kind::Office => {
                put(&mut fields, &name, &field.ty, value, titles);
            }
            Kind::Set => put_set(&mut fields, &name, field, value),
            Kind::Rows => {
                for row in value.as_array().into_iter().flatten() {
                    let Some(id) = row.get("id").and_then(Json::as_str) else { continue };
                    let prefix = format!("{name}.{id}");
                    fields.0.push((format!("{prefix}.row"), String::new()));
                    for column in &field.columns {
                        let Some(cell) = row.get(&column.name) else { continue };
                        put(
                            &mut fields,
                            &format!("{prefix}.{}", column.name),
                            &column.ty,
                            cell,
                            titles,
                        );
                    }
                }
            }
            Kind::Text => fields.0.push((name, text_of(value))),
            Kind::Counter | Kind::Log => {}
        }
    }
    fields
}

fn put_set(fields: &mut Fields, name: &str, field: &Field, value: &Json) {
    let members = value.as_array().into_iter().flatten().filter_map(Json::as_str);
    if linked(&field.ty).is_some() || matches!(field.ty, Type::Picklist(_)) {
        fields.0.extend(members.map(|member| (format!("{name}.{member}.keep"), "1".to_owned())));
    } else {
        fields.0.push((name.to_owned(), members.collect::<Vec<_>>().join("\n")));
    }
}

/// The inputs of one value.
fn put(fields: &mut Fields, name: &str, ty: &Type, value: &Json, titles: &Titles) {
    let parts = parts(ty);
    if parts.is_empty() {
        let text = if ty.name() == "date_time" { minutes(&text_of(value)) } else { text_of(value) };
        if linked(ty).is_some() {
            let title = text.parse().ok().and_then(|id: RecordId| titles.get(&id));
            let title = title.map_or_else(|| text.clone(), |(_, title)| title.clone());
            fields.0.push((name.to_owned(), title));
            fields.0.push((format!("{name}.id"), text));
        } else {
            fields.0.push((name.to_owned(), text));
        }
        return;
    }
    for part in parts {
        let member = value.get(part.member).map(text_of).unwrap_or_default();
        let text = if part.input == "datetime-local" { minutes(&member) } else { member };
        fields.0.push((format!("{name}.{}", part.member), text));
    }
}

/// What an input shows of a scalar.
pub(super) fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    }
}

/// A moment as inputs for date and time take it: in UTC, to the minute.
fn minutes(rfc3339: &str) -> String {
    rfc3339.get(..16).unwrap_or(rfc3339).to_owned()
}
