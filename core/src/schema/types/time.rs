//! Days, moments and periods.

use chrono::{DateTime, Datelike, NaiveDate};
use serde_json::{Value as Json, json};

use super::{ValueError, canonical, string_of};
use crate::{
    time::{TimestampMs, to_rfc3339},
    value::Value,
};

/// The first moment that RFC 3339 can write: the year 1.
const MOMENT_MIN: TimestampMs = -62_135_596_800_000;
/// The last moment that RFC 3339 can write: the year 9999.
const MOMENT_MAX: TimestampMs = 253_402_300_799_999;

/// Reads `2026-11-23` and no other form.
pub(in crate::schema) fn parse_iso_date(text: &str) -> Result<NaiveDate, ValueError> {
    let malformed = ValueError::Malformed("a date, such as 2026-11-23");
    let date: NaiveDate = text.parse().map_err(|_| malformed.clone())?;
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err(malformed) }
}

pub(super) fn check_date(text: &str) -> Result<(), ValueError> {
    canonical(text, &parse_iso_date(text)?.to_string())
}

pub(super) fn check_moment(at_ms: TimestampMs) -> Result<(), ValueError> {
    if !(MOMENT_MIN..=MOMENT_MAX).contains(&at_ms) {
        return Err(ValueError::OutOfRange {
            min: to_rfc3339(MOMENT_MIN),
            max: to_rfc3339(MOMENT_MAX),
        });
    }
    Ok(())
}

/// Reads RFC 3339 text, or milliseconds.
pub(super) fn moment_from_json(json: &Json) -> Result<TimestampMs, ValueError> {
    if let Some(at_ms) = json.as_i64() {
        return Ok(at_ms);
    }
    let at = DateTime::parse_from_rfc3339(string_of(json)?.trim());
    at.map(|at| at.timestamp_millis())
        .map_err(|_| ValueError::Malformed("a moment, such as 2026-11-23T08:30:00Z"))
}

pub(super) fn moment_to_json(at_ms: TimestampMs) -> Json {
    if check_moment(at_ms).is_ok() { to_rfc3339(at_ms).into() } else { at_ms.into() }
}

/// The two sides of a period's canonical text, as they are.
pub(in crate::schema) fn split_period(text: &str) -> Option<(&str, &str)> {
    text.split_once('/')
}

pub(super) fn check_period(text: &str) -> Result<(), ValueError> {
    let (start, end) = split_period(text).ok_or(PERIOD)?;
    let side = |text: &str| -> Result<Option<NaiveDate>, ValueError> {
        if text.is_empty() {
            return Ok(None);
        }
        check_date(text)?;
        parse_iso_date(text).map(Some)
    };
    match (side(start)?, side(end)?) {
        (None, None) => Err(ValueError::NotCanonical),
        (Some(start), Some(end)) if end < start => Err(ValueError::EndsBeforeStart),
        (Some(_), _) | (None, Some(_)) => Ok(()),
    }
}

/// The canonical value of a period with these sides; none if both are open.
fn canonical_period(start: &str, end: &str) -> Value {
    if start.is_empty() && end.is_empty() {
        return Value::Null;
    }
    Value::Text(format!("{start}/{end}"))
}

/// Reads `{"start", "end"}`, or the canonical text.
pub(super) fn period_from_json(json: &Json) -> Result<Value, ValueError> {
    if let Some(text) = json.as_str() {
        return Ok(text.trim().into());
    }
    let members = json.as_object().ok_or(PERIOD)?;
    let side = |name: &str| match members.get(name) {
        None | Some(Json::Null) => Ok(""),
        Some(side) => string_of(side).map(str::trim),
    };
    Ok(canonical_period(side("start")?, side("end")?))
}

pub(super) fn period_to_json(text: &str) -> Json {
    let Some((start, end)) = split_period(text) else { return text.into() };
    let side = |text: &str| if text.is_empty() { Json::Null } else { text.into() };
    json!({ "start": side(start), "end": side(end) })
}

const PERIOD: ValueError = ValueError::WrongShape("a period, such as 2026-01-01/2026-12-31");
