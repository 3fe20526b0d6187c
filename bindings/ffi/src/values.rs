//! Values as they cross the border: types of each language where it has one, records where it has none.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use outrider_core::{ids::RecordId, time::TimestampMs};
use serde_json::{Map, Value as Json, json};

use crate::error::CrmError;

uniffi::custom_type!(RecordId, String, {
    remote,
    try_lift: |text| Ok(text.to_lowercase().parse::<RecordId>().map_err(|_| CrmError::Invalid {
        code: "bad_id".to_owned(),
        reason: "This is no record's id. · 记录编号无效。".to_owned(),
        field: None,
    })?),
    lower: |id| id.to_string(),
});

/// A decimal number, as exact as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DecimalNumber(pub String);
uniffi::custom_newtype!(DecimalNumber, String);

/// A day of the calendar, `2026-03-01`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalDate(pub String);
uniffi::custom_newtype!(LocalDate, String);

/// An object of JSON, as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonText(pub String);
uniffi::custom_newtype!(JsonText, String);

/// An amount with its currency.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Money {
    /// How much.
    pub amount: DecimalNumber,
    /// ISO 4217 code.
    pub currency: String,
}

/// From a day to a day, both within; open where one is missing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Period {
    /// The first day.
    pub start: Option<LocalDate>,
    /// The last day.
    pub end: Option<LocalDate>,
}

/// Where somebody lives or works; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct Address {
    /// ISO 3166 code.
    #[uniffi(default = "")]
    pub country: String,
    /// 省
    #[uniffi(default = "")]
    pub province: String,
    /// 市
    #[uniffi(default = "")]
    pub city: String,
    /// 区
    #[uniffi(default = "")]
    pub district: String,
    /// Street and number.
    #[uniffi(default = "")]
    pub street: String,
    /// Postcode.
    #[uniffi(default = "")]
    pub postcode: String,
}

/// What a person is called; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct PersonName {
    /// 姓
    #[uniffi(default = "")]
    pub family: String,
    /// 名
    #[uniffi(default = "")]
    pub given: String,
    /// The whole name, as the person writes it.
    #[uniffi(default = "")]
    pub full: String,
    /// 称谓
    #[uniffi(default = "")]
    pub salutation: String,
}

/// A place on Earth, WGS 84.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct GeoPoint {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Metres within which it is right, as the device says.
    #[uniffi(default = None)]
    pub accuracy_m: Option<u32>,
    /// Who says so, such as `gps`.
    #[uniffi(default = "")]
    pub source: String,
}

/// From a moment to a moment.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TimeSpan {
    /// When it begins.
    pub start: SystemTime,
    /// When it ends, if that is known.
    #[uniffi(default = None)]
    pub end: Option<SystemTime>,
    /// The time zone that it was planned in, such as `Asia/Shanghai`.
    #[uniffi(default = "")]
    pub time_zone: String,
    /// Whether only the days count.
    #[uniffi(default = false)]
    pub all_day: bool,
}

/// A value of any type.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum FieldValue {
    /// Text, and what is written as text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number.
    Decimal(DecimalNumber),
    /// Yes or no.
    YesNo(bool),
    /// A day.
    Date(LocalDate),
    /// A moment.
    Moment(SystemTime),
    /// An amount.
    Amount(Money),
    /// From a day to a day.
    Days(Period),
    /// From a moment to a moment.
    Span(TimeSpan),
    /// Another record.
    Link(RecordId),
    /// An address.
    Place(Address),
    /// A person's name.
    Name(PersonName),
    /// A position.
    Position(GeoPoint),
    /// What has no type of its own: lists, rows, objects.
    Json(JsonText),
}

/// What is in a record's JSON and as what it is handed over.
pub(crate) trait Scalar: Sized {
    /// Reads it; none where it is of another form.
    fn from_json(json: &Json) -> Option<Self>;
    /// Writes it.
    fn to_json(&self) -> Json;
}

impl Scalar for String {
    fn from_json(json: &Json) -> Option<Self> {
        json.as_str().map(str::to_owned)
    }

    fn to_json(&self) -> Json {
        self.as_str().into()
    }
}

impl Scalar for i64 {
    fn from_json(json: &Json) -> Option<Self> {
        json.as_i64()
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }
}

