//! A mapping proposed from the file itself: which column means which field, how dates are written,
//! which misspelt choices mean which, what names a row.
//!
//! A proposal is a mapping file with comments: to be read, changed and kept. What cannot be known
//! (a unit of thousands, a choice that resembles none) is said in its notes, never guessed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{check::SOURCE_BYTES_MAX, error::ImportError, table::Table};
use crate::{
    ids::to_hex,
    schema::{Entity, Field, Kind, Label, Schema, Type},
    value::Money,
};

mod columns;
mod headers;
pub mod names;
pub mod values;
mod written;

use columns::Column;
use headers::{LIKELY, Place, SAME};
pub use names::{Names, NoNames};
use values::Fit;

/// Percent of a column's values that must fit a typed field for it to be proposed.
const FIT_PERCENT_MIN: u32 = 50;
/// The part of an address whose misspelt values are told, by the names of ISO 3166.
const COUNTRY: &str = "country";
/// What Salesforce calls records of our entities.
const SALESFORCE: [(&str, &str); 12] = [
    ("Account", "customer"),
    ("Asset", "asset"),
    ("Campaign", "campaign"),
    ("Case", "service_request"),
    ("Contact", "contact"),
    ("Contract", "contract"),
    ("Event", "activity"),
    ("Lead", "lead"),
    ("Opportunity", "opportunity"),
    ("Order", "sales_order"),
    ("Product2", "product"),
    ("Task", "activity"),
];
/// Unknown values that are named of one column, at most.
const UNKNOWN_MAX: usize = 10;

/// What is known beside the file.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The entity; found out if none.
    pub entity: Option<String>,
    /// Name of the system that the file comes from.
    pub source: Option<String>,
    /// The currency of amounts that name none.
    pub currency: Option<String>,
    /// Country of telephone numbers without a country's code.
    pub region: Option<String>,
    /// Fields that a person chose for columns; none for a column that is to be left out.
    pub fields: BTreeMap<String, Option<String>>,
    /// The columns that name a row.
    pub key: Vec<String>,
}

/// What is proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Proposal {
    /// Name of the entity.
    pub entity: String,
    /// Each column with what becomes of it.
    pub columns: Vec<ColumnProposal>,
    /// The columns that name a row.
    pub key: Vec<String>,
    /// What a person should look at.
    pub notes: Vec<Note>,
    /// The mapping file.
    pub mapping: String,
}

/// What becomes of a column.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ColumnProposal {
    /// Its name.
    pub column: String,
    /// The field, or part of one such as `address.city`; none if it is left out.
    pub field: Option<String>,
    /// How sure that is, in percent.
    pub confidence: u32,
    /// Rows that have something in it.
    pub filled: u64,
    /// A value.
    pub example: String,
    /// Values that are misspelt choices or names, and what they mean.
    pub replaced: BTreeMap<String, String>,
    /// The order of its dates.
    pub date_order: Option<&'static str>,
    /// How a link finds its record: `key`, `id` or a field.
    pub by: Option<String>,
}

/// What a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// Values of a column that its field does not take; their rows would be rejected.
    Unknown {
        /// The column.
        column: String,
        /// Some of the values.
        values: Vec<String>,
    },
    /// Dates that may be read in two ways.
    AmbiguousDates {
        /// The column.
        column: String,
        /// The order that was taken.
        order: String,
    },
    /// A field that the entity requires and no column fills; rows are imported without it.
    Required {
        /// The field.
        field: String,
    },
    /// No column names a row: those with the same values in the key's columns are told apart by
    /// their order.
    NoKey,
    /// Amounts without a currency; one was taken.
    Currency {
        /// Which one.
        currency: String,
    },
    /// Records of another type in a data tree, which are no rows: `record_type` in a mapping takes
    /// them.
    OtherType {
        /// The type.
        record_type: String,
        /// How many.
        records: u64,
    },
}

/// Bytes of the digest in such a name.
const SOURCE_DIGEST_BYTES: usize = 4;

/// A name for the system that files come from, when nobody gives it one.
///
/// It is that of the files, the same in any order, so that their keys find each other and not those
/// of other files. What does not fit into a name (`客户.csv`, many files) is told apart by a digest.
#[must_use]
pub fn source_of(files: &[&str]) -> String {
    let stem = |name: &&str| {
        let stem = Path::new(name).file_stem().unwrap_or_default();
        stem.to_string_lossy().to_lowercase()
    };
    let stems: BTreeSet<String> = files.iter().map(stem).collect();
    let whole = stems.into_iter().collect::<Vec<_>>().join("_");
    let is_part = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-' || *c == '_';
    let name: String = whole.chars().filter(is_part).collect();
    if name == whole && (1..=SOURCE_BYTES_MAX).contains(&name.len()) {
        return name;
    }
    let digest: [u8; 32] = Sha256::digest(whole.as_bytes()).into();
    let digest = to_hex(digest.get(..SOURCE_DIGEST_BYTES).unwrap_or_default());
    let room = SOURCE_BYTES_MAX - digest.len() - 1;
    let begin: String = name.chars().take(room).collect();
    if begin.is_empty() { format!("file-{digest}") } else { format!("{begin}-{digest}") }
}

