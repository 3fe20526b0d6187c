//! A record's fields as a page shows them: sections, tables, long texts.

use std::collections::BTreeMap;

use outrider_core::{
    ids::Part,
    schema::{Derived, Entity, Field, Kind, Language},
};
use serde_json::{Map, Value as Json};

use super::{
    inputs::{Titles, is_common},
    page::When,
    rollups,
    show::{Shown, plain, show},
    words::Words,
};

/// A field with its value.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) field: String,
    pub(super) label: String,
    pub(super) value: Shown,
    pub(super) is_disputed: bool,
    /// Who changed it last, and when.
    pub(super) last: Option<(String, When)>,
}

/// Fields that belong together.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) facts: Vec<Fact>,
}

/// Rows or entries of a field.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) field: String,
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(String, Vec<Shown>)>,
}

/// A record's fields as a page shows them.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) sections: Vec<Section>,
    pub(super) tables: Vec<Table>,
    pub(super) texts: Vec<(String, String, String)>,
}

impl Sheet {
    /// The fields that have a value, those of one sort together.
    pub(super) fn new(
        entity: &Entity,
        json: &Map<String, Json>,
        disputed: &[String],
        words: Words,
        titles: &Titles,
    ) -> Self {
        let language = words.0;
        let fact = |field: &Field| {
            let json = json.get(&field.name)?;
            Some(Fact {
                field: field.name.clone(),
                label: field.label.get(language).to_owned(),
                value: show(&field.ty, json, language, titles),
                is_disputed: disputed.contains(&field.name),
                last: None,
            })
        };
        let short = entity.fields.iter().filter(|field| !is_long(field) && !field.by_program);
        let of = |is_in: &dyn Fn(&Field) -> bool| -> Vec<Fact> {
            short.clone().filter(|field| is_in(field)).filter_map(fact).collect()
        };
        let derived = entity.derived.iter().filter(|derived| !is_by_row(entity, derived, json));
        let derived = derived.filter_map(|derived| {
            Some(Fact {
                field: derived.name.clone(),
                label: derived.label.get(language).to_owned(),
                value: plain(json.get(&derived.name)?),
                is_disputed: false,
                last: None,
            })
        });
        let summed = rollups::facts(entity, json, language, titles);
        let section = |key: &str, facts: Vec<Fact>| Section { title: words.t(key), facts };
        let is_main = |field: &Field| field.part == Part::Main;
        let mut sections = vec![
            section("group-details", of(&|field| is_main(field) && !is_common(field))),
            section("group-computed", derived.chain(summed).collect()),
            section("group-restricted", of(&|field| field.part == Part::Restricted)),
            section("group-record", of(&|field| is_main(field) && is_common(field))),
        ];
        sections.retain(|section| !section.facts.is_empty());
        let long = entity.fields.iter().filter(|field| is_long(field));
        Self {
            sections,
            tables: long
                .clone()
                .filter(|field| field.kind != Kind::Text)
                .filter_map(|field| table(entity, field, json, language, titles))
                .chain(rollups::tables(entity, json, language, titles))
                .collect(),
            texts: long
                .filter(|field| field.kind == Kind::Text)
                .filter_map(|field| {
                    let text = json.get(&field.name)?.as_str()?;
                    Some((
                        field.name.clone(),
                        field.label.get(language).to_owned(),
                        text.to_owned(),
                    ))
                })
                .collect(),
        }
    }
}

impl Sheet {
    /// Notes who changed each field last.
    pub(super) fn with_last(mut self, last: &BTreeMap<String, (String, When)>) -> Self {
        for fact in self.sections.iter_mut().flat_map(|section| &mut section.facts) {
            fact.last = last.get(&fact.field).cloned();
        }
        self
    }
}

fn is_long(field: &Field) -> bool {
    matches!(field.kind, Kind::Rows | Kind::Log | Kind::Text)
}

/// Whether a derived value has one for each row of some field: it is shown in their table.
fn is_by_row(entity: &Entity, derived: &Derived, json: &Map<String, Json>) -> bool {
    entity.fields.iter().any(|field| row_values(field, derived, json).is_some())
}

/// The values of a derived field by the ids of a field's rows.
fn row_values<'a>(
    field: &Field,
    derived: &Derived,
    json: &'a Map<String, Json>,
) -> Option<&'a Map<String, Json>> {
    let values = json.get(&derived.name)?.as_object().filter(|values| !values.is_empty())?;
    let rows = json.get(&field.name).filter(|_| field.kind == Kind::Rows)?.as_array()?;
    let is_row = |id: &String| rows.iter().any(|row| row.get("id") == Some(&id.as_str().into()));
    values.keys().all(is_row).then_some(values)
}

fn table(
    entity: &Entity,
    field: &Field,
    json: &Map<String, Json>,
    language: Language,
    titles: &Titles,
) -> Option<Table> {
    let computed: Vec<(&Derived, &Map<String, Json>)> = entity
        .derived
        .iter()
        .filter_map(|derived| Some((derived, row_values(field, derived, json)?)))
        .collect();
    let items = json.get(&field.name)?.as_array().filter(|items| !items.is_empty())?;
    let used = |column: &&Field| {
        items.iter().any(|item| item.get(&column.name).is_some_and(|value| !value.is_null()))
    };
    let columns: Vec<&Field> = field.columns.iter().filter(used).collect();
    let row = |item: &Json| {
        let cell = |column: &&Field| {
            let value = item.get(&column.name).unwrap_or(&Json::Null);
            show(&column.ty, value, language, titles)
        };
        let id = item.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        let computed =
            computed.iter().map(|(_, values)| values.get(&id).map_or(Shown::Empty, plain));
        let cells = columns.iter().map(cell).chain(computed).collect();
        (id, cells)
    };
    Some(Table {
        field: field.name.clone(),
        title: field.label.get(language).to_owned(),
        columns: columns
            .iter()
            .map(|column| &column.label)
            .chain(computed.iter().map(|(derived, _)| &derived.label))
            .map(|label| label.get(language).to_owned())
            .collect(),
        rows: items.iter().map(row).collect(),
    })
}
