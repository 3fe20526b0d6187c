//! Types: what a value looks like, in a document and in JSON.
//!
//! Each value has one canonical encoding as a [`Value`]; [`Type::check`] accepts that and nothing
//! else, so that two replicas that mean the same store the same bytes.
//!
//! | type | in the document | in JSON |
//! |---|---|---|
//! | text, email, phone, url | text, trimmed | string |
//! | integer | integer | number |
//! | decimal | text `12.5`, no trailing zeros | string |
//! | money | text `CNY 1234500` | `{"currency", "minor", "amount"}` |
//! | bool | boolean | boolean |
//! | date | text `2026-11-23` | string |
//! | datetime | integer, milliseconds UTC | RFC 3339 string |
//! | period | text `2026-01-01/2026-12-31`, either side may be empty | `{"start", "end"}` |
//! | picklist | text, the choice's id | string |
//! | link | text, the record's UUID | string |
//! | address, person's name | text, JSON with a fixed order of keys | object |
//! | position, time span | text, JSON with a fixed order of keys | object |
//! | json | text, an object of JSON with its keys in order | object |
//! | sha256 | text, 64 hexadecimal digits | string |

mod compound;
mod number;
mod structured;
mod text;
mod time;

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::{
    ids::{RecordId, to_hex},
    schema::{names::is_choice_id, picklist::Picklist},
    value::{Address, Money, PersonName, Value, money::MoneyError},
};

pub(super) use compound::read_parts;
use number::json_digits;
pub(super) use number::parse_decimal;
pub(super) use structured::geo_number;
pub(super) use text::{check_email, check_phone, check_url, clean_text};
pub(super) use time::{parse_iso_date, split_period};

/// What the values of a field look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text of at most `max` characters.
    Text {
        /// Characters, at most.
        max: usize,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A decimal number, exact.
    Decimal {
        /// Digits after the point, at most.
        scale: u32,
        /// The smallest.
        min: Decimal,
        /// The largest.
        max: Decimal,
    },
    /// An amount with its currency.
    Money,
    /// Yes or no.
    Bool,
    /// A day of the calendar, in no time zone.
    Date,
    /// A moment.
    DateTime,
    /// From one day to another, both within it; either may be open.
    Period,
    /// One value of a list.
    Picklist(Arc<Picklist>),
    /// Another record, of the entity of this name.
    Link(String),
    /// An e-mail address.
    Email,
    /// A telephone number as its owner writes it.
    Phone,
    /// An address on the web.
    Url,
    /// A postal address.
    Address,
    /// The name of a person.
    PersonName,
    /// A position on Earth.
    Geo,
    /// From one moment to another.
    TimeSpan,
    /// The digest of a file's content.
    Sha256,
    /// An object of JSON whose text has at most `max` bytes.
    Json {
        /// Bytes, at most.
        max: usize,
    },
}

/// What is wrong with a value. It never repeats the value, which may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Another kind of scalar or JSON.
    #[error("expected {0}")]
    WrongShape(&'static str),
    /// The text does not follow the form of its type.
    #[error("this is not {0}")]
    Malformed(&'static str),
    /// The value means something, but is not written in the canonical form.
    #[error("the value is not in its canonical form")]
    NotCanonical,
    /// Too many characters.
    #[error("longer than {max} characters")]
    TooLong {
        /// Characters, at most.
        max: usize,
    },
    /// Outside of the limits.
    #[error("not between {min} and {max}")]
    OutOfRange {
        /// The smallest.
        min: String,
        /// The largest.
        max: String,
    },
    /// More decimals than are kept.
    #[error("more than {scale} decimals")]
    TooPrecise {
        /// Decimals, at most.
        scale: u32,
    },
    /// The period ends before it starts.
    #[error("it ends before it starts")]
    EndsBeforeStart,
    /// The picklist has no such value.
    #[error("the list {list} has no such choice")]
    UnknownChoice {
        /// Name of the picklist.
        list: String,
    },
    /// Something about the amount.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl ValueError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongShape(_) => "wrong_shape",
            Self::Malformed(_) => "malformed",
            Self::NotCanonical | Self::Money(MoneyError::NotCanonical) => "not_canonical",
            Self::TooLong { .. } => "too_long",
            Self::OutOfRange { .. } | Self::Money(MoneyError::TooLarge) => "out_of_range",
            Self::TooPrecise { .. } | Self::Money(MoneyError::TooPrecise { .. }) => "too_precise",
            Self::EndsBeforeStart => "ends_before_start",
            Self::UnknownChoice { .. } => "unknown_choice",
            Self::Money(MoneyError::UnknownCurrency(_)) => "unknown_currency",
            Self::Money(MoneyError::CurrencyMissing) => "currency_missing",
            Self::Money(MoneyError::MalformedAmount) => "malformed",
        }
    }
}