/// The places of an entity that a column can fill, by the name that a mapping has for each, with
/// what people call it.
#[must_use]
pub fn choices(entity: &'static Entity) -> Vec<(String, Label)> {
    let with_part = |words: &str, place: &Place| match place.part {
        Some(part) => format!("{words} · {part}"),
        None => words.to_owned(),
    };
    let label = |place: &Place| Label {
        en: with_part(&place.field.label.en, place),
        zh: with_part(&place.field.label.zh, place),
    };
    headers::places(entity).iter().map(|place| (place.name(), label(place))).collect()
}

/// A column with the place that was found for it.
struct Chosen {
    place: Place,
    confidence: u32,
    fit: Fit,
    by: Option<String>,
    replaced: BTreeMap<String, String>,
}

/// Proposes a mapping for a table.
///
/// # Errors
///
/// The file cannot be read, or the wishes name what is not there.
pub fn propose(table: &Table, wishes: &Wishes, names: &dyn Names) -> Result<Proposal, ImportError> {
    check_wishes(wishes)?;
    let columns = columns::look_at(table)?;
    let entity = match &wishes.entity {
        Some(name) => Schema::current()
            .entity(name)
            .ok_or_else(|| ImportError::UnknownEntity(name.chars().take(80).collect()))?,
        None => entity_of_tree(table)
            .unwrap_or_else(|| find_entity(&columns, wishes.currency.as_deref())),
    };
    let mut chosen = choose(entity, &columns, wishes)?;
    for (at, chosen) in &mut chosen {
        if let Some(column) = columns.get(*at) {
            refer(column, chosen, names)?;
        }
    }
    let key = Key::find(entity, &columns, &chosen, wishes);
    let mut notes = notes(entity, &columns, &chosen, &key, wishes);
    let others = table.types.iter().flat_map(|types| &types.others);
    notes.extend(others.map(|(record_type, records)| Note::OtherType {
        record_type: record_type.clone(),
        records: *records,
    }));
    let mapping = written::write(entity, table, &columns, &chosen, &key, wishes);
    let proposals = columns.iter().enumerate().map(|(at, column)| {
        let found = chosen.get(&at);
        ColumnProposal {
            column: column.name.clone(),
            field: found.map(|chosen| chosen.place.name()),
            confidence: found.map_or(0, |chosen| chosen.confidence),
            filled: column.filled,
            example: column.values.keys().next().cloned().unwrap_or_default(),
            replaced: found.map(|chosen| chosen.replaced.clone()).unwrap_or_default(),
            date_order: found.and_then(|chosen| chosen.fit.date_order),
            by: found.and_then(|chosen| chosen.by.clone()),
        }
    });
    Ok(Proposal {
        entity: entity.name.clone(),
        columns: proposals.collect(),
        key: key.names,
        notes,
        mapping,
    })
}

/// A currency or a region that there is not would empty every amount or number.
fn check_wishes(wishes: &Wishes) -> Result<(), ImportError> {
    let short = |code: &str| code.chars().take(80).collect::<String>();
    if let Some(code) = wishes.currency.as_deref().filter(|code| Money::new(code, 0).is_err()) {
        return Err(ImportError::Currency(short(code)));
    }
    if let Some(code) = &wishes.region {
        let is_it = |country: &iso_country::data::CountryCode<'_>| {
            country.alpha2.eq_ignore_ascii_case(code)
        };
        if !iso_country::data::all().iter().any(is_it) {
            return Err(ImportError::Region(short(code)));
        }
    }
    Ok(())
}

/// The entity that the records of a data tree are of.
fn entity_of_tree(table: &Table) -> Option<&'static Entity> {
    let taken = &table.types.as_ref()?.taken;
    let (_, entity) = SALESFORCE.iter().find(|(name, _)| name == taken)?;
    Schema::current().entity(entity)
}

