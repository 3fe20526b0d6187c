//! Positions, time spans, digests and objects of JSON.

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use super::{
    ValueError, json_digits,
    number::parse_decimal,
    string_of,
    time::{check_moment, moment_from_json},
};
use crate::value::{Geo, TimeSpan, Value, time_span::TimeSpanProblem};

/// Levels of objects and lists within each other, at most.
const JSON_DEPTH_MAX: u32 = 16;
/// Hexadecimal digits of a SHA-256 digest.
const SHA256_DIGITS: usize = 64;

const GEO: ValueError = ValueError::Malformed("a position, such as 31.2304, 121.4737");
const SPAN: ValueError =
    ValueError::Malformed("a start and an end, such as 2026-11-23T08:30:00Z/2026-11-23T10:00:00Z");
const OBJECT: ValueError =
    ValueError::WrongShape("an object of JSON whose numbers are whole; write others as text");

pub(super) fn check_geo(text: &str) -> Result<(), ValueError> {
    Geo::from_canonical(text).map(drop).ok_or(GEO)
}

/// Reads `{"lat", "lon", "accuracy_m", "source"}`; all but the degrees may be left out.
pub(super) fn geo_from_json(json: &Json) -> Result<Value, ValueError> {
    let members = json.as_object().ok_or(GEO)?;
    only(members, &["lat", "lon", "accuracy_m", "source"]).ok_or(GEO)?;
    let number = |name: &str| match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(json) => geo_number(&json_digits(json)?).map(Some),
    };
    let (Some(lat), Some(lon)) = (number("lat")?, number("lon")?) else { return Err(GEO) };
    let source = members.get("source").filter(|source| !source.is_null());
    let source = source.map_or(Ok(""), string_of)?.trim();
    let geo = Geo::new(lat, lon, number("accuracy_m")?, source).ok_or(GEO)?;
    Ok(geo.to_canonical().into())
}

/// Receivers write more digits than a decimal number of ours takes; what is beyond is no position.
pub(in crate::schema) fn geo_number(text: &str) -> Result<Decimal, ValueError> {
    let digits_max = text.trim().find('.').map_or(usize::MAX, |point| point + 16);
    let text: String = text.trim().chars().take(digits_max).collect();
    parse_decimal(&text).map_err(|_| GEO)
}

pub(super) fn check_span(text: &str) -> Result<(), ValueError> {
    let span = TimeSpan::from_canonical(text).map_err(span_error)?;
    check_sides(&span)
}

fn check_sides(span: &TimeSpan) -> Result<(), ValueError> {
    check_moment(span.start_ms)?;
    span.end_ms.map_or(Ok(()), check_moment)
}

fn span_error(problem: TimeSpanProblem) -> ValueError {
    match problem {
        TimeSpanProblem::Malformed => SPAN,
        TimeSpanProblem::EndsBeforeStart => ValueError::EndsBeforeStart,
    }
}

/// Reads `{"start", "end", "time_zone", "all_day"}`; only the start must be there.
pub(super) fn span_from_json(json: &Json) -> Result<Value, ValueError> {
    let members = json.as_object().ok_or(SPAN)?;
    only(members, &["start", "end", "time_zone", "all_day"]).ok_or(SPAN)?;
    let given = |name: &str| members.get(name).filter(|json| !json.is_null());
    let end_ms = given("end").filter(|end| end.as_str() != Some(""));
    let span = TimeSpan {
        start_ms: moment_from_json(given("start").ok_or(SPAN)?)?,
        end_ms: end_ms.map(moment_from_json).transpose()?,
        time_zone: given("time_zone").map_or(Ok(""), string_of)?.trim().to_owned(),
        all_day: given("all_day").map_or(Ok(false), |json| json.as_bool().ok_or(SPAN))?,
    };
    check_sides(&span)?;
    span.check().map_err(span_error)?;
    Ok(span.to_canonical().into())
}

pub(super) fn check_sha256(text: &str) -> Result<(), ValueError> {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() == SHA256_DIGITS && text.bytes().all(is_digit) {
        return Ok(());
    }
    Err(ValueError::Malformed("a SHA-256 digest: 64 hexadecimal digits in lower case"))
}

pub(super) fn check_object(text: &str, max: usize) -> Result<(), ValueError> {
    check_size(text, max)?;
    let json: Json = serde_json::from_str(text).map_err(|_| OBJECT)?;
    super::canonical(text, &object_text(&json)?)
}

/// An object, or the text of one.
pub(super) fn object_from_json(json: &Json, max: usize) -> Result<Value, ValueError> {
    let read: Json;
    let json = match json {
        Json::String(text) => {
            check_size(text, max)?;
            read = serde_json::from_str(text).map_err(|_| OBJECT)?;
            &read
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => json,
    };
    let text = object_text(json)?;
    check_size(&text, max)?;
    Ok(text.into())
}

/// The one text of an object: members in order, no spaces, whole numbers alone.
fn object_text(json: &Json) -> Result<String, ValueError> {
    if !(json.is_object() && is_plain(json, JSON_DEPTH_MAX)) {
        return Err(OBJECT);
    }
    // `serde_json` keeps the members of an object in order of their names.
    serde_json::to_string(json).map_err(|_| OBJECT)
}

fn is_plain(json: &Json, depth: u32) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::String(_) => true,
        Json::Number(number) => number.is_i64(),
        Json::Array(items) => depth > 0 && items.iter().all(|item| is_plain(item, depth - 1)),
        Json::Object(members) => {
            depth > 0 && members.values().all(|member| is_plain(member, depth - 1))
        }
    }
}

fn check_size(text: &str, max: usize) -> Result<(), ValueError> {
    if text.len() > max { Err(ValueError::TooLong { max }) } else { Ok(()) }
}

fn only(members: &Map<String, Json>, known: &[&str]) -> Option<()> {
    members.keys().all(|name| known.contains(&name.as_str())).then_some(())
}
