//! Addresses and people's names.

use serde_json::Value as Json;

use super::{
    ValueError, canonical,
    text::{check_length, clean_text},
};
use crate::value::{
    Value,
    compound::{COMPOUND_PART_CHARS_MAX, Compound},
};

pub(super) fn check<C: Compound>(text: &str) -> Result<(), ValueError> {
    let known: C = serde_json::from_str(text).map_err(|_| MALFORMED)?;
    match canonical_text(known)? {
        Value::Text(wanted) => canonical(text, &wanted),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Bytes(_) => {
            Err(ValueError::NotCanonical)
        }
    }
}

/// Reads an object of parts, or one line of text.
pub(super) fn from_json<C: Compound>(json: &Json) -> Result<Value, ValueError> {
    let known = match json {
        Json::String(line) => C::from_line(line),
        Json::Object(_) => serde_json::from_value(json.clone()).map_err(|_| MALFORMED)?,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => return Err(MALFORMED),
    };
    canonical_text(known)
}

/// The parts that canonical text holds; none if it holds something else.
pub(in crate::schema) fn read_parts<C: Compound>(text: &str) -> Option<C> {
    serde_json::from_str(text).ok()
}

fn canonical_text<C: Compound>(mut known: C) -> Result<Value, ValueError> {
    let mut is_empty = true;
    for part in known.parts_mut() {
        *part = clean_text(part);
        check_length(part, COMPOUND_PART_CHARS_MAX)?;
        is_empty &= part.is_empty();
    }
    if is_empty {
        return Ok(Value::Null);
    }
    serde_json::to_string(&known).map(Value::Text).map_err(|_| MALFORMED)
}

const MALFORMED: ValueError = ValueError::WrongShape("named parts, or one line of text");
