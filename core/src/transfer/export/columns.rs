//! The columns of a table of records: one description from the schema for every kind of file.
//!
//! A record is wide: `id` and `entity` first, then every field in the order of its form, then
//! whether it is archived. A value with parts (an amount, an address, a name, a period) takes one
//! column for each part, so that a spreadsheet can sum the amounts and sort by the dates. Sets
//! stand in one cell, rows and entries as JSON. [`super::super::own`] reads the same columns back.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value as Json};

use super::{
    Headers, Names,
    cells::{self, Cell},
};
use crate::schema::{Entity, Field, Language, Type};

/// Column with the name of the entity.
pub(in crate::transfer) const ENTITY: &str = "entity";
/// Column with the record's id.
pub(in crate::transfer) const ID: &str = "id";
/// Column that says whether the record is archived.
pub(in crate::transfer) const IS_ARCHIVED: &str = "is_archived";
/// Stands between a field and one of its parts.
const DOT: &str = ".";
/// The part with the name of the record that a link leads to; for people, never read back.
const TITLE: &str = "title";

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transfer) enum Holds {
    /// The record's id.
    Id,
    /// The name of its entity.
    Entity,
    /// The whole value of a field.
    Whole(&'static Field),
    /// A part of it.
    Part(&'static Field, &'static str),
    /// The name of the record that a link leads to.
    Title(&'static Field),
    /// Whether it is archived.
    IsArchived,
}

/// One column.
#[derive(Debug, Clone)]
pub(in crate::transfer) struct Column {
    /// Its name for programs: `address.city`.
    pub(in crate::transfer) name: String,
    pub(in crate::transfer) holds: Holds,
    /// What people call the choices of its picklist, as far as that names them alone.
    choices: HashMap<String, String>,
}

/// All columns of an entity.
#[derive(Debug, Clone)]
pub(in crate::transfer) struct Columns {
    pub(in crate::transfer) entity: &'static Entity,
    pub(in crate::transfer) list: Vec<Column>,
    headers: Headers,
}

impl Columns {
    /// The columns of an entity; those with names of linked records only where people read.
    pub(in crate::transfer) fn of(entity: &'static Entity, headers: Headers) -> Self {
        let mut list =
            vec![column(ID.to_owned(), Holds::Id), column(ENTITY.to_owned(), Holds::Entity)];
        for field in &entity.fields {
            let parts = if field.kind.is_single() { parts(&field.ty) } else { &[] };
            if field.name == crate::crdt::archive::ARCHIVED {
                // Who archived it and what they had seen is the program's own; whether it is
                // archived has a column.
                continue;
            }
            if parts.is_empty() {
                list.push(Column {
                    choices: spoken(field, headers),
                    ..column(field.name.clone(), Holds::Whole(field))
                });
            }
            for part in parts {
                list.push(column([&field.name, DOT, part].concat(), Holds::Part(field, part)));
            }
            let is_link = matches!(field.ty, Type::Link(_)) && field.kind.is_single();
            if is_link && headers != Headers::Names {
                list.push(column([&field.name, DOT, TITLE].concat(), Holds::Title(field)));
            }
        }
        list.push(column(IS_ARCHIVED.to_owned(), Holds::IsArchived));
        Self { entity, list, headers }
    }

    /// The heads of the columns, each once.
    pub(in crate::transfer) fn heads(&self) -> Vec<String> {
        match self.headers {
            Headers::Names => self.list.iter().map(|column| column.name.clone()).collect(),
            Headers::Labels(language) => self.labels(language),
        }
    }

    /// The labels in a language; one that came before is followed by the column's name.
    pub(in crate::transfer) fn labels(&self, language: Language) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let label = |column: &Column| {
            let label = column.label(self.entity, language);
            let label =
                if seen.contains(&label) { format!("{label} [{}]", column.name) } else { label };
            seen.insert(label.clone());
            label
        };
        self.list.iter().map(label).collect()
    }

    /// What a record says in a column.
    pub(super) fn cell(
        &self,
        column: &Column,
        record: &Map<String, Json>,
        names: &mut Names<'_>,
    ) -> Cell {
        match &column.holds {
            Holds::Id => cells::text(record.get(ID)),
            Holds::Entity => Cell::Text(self.entity.name.clone()),
            Holds::IsArchived => match record.get(IS_ARCHIVED) {
                Some(Json::Bool(true)) => Cell::Bool(true),
                Some(_) | None => Cell::Empty,
            },
            Holds::Title(field) => record
                .get(&field.name)
                .and_then(|json| names.of_link(json))
                .map_or(Cell::Empty, Cell::Text),
            Holds::Part(field, part) => match record.get(&field.name) {
                None => Cell::Empty,
                Some(json) => cells::part(&field.ty, part, json),
            },
            Holds::Whole(field) => match record.get(&field.name) {
                None => Cell::Empty,
                Some(Json::String(id)) if column.choices.contains_key(id) => {
                    Cell::Text(column.choices.get(id).cloned().unwrap_or_default())
                }
                Some(json) => cells::whole(field, json),
            },
        }
    }
}

impl Column {
    fn label(&self, entity: &Entity, language: Language) -> String {
        let of = |field: &Field, part: &str| {
            let part = part_label(part, language);
            format!("{} ({part})", field.label.get(language))
        };
        match &self.holds {
            Holds::Id => entity.id_label.get(language).to_owned(),
            Holds::Entity => part_label(ENTITY, language).to_owned(),
            Holds::IsArchived => part_label(IS_ARCHIVED, language).to_owned(),
            Holds::Whole(field) => field.label.get(language).to_owned(),
            Holds::Part(field, part) => of(field, part),
            Holds::Title(field) => of(field, TITLE),
        }
    }
}

fn column(name: String, holds: Holds) -> Column {
    Column { name, holds, choices: HashMap::new() }
}

/// What people call the choices of a picklist, where the word means this choice when it is read.
fn spoken(field: &Field, headers: Headers) -> HashMap<String, String> {
    let (Headers::Labels(language), Type::Picklist(list)) = (headers, &field.ty) else {
        return HashMap::new();
    };
    if !field.kind.is_single() {
        return HashMap::new();
    }
    let word = |choice: &crate::schema::Choice| {
        let label = choice.label.get(language);
        let meant = list.find(label)?;
        (meant.id == choice.id).then(|| (choice.id.clone(), label.to_owned()))
    };
    list.choices.iter().filter_map(word).collect()
}

/// The parts of a type that take a column each; none for a type that is one value.
pub(in crate::transfer) fn parts(ty: &Type) -> &'static [&'static str] {
    match ty {
        Type::Money => &["amount", "currency"],
        Type::Period => &["start", "end"],
        Type::Address => &["country", "province", "city", "district", "street", "postcode"],
        Type::PersonName => &["family", "given", "full", "salutation"],
        Type::Geo => &["lat", "lon", "accuracy_m", "source"],
        Type::TimeSpan => &["start", "end", "time_zone", "all_day"],
        Type::Text { .. }
        | Type::Integer { .. }
        | Type::Decimal { .. }
        | Type::Bool
        | Type::Date
        | Type::DateTime
        | Type::Picklist(_)
        | Type::Link(_)
        | Type::Email
        | Type::Phone
        | Type::Url
        | Type::Sha256
        | Type::Json { .. } => &[],
    }
}

