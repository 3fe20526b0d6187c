//! Whole numbers, decimals and money.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::{ValueError, plain_json};
use crate::value::{Money, Value, money::MoneyError};

/// Characters of a decimal number, at most.
const DECIMAL_CHARS_MAX: usize = 32;

pub(super) fn check_integer(number: i64, min: i64, max: i64) -> Result<(), ValueError> {
    if !(min <= number && number <= max) {
        return Err(ValueError::OutOfRange { min: min.to_string(), max: max.to_string() });
    }
    Ok(())
}

/// The canonical text of a decimal within limits.
pub(super) fn decimal_text(
    text: &str,
    scale: u32,
    min: Decimal,
    max: Decimal,
) -> Result<String, ValueError> {
    let number = parse_decimal(text)?.normalize();
    if number.scale() > scale {
        return Err(ValueError::TooPrecise { scale });
    }
    if !(min <= number && number <= max) {
        return Err(ValueError::OutOfRange { min: min.to_string(), max: max.to_string() });
    }
    Ok(number.to_string())
}

/// Reads `12`, `-0.5`, `1.25e3`; never rounds.
pub(in crate::schema) fn parse_decimal(text: &str) -> Result<Decimal, ValueError> {
    let malformed = ValueError::Malformed("a decimal number");
    let text = text.trim();
    if !(text.len() <= DECIMAL_CHARS_MAX && text.is_ascii()) {
        return Err(malformed);
    }
    let number = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    number.map_err(|_| malformed)
}

/// The digits of a JSON number, or of a string that holds one.
pub(super) fn json_digits(json: &Json) -> Result<String, ValueError> {
    match json {
        Json::Number(number) => Ok(number.to_string()),
        Json::String(text) => Ok(text.clone()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
            Err(ValueError::WrongShape("a number, or a string that holds one"))
        }
    }
}

/// Reads `{"currency", "minor"}`, `{"currency", "amount"}`, both, or `"12345.00 CNY"`.
pub(super) fn money_from_json(json: &Json) -> Result<Money, ValueError> {
    let Json::Object(members) = json else {
        let text = json.as_str().ok_or(ValueError::WrongShape("an amount with its currency"))?;
        let (amount, currency) = text.trim().rsplit_once(' ').ok_or(MoneyError::CurrencyMissing)?;
        return Ok(Money::from_decimal(currency, parse_decimal(amount)?)?);
    };
    let currency = members.get("currency").and_then(Json::as_str);
    let currency = currency.ok_or(MoneyError::CurrencyMissing)?;
    let minor = members.get("minor").filter(|minor| !minor.is_null());
    let minor = minor.map(|minor| {
        let minor = minor.as_i64().ok_or(ValueError::WrongShape("a whole number of units"))?;
        Ok::<_, ValueError>(Money::new(currency, minor)?)
    });
    let amount = members.get("amount").filter(|amount| !amount.is_null());
    let amount = amount.map(|amount| {
        let amount = parse_decimal(&json_digits(amount)?)?;
        Ok::<_, ValueError>(Money::from_decimal(currency, amount)?)
    });
    match (minor.transpose()?, amount.transpose()?) {
        (Some(minor), Some(amount)) if minor != amount => {
            Err(ValueError::Malformed("one amount: `minor` and `amount` differ"))
        }
        (Some(money), _) | (None, Some(money)) => Ok(money),
        (None, None) => Err(ValueError::WrongShape("an amount with its currency")),
    }
}

pub(super) fn money_to_json(text: &str) -> Json {
    let Ok(money) = text.parse::<Money>() else { return plain_json(&Value::from(text)) };
    json!({
        "currency": money.currency(),
        "minor": money.minor(),
        "amount": money.to_decimal_text(),
    })
}