impl Scalar for bool {
    fn from_json(json: &Json) -> Option<Self> {
        json.as_bool()
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }
}

impl Scalar for DecimalNumber {
    fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::String(text) if is_number(text) => Some(Self(text.clone())),
            Json::Number(number) => {
                Some(number.to_string()).filter(|text| is_number(text)).map(Self)
            }
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn to_json(&self) -> Json {
        self.0.as_str().into()
    }
}

/// Digits of a number that each language holds.
const DIGITS_MAX: usize = 38;

/// Whether each language reads it as a number: digits, a point, a sign.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() <= DIGITS_MAX + 1
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok()
}

impl Scalar for LocalDate {
    fn from_json(json: &Json) -> Option<Self> {
        let text = json.as_str()?;
        text.parse::<chrono::NaiveDate>().ok()?;
        Some(Self(text.to_owned()))
    }

    fn to_json(&self) -> Json {
        self.0.as_str().into()
    }
}

impl Scalar for JsonText {
    fn from_json(json: &Json) -> Option<Self> {
        Some(Self(json.to_string()))
    }

    fn to_json(&self) -> Json {
        // What is no JSON stays text, and the field says that it wants an object.
        serde_json::from_str(&self.0).unwrap_or_else(|_| self.0.as_str().into())
    }
}

impl Scalar for RecordId {
    fn from_json(json: &Json) -> Option<Self> {
        json.as_str()?.parse().ok()
    }

    fn to_json(&self) -> Json {
        self.to_string().into()
    }
}

impl Scalar for SystemTime {
    fn from_json(json: &Json) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(json.as_str()?).ok()?;
        Some(moment(at.timestamp_millis()))
    }

    fn to_json(&self) -> Json {
        match DateTime::<Utc>::from_timestamp_millis(milliseconds(*self)) {
            Some(at) => at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into(),
            None => Json::from("a time beyond the calendar"),
        }
    }
}

impl Scalar for Money {
    fn from_json(json: &Json) -> Option<Self> {
        Some(Self {
            amount: DecimalNumber::from_json(json.get("amount")?)?,
            currency: String::from_json(json.get("currency")?)?,
        })
    }

    fn to_json(&self) -> Json {
        json!({ "amount": self.amount.0, "currency": self.currency })
    }
}

impl Scalar for Period {
    fn from_json(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        Some(Self { start: member(json, "start")?, end: member(json, "end")? })
    }

    fn to_json(&self) -> Json {
        let side = |side: &Option<LocalDate>| side.as_ref().map(|day| day.0.clone());
        json!({ "start": side(&self.start), "end": side(&self.end) })
    }
}

/// A member that may be missing, and must be of its type where it is there.
fn member<T: Scalar>(json: &Map<String, Json>, name: &str) -> Option<Option<T>> {
    match json.get(name) {
        None | Some(Json::Null) => Some(None),
        Some(value) => T::from_json(value).map(Some),
    }
}

fn put(json: &mut Map<String, Json>, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        json.insert(name.to_owned(), value.into());
    }
}

