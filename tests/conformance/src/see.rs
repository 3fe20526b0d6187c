//! Whether a record looks as a story says.

use std::collections::BTreeSet;

use outrider_core::{
    domain::derived::TIMELY,
    schema::{Entity, Field, Kind, Settle, Type, member_key},
};
use serde_json::{Map, Value as Json};

use crate::story::{See, Standing};

/// What is wrong with a record; `None` if all is as it should be. Links in `see` are resolved.
#[must_use]
pub fn wrong(entity: &Entity, see: &See, json: Option<&Json>) -> Option<String> {
    let Some(Json::Object(record)) = json else {
        return (see.is != Standing::Missing).then(|| "is not here".to_owned());
    };
    wrong_standing(see.is, record)
        .or_else(|| wrong_values(entity, see, record))
        .or_else(|| wrong_conflicts(entity, see, record))
        .map(|what| format!("{what} in {}", Json::Object(record.clone())))
}

fn wrong_standing(expected: Standing, record: &Map<String, Json>) -> Option<String> {
    let is = |name: &str| record.get(name) == Some(&Json::Bool(true));
    let found = match (is("is_archived"), is("is_revived")) {
        (true, _) => Standing::Archived,
        (false, true) => Standing::Revived,
        (false, false) => Standing::InUse,
    };
    (found != expected).then(|| format!("is {found:?}, expected {expected:?}"))
}

fn wrong_values(entity: &Entity, see: &See, record: &Map<String, Json>) -> Option<String> {
    for (name, expected) in &see.has {
        let found = record.get(name).unwrap_or(&Json::Null);
        if !is_same(entity.field(name), expected, found) {
            return Some(format!("{name} is {found}, expected {expected}"));
        }
    }
    for (name, several) in &see.one_of {
        let found = record.get(name).unwrap_or(&Json::Null);
        if !several.iter().any(|expected| is_same(entity.field(name), expected, found)) {
            return Some(format!("{name} is {found}, expected one of {several:?}"));
        }
    }
    let surplus = see.lacks.iter().find(|name| record.contains_key(*name))?;
    Some(format!("{surplus} has a value"))
}

/// Conflicts are exactly those expected, one of their values shows, and those that a person must
/// settle say so.
fn wrong_conflicts(entity: &Entity, see: &See, record: &Map<String, Json>) -> Option<String> {
    let none = Vec::new();
    let found = record.get("conflicts").and_then(Json::as_array).unwrap_or(&none);
    let text = |json: &Json, name: &str| json.get(name)?.as_str().map(str::to_owned);
    let keys: BTreeSet<String> = found.iter().filter_map(|one| text(one, "key")).collect();
    let expected: BTreeSet<String> = see.conflicts.keys().cloned().collect();
    if keys != expected {
        return Some(format!("conflicts are {keys:?}, expected {expected:?}"));
    }
    for conflict in found {
        let key = text(conflict, "key").unwrap_or_default();
        let field = settled(entity, &key);
        let values = conflict.get("values").and_then(Json::as_array).unwrap_or(&none);
        let plain: Vec<&Json> = values.iter().filter_map(|value| value.get("value")).collect();
        let wanted = see.conflicts.get(&key).unwrap_or(&none);
        if !is_matched(wanted, &plain, |expected, found| is_same(field, expected, found)) {
            return Some(format!("{key} has {plain:?}, expected {wanted:?}"));
        }
        let shown: Vec<&Json> = values.iter().filter(|value| is_shown(value)).collect();
        if shown.len() != 1 {
            return Some(format!("{key} shows {} values", shown.len()));
        }
        let must_settle = field.is_some_and(|field| field.settle == Settle::Person);
        if conflict.get("must_settle") != Some(&Json::Bool(must_settle)) {
            return Some(format!("{key}: must_settle is not {must_settle}"));
        }
    }
    None
}

fn is_shown(value: &Json) -> bool {
    value.get("is_shown") == Some(&Json::Bool(true))
}

/// The field or column that a key belongs to.
fn settled<'a>(entity: &'a Entity, key: &str) -> Option<&'a Field> {
    let mut names = key.split('/');
    let field = entity.field(names.next()?)?;
    match names.nth(1) {
        Some(column) => field.column(column),
        None => Some(field),
    }
}

/// Whether a value is the one that was meant, in whatever way it was written.
#[must_use]
pub fn is_same(field: Option<&Field>, expected: &Json, found: &Json) -> bool {
    let Some(field) = field else {
        // What is derived has no field; amounts may be written short.
        return expected == found || canonical(&Type::Money, expected).as_ref() == Some(found);
    };
    match field.kind {
        Kind::Register | Kind::Once | Kind::Office => {
            canonical(&field.ty, expected).as_ref() == Some(found)
        }
        Kind::Counter | Kind::Text => expected == found,
        Kind::Set => members(field, expected) == members(field, found),
        Kind::Rows | Kind::Log => {
            let (none, found) = (Vec::new(), found.as_array());
            let found: Vec<&Json> = found.unwrap_or(&none).iter().collect();
            let expected = expected.as_array().unwrap_or(&none);
            is_matched(expected, &found, |expected, found| is_row(field, expected, found))
        }
    }
}

fn canonical(ty: &Type, json: &Json) -> Option<Json> {
    Some(ty.to_json(&ty.from_json(json).ok()?))
}

/// The keys of a set's members, so that two spellings of one member are one.
fn members(field: &Field, json: &Json) -> BTreeSet<String> {
    let items = json.as_array().into_iter().flatten();
    items.filter_map(|item| member_key(field, item.as_str()?).ok()).collect()
}

/// Whether a row has all that was expected of it; it may have more.
fn is_row(field: &Field, expected: &Json, found: &Json) -> bool {
    let Some(expected) = expected.as_object() else { return false };
    expected.iter().all(|(name, expected)| {
        let found = found.get(name).unwrap_or(&Json::Null);
        match field.column(name) {
            Some(column) => is_same(Some(column), expected, found),
            None => expected == found,
        }
    })
}

/// Whether each expected item has one of its own among those found, and none is left over.
fn is_matched(expected: &[Json], found: &[&Json], is: impl Fn(&Json, &Json) -> bool) -> bool {
    let mut left = found.to_vec();
    let all = expected.iter().all(|expected| {
        let at = left.iter().position(|found| is(expected, found));
        at.map(|at| left.swap_remove(at)).is_some()
    });
    all && left.is_empty()
}

/// Leaves out what each clock says for itself: days left, what is overdue.
pub(crate) fn without_time(record: &mut Map<String, Json>) {
    record.retain(|name, _| !TIMELY.contains(&name.as_str()));
}
