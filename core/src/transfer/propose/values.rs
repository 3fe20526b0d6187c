//! Whether the values of a column fit a field, and what would make them fit.

use std::collections::BTreeMap;

use super::columns::Column;
use crate::{
    schema::{DateOrder, Field, Kind, Picklist, TextHints, Type},
    transfer::{clean, row::parse_text},
    writing::{fold, is_han},
};

/// Likeness from which on a value is taken for a misspelt choice.
pub const NEAR_MIN: f64 = 0.8;

/// How the values of a column fit a field.
#[derive(Debug, Clone, Default)]
pub(super) struct Fit {
    /// Of the different values that were looked at, how many fit, in percent.
    pub(super) percent: u32,
    /// Values that a choice is meant by, misspelt.
    pub(super) near: BTreeMap<String, String>,
    /// Values that fit nothing.
    pub(super) unknown: Vec<String>,
    /// The order of dates, where one order alone fits.
    pub(super) date_order: Option<&'static str>,
    /// Whether more than one order fits.
    pub(super) is_ambiguous: bool,
}

/// Looks whether the values fit.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are read as an import reads them")]
pub(super) fn fit(column: &Column, field: &'static Field, currency: Option<&str>) -> Fit {
    match &field.ty {
        Type::Picklist(list) => fit_list(column, list),
        Type::Date | Type::DateTime => fit_dates(column, field, currency),
        _ if field.kind == Kind::Set => Fit { percent: 100, ..Fit::default() },
        // Looked up, not read.
        Type::Link(_) => Fit { percent: 100, ..Fit::default() },
        _ => {
            let hints = hints(DateOrder::Ymd, currency);
            let (percent, unknown) = try_all(column, field, &hints);
            Fit { percent, unknown, ..Fit::default() }
        }
    }
}

fn hints(date_order: DateOrder, currency: Option<&str>) -> TextHints {
    TextHints {
        date_order,
        currency: Some(currency.unwrap_or("USD").to_owned()),
        ..TextHints::default()
    }
}

fn try_all(column: &Column, field: &Field, hints: &TextHints) -> (u32, Vec<String>) {
    let mut unknown = Vec::new();
    for value in column.values.keys() {
        if parse_text(field, clean::trimmed(value), hints, None).is_err() {
            unknown.push(value.clone());
        }
    }
    let all = column.values.len().max(1);
    let percent = (all - unknown.len().min(all)) * 100 / all;
    (u32::try_from(percent).unwrap_or(100), unknown)
}

fn fit_dates(column: &Column, field: &Field, currency: Option<&str>) -> Fit {
    let orders = [(DateOrder::Ymd, "ymd"), (DateOrder::Mdy, "mdy"), (DateOrder::Dmy, "dmy")];
    let tried: Vec<(u32, Vec<String>, &'static str)> = orders
        .into_iter()
        .map(|(order, name)| {
            let (percent, unknown) = try_all(column, field, &hints(order, currency));
            (percent, unknown, name)
        })
        .collect();
    let Some(best) = tried.iter().max_by_key(|(percent, ..)| *percent) else {
        return Fit::default();
    };
    let first = tried.iter().find(|(percent, ..)| *percent == best.0).unwrap_or(best);
    let alike = tried.iter().filter(|(percent, ..)| *percent == first.0).count();
    Fit {
        percent: first.0,
        unknown: first.1.clone(),
        date_order: Some(first.2),
        // All three fit where every date begins with the year.
        is_ambiguous: alike == 2,
        ..Fit::default()
    }
}

fn fit_list(column: &Column, list: &Picklist) -> Fit {
    let mut found = Fit::default();
    let mut fitting = 0;
    for value in column.values.keys() {
        if list.find(value).is_some() {
            fitting += 1;
        } else if let Some(choice) = near_choice(list, value) {
            found.near.insert(value.clone(), choice);
        } else {
            found.unknown.push(value.clone());
        }
    }
    let all = column.values.len().max(1);
    let percent = (fitting + found.near.len()) * 100 / all;
    found.percent = u32::try_from(percent).unwrap_or(100);
    found
}

/// The one choice whose Chinese label is a part of the value, or the other way about: 制造业 is
/// 制造.
fn one_within(list: &Picklist, wanted: &str) -> Option<String> {
    let is_word = |text: &str| text.chars().count() >= 2 && text.chars().all(is_han);
    let fits = |choice: &&crate::schema::Choice| {
        let label = fold(&choice.label.zh);
        is_word(&label) && (wanted.contains(&label) || label.contains(wanted))
    };
    let mut found = list.choices.iter().filter(fits).filter(|_| is_word(wanted));
    match (found.next(), found.next()) {
        (Some(choice), None) => Some(choice.id.clone()),
        _ => None,
    }
}

/// The choice that a misspelt value means, if one alone is near.
fn near_choice(list: &Picklist, value: &str) -> Option<String> {
    let wanted = fold(value);
    let mut best: Option<(f64, &str)> = None;
    for choice in &list.choices {
        let spellings = [&choice.id, &choice.label.en, &choice.label.zh];
        for spelling in spellings.into_iter().chain(&choice.aliases) {
            let likeness = strsim::normalized_damerau_levenshtein(&fold(spelling), &wanted);
            if likeness >= NEAR_MIN && best.is_none_or(|(most, _)| likeness > most) {
                best = Some((likeness, &choice.id));
            }
        }
    }
    best.map(|(_, id)| id.to_owned()).or_else(|| one_within(list, &wanted))
}
