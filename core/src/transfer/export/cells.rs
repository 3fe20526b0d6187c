//! What one cell holds: numbers, days and moments as such, all else as text.
//!
//! A file that knows types (XLSX) writes them; one that does not (CSV) writes [`Cell::to_text`],
//! which [`crate::schema::Type::from_text`] reads back whatever the hints.

use serde_json::Value as Json;

use crate::schema::{Field, Kind, Type};

/// What stands between the members of a set.
pub(in crate::transfer) const BETWEEN: &str = "; ";
/// Separates them when the cell is read, with or without a space.
pub(in crate::transfer) const SEPARATOR: char = ';';

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transfer) enum Cell {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// A number in decimal digits.
    Number(String),
    /// Yes or no.
    Bool(bool),
    /// A day: `2026-11-23`.
    Date(String),
    /// A moment: `2026-11-23T08:30:00Z`.
    Moment(String),
}

impl Cell {
    /// The cell as text.
    pub(in crate::transfer) fn to_text(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Text(text) | Self::Number(text) | Self::Date(text) | Self::Moment(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// A JSON string as text.
pub(super) fn text(json: Option<&Json>) -> Cell {
    json.and_then(Json::as_str).map_or(Cell::Empty, |text| Cell::Text(text.to_owned()))
}

/// The value of a field.
pub(super) fn whole(field: &Field, json: &Json) -> Cell {
    match field.kind {
        Kind::Text => text(Some(json)),
        Kind::Counter => number(json),
        Kind::Set => Cell::Text(members(json)),
        Kind::Rows | Kind::Log => Cell::Text(json.to_string()),
        Kind::Register | Kind::Once | Kind::Office => scalar(&field.ty, json),
    }
}

fn scalar(ty: &Type, json: &Json) -> Cell {
    let string = || json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    match (ty, json) {
        (_, Json::Null) => Cell::Empty,
        (Type::Integer { .. } | Type::Decimal { .. }, _) => number(json),
        (Type::Bool, Json::Bool(flag)) => Cell::Bool(*flag),
        (Type::Date, Json::String(day)) => Cell::Date(day.clone()),
        (Type::DateTime, Json::String(moment)) => Cell::Moment(moment.clone()),
        (_, _) => Cell::Text(string()),
    }
}

fn number(json: &Json) -> Cell {
    match json {
        Json::Number(number) => Cell::Number(number.to_string()),
        Json::String(digits) => Cell::Number(digits.clone()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => Cell::Empty,
    }
}

/// A part of a value. What is not canonical and has no parts stands in the first of them.
pub(super) fn part(ty: &Type, part: &str, json: &Json) -> Cell {
    let Json::Object(value) = json else {
        let is_first = super::columns::parts(ty).first() == Some(&part);
        return if is_first { text(Some(json)) } else { Cell::Empty };
    };
    let Some(json) = value.get(part) else { return Cell::Empty };
    match (ty, part) {
        (Type::Money, "amount") | (Type::Geo, "lat" | "lon" | "accuracy_m") => number(json),
        (Type::Period, _) => json.as_str().map_or(Cell::Empty, |day| Cell::Date(day.to_owned())),
        (Type::TimeSpan, "start" | "end") => {
            json.as_str().map_or(Cell::Empty, |moment| Cell::Moment(moment.to_owned()))
        }
        (_, _) => json.as_bool().map_or_else(|| text(Some(json)), Cell::Bool),
    }
}

/// The members of a set: `vip; 上海`, or a list in JSON where a member could be taken for two.
fn members(json: &Json) -> String {
    let Json::Array(list) = json else { return json.to_string() };
    let words: Option<Vec<&str>> = list.iter().map(Json::as_str).collect();
    let is_plain = |word: &&str| {
        !word.contains(SEPARATOR) && !word.starts_with('[') && word.trim().len() == word.len()
    };
    match words {
        Some(words) if words.iter().all(is_plain) => words.join(BETWEEN),
        Some(_) | None => json.to_string(),
    }
}

/// The members that a cell names.
#[must_use]
pub(in crate::transfer) fn read_members(cell: &str) -> Vec<String> {
    if cell.starts_with('[')
        && let Ok(list) = serde_json::from_str::<Vec<String>>(cell)
    {
        return list;
    }
    let words = cell.split(SEPARATOR).map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_come_back_whatever_they_are() {
        for list in [vec!["vip"], vec!["a", "上海"], vec!["a;b", "c"], vec!["[x]"], vec![" a"]] {
            assert_eq!(read_members(&members(&json!(list))), list, "{list:?}");
        }
        assert_eq!(members(&json!(["vip", "上海"])), "vip; 上海");
    }
}
