//! Values from text that people or other systems wrote: CSV files, the command line.
//!
//! Dates, yes and no, numbers and money come in many spellings; [`TextHints`] says which are
//! meant where a spelling alone does not. What stays ambiguous is an error, never a guess.

mod date;
mod number;
mod structured;

use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization;

use crate::{
    schema::{
        names::fold,
        types::{Type, ValueError, read_parts, split_period},
    },
    time::to_rfc3339,
    value::{Address, Geo, Money, PersonName, TimeSpan, Value, compound::Compound},
};

/// The order of day, month and year in dates that do not begin with the year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DateOrder {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day; other orders are refused.
    #[default]
    Ymd,
}

/// How to read text that leaves something open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextHints {
    /// The order of dates that do not begin with the year.
    pub date_order: DateOrder,
    /// ISO code of the currency of amounts that name none.
    pub currency: Option<String>,
    /// Minutes east of UTC of times that name no zone.
    pub utc_offset_minutes: i32,
    /// Words for yes, in any case.
    pub yes: Vec<String>,
    /// Words for no, in any case.
    pub no: Vec<String>,
}

impl Default for TextHints {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            date_order: DateOrder::default(),
            currency: None,
            utc_offset_minutes: 0,
            yes: words(&["true", "yes", "y", "1", "on", "是", "有", "对", "√"]),
            no: words(&["false", "no", "n", "0", "off", "否", "无", "不", "×"]),
        }
    }
}

impl Type {
    /// Reads a value from text. Empty text clears.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_text(&self, text: &str, hints: &TextHints) -> Result<Value, ValueError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let json: Json = match self {
            Self::Integer { .. } => number::parse_integer(text)?.into(),
            Self::Decimal { .. } => number::parse_number(text)?.to_string().into(),
            Self::Money => number::parse_money(text, hints)?.into(),
            Self::Bool => parse_bool(text, hints)?.into(),
            Self::Date => date::parse_date(text, hints)?.to_string().into(),
            Self::DateTime => date::parse_moment(text, hints)?.into(),
            Self::Period => date::parse_period(text, hints)?,
            Self::Picklist(list) => match list.find(text) {
                Some(choice) => choice.id.as_str().into(),
                None => return Err(ValueError::UnknownChoice { list: list.name.clone() }),
            },
            Self::Address | Self::PersonName => parts_or_line(text),
            Self::Geo => structured::parse_geo(text)?,
            Self::TimeSpan => structured::parse_span(text, hints)?,
            Self::Text { .. }
            | Self::Link(_)
            | Self::Email
            | Self::Phone
            | Self::Url
            | Self::Sha256
            | Self::Json { .. } => text.into(),
        };
        self.from_json(&json)
    }

    /// Writes a value as text that [`Type::from_text`] reads back, whatever the hints.
    #[must_use]
    pub fn to_text(&self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::DateTime, Value::Int(at_ms)) => to_rfc3339(*at_ms),
            (Self::Money, Value::Text(text)) => text.parse::<Money>().map_or_else(
                |_| text.clone(),
                |money| format!("{} {}", money.to_decimal_text(), money.currency()),
            ),
            (Self::Address, Value::Text(text)) => plain_line::<Address>(text),
            (Self::PersonName, Value::Text(text)) => plain_line::<PersonName>(text),
            (Self::Geo, Value::Text(text)) => Geo::from_canonical(text)
                .map_or_else(|| text.clone(), |geo| structured::geo_to_text(&geo)),
            (Self::TimeSpan, Value::Text(text)) => TimeSpan::from_canonical(text)
                .map_or_else(|_| text.clone(), |span| structured::span_to_text(&span)),
            (_, Value::Bool(flag)) => flag.to_string(),
            (_, Value::Int(number)) => number.to_string(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::Bytes(bytes)) => crate::ids::to_hex(bytes),
        }
    }
}

/// The one line that is all that is known, unless it could be mistaken for parts in JSON; else
/// the parts in JSON.
fn plain_line<C: Compound>(text: &str) -> String {
    let known = read_parts::<C>(text);
    let line = known.as_ref().and_then(C::as_line).filter(|line| !line.starts_with('{'));
    line.unwrap_or(text).to_owned()
}

/// Parts in JSON, else the line itself.
fn parts_or_line(text: &str) -> Json {
    let parts = if text.starts_with('{') { serde_json::from_str(text).ok() } else { None };
    parts.unwrap_or_else(|| text.into())
}

fn parse_bool(text: &str, hints: &TextHints) -> Result<bool, ValueError> {
    let word = fold(text);
    let is_in = |words: &[String]| words.iter().any(|known| fold(known) == word);
    match (is_in(&hints.yes), is_in(&hints.no)) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        (true, true) | (false, false) => Err(ValueError::Malformed("yes or no")),
    }
}

/// The text with full-width digits and signs made narrow.
fn narrow(text: &str) -> String {
    text.nfkc().collect::<String>().trim().to_owned()
}
