//! Typed records and changes of every entity, made from the definitions by `build.rs`.

use std::{collections::HashMap, time::SystemTime};

use outrider_core::{ids::RecordId, schema::Type};
use serde_json::{Map, Value as Json};

use crate::values::{
    Address, DecimalNumber, FieldValue, GeoPoint, JsonText, LocalDate, Money, Period, PersonName,
    Scalar, TimeSpan, values_of,
};

pub use made::*;

#[allow(clippy::doc_markdown, reason = "docs are the labels that people read")]
mod made {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/records.rs"));
}

/// A record of an entity that this version does not know.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct OtherRecord {
    /// Name of its entity.
    pub entity: String,
    /// Names it.
    pub id: RecordId,
    /// Its values by field.
    pub values: HashMap<String, FieldValue>,
}

impl OtherRecord {
    fn read(entity: &str, from: &mut Fields) -> Self {
        let id = from.id();
        let values = values_of(Some(Json::Object(std::mem::take(&mut from.0))));
        Self { entity: entity.to_owned(), id, values }
    }
}

/// Members that a set of texts gets and loses.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct TextSetEdit {
    /// What is added.
    #[uniffi(default = [])]
    pub add: Vec<String>,
    /// What goes.
    #[uniffi(default = [])]
    pub remove: Vec<String>,
}

/// Records that a set gets and loses.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct RecordSetEdit {
    /// What is added.
    #[uniffi(default = [])]
    pub add: Vec<RecordId>,
    /// What goes.
    #[uniffi(default = [])]
    pub remove: Vec<RecordId>,
}

/// A record's JSON, of which members are taken one after the other.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Json>);

impl Fields {
    #[cfg(test)]
    pub(crate) fn of(members: Map<String, Json>) -> Self {
        Self(members)
    }

    /// A value; none where it is missing, or of a form that a newer version gave it: then it stays, and
    /// comes among the custom ones.
    fn take<T: Scalar>(&mut self, name: &str) -> Option<T> {
        let value = T::from_json(self.0.get(name)?)?;
        self.0.remove(name);
        Some(value)
    }

    /// A note of the program's.
    fn skip(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn list<T: Item>(&mut self, name: &str) -> Vec<T> {
        let Some(Json::Array(items)) = self.0.remove(name) else { return Vec::new() };
        items.into_iter().filter_map(T::item).collect()
    }

    fn flag(&mut self, name: &str) -> bool {
        self.take(name).unwrap_or_default()
    }

    fn id(&mut self) -> RecordId {
        self.take("id").unwrap_or_else(|| RecordId::from_bytes([0; 16]))
    }

    fn row(&mut self) -> String {
        self.take("id").unwrap_or_default()
    }

    fn conflicts(&mut self) -> Vec<String> {
        let Some(Json::Array(found)) = self.0.remove("conflicts") else { return Vec::new() };
        found.iter().filter_map(|one| Some(one.get("key")?.as_str()?.to_owned())).collect()
    }

    /// What nobody else took.
    fn custom(&mut self) -> HashMap<String, FieldValue> {
        let mut custom = values_of(self.0.remove("custom"));
        custom.extend(values_of(Some(Json::Object(std::mem::take(&mut self.0)))));
        custom
    }

    fn computed(&mut self, names: &[&str]) -> HashMap<String, FieldValue> {
        let value = |name: &&str| Some(((*name).to_owned(), self.take(name)?));
        names.iter().filter_map(value).collect()
    }
}

/// What a list of a record holds.
trait Item: Sized {
    fn item(json: Json) -> Option<Self>;
}

impl Item for String {
    fn item(json: Json) -> Option<Self> {
        Self::from_json(&json)
    }
}

impl Item for RecordId {
    fn item(json: Json) -> Option<Self> {
        Self::from_json(&json)
    }
}

impl<T: Row> Item for T {
    fn item(json: Json) -> Option<Self> {
        let Json::Object(cells) = json else { return None };
        Some(T::read_row(&mut Fields(cells)))
    }
}

trait Row: Sized {
    fn read_row(from: &mut Fields) -> Self;
}

/// Something that changes a field or a cell.
pub(crate) trait Write {
    fn write(self, to: &mut Written);
}

/// What becomes of a set or of rows, as JSON.
#[derive(Debug, Default)]
struct EditParts {
    add: Vec<Json>,
    edit: Map<String, Json>,
    remove: Vec<Json>,
}

impl EditParts {
    fn rows(
        add: impl Iterator<Item = Written>,
        edit: impl Iterator<Item = (String, Written)>,
        remove: Vec<String>,
    ) -> Self {
        Self {
            add: add.map(|row| Json::Object(row.at_creation())).collect(),
            // Here nothing clears a cell.
            edit: edit.map(|(row, cells)| (row, Json::Object(cells.fields))).collect(),
            remove: remove.into_iter().map(Json::from).collect(),
        }
    }
}

trait Edit {
    fn parts(self) -> EditParts;
}

impl Edit for TextSetEdit {
    fn parts(self) -> EditParts {
        let json = |members: Vec<String>| members.into_iter().map(Json::from).collect();
        EditParts { add: json(self.add), remove: json(self.remove), ..EditParts::default() }
    }
}

impl Edit for RecordSetEdit {
    fn parts(self) -> EditParts {
        let json = |members: Vec<RecordId>| members.iter().map(Scalar::to_json).collect();
        EditParts { add: json(self.add), remove: json(self.remove), ..EditParts::default() }
    }
}

/// The changes of a record, gathered by field.
#[derive(Debug, Default)]
pub(crate) struct Written {
    fields: Map<String, Json>,
    edits: Vec<(&'static str, EditParts)>,
    counts: Vec<(&'static str, i64)>,
}

pub(crate) fn written<T: Write>(changes: Vec<T>) -> Written {
    let mut to = Written::default();
    for change in changes {
        change.write(&mut to);
    }
    to
}

impl Written {
    fn set<T: Scalar>(&mut self, name: &str, value: Option<T>) {
        self.fields.insert(name.to_owned(), value.map_or(Json::Null, |value| value.to_json()));
    }

    fn edit(&mut self, name: &'static str, edit: impl Edit) {
        self.merge(name, edit.parts());
    }

    fn entries<T: Write>(&mut self, name: &'static str, entries: Vec<Vec<T>>) {
        let entries = entries.into_iter().map(written);
        self.merge(name, EditParts::rows(entries, std::iter::empty(), Vec::new()));
    }

    fn count(&mut self, name: &'static str, by: i64) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count = count.saturating_add(by),
            None => self.counts.push((name, by)),
        }
    }

    /// Two edits of one field are one.
    fn merge(&mut self, name: &'static str, parts: EditParts) {
        match self.edits.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.add.extend(parts.add);
                known.edit.extend(parts.edit);
                known.remove.extend(parts.remove);
            }
            None => self.edits.push((name, parts)),
        }
    }

