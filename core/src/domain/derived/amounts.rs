//! Reckoning with amounts: exact, rounded half up where a part of a unit is left, and never
//! across currencies.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde_json::{Value as Json, json};

use crate::value::Money;

pub(super) fn to_json(money: &Money) -> Json {
    json!({
        "currency": money.currency(),
        "minor": money.minor(),
        "amount": money.to_decimal_text(),
    })
}

/// The amount, if it is one; the list that a rollup of several currencies gives is none.
pub(super) fn read(json: Option<&Json>) -> Option<Money> {
    let json = json?;
    Money::new(json.get("currency")?.as_str()?, json.get("minor")?.as_i64()?).ok()
}

pub(super) fn add(left: &Money, right: &Money) -> Option<Money> {
    same_currency(left, right)?;
    Money::new(left.currency(), left.minor().checked_add(right.minor())?).ok()
}

pub(super) fn less(left: &Money, right: &Money) -> Option<Money> {
    same_currency(left, right)?;
    Money::new(left.currency(), left.minor().checked_sub(right.minor())?).ok()
}

pub(super) fn times(money: &Money, factor: Decimal) -> Option<Money> {
    Money::new(money.currency(), round(Decimal::from(money.minor()).checked_mul(factor)?)?).ok()
}

/// Rounds half up, away from zero.
pub(super) fn round(number: Decimal) -> Option<i64> {
    number.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i64()
}

/// A percentage as a factor: 12.5 is 0.125.
pub(super) fn factor(percent: Decimal) -> Option<Decimal> {
    percent.checked_div(Decimal::ONE_HUNDRED)
}

fn same_currency(left: &Money, right: &Money) -> Option<()> {
    (left.currency() == right.currency()).then_some(())
}
