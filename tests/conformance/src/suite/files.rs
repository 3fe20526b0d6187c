//! Files: CSV in, Automerge and JSON out; and replicas that begin anew.

use std::fmt::Write as _;

use automerge::{Automerge, ReadDoc};
use outrider_core::{
    crdt::text::TEXT_KEY,
    ids::{DocumentId, RecordId},
    schema::{Entity, Field, Kind, sample},
    store::outbox,
    value::Value,
};
use outrider_sync_server::{
    office,
    storage::{Content, Read, Storage},
};
use serde_json::{Map, Value as Json};

use super::{Suite, entities, value_of};
use crate::{Failure, see::is_same};

const IMPORT: &str = "import";
const EXPORT: &str = "export";
const ANEW: &str = "begin anew";
/// What stands between the members of a set in a cell.
const BETWEEN: &str = "; ";

impl Suite {
    /// A file made of samples gives the records that entering them gives, and changes nothing
    /// when it is read again.
    pub(super) fn import(&mut self) -> Result<(), Failure> {
        let mut imported = Vec::new();
        for entity in entities() {
            let fields: Vec<&'static Field> =
                entity.fields.iter().filter(|field| is_importable(field)).collect();
            let mut entered = sample::record(entity, &mut |max| self.world.draw(max));
            entered.retain(|name, _| fields.iter().any(|field| field.name == *name));
            let (mapping, file) = file_of(entity, &fields, &entered)?;
            let report = self.world.import(self.a, &mapping, &file)?;
            let waiting = self.waiting()?;
            let again = self.world.import(self.a, &mapping, &file)?;
            self.check(IMPORT, report.created == 1 && report.rejected == 0, || {
                format!("{}: {report:?}\n{mapping}\n{file}", entity.name)
            });
            let waiting_now = self.waiting()?;
            self.check(IMPORT, again.unchanged == 1 && waiting_now == waiting, || {
                format!("{}: the second time: {again:?}", entity.name)
            });
            if report.created == 1 {
                let id = RecordId::external(&entity.name, "sample", "k1");
                imported.push((entity, id, entered));
            }
        }
        self.sync()?;
        for (entity, id, entered) in imported {
            self.check_fields(IMPORT, entity, id, &entered)?;
        }
        Ok(())
    }

    fn waiting(&self) -> Result<u64, Failure> {
        let conn = self.world.device(self.a)?.replica()?.store().conn();
        Ok(outbox::count_waiting(conn)?)
    }

    /// Every document's history is an Automerge document with the same values, and a record's
    /// JSON entered on an empty device gives the same record.
    pub(super) fn export(&mut self) -> Result<(), Failure> {
        let empty = self.world.add_device("Sun", "Sun's phone")?;
        for made in self.made.clone() {
            for part in made.entity.parts() {
                let id = DocumentId { record: made.id, part };
                let found = {
                    let read = self.world.office.storage()?.read()?;
                    compare_export(&*read, &id)?
                };
                self.check(EXPORT, found.is_none(), || {
                    format!("{} {}: {}", made.entity.name, id.part, found.unwrap_or_default())
                });
            }
            let shown = self.shown(self.b, made.id)?;
            let entered = as_entered(made.entity, &shown);
            let id = self.world.act(empty)?.replica_mut()?.create(&made.entity.name, &entered)?;
            let copy = self.shown(empty, id)?;
            for field in made.entity.fields.iter().filter(|f| entered.contains_key(&f.name)) {
                let (one, other) = (value_of(&entered, field), value_of(&copy, field));
                self.check(EXPORT, is_same(Some(field), one, other), || {
                    format!("{}.{}: {one} became {other}", made.entity.name, field.name)
                });
            }
        }
        // These records are the empty device's alone.
        self.world.devices.truncate(empty);
        Ok(())
    }

    /// Devices that are opened again, and one that comes last, have what everybody has.
    pub(super) fn begin_anew(&mut self) -> Result<(), Failure> {
        for at in [self.a, self.b] {
            self.world.restart(at)?;
        }
        let newcomer = self.world.add_device("Wu", "Wu's phone")?;
        self.world.enrol(newcomer)?;
        self.sync()?;
        for made in self.made.clone() {
            let (mine, theirs) = (self.shown(newcomer, made.id)?, self.shown(self.a, made.id)?);
            self.check(ANEW, mine == theirs, || made.entity.name.clone());
        }
        Ok(())
    }
}

fn is_importable(field: &Field) -> bool {
    let is_of_kind = match field.kind {
        Kind::Register | Kind::Counter | Kind::Set | Kind::Once | Kind::Text => true,
        Kind::Rows | Kind::Log | Kind::Office => false,
    };
    // The import makes it from the source and the key.
    is_of_kind
        && sample::is_by_person(field)
        && !(field.external_key && field.name == "external_id")
}