/// The entity whose fields the columns' names and values fit best.
fn find_entity(columns: &[Column], currency: Option<&str>) -> &'static Entity {
    let schema = Schema::current();
    let wishes = Wishes { currency: currency.map(str::to_owned), ..Wishes::default() };
    let rate = |entity: &'static Entity| -> u32 {
        let chosen = choose(entity, columns, &wishes).unwrap_or_default();
        let total: u32 = chosen.values().map(|chosen| chosen.confidence).sum();
        // A record without its name is hardly one of these.
        let has_title = chosen.values().any(|chosen| chosen.place.field.name == entity.title);
        let key = [entity.name.as_str(), "id"].concat();
        let is_named =
            columns.iter().any(|column| headers::plain(&column.name) == headers::plain(&key));
        total + if has_title { SAME } else { 0 } + if is_named { 3 * SAME } else { 0 }
    };
    let mut best: Option<(u32, &'static Entity)> = None;
    for entity in schema.entities() {
        let rating = rate(entity);
        if best.is_none_or(|(most, _)| rating > most) {
            best = Some((rating, entity));
        }
    }
    // A schema without entities is refused where it is made.
    best.map_or_else(|| unreachable_entity(schema), |(_, entity)| entity)
}

fn unreachable_entity(schema: &'static Schema) -> &'static Entity {
    schema.entities().next().expect("the schema's check refuses one without entities")
}

/// Gives each column its place, the surest pair first.
fn choose(
    entity: &'static Entity,
    columns: &[Column],
    wishes: &Wishes,
) -> Result<BTreeMap<usize, Chosen>, ImportError> {
    let places = headers::places(entity);
    let currency = wishes.currency.as_deref();
    let mut pairs: Vec<(u32, usize, usize)> = Vec::new();
    let mut chosen: BTreeMap<usize, Chosen> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for (at, column) in columns.iter().enumerate() {
        if let Some(wish) = wishes.fields.get(&column.name) {
            let Some(name) = wish else { continue };
            let place = places.iter().find(|place| place.name() == *name);
            let place = place.cloned().ok_or_else(|| ImportError::UnknownField {
                entity: entity.name.clone(),
                field: name.chars().take(80).collect(),
            })?;
            let fit = values::fit(column, place.field, currency);
            taken.insert(name.clone());
            let (by, replaced) = (None, BTreeMap::new());
            chosen.insert(at, Chosen { place, confidence: SAME, fit, by, replaced });
            continue;
        }
        for (place_at, place) in places.iter().enumerate() {
            let score = headers::score(&column.name, entity, place);
            if score >= LIKELY {
                pairs.push((score, at, place_at));
            }
        }
    }
    // The surest first; among equals the place that stands first in the definition.
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.2.cmp(&b.2)).then(a.1.cmp(&b.1)));
    for (score, at, place_at) in pairs {
        let (Some(column), Some(place)) = (columns.get(at), places.get(place_at)) else { continue };
        if chosen.contains_key(&at) || is_taken(&taken, place) {
            continue;
        }
        let fit = values::fit(column, place.field, currency);
        let is_part = place.part.is_some();
        if !is_part && column.filled > 0 && fit.percent < FIT_PERCENT_MIN {
            continue;
        }
        taken.insert(place.name());
        let (place, by, replaced) = (place.clone(), None, BTreeMap::new());
        chosen.insert(at, Chosen { place, confidence: score, fit, by, replaced });
    }
    Ok(chosen)
}

/// A field is filled whole or by its parts.
fn is_taken(taken: &BTreeSet<String>, place: &Place) -> bool {
    let whole = &place.field.name;
    match place.part {
        Some(_) => taken.contains(&place.name()) || taken.contains(whole),
        None => {
            let parts = [whole, "."].concat();
            taken.contains(whole) || taken.iter().any(|name| name.starts_with(&parts))
        }
    }
}

/// How a link finds its record, and which values misspell a choice or a name.
fn refer(column: &Column, chosen: &mut Chosen, names: &dyn Names) -> Result<(), ImportError> {
    chosen.replaced.clone_from(&chosen.fit.near);
    if chosen.place.part == Some(COUNTRY) {
        let countries = iso_country::data::all();
        let countries: Vec<String> =
            countries.into_iter().map(|country| country.name.to_owned()).collect();
        chosen.replaced = names::near_names(&countries, column.values.keys());
    }
    let field = chosen.place.field;
    let Type::Link(target) = &field.ty else { return Ok(()) };
    let Some(target) = Schema::current().entity(target).filter(|_| field.kind.is_single()) else {
        return Ok(());
    };
    let is_uuid = |value: &String| value.parse::<crate::ids::RecordId>().is_ok();
    if !column.values.is_empty() && column.values.keys().all(is_uuid) {
        chosen.by = Some("id".to_owned());
        return Ok(());
    }
    let title = target.title_field().filter(|title| title.indexed && title.kind.is_single());
    match title {
        Some(title) if !headers::is_key(&column.name) => {
            chosen.by = Some(title.name.clone());
            let known = names
                .names(target, title, names::NAMES_MAX)
                .map_err(|words| ImportError::Target(super::TargetError::Refused(words)))?;
            chosen.replaced = names::near_names(&known, column.values.keys());
        }
        Some(_) | None => chosen.by = Some("key".to_owned()),
    }
    Ok(())
}