    /// The fields of a new record: there is nothing yet that could change or go.
    pub(crate) fn at_creation(self) -> Map<String, Json> {
        let mut fields = self.fields;
        for (name, parts) in self.edits {
            fields.insert(name.to_owned(), parts.add.into());
        }
        for (name, count) in self.counts {
            fields.insert(name.to_owned(), count.into());
        }
        fields.retain(|_, value| !value.is_null());
        fields
    }

    /// What changes in a record that there is.
    pub(crate) fn afterwards(self) -> Map<String, Json> {
        let mut fields = self.fields;
        for (name, EditParts { add, edit, remove }) in self.edits {
            let mut parts = Map::new();
            for (word, list) in [("add", add), ("remove", remove)] {
                if !list.is_empty() {
                    parts.insert(word.to_owned(), list.into());
                }
            }
            if !edit.is_empty() {
                parts.insert("edit".to_owned(), edit.into());
            }
            fields.insert(name.to_owned(), parts.into());
        }
        for (name, count) in self.counts {
            fields
                .insert(name.to_owned(), Map::from_iter([("add".to_owned(), count.into())]).into());
        }
        fields
    }
}

/// A record as its language sees it.
pub(crate) fn record_of(json: Json) -> Option<CrmRecord> {
    let Json::Object(mut members) = json else { return None };
    let entity = members.remove("entity")?;
    Some(CrmRecord::read(entity.as_str()?, &mut Fields(members)))
}

/// A value of a field of which the type is known.
pub(crate) fn value_of(ty: &Type, json: &Json) -> Option<FieldValue> {
    let value = match ty {
        Type::Text { .. }
        | Type::Picklist(_)
        | Type::Email
        | Type::Phone
        | Type::Url
        | Type::Sha256 => Scalar::from_json(json).map(FieldValue::Text),
        Type::Integer { .. } => Scalar::from_json(json).map(FieldValue::Integer),
        Type::Decimal { .. } => Scalar::from_json(json).map(FieldValue::Decimal),
        Type::Money => Scalar::from_json(json).map(FieldValue::Amount),
        Type::Bool => Scalar::from_json(json).map(FieldValue::YesNo),
        Type::Date => Scalar::from_json(json).map(FieldValue::Date),
        Type::DateTime => Scalar::from_json(json).map(FieldValue::Moment),
        Type::Period => Scalar::from_json(json).map(FieldValue::Days),
        Type::Link(_) => Scalar::from_json(json).map(FieldValue::Link),
        Type::Address => Scalar::from_json(json).map(FieldValue::Place),
        Type::PersonName => Scalar::from_json(json).map(FieldValue::Name),
        Type::Geo => Scalar::from_json(json).map(FieldValue::Position),
        Type::TimeSpan => Scalar::from_json(json).map(FieldValue::Span),
        Type::Json { .. } => Scalar::from_json(json).map(FieldValue::Json),
    };
    // A form that a newer version gave it.
    value.or_else(|| FieldValue::from_json(json))
}
