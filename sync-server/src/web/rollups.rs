//! What other records add up to, as a page shows it: one value, or one for each link.

use outrider_core::schema::{Entity, Language, Rollup, RollupHow, Schema, Type};
use serde_json::{Map, Value as Json};

use super::{
    inputs::Titles,
    sheet::{Fact, Table},
    show::{Shown, plain, record, show},
};

/// The rollups of a record that are one value.
pub(super) fn facts(
    entity: &Entity,
    json: &Map<String, Json>,
    language: Language,
    titles: &Titles,
) -> Vec<Fact> {
    let single = entity.rollups.iter().filter(|rollup| rollup.per.is_none());
    single
        .filter_map(|rollup| {
            Some(Fact {
                field: rollup.name.clone(),
                label: rollup.label.get(language).to_owned(),
                value: value(rollup, json.get(&rollup.name)?, language, titles),
                is_disputed: false,
                last: None,
            })
        })
        .collect()
}

/// The rollups of a record that have a value for each link, such as stock by location.
pub(super) fn tables(
    entity: &Entity,
    json: &Map<String, Json>,
    language: Language,
    titles: &Titles,
) -> Vec<Table> {
    let told_apart =
        entity.rollups.iter().filter_map(|rollup| Some((rollup, rollup.per.as_ref()?)));
    told_apart
        .filter_map(|(rollup, per)| {
            let items = json.get(&rollup.name)?.as_array()?;
            let of = Schema::current().entity(&rollup.of)?;
            let rows = items.iter().map(|item| {
                let id = item.get(per).and_then(Json::as_str).unwrap_or_default();
                let amount = item.get("value").map_or(Shown::Empty, plain);
                (id.to_owned(), vec![record(id, language, titles), amount])
            });
            let field = rollup.field.as_ref().and_then(|name| of.field(name));
            let label = rollup.label.get(language);
            Some(Table {
                field: rollup.name.clone(),
                title: label.to_owned(),
                columns: vec![
                    of.field(per)?.label.get(language).to_owned(),
                    field.map_or(label, |field| field.label.get(language)).to_owned(),
                ],
                rows: rows.collect(),
            })
        })
        .collect()
}

/// A value looks like that of the field that it comes from; counts and means are numbers.
fn value(rollup: &Rollup, json: &Json, language: Language, titles: &Titles) -> Shown {
    let of = Schema::current().entity(&rollup.of);
    let field = rollup.field.as_ref().and_then(|name| of?.field(name));
    match (rollup.how, field) {
        (RollupHow::First | RollupHow::Last | RollupHow::Sum, Some(field)) => {
            // The first or last of spans is a moment.
            let is_moment = field.ty == Type::TimeSpan && json.is_string();
            show(if is_moment { &Type::DateTime } else { &field.ty }, json, language, titles)
        }
        (RollupHow::Count | RollupHow::Average, _) | (_, None) => plain(json),
    }
}