impl Type {
    /// Checks that a value is canonical and within limits; [`Value::Null`] always is.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), ValueError> {
        if *value == Value::Null {
            return Ok(());
        }
        match self {
            Self::Text { max } => text::check_text(text_of(value)?, *max),
            Self::Integer { min, max } => number::check_integer(int_of(value)?, *min, *max),
            Self::Decimal { scale, min, max } => {
                let text = text_of(value)?;
                canonical(text, &number::decimal_text(text, *scale, *min, *max)?)
            }
            Self::Money => Ok(text_of(value)?.parse::<Money>().map(drop)?),
            Self::Bool => match value {
                Value::Bool(_) => Ok(()),
                Value::Null | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => {
                    Err(ValueError::WrongShape("yes or no"))
                }
            },
            Self::Date => time::check_date(text_of(value)?),
            Self::DateTime => time::check_moment(int_of(value)?),
            Self::Period => time::check_period(text_of(value)?),
            Self::Picklist(list) => check_choice(list, text_of(value)?),
            Self::Link(_) => check_link(text_of(value)?),
            Self::Email => check_email(text_of(value)?),
            Self::Phone => check_phone(text_of(value)?),
            Self::Url => check_url(text_of(value)?),
            Self::Address => compound::check::<Address>(text_of(value)?),
            Self::PersonName => compound::check::<PersonName>(text_of(value)?),
            Self::Geo => structured::check_geo(text_of(value)?),
            Self::TimeSpan => structured::check_span(text_of(value)?),
            Self::Sha256 => structured::check_sha256(text_of(value)?),
            Self::Json { max } => structured::check_object(text_of(value)?, *max),
        }
    }

    /// Checks only what a definition newer than ours could not have changed: the kind of scalar.
    ///
    /// A device keeps what the office accepted, although its own limits or choices may be older.
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongShape`], or a choice's id that could not be one.
    pub fn check_form(&self, value: &Value) -> Result<(), ValueError> {
        match (self, value) {
            (_, Value::Null) | (Self::Bool, Value::Bool(_)) => Ok(()),
            (Self::Bool, Value::Int(_) | Value::Text(_) | Value::Bytes(_)) => {
                Err(ValueError::WrongShape("yes or no"))
            }
            (Self::Integer { .. } | Self::DateTime, _) => int_of(value).map(drop),
            (Self::Picklist(_), _) if !is_choice_id(text_of(value)?) => {
                Err(ValueError::Malformed("a choice of a list"))
            }
            (_, _) => text_of(value).map(drop),
        }
    }

    /// Reads a value from JSON. `null` and empty text clear.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_json(&self, json: &Json) -> Result<Value, ValueError> {
        if is_empty(json) {
            return Ok(Value::Null);
        }
        let value = match self {
            Self::Text { .. } => match clean_text(string_of(json)?) {
                text if text.is_empty() => Value::Null,
                text => text.into(),
            },
            Self::Integer { .. } => {
                json.as_i64().map(Value::Int).ok_or(ValueError::WrongShape("a whole number"))?
            }
            Self::Decimal { scale, min, max } => {
                number::decimal_text(&json_digits(json)?, *scale, *min, *max)?.into()
            }
            Self::Money => number::money_from_json(json)?.to_string().into(),
            Self::Bool => {
                json.as_bool().map(Value::Bool).ok_or(ValueError::WrongShape("true or false"))?
            }
            Self::Date => string_of(json)?.trim().into(),
            Self::DateTime => time::moment_from_json(json)?.into(),
            Self::Period => time::period_from_json(json)?,
            Self::Picklist(_) => string_of(json)?.trim().into(),
            Self::Link(_) => parse_link(string_of(json)?)?.to_string().into(),
            Self::Email | Self::Phone => string_of(json)?.trim().into(),
            Self::Url => text::complete_url(string_of(json)?).into(),
            Self::Address => compound::from_json::<Address>(json)?,
            Self::PersonName => compound::from_json::<PersonName>(json)?,
            Self::Geo => structured::geo_from_json(json)?,
            Self::TimeSpan => structured::span_from_json(json)?,
            Self::Sha256 => string_of(json)?.trim().to_ascii_lowercase().into(),
            Self::Json { max } => structured::object_from_json(json, *max)?,
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Writes a value as JSON. What is not canonical comes out as it is stored.
    #[must_use]
    pub fn to_json(&self, value: &Value) -> Json {
        match (self, value) {
            (Self::DateTime, Value::Int(at_ms)) => time::moment_to_json(*at_ms),
            (Self::Money, Value::Text(text)) => number::money_to_json(text),
            (Self::Period, Value::Text(text)) => time::period_to_json(text),
            (
                Self::Address | Self::PersonName | Self::Geo | Self::TimeSpan | Self::Json { .. },
                Value::Text(text),
            ) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
            (_, value) => plain_json(value),
        }
    }

    /// Its name in definitions.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Integer { .. } => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Money => "money",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime => "date_time",
            Self::Period => "period",
            Self::Picklist(_) => "picklist",
            Self::Link(_) => "link",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Address => "address",
            Self::PersonName => "person_name",
            Self::Geo => "geo",
            Self::TimeSpan => "time_span",
            Self::Sha256 => "sha256",
            Self::Json { .. } => "json",
        }
    }
}

/// The scalar as JSON, whatever it means.
pub(crate) fn plain_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => to_hex(bytes).into(),
    }
}

fn is_empty(json: &Json) -> bool {
    json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty())
}

fn text_of(value: &Value) -> Result<&str, ValueError> {
    value.as_text().ok_or(ValueError::WrongShape("text"))
}

fn int_of(value: &Value) -> Result<i64, ValueError> {
    value.as_int().ok_or(ValueError::WrongShape("a whole number"))
}

fn string_of(json: &Json) -> Result<&str, ValueError> {
    json.as_str().ok_or(ValueError::WrongShape("a string"))
}

fn canonical(text: &str, canonical: &str) -> Result<(), ValueError> {
    if text == canonical { Ok(()) } else { Err(ValueError::NotCanonical) }
}

fn check_choice(list: &Picklist, id: &str) -> Result<(), ValueError> {
    match list.choice(id) {
        Some(_) => Ok(()),
        None => Err(ValueError::UnknownChoice { list: list.name.clone() }),
    }
}

fn check_link(text: &str) -> Result<(), ValueError> {
    canonical(text, &parse_link(text)?.to_string())
}

/// Reads the id of a record.
pub(super) fn parse_link(text: &str) -> Result<RecordId, ValueError> {
    text.trim().parse().map_err(|_| ValueError::Malformed("the id of a record"))
}