/// A mapping and a file with one row.
fn file_of(
    entity: &Entity,
    fields: &[&Field],
    entered: &Map<String, Json>,
) -> Result<(String, String), Failure> {
    let mut mapping =
        // Cells come in as they are: tidying is for files of people.
        format!(
            "entity = \"{}\"\nsource = \"sample\"\nkey = \"key\"\nclean = false\n[fields]\n",
            entity.name
        );
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_field("key")?;
    for field in fields {
        let split = if field.kind == Kind::Set {
            format!(", split = \"{BETWEEN}\"")
        } else {
            String::new()
        };
        let _ = writeln!(mapping, "{0} = {{ column = \"{0}\"{split} }}", field.name);
        csv.write_field(&field.name)?;
    }
    csv.write_record(None::<&[u8]>)?;
    csv.write_field("k1")?;
    for field in fields {
        csv.write_field(cell(field, value_of(entered, field))?)?;
    }
    csv.write_record(None::<&[u8]>)?;
    Ok((mapping, String::from_utf8(csv.into_inner()?)?))
}

/// A value as it stands in a file.
fn cell(field: &Field, json: &Json) -> Result<String, Failure> {
    let text = |json: &Json| -> Result<String, Failure> {
        Ok(field.ty.to_text(&field.ty.from_json(json)?))
    };
    match (field.kind, json) {
        (Kind::Set, Json::Array(members)) => {
            let members: Vec<String> = members
                .iter()
                .map(|member| member.as_str().map(str::to_owned).ok_or("a member is no text"))
                .collect::<Result<_, _>>()?;
            Ok(members.join(BETWEEN))
        }
        (Kind::Counter | Kind::Text, Json::String(text)) => Ok(text.clone()),
        (Kind::Counter | Kind::Text, json) => Ok(json.to_string()),
        (_, json) => text(json),
    }
}

/// What a person would enter to have the record again.
fn as_entered(entity: &Entity, shown: &Map<String, Json>) -> Map<String, Json> {
    let fields = entity.fields.iter().filter(|field| sample::is_by_person(field));
    let mut entered = Map::new();
    for field in fields {
        let Some(value) = shown.get(&field.name) else { continue };
        let mut value = value.clone();
        for row in value.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
            // Says how the row came to be here, and is no cell of it.
            row.remove("is_revived");
        }
        entered.insert(field.name.clone(), value);
    }
    entered
}

/// How the exported history differs from what the office holds, as Automerge itself reads it.
fn compare_export(read: &dyn Read, id: &DocumentId) -> Result<Option<String>, Failure> {
    let Some(stored) = read.document(id)? else { return Ok(Some("is not there".to_owned())) };
    let saved = office::export_automerge(read, id.record, &id.part)?.ok_or("no file")?;
    let document = Automerge::load(&saved)?;
    match &stored.content {
        Content::Flat(state) => {
            let mut keys: Vec<String> = document.keys(automerge::ROOT).collect();
            keys.extend(state.keys.keys().filter(|key| !state.survivors(key).is_empty()).cloned());
            for key in keys {
                let theirs: Vec<Value> = document
                    .get_all(automerge::ROOT, &key)?
                    .into_iter()
                    .map(|(value, _)| scalar(&value))
                    .collect();
                let survivors = state.survivors(&key).iter();
                let mine: Vec<Value> = survivors.map(|op| op.value.clone()).collect();
                if mine != theirs {
                    return Ok(Some(format!("{key}: {mine:?}, Automerge reads {theirs:?}")));
                }
            }
            Ok(None)
        }
        Content::Text(text) => {
            let object = document.get(automerge::ROOT, TEXT_KEY)?.ok_or("a text without text")?.1;
            let theirs = document.text(&object)?;
            let wrong = format!("{}, Automerge reads {theirs}", text.text);
            Ok((theirs != text.text).then_some(wrong))
        }
    }
}

fn scalar(value: &automerge::Value<'_>) -> Value {
    let automerge::Value::Scalar(scalar) = value else { return Value::Null };
    match scalar.as_ref() {
        automerge::ScalarValue::Str(text) => Value::Text(text.to_string()),
        automerge::ScalarValue::Int(number) => Value::Int(*number),
        automerge::ScalarValue::Boolean(is) => Value::Bool(*is),
        automerge::ScalarValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
        automerge::ScalarValue::Null
        | automerge::ScalarValue::Uint(_)
        | automerge::ScalarValue::F64(_)
        | automerge::ScalarValue::Counter(_)
        | automerge::ScalarValue::Timestamp(_)
        | automerge::ScalarValue::Unknown { .. } => Value::Null,
    }
}
