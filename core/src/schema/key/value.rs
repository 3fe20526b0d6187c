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
/// Bytes of what the removal of a row or of a record says about what it saw, at most.
pub const REMARK_BYTES_MAX: usize = 64 * 1_024;

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
            Self::Counter { .. } => match value {
                Value::Int(_) => Ok(()),
                Value::Null | Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => {
                    Err(ValueError::WrongShape("a whole number"))
                }
            },
            Self::Member { field, value: member } => check_member(field, member, value),
            Self::RowGone { .. } => check_remark(value),
            Self::Entry { field, .. } => check_entry(field, value),
        };
        checked.map_err(|source| KeyError::Value { field: self.field().name.clone(), source })
    }
}

fn check_member(field: &Field, member: &str, value: &Value) -> Result<(), ValueError> {
    if *value != Value::Bool(true) {
        return Err(ValueError::WrongShape("true"));
    }
    if matches!(field.ty, Type::Text { .. }) {
        return Ok(());
    }
    field.ty.check(&Value::from(member))
}

fn check_remark(value: &Value) -> Result<(), ValueError> {
    let text = value.as_text().ok_or(ValueError::WrongShape("text"))?;
    within(text, REMARK_BYTES_MAX)
}

/// An entry is one flat JSON object, keys in order, whose known members are of their types.
fn check_entry(field: &Field, value: &Value) -> Result<(), ValueError> {
    let text = value.as_text().ok_or(ValueError::WrongShape("text"))?;
    within(text, ENTRY_BYTES_MAX)?;
    let members: Map<String, Json> =
        serde_json::from_str(text).map_err(|_| ValueError::WrongShape("a JSON object"))?;
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

/// The canonical text of an entry: keys in order, no spaces.
fn entry_text(members: &Map<String, Json>) -> String {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let member = |(name, value): (&String, &Json)| format!("{}:{value}", Json::from(name.as_str()));
    let members: Vec<String> = sorted.into_iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn within(text: &str, max: usize) -> Result<(), ValueError> {
    if text.len() > max { Err(ValueError::TooLong { max }) } else { Ok(()) }
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
        within(&text, ENTRY_BYTES_MAX)?;
        Ok(Value::Text(text))
    }
}
