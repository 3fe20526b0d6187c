//! From what a form sends to the fields that a person changed.

use std::collections::BTreeMap;

use outrider_core::schema::{Entity, Field, Kind, TextHints, Type, ValueError};
use serde_json::{Map, Value as Json, json};

use super::{Candidates, NEW_ROWS_MAX, input_name, is_asked, is_new_row, linked, parts, row_ids};
use crate::web::form::Fields;

/// What is wrong with one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) enum Problem {
    /// The value does not fit.
    Value(ValueError),
    /// There must be one.
    Required,
    /// A name fits no record, or several.
    Choose,
    /// Not a number that can be added.
    NotANumber,
    /// Too many new rows at once.
    TooManyRows,
    /// What the office said; in its words.
    Said(String),
}

/// What is wrong, by the name of the input.
pub(in crate::web) type Problems = BTreeMap<String, Problem>;

/// The fields that differ between what was sent and what was shown (nothing for a new record).
pub(in crate::web) fn entered(
    entity: &Entity,
    sent: &Fields,
    shown: Option<&Fields>,
    open: &Candidates,
) -> Result<Map<String, Json>, Problems> {
    let mut entered = Map::new();
    let mut problems: Problems = open.keys().map(|name| (name.clone(), Problem::Choose)).collect();
    let is_new = shown.is_none();
    for field in entity.fields.iter().filter(|field| is_asked(field, is_new)) {
        let mut form = Form { sent, shown, problems: &mut problems };
        if let Some(json) = form.field(field) {
            entered.insert(field.name.clone(), json);
        }
    }
    if problems.is_empty() { Ok(entered) } else { Err(problems) }
}

struct Form<'a> {
    sent: &'a Fields,
    shown: Option<&'a Fields>,
    problems: &'a mut Problems,
}