/// What names a row.
struct Key {
    names: Vec<String>,
    /// Whether rows may share it.
    may_repeat: bool,
}

impl Key {
    /// A column whose values are all different and there, called like a key, else any such one,
    /// else the columns of the title, told apart by their order. A link names another record, and a
    /// name may be that of several: with it goes an e-mail address or a telephone number.
    fn find(
        entity: &Entity,
        columns: &[Column],
        chosen: &BTreeMap<usize, Chosen>,
        wishes: &Wishes,
    ) -> Self {
        if !wishes.key.is_empty() {
            let is_unique = |name: &String| {
                columns.iter().any(|column| column.name == *name && column.is_unique)
            };
            let may_repeat = !wishes.key.iter().any(is_unique);
            return Self { names: wishes.key.clone(), may_repeat };
        }
        let rows = columns.iter().map(|column| column.filled).max().unwrap_or_default();
        let fits = |column: &&Column| column.is_unique && column.filled == rows && rows > 0;
        let is_link = |at: usize| {
            chosen.get(&at).is_some_and(|chosen| matches!(chosen.place.field.ty, Type::Link(_)))
        };
        let is_name = |field: &Field| field.name == entity.title || field.ty == Type::PersonName;
        let own_columns: Vec<&Column> = columns
            .iter()
            .enumerate()
            .filter(|(at, _)| !is_link(*at))
            .map(|(_, column)| column)
            .collect();
        let unique: Vec<&Column> = own_columns.iter().copied().filter(fits).collect();
        let own = [entity.name.as_str(), "id"].concat();
        let is_own = |column: &&&Column| headers::plain(&column.name) == headers::plain(&own);
        let best = unique
            .iter()
            .find(is_own)
            .or_else(|| unique.iter().find(|column| headers::is_key(&column.name)))
            .or_else(|| unique.first());
        let mut in_fields: Vec<(&Column, &Field)> = Vec::new();
        for (at, chosen) in chosen {
            in_fields.extend(columns.get(*at).map(|column| (column, chosen.place.field)));
        }
        // A number such as that of an order names its record, be it the title or not.
        let is_a_name = |name: &String| {
            let mut named = in_fields.iter().filter(|(column, _)| column.name == *name);
            !headers::is_key(name) && named.any(|(_, field)| is_name(field))
        };
        if let Some(column) = best.filter(|column| !is_a_name(&column.name)) {
            return Self { names: vec![column.name.clone()], may_repeat: false };
        }
        let is_title = |field: &Field| match best {
            Some(_) => is_name(field),
            None => field.name == entity.title,
        };
        let mut names: Vec<String> = in_fields
            .iter()
            .filter(|(_, field)| is_title(field) && !matches!(field.ty, Type::Link(_)))
            .map(|(column, _)| column.name.clone())
            .collect();
        if !names.is_empty() {
            let reached = in_fields
                .iter()
                .filter(|(column, field)| {
                    column.filled > 0
                        && matches!(field.ty, Type::Email | Type::Phone)
                        && !names.contains(&column.name)
                })
                .max_by_key(|(column, field)| (column.filled, field.ty == Type::Email));
            names.extend(reached.map(|(column, _)| column.name.clone()));
        } else if let Some(column) = own_columns.first() {
            names.push(column.name.clone());
        } else {
            // Nothing but links: together they name the row.
            names.extend(columns.iter().map(|column| column.name.clone()));
        }
        Self { names, may_repeat: best.is_none() }
    }
}

fn notes(
    entity: &Entity,
    columns: &[Column],
    chosen: &BTreeMap<usize, Chosen>,
    key: &Key,
    wishes: &Wishes,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for (at, chosen) in chosen {
        let Some(column) = columns.get(*at) else { continue };
        if !chosen.fit.unknown.is_empty() && chosen.place.part.is_none() {
            notes.push(Note::Unknown {
                column: column.name.clone(),
                values: chosen.fit.unknown.iter().take(UNKNOWN_MAX).cloned().collect(),
            });
        }
        if let (Some(order), true) = (chosen.fit.date_order, chosen.fit.is_ambiguous) {
            let (column, order) = (column.name.clone(), order.to_owned());
            notes.push(Note::AmbiguousDates { column, order });
        }
    }
    let is_filled = |name: &str| chosen.values().any(|chosen| chosen.place.field.name == name);
    let asked = entity.fields.iter().filter(|field| field.required && field.kind != Kind::Office);
    for field in asked.filter(|field| !is_filled(&field.name)) {
        notes.push(Note::Required { field: field.name.clone() });
    }
    let has_money = chosen.values().any(|chosen| chosen.place.field.ty == Type::Money);
    if has_money && wishes.currency.is_none() {
        notes.push(Note::Currency { currency: written::CURRENCY.to_owned() });
    }
    if key.may_repeat {
        notes.push(Note::NoKey);
    }
    notes
}