/// What people call a part, or a column that no field has.
fn part_label(part: &str, language: Language) -> &str {
    let (en, zh) = match part {
        ENTITY => ("Entity", "实体"),
        IS_ARCHIVED => ("Is archived", "是否归档"),
        TITLE => ("name", "名称"),
        "amount" => ("amount", "金额"),
        "currency" => ("currency", "币种"),
        "start" => ("start", "开始"),
        "end" => ("end", "结束"),
        "country" => ("country", "国家"),
        "province" => ("province", "省"),
        "city" => ("city", "市"),
        "district" => ("district", "区县"),
        "street" => ("street", "街道"),
        "postcode" => ("postcode", "邮编"),
        "family" => ("family name", "姓"),
        "given" => ("given name", "名"),
        "full" => ("full name", "全名"),
        "salutation" => ("salutation", "称谓"),
        "lat" => ("latitude", "纬度"),
        "lon" => ("longitude", "经度"),
        "accuracy_m" => ("accuracy in metres", "精度（米）"),
        "source" => ("source", "来源"),
        "time_zone" => ("time zone", "时区"),
        "all_day" => ("all day", "全天"),
        other => (other, other),
    };
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, Schema, sample};

    #[test]
    fn heads_are_there_once_in_every_language() {
        for entity in Schema::builtin().entities() {
            for headers in
                [Headers::Names, Headers::Labels(Language::En), Headers::Labels(Language::Zh)]
            {
                let heads = Columns::of(entity, headers).heads();
                let once: BTreeSet<&String> = heads.iter().collect();
                assert_eq!(once.len(), heads.len(), "{}: {heads:?}", entity.name);
            }
        }
    }

    /// A part that is added to a type has its column.
    #[test]
    fn every_part_of_a_value_has_its_column() {
        let mut seed = 1_u32;
        let mut draw = |bound: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed % bound
        };
        for field in Schema::builtin().entities().flat_map(|entity| &entity.fields) {
            if !field.kind.is_single() || matches!(field.ty, Type::Json { .. }) {
                continue;
            }
            for _ in 0..4 {
                let Json::Object(value) = sample::value(field, &mut draw) else { continue };
                for part in value.keys().filter(|part| *part != "minor") {
                    assert!(parts(&field.ty).contains(&part.as_str()), "{}.{part}", field.name);
                }
            }
        }
    }

    /// [`Kind`] and labels: a picklist says what people call it.
    #[test]
    fn a_choice_is_spoken_only_where_it_is_understood() {
        for field in Schema::builtin().entities().flat_map(|entity| &entity.fields) {
            let Type::Picklist(list) = &field.ty else { continue };
            if field.kind != Kind::Register {
                continue;
            }
            for (id, word) in spoken(field, Headers::Labels(Language::Zh)) {
                assert_eq!(list.find(&word).unwrap().id, id);
            }
        }
    }
}
