//! Positions and time spans as people write them.

use serde_json::{Map, Value as Json, json};

use super::{
    TextHints,
    date::{UNTIL, parse_moment},
    narrow,
};
use crate::{
    schema::types::{ValueError, geo_number},
    time::to_rfc3339,
    value::{Geo, TimeSpan},
};

/// What a bracket says where whole days are meant.
const ALL_DAY: &[&str] = &["all day", "全天"];
/// What [`span_to_text`] writes between start and end.
const SLASH: &str = "/";

const GEO: ValueError = ValueError::Malformed("a position, such as 31.2304, 121.4737 ±5");
const SPAN: ValueError =
    ValueError::Malformed("a start and an end, such as 2026-11-23 08:30 - 2026-11-23 10:00");

/// Reads `31.2304, 121.4737`, with `±5` for the accuracy in metres and a word for the source, or
/// the object in JSON.
pub(super) fn parse_geo(text: &str) -> Result<Json, ValueError> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|_| GEO);
    }
    let text = narrow(text).replace([',', ';', '、', '°'], " ");
    let mut words = text.split_whitespace();
    let mut degree = || geo_number(words.next().ok_or(GEO)?).map(|number| number.to_string());
    let mut members = Map::new();
    members.insert("lat".to_owned(), degree()?.into());
    members.insert("lon".to_owned(), degree()?.into());
    for word in words {
        let (name, value) = match word.strip_prefix('±') {
            Some(metres) => ("accuracy_m", metres.strip_suffix('m').unwrap_or(metres)),
            None => ("source", word),
        };
        if members.insert(name.to_owned(), value.into()).is_some() {
            return Err(GEO);
        }
    }
    Ok(Json::Object(members))
}

/// Writes what [`parse_geo`] reads back.
pub(in crate::schema) fn geo_to_text(geo: &Geo) -> String {
    let mut text = format!("{}, {}", geo.lat(), geo.lon());
    if let Some(metres) = geo.accuracy_m() {
        text.push_str(&format!(" ±{metres}"));
    }
    if !geo.source().is_empty() {
        text.push(' ');
        text.push_str(geo.source());
    }
    text
}

/// Reads two moments with `/` or a word between, or a start alone; the zone and whole days may
/// follow in brackets: `2026-11-23 08:30 - 10:00 [Asia/Shanghai] [all day]`.
pub(super) fn parse_span(text: &str, hints: &TextHints) -> Result<Json, ValueError> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|_| SPAN);
    }
    let (mut text, mut zone, mut all_day) = (text.trim(), "", false);
    while let Some(open) = text.strip_suffix(']') {
        let (before, word) = open.rsplit_once('[').ok_or(SPAN)?;
        match word.trim() {
            word if ALL_DAY.contains(&word) => all_day = true,
            word => zone = word,
        }
        text = before.trim();
    }
    let (start, end) = split_span(text, hints).ok_or(SPAN)?;
    Ok(json!({ "start": start, "end": end, "time_zone": zone, "all_day": all_day }))
}

/// The two moments of a span, whatever stands between them.
fn split_span(text: &str, hints: &TextHints) -> Option<(i64, Option<i64>)> {
    let moment = |text: &str| parse_moment(text.trim(), hints).ok();
    if let Some(alone) = moment(text) {
        return Some((alone, None));
    }
    let words = UNTIL.iter().chain([&SLASH]);
    words.filter_map(|word| text.split_once(word)).find_map(|(start, end)| {
        // A time of day alone is on the day of the start.
        let day = start.trim().split([' ', 'T']).next().unwrap_or_default();
        let end = moment(end).or_else(|| moment(&format!("{day} {}", end.trim())))?;
        Some((moment(start)?, Some(end)))
    })
}

/// Writes what [`parse_span`] reads back.
pub(in crate::schema) fn span_to_text(span: &TimeSpan) -> String {
    let mut text = to_rfc3339(span.start_ms);
    if let Some(end) = span.end_ms {
        text.push_str(SLASH);
        text.push_str(&to_rfc3339(end));
    }
    if !span.time_zone.is_empty() {
        text.push_str(&format!(" [{}]", span.time_zone));
    }
    if span.all_day {
        text.push_str(" [all day]");
    }
    text
}
