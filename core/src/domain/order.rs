//! Totals of an order: always derived, so that two people adding a line each get the sum of both.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde_json::{Map, Value as Json};

use crate::{schema::Entity, value::Money};

/// The sum of the lines of an order, as money; `None` if it has none or they mix currencies.
///
/// A line is quantity × unit price less its discount, rounded half-up to the currency's minor
/// unit per line; the order is the sum of its rounded lines, so the order of lines never matters.
#[must_use]
pub fn amount_json(entity: &Entity, record: &Map<String, Json>) -> Option<Json> {
    if !entity.derived.iter().any(|derived| derived.name == "amount") {
        return None;
    }
    let lines = record.get("lines")?.as_array()?;
    let mut total: Option<(String, i64)> = None;
    for line in lines {
        let Some((currency, minor)) = line_total(line) else { continue };
        total = match total {
            None => Some((currency, minor)),
            Some((known, sum)) if known == currency => Some((known, sum.checked_add(minor)?)),
            Some(_) => return None,
        };
    }
    let (currency, minor) = total?;
    let money = Money::new(&currency, minor).ok()?;
    Some(serde_json::json!({
        "currency": currency, "minor": minor, "amount": money.to_decimal_text(),
    }))
}

fn line_total(line: &Json) -> Option<(String, i64)> {
    let price = line.get("unit_price")?;
    let currency = price.get("currency")?.as_str()?.to_owned();
    let minor = Decimal::from(price.get("minor")?.as_i64()?);
    let qty = decimal(line.get("qty")).unwrap_or(Decimal::ONE);
    let discount = decimal(line.get("discount_percent")).unwrap_or(Decimal::ZERO);
    let factor = Decimal::ONE.checked_sub(discount.checked_div(Decimal::ONE_HUNDRED)?)?;
    let exact = minor.checked_mul(qty)?.checked_mul(factor)?;
    let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    Some((currency, rounded.to_i64()?))
}

fn decimal(json: Option<&Json>) -> Option<Decimal> {
    match json? {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}
