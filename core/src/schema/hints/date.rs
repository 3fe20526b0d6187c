//! Dates, moments and periods as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value as Json, json};

use super::{DateOrder, TextHints, narrow, split_period};
use crate::{
    schema::types::{ValueError, parse_iso_date},
    time::TimestampMs,
};

/// Words between the two days of a period.
pub(super) const UNTIL: &[&str] = &[" - ", "~", "至", "–", " to "];
/// Forms with the name of a month in English, short or whole.
const NAMED: &[&str] = &["%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y"];
/// Forms of a time of day.
const TIMES: &[&str] = &["%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p"];

const DATE: ValueError = ValueError::Malformed("a date such as 2026-12-31, or of the agreed order");
const MOMENT: ValueError = ValueError::Malformed("a date and time");

/// Reads `2026-11-23`, `2026/1/5`, `2026年1月5日`, `20261123`, `23 Nov 2026`, and with a hint
/// `11/23/2026` or `23.11.2026`.
pub(super) fn parse_date(text: &str, hints: &TextHints) -> Result<NaiveDate, ValueError> {
    let text = narrow(text);
    if let Some(date) = NAMED.iter().find_map(|form| NaiveDate::parse_from_str(&text, form).ok()) {
        return Ok(date);
    }
    let text = text.strip_suffix(['日', '号']).unwrap_or(&text);
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return NaiveDate::parse_from_str(text, "%Y%m%d").map_err(|_| DATE);
    }
    let parts: Vec<&str> = text.split(['-', '/', '.', '年', '月']).map(str::trim).collect();
    let &[first, second, third] = parts.as_slice() else { return Err(DATE) };
    let (year, month, day) = match (first.len(), hints.date_order) {
        (4, _) | (_, DateOrder::Ymd) => (first, second, third),
        (_, DateOrder::Mdy) => (third, first, second),
        (_, DateOrder::Dmy) => (third, second, first),
    };
    if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&day.len()) {
        return Err(DATE);
    }
    if !parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return Err(DATE);
    }
    parse_iso_date(&format!("{year}-{month:0>2}-{day:0>2}")).map_err(|_| DATE)
}

/// Reads RFC 3339, or a date and a time of day, or a date alone (its first moment), in the
/// hint's time zone.
pub(super) fn parse_moment(text: &str, hints: &TextHints) -> Result<TimestampMs, ValueError> {
    let text = narrow(text);
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return Ok(at.timestamp_millis());
    }
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((&text, "00:00"));
    let date = parse_date(date, hints).map_err(|_| MOMENT)?;
    let time = time.trim();
    let time = TIMES.iter().find_map(|form| NaiveTime::parse_from_str(time, form).ok());
    let local = NaiveDateTime::new(date, time.ok_or(MOMENT)?).and_utc().timestamp_millis();
    Ok(local - i64::from(hints.utc_offset_minutes) * 60_000)
}

/// Reads `2026-01-01/2026-12-31`, or two dates with a word between.
pub(super) fn parse_period(text: &str, hints: &TextHints) -> Result<Json, ValueError> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|_| DATE);
    }
    let is_iso = |side: &str| side.is_empty() || parse_iso_date(side).is_ok();
    if split_period(text).is_some_and(|(start, end)| is_iso(start) && is_iso(end)) {
        return Ok(text.into());
    }
    let sides = UNTIL.iter().find_map(|word| text.split_once(word)).ok_or(DATE)?;
    let side = |side: &str| match side.trim() {
        "" => Ok(Json::Null),
        side => parse_date(side, hints).map(|date| Json::from(date.to_string())),
    };
    Ok(json!({ "start": side(sides.0)?, "end": side(sides.1)? }))
}