fn words(json: &Map<String, Json>, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

impl Scalar for Address {
    fn from_json(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        let part = |name| words(json, name);
        Some(Self {
            country: part("country"),
            province: part("province"),
            city: part("city"),
            district: part("district"),
            street: part("street"),
            postcode: part("postcode"),
        })
    }

    fn to_json(&self) -> Json {
        let Self { country, province, city, district, street, postcode } = self;
        json!({ "country": country, "province": province, "city": city, "district": district,
                "street": street, "postcode": postcode })
    }
}

impl Scalar for PersonName {
    fn from_json(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        let part = |name| words(json, name);
        Some(Self {
            family: part("family"),
            given: part("given"),
            full: part("full"),
            salutation: part("salutation"),
        })
    }

    fn to_json(&self) -> Json {
        let Self { family, given, full, salutation } = self;
        json!({ "family": family, "given": given, "full": full, "salutation": salutation })
    }
}

impl Scalar for GeoPoint {
    fn from_json(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        let degrees = |name| match json.get(name)? {
            Json::String(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            Json::Number(number) => number.as_f64(),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        };
        let accuracy_m = json.get("accuracy_m").and_then(Json::as_u64);
        Some(Self {
            latitude: degrees("lat")?,
            longitude: degrees("lon")?,
            accuracy_m: accuracy_m.and_then(|metres| u32::try_from(metres).ok()),
            source: words(json, "source"),
        })
    }

    fn to_json(&self) -> Json {
        let mut json = Map::new();
        put(&mut json, "lat", Some(self.latitude));
        put(&mut json, "lon", Some(self.longitude));
        put(&mut json, "accuracy_m", self.accuracy_m);
        put(&mut json, "source", Some(self.source.as_str()).filter(|source| !source.is_empty()));
        Json::Object(json)
    }
}

impl Scalar for TimeSpan {
    fn from_json(json: &Json) -> Option<Self> {
        let json = json.as_object()?;
        Some(Self {
            start: SystemTime::from_json(json.get("start")?)?,
            end: member(json, "end")?,
            time_zone: words(json, "time_zone"),
            all_day: json.get("all_day").and_then(Json::as_bool).unwrap_or_default(),
        })
    }

    fn to_json(&self) -> Json {
        let mut json = Map::new();
        put(&mut json, "start", Some(self.start.to_json()));
        put(&mut json, "end", self.end.as_ref().map(Scalar::to_json));
        put(&mut json, "time_zone", Some(self.time_zone.as_str()).filter(|zone| !zone.is_empty()));
        put(&mut json, "all_day", self.all_day.then_some(true));
        Json::Object(json)
    }
}

impl Scalar for FieldValue {
    /// What is computed has no type in its definition: its form tells.
    fn from_json(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Null => return None,
            Json::Bool(flag) => Self::YesNo(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(whole),
                None => match DecimalNumber::from_json(json) {
                    Some(number) => Self::Decimal(number),
                    None => Self::Json(JsonText(number.to_string())),
                },
            },
            Json::String(text) => {
                if let Some(date) = LocalDate::from_json(json) {
                    Self::Date(date)
                } else if let Some(moment) = SystemTime::from_json(json) {
                    Self::Moment(moment)
                } else {
                    Self::Text(text.clone())
                }
            }
            Json::Object(_) => match Money::from_json(json) {
                Some(money) => Self::Amount(money),
                None => Self::Json(JsonText(json.to_string())),
            },
            Json::Array(_) => Self::Json(JsonText(json.to_string())),
        })
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Text(value) => value.to_json(),
            Self::Integer(value) => value.to_json(),
            Self::Decimal(value) => value.to_json(),
            Self::YesNo(value) => value.to_json(),
            Self::Date(value) => value.to_json(),
            Self::Moment(value) => value.to_json(),
            Self::Amount(value) => value.to_json(),
            Self::Days(value) => value.to_json(),
            Self::Span(value) => value.to_json(),
            Self::Link(value) => value.to_json(),
            Self::Place(value) => value.to_json(),
            Self::Name(value) => value.to_json(),
            Self::Position(value) => value.to_json(),
            Self::Json(value) => value.to_json(),
        }
    }
}

/// Values by name.
pub(crate) fn values_of(json: Option<Json>) -> HashMap<String, FieldValue> {
    let Some(Json::Object(members)) = json else { return HashMap::new() };
    let read = |(name, json): (String, Json)| Some((name, FieldValue::from_json(&json)?));
    members.into_iter().filter_map(read).collect()
}

/// A moment by the clock of the system.
pub(crate) fn moment(at_ms: TimestampMs) -> SystemTime {
    let size = Duration::from_millis(at_ms.unsigned_abs());
    let moment =
        if at_ms < 0 { UNIX_EPOCH.checked_sub(size) } else { UNIX_EPOCH.checked_add(size) };
    moment.unwrap_or(UNIX_EPOCH)
}

/// Milliseconds since 1970, the nearest: where dates are floating numbers, they come a little early or late.
pub(crate) fn milliseconds(at: SystemTime) -> TimestampMs {
    let size = |span: Duration| {
        let nearest = span.as_micros().saturating_add(500) / 1_000;
        i64::try_from(nearest).unwrap_or(i64::MAX)
    };
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => size(after),
        Err(before) => size(before.duration()).saturating_neg(),
    }
}
