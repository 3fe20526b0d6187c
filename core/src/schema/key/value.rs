//! What may stand under a key.

use serde_json::{Map, Value as Json};

use super::{Key, KeyError};
use crate::{
    schema::{
        field::{Field, Kind},
        types::{Type, ValueError},
    },
    value::Value,
};

/// Bytes of an entry of a log, at most.
pub const ENTRY_BYTES_MAX: usize = 1_024;
/// Bytes of a value under a key, at most.
pub const VALUE_BYTES_MAX: usize = 64 * 1_024;

impl Key<'_> {
    /// Checks that a value may stand under the key: kind of scalar, canonical form, limits.
    ///
    /// # Errors
    ///
    /// What is wrong with it; [`KeyError::field`] names the field.
    pub fn check_value(&self, value: &Value) -> Result<(), KeyError> {
        let checked = match self {
            Self::Register(field) => field.ty.check(value),
            Self::Cell { column, .. } => column.ty.check(value),
            Self::Member { field, value: member } => check_member(field, member, value),
            Self::Entry { field, .. } => check_entry(field, value),
            Self::Counter { .. } | Self::RowGone { .. } => Ok(()),
        };
        checked.map_err(|source| self.wrong(source))?;
        self.check_form(value)
    }

    /// Checks only what a definition newer than ours could not have changed; see
    /// [`Type::check_form`].
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongShape`], or the value is longer than [`VALUE_BYTES_MAX`].
    pub fn check_form(&self, value: &Value) -> Result<(), KeyError> {
        let is_of_kind = match self {
            Self::Register(field) => field.ty.check_form(value),
            Self::Cell { column, .. } => column.ty.check_form(value),
            Self::Counter { .. } => value.as_int().map(drop).ok_or(ValueError::WrongShape("a sum")),
            Self::Member { .. } if *value == Value::Bool(true) => Ok(()),
            Self::Member { .. } => Err(ValueError::WrongShape("true")),
            Self::RowGone { .. } | Self::Entry { .. } => {
                value.as_text().map(drop).ok_or(ValueError::WrongShape("text"))
            }
        };
        is_of_kind.map_err(|source| self.wrong(source))?;
        if value.size_bytes() > VALUE_BYTES_MAX {
            return Err(self.wrong(ValueError::TooLong { max: VALUE_BYTES_MAX }));
        }
        Ok(())
    }

    fn wrong(&self, source: ValueError) -> KeyError {
        KeyError::Value { field: self.field().name.clone(), source }
    }
}

/// Ids of choices are part of the key, so the list is asked here.
fn check_member(field: &Field, member: &str, value: &Value) -> Result<(), ValueError> {
    match (&field.ty, value) {
        (Type::Picklist(_), Value::Bool(true)) => field.ty.check(&Value::from(member)),
        (_, _) => Ok(()),
    }
}

/// An entry is one flat JSON object, keys in order, whose known members are of their types.
fn check_entry(field: &Field, value: &Value) -> Result<(), ValueError> {
    let text = value.as_text().ok_or(ValueError::WrongShape("text"))?;
    check_length(text)?;
    let members: Map<String, Json> =
        serde_json::from_str(text).map_err(|_| ValueError::WrongShape("a JSON object"))?;
    if !members.values().all(is_scalar) {
        return Err(ValueError::WrongShape("members that are text, whole numbers, true or false"));
    }
    if entry_text(&members) != text {
        return Err(ValueError::NotCanonical);
    }
    for column in &field.columns {
        let Some(member) = members.get(&column.name) else { continue };
        let canonical = column.ty.to_json(&column.ty.from_json(member)?);
        if canonical != *member {
            return Err(ValueError::NotCanonical);
        }
    }
    Ok(())
}

fn is_scalar(member: &Json) -> bool {
    member.is_string() || member.is_i64() || member.is_boolean()
}

/// The canonical text of an entry: keys in order, no spaces.
fn entry_text(members: &Map<String, Json>) -> String {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let member = |(name, value): (&String, &Json)| format!("{}:{value}", Json::from(name.as_str()));
    let members: Vec<String> = sorted.into_iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn check_length(text: &str) -> Result<(), ValueError> {
    if text.len() > ENTRY_BYTES_MAX {
        return Err(ValueError::TooLong { max: ENTRY_BYTES_MAX });
    }
    Ok(())
}

impl Field {
    /// Writes an entry of this log as the text that is stored. Empty members are left out.
    ///
    /// # Errors
    ///
    /// A member is not of its column's type, the entry is too long, or the field is no log.
    pub fn entry_from_json(&self, entry: &Map<String, Json>) -> Result<Value, ValueError> {
        if self.kind != Kind::Log {
            return Err(ValueError::WrongShape("a field that is a log"));
        }
        let mut members = Map::new();
        for column in &self.columns {
            let Some(member) = entry.get(&column.name) else { continue };
            let value = column.ty.from_json(member)?;
            if value != Value::Null {
                members.insert(column.name.clone(), column.ty.to_json(&value));
            }
        }
        let text = entry_text(&members);
        check_length(&text)?;
        Ok(Value::Text(text))
    }
}
