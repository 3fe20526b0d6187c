//! What follows from rollups: stock, payments, return on investment, potential.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value as Json;

use super::{
    Record,
    amounts::{less, read, to_json},
    decimal, text,
};
use crate::value::Money;

pub(super) fn available_quantity(record: &Record) -> Option<Json> {
    let stock = decimal(record.get("stock_quantity"))?;
    let reserved = decimal(record.get("reserved_quantity")).unwrap_or_default();
    Some(stock.checked_sub(reserved)?.normalize().to_string().into())
}

pub(super) fn stock_status(record: &Record) -> Option<Json> {
    if record.get("inactive").and_then(Json::as_bool) == Some(true) {
        return Some("discontinued".into());
    }
    if text(record, "product_kind") == Some("service") {
        return None;
    }
    let stock = decimal(record.get("stock_quantity"))?;
    let reorder_level = decimal(record.get("reorder_level"));
    Some(if stock <= Decimal::ZERO {
        "out".into()
    } else if reorder_level.is_some_and(|level| stock <= level) {
        "low".into()
    } else {
        "in_stock".into()
    })
}

/// The amount and what was paid of it; none where several currencies were paid.
fn amount_and_paid(record: &Record) -> Option<(Money, Money)> {
    let amount = read(record.get("amount"))?;
    let paid = match record.get("paid_amount") {
        None => Money::new(amount.currency(), 0).ok()?,
        paid => read(paid).filter(|paid| paid.currency() == amount.currency())?,
    };
    Some((amount, paid))
}

pub(super) fn outstanding_amount(record: &Record) -> Option<Json> {
    let (amount, paid) = amount_and_paid(record)?;
    Some(to_json(&less(&amount, &paid)?))
}

pub(super) fn payment_status(record: &Record) -> Option<Json> {
    let (amount, paid) = amount_and_paid(record)?;
    Some(if paid.minor() <= 0 && amount.minor() > 0 {
        "unpaid".into()
    } else if paid.minor() < amount.minor() {
        "part_paid".into()
    } else {
        "paid".into()
    })
}

pub(super) fn response_percent(record: &Record) -> Option<Json> {
    let count = |name: &str| record.get(name).and_then(Json::as_i64);
    percent(count("responded_count")?.into(), count("participant_count")?.into())
}

pub(super) fn roi_percent(record: &Record) -> Option<Json> {
    let cost = read(record.get("actual_cost"))?;
    let revenue = match record.get("won_revenue") {
        None => Money::new(cost.currency(), 0).ok()?,
        revenue => read(revenue)?,
    };
    percent(less(&revenue, &cost)?.minor().into(), cost.minor().into())
}

/// With one digit after the point; none of nothing.
fn percent(part: Decimal, whole: Decimal) -> Option<Json> {
    let percent = part.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(whole)?;
    let percent = percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
    Some(percent.normalize().to_string().into())
}

/// From 0 to 100; the parts stand in the definition of the field.
pub(super) fn potential_score(record: &Record) -> Option<Json> {
    let tier = match text(record, "tier") {
        Some("key_account") => 30,
        Some("a") => 20,
        Some("b") => 10,
        Some(_) | None => 0,
    };
    let open = record.get("open_opportunity_count").and_then(Json::as_i64)?;
    let won = if record.contains_key("won_amount") { 20 } else { 0 };
    let satisfaction = decimal(record.get("satisfaction")).unwrap_or_default() * Decimal::from(4);
    let satisfaction = super::amounts::round(satisfaction)?;
    let contacted = if record.contains_key("last_contact_at") { 6 } else { 0 };
    Some((tier + (open * 8).min(24) + won + satisfaction + contacted).min(100).into())
}