impl Form<'_> {
    /// What a field becomes; `None` if it was left alone.
    fn field(&mut self, field: &Field) -> Option<Json> {
        let name = input_name(field);
        match field.kind {
            Kind::Register | Kind::Once | Kind::Office => {
                let json = self.value(&name, &field.ty);
                let is_missing = json.as_ref().is_some_and(Json::is_null)
                    || (json.is_none() && self.shown.is_none());
                if field.required && is_missing && !self.problems.contains_key(&name) {
                    self.problems.insert(name, Problem::Required);
                    return None;
                }
                json
            }
            Kind::Text => {
                let text = self.sent.has(&name).then(|| self.sent.get(&name))?;
                let shown = self.shown.map_or("", |shown| shown.get(&name));
                (text != shown).then(|| text.into())
            }
            Kind::Counter => self.counter(&name),
            Kind::Set => self.set(field, &name),
            Kind::Rows => self.rows(field, &name),
            Kind::Log => {
                let added = self.new_rows(field, &name);
                (!added.is_empty()).then(|| self.listed(added))
            }
        }
    }

    /// A list is enough for a new record; one that is there is told what is added.
    fn listed(&self, added: Vec<Json>) -> Json {
        if self.shown.is_none() { added.into() } else { json!({ "add": added }) }
    }

    /// The value under an input's name, if it differs from what was shown; null where it was
    /// cleared.
    fn value(&mut self, name: &str, ty: &Type) -> Option<Json> {
        let endings: Vec<String> = if parts(ty).is_empty() {
            vec![if linked(ty).is_some() { format!("{name}.id") } else { name.to_owned() }]
        } else {
            parts(ty).iter().map(|part| format!("{name}.{}", part.member)).collect()
        };
        // What the form did not have stays as it is. A link without a name has no id.
        let is_there = endings.iter().any(|input| self.sent.has(input)) || self.sent.has(name);
        if !is_there {
            return None;
        }
        let is_same = |input: &String| {
            self.shown.map_or("", |shown| shown.get(input)).trim() == self.sent.get(input).trim()
        };
        if endings.iter().all(is_same) {
            return None;
        }
        // A currency alone is no amount: the form offers one before anything is typed.
        let asked = if ty.name() == "money" { endings.get(..1) } else { None };
        let asked = asked.unwrap_or(&endings);
        if asked.iter().all(|input| self.sent.get(input).trim().is_empty()) {
            let was_empty = self
                .shown
                .is_none_or(|shown| asked.iter().all(|input| shown.get(input).is_empty()));
            return (!was_empty).then_some(Json::Null);
        }
        let value = match self.parse(name, ty) {
            Ok(value) => value,
            Err(problem) => {
                self.problems.insert(name.to_owned(), Problem::Value(problem));
                return None;
            }
        };
        Some(value)
    }

    fn parse(&self, name: &str, ty: &Type) -> Result<Json, ValueError> {
        if parts(ty).is_empty() {
            let text = if linked(ty).is_some() {
                self.sent.get(&format!("{name}.id")).to_owned()
            } else if ty.name() == "date_time" {
                moment(self.sent.get(name))
            } else {
                self.sent.get(name).to_owned()
            };
            return Ok(ty.to_json(&ty.from_text(&text, &TextHints::default())?));
        }
        let mut members = Map::new();
        for part in parts(ty) {
            let text = self.sent.get(&format!("{name}.{}", part.member)).trim();
            if text.is_empty() {
                continue;
            }
            let json = match part.input {
                "datetime-local" => moment(text).into(),
                "flag" => (text == "true").into(),
                "decimal" => text.replace(',', "").into(),
                _ => text.into(),
            };
            members.insert(part.member.to_owned(), json);
        }
        Ok(ty.to_json(&ty.from_json(&Json::Object(members))?))
    }

    fn counter(&mut self, name: &str) -> Option<Json> {
        let text = self.sent.get(name).trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        if text.is_empty() || text == "0" {
            return None;
        }
        match text.parse::<i64>() {
            Ok(count) if self.shown.is_none() => Some(count.into()),
            Ok(count) => Some(json!({ "add": count })),
            Err(_) => {
                self.problems.insert(name.to_owned(), Problem::NotANumber);
                None
            }
        }
    }

    fn set(&mut self, field: &Field, name: &str) -> Option<Json> {
        let (sent, shown) = (
            self.members(field, name, self.sent),
            match self.shown {
                Some(shown) => self.members(field, name, shown),
                None => Vec::new(),
            },
        );
        let missing = |from: &[String], of: &[String]| -> Vec<Json> {
            let not = of.iter().filter(|member| !from.contains(member));
            not.map(|member| member.as_str().into()).collect()
        };
        // A form that does not have the field at all takes nothing away.
        let is_there = self.sent.has(name) || self.sent.has(&format!("{name}.set"));
        let added = missing(&shown, &sent);
        let removed = if is_there { missing(&sent, &shown) } else { Vec::new() };
        if added.is_empty() && removed.is_empty() {
            return None;
        }
        Some(match self.shown {
            None => added.into(),
            Some(_) => json!({ "add": added, "remove": removed }),
        })
    }

    fn members(&self, field: &Field, name: &str, fields: &Fields) -> Vec<String> {
        let mut members: Vec<String> = Vec::new();
        let mut add = |member: &str| {
            let member = member.trim();
            if !member.is_empty() && !members.iter().any(|known| known == member) {
                members.push(member.to_owned());
            }
        };
        if linked(&field.ty).is_none() && !matches!(field.ty, Type::Picklist(_)) {
            fields.get(name).lines().for_each(add);
            return members;
        }
        for row in row_ids(field, fields) {
            if is_new_row(&row) {
                add(fields.get(&format!("{name}.{row}.member.id")));
            } else if fields.has(&format!("{name}.{row}.keep")) {
                add(&row);
            }
        }
        members
    }

    fn rows(&mut self, field: &Field, name: &str) -> Option<Json> {
        let mut change = Map::new();
        let added = self.new_rows(field, name);
        if self.shown.is_none() {
            return (!added.is_empty()).then(|| added.into());
        }
        let mut edited = Map::new();
        let mut removed: Vec<Json> = Vec::new();
        for row in row_ids(field, self.sent).into_iter().filter(|row| !is_new_row(row)) {
            if !self.sent.get(&format!("{name}.{row}.-")).is_empty() {
                removed.push(row.into());
                continue;
            }
            let cells = self.cells(field, &format!("{name}.{row}"));
            if !cells.is_empty() {
                edited.insert(row, Json::Object(cells));
            }
        }
        if !added.is_empty() {
            change.insert("add".to_owned(), added.into());
        }
        if !edited.is_empty() {
            change.insert("edit".to_owned(), Json::Object(edited));
        }
        if !removed.is_empty() {
            change.insert("remove".to_owned(), removed.into());
        }
        (!change.is_empty()).then_some(Json::Object(change))
    }

    /// The rows that were added: those with anything in them.
    fn new_rows(&mut self, field: &Field, name: &str) -> Vec<Json> {
        let ids: Vec<String> =
            row_ids(field, self.sent).into_iter().filter(|row| is_new_row(row)).collect();
        if ids.len() > NEW_ROWS_MAX {
            self.problems.insert(name.to_owned(), Problem::TooManyRows);
            return Vec::new();
        }
        let mut added = Vec::new();
        for row in ids {
            let before = self.problems.len();
            let prefix = format!("{name}.{row}");
            let cells = self.cells(field, &prefix);
            if cells.is_empty() {
                continue;
            }
            let missing = field.columns.iter().find(|column| {
                column.required && cells.get(&column.name).is_none_or(Json::is_null)
            });
            if let Some(column) = missing.filter(|_| self.problems.len() == before) {
                self.problems.insert(format!("{prefix}.{}", column.name), Problem::Required);
            }
            added.push(Json::Object(cells));
        }
        added
    }

    fn cells(&mut self, field: &Field, prefix: &str) -> Map<String, Json> {
        let mut cells = Map::new();
        for column in &field.columns {
            if let Some(json) = self.value(&format!("{prefix}.{}", column.name), &column.ty) {
                cells.insert(column.name.clone(), json);
            }
        }
        cells
    }
}

/// A moment in UTC as inputs for date and time send it.
fn moment(text: &str) -> String {
    let text = text.trim();
    match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    }
}
