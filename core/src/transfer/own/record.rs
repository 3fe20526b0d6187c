//! One record written as it was: under its own id, with all that a device may write.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
    schema::{Entity, Field, Kind, Schema},
    transfer::{
        export::columns::{ENTITY, ID, IS_ARCHIVED},
        report::count,
    },
};

/// What became of a record.
pub(super) enum Took {
    Created,
    Existing,
    Rejected(String),
}

/// Writes a record as an export says it.
pub(super) fn take_record(
    writer: &mut Writer<'_>,
    record: Map<String, Json>,
    left_out: &mut BTreeMap<String, u64>,
) -> Result<Took, ReplicaError> {
    let rejected = |why: &str| Ok(Took::Rejected(why.to_owned()));
    let text = |name: &str| record.get(name).and_then(Json::as_str);
    let Some(entity) = text(ENTITY).and_then(|name| Schema::current().entity(name)) else {
        return rejected("it names no entity that there is");
    };
    let Some(id) = text(ID).and_then(|id| id.parse::<RecordId>().ok()) else {
        return rejected("it has no id of a record");
    };
    if writer.exists(id)? {
        return Ok(Took::Existing);
    }
    let is_archived = record.get(IS_ARCHIVED) == Some(&Json::Bool(true));
    let fields = writable(entity, record, left_out);
    let written = writer.attempt(|writer| {
        writer.create_with_gaps(&entity.name, id, &fields)?;
        if is_archived { writer.archive(id) } else { Ok(()) }
    });
    match written {
        Ok(()) => Ok(Took::Created),
        Err(error @ (ReplicaError::Edit(_) | ReplicaError::Write(_) | ReplicaError::Text(_))) => {
            Ok(Took::Rejected(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// The fields of the record that a device writes; what is computed goes without saying.
fn writable(
    entity: &Entity,
    record: Map<String, Json>,
    left_out: &mut BTreeMap<String, u64>,
) -> Map<String, Json> {
    let mut fields = Map::new();
    for (name, mut json) in record {
        let Some(field) = entity.field(&name).filter(|_| !json.is_null()) else { continue };
        if field.kind == Kind::Office || field.by_program {
            count(left_out, &name);
            continue;
        }
        strip_rows(field, &mut json);
        fields.insert(name, json);
    }
    fields
}

/// Takes from rows what tells how they came to be here, and is no cell of them.
fn strip_rows(field: &Field, json: &mut Json) {
    if field.kind == Kind::Rows {
        let rows = json.as_array_mut().into_iter().flatten();
        for row in rows.filter_map(Json::as_object_mut) {
            row.remove("is_revived");
        }
    }
}
