//! Forms made from the schema: which inputs a field has, what they show, what comes back.
//!
//! Everything that a form holds is names and values ([`Fields`]); a record is turned into them
//! (`shown`), a submission is them, and a form is drawn from them (`view`). So a form that is
//! refused comes back as it was typed, and what a person did not touch is found by comparing
//! what was sent with what was shown (`entered`), not by comparing values: a time shown in minutes
//! does not lose its seconds.
//!
//! | field | names of its inputs |
//! |---|---|
//! | one value | `f.NAME`, or `f.NAME.PART` for each part of an amount, an address, … |
//! | link | `f.NAME` with the record's name, `f.NAME.id`, and `f.NAME.pick` where several fit |
//! | set | `f.NAME` with one member per line; choices and links: one input each |
//! | rows, log | `f.NAME.ROW.COLUMN…`, `f.NAME.ROW.-` takes the row away; new rows are `+0`, `+1`, … |
//! | counter | `f.NAME` with what is added |

use outrider_core::schema::{Entity, Field, Kind, Type};

use super::form::Fields;

mod entered;
mod links;
mod shown;
mod view;

pub(super) use entered::{Problem, Problems, entered};
pub(super) use links::{Candidates, label, resolve, search};
pub(super) use shown::{Titles, shown};
pub(super) use view::{Control, Group, Look, Names, groups, tell};

/// Fields of every record that the program fills in by itself.
const FILLED_IN: &[&str] = &["created_at", "created_by"];
/// Fields that every record has, shown after its own.
const COMMON: &[&str] = &["owner_id", "tags", "external_id", "created_at", "created_by"];
/// Empty rows that a form offers.
pub(super) const NEW_ROWS: usize = 2;
/// New rows that a form may send of one field.
pub(super) const NEW_ROWS_MAX: usize = 200;

/// One part of a value that has several, as its JSON names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The member in the value's JSON, and the ending of the input's name.
    pub(super) member: &'static str,
    /// The key of its label among the words.
    pub(super) word: &'static str,
    /// What the input takes.
    pub(super) input: &'static str,
}

const fn part(member: &'static str, word: &'static str, input: &'static str) -> Part {
    Part { member, word, input }
}

/// The parts of a type; none for a type with one value.
pub(super) fn parts(ty: &Type) -> &'static [Part] {
    const MONEY: &[Part] =
        &[part("amount", "part-amount", "decimal"), part("currency", "part-currency", "currency")];
    const PERIOD: &[Part] = &[part("start", "part-start", "date"), part("end", "part-end", "date")];
    const SPAN: &[Part] = &[
        part("start", "part-start", "datetime-local"),
        part("end", "part-end", "datetime-local"),
        part("time_zone", "part-time-zone", "text"),
        part("all_day", "part-all-day", "flag"),
    ];
    const ADDRESS: &[Part] = &[
        part("country", "part-country", "text"),
        part("province", "part-province", "text"),
        part("city", "part-city", "text"),
        part("district", "part-district", "text"),
        part("street", "part-street", "text"),
        part("postcode", "part-postcode", "text"),
    ];
    const NAME: &[Part] = &[
        part("family", "part-family", "text"),
        part("given", "part-given", "text"),
        part("full", "part-full", "text"),
        part("salutation", "part-salutation", "text"),
    ];
    const GEO: &[Part] = &[
        part("lat", "part-lat", "decimal"),
        part("lon", "part-lon", "decimal"),
        part("accuracy_m", "part-accuracy", "decimal"),
        part("source", "part-source", "text"),
    ];
    match ty.name() {
        "money" => MONEY,
        "period" => PERIOD,
        "time_span" => SPAN,
        "address" => ADDRESS,
        "person_name" => NAME,
        "geo" => GEO,
        _ => &[],
    }
}

/// The name of a field's first input.
pub(super) fn input_name(field: &Field) -> String {
    format!("f.{}", field.name)
}

/// Whether a person enters this field when creating a record, or changing one.
pub(super) fn is_asked(field: &Field, is_new: bool) -> bool {
    if field.by_program || FILLED_IN.contains(&field.name.as_str()) {
        return false;
    }
    is_new || field.kind != Kind::Once
}

/// Whether every record has the field.
pub(super) fn is_common(field: &Field) -> bool {
    COMMON.contains(&field.name.as_str())
}

/// The entity that a value of this type links to.
pub(super) fn linked(ty: &Type) -> Option<&str> {
    if let Type::Link(entity) = ty { Some(entity) } else { None }
}

/// The ids of the rows of a field that a form names, in its order.
pub(super) fn row_ids(field: &Field, fields: &Fields) -> Vec<String> {
    let prefix = format!("{}.", input_name(field));
    let mut ids: Vec<String> = Vec::new();
    for (name, _) in &fields.0 {
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        let Some((row, _)) = rest.split_once('.') else { continue };
        if !ids.iter().any(|id| id == row) {
            ids.push(row.to_owned());
        }
    }
    ids
}

/// Whether a row of a form is one that is not there yet.
pub(super) fn is_new_row(id: &str) -> bool {
    id.starts_with('+')
}

/// All inputs of an entity that hold a link: their names, and the entity they point to.
pub(super) fn link_inputs(entity: &Entity, fields: &Fields, is_new: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for field in entity.fields.iter().filter(|field| is_asked(field, is_new)) {
        let name = input_name(field);
        match field.kind {
            Kind::Register | Kind::Once | Kind::Office => {
                found.extend(linked(&field.ty).map(|to| (name, to.to_owned())));
            }
            Kind::Set => {
                let Some(to) = linked(&field.ty) else { continue };
                let rows = row_ids(field, fields).into_iter().filter(|row| is_new_row(row));
                found.extend(rows.map(|row| (format!("{name}.{row}.member"), to.to_owned())));
            }
            Kind::Rows | Kind::Log => {
                for row in row_ids(field, fields) {
                    for column in &field.columns {
                        let Some(to) = linked(&column.ty) else { continue };
                        found.push((format!("{name}.{row}.{}", column.name), to.to_owned()));
                    }
                }
            }
            Kind::Counter | Kind::Text => {}
        }
    }
    found
}
