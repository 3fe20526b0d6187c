//! Derived fields: never stored, so that two people adding a line each get the sum of both.
//!
//! Device and server compute them by the same functions from the record itself.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde_json::{Map, Value as Json};

use crate::{
    schema::{Entity, StageType, Type},
    value::Money,
};

/// Adds every derived field of the entity that has a value to a record's JSON.
pub fn add_derived(entity: &Entity, record: &mut Map<String, Json>) {
    for derived in &entity.derived {
        let value = match derived.name.as_str() {
            "lines_total" | "subtotal" => total_of_lines(record).map(|money| to_json(&money)),
            "amount" => amount_of_order(record).map(|money| to_json(&money)),
            "chance" => chance(entity, record).map(Json::from),
            "weighted_amount" => weighted_amount(entity, record).map(|money| to_json(&money)),
            _ => None,
        };
        if let Some(value) = value {
            record.insert(derived.name.clone(), value);
        }
    }
}

fn to_json(money: &Money) -> Json {
    serde_json::json!({
        "currency": money.currency(),
        "minor": money.minor(),
        "amount": money.to_decimal_text(),
    })
}

fn money_of(json: &Json) -> Option<Money> {
    Money::new(json.get("currency")?.as_str()?, json.get("minor")?.as_i64()?).ok()
}

/// The sum of the lines; `None` if there are none with a price, or they mix currencies.
///
/// A line is quantity × unit price less its discount, rounded half-up to the currency's minor
/// unit per line; the sum is that of the rounded lines, so their order never matters.
#[must_use]
pub fn total_of_lines(record: &Map<String, Json>) -> Option<Money> {
    let lines = record.get("lines")?.as_array()?;
    let mut total: Option<Money> = None;
    for line in lines {
        // A line that nobody priced yet counts nothing; one too large to multiply has no sum.
        let Some(price) = line.get("unit_price").and_then(money_of) else { continue };
        let line = line_total(line, &price)?;
        total = Some(match total {
            None => line,
            Some(sum) => add(&sum, &line)?,
        });
    }
    total
}

fn line_total(line: &Json, price: &Money) -> Option<Money> {
    let qty = decimal(line.get("qty")).unwrap_or(Decimal::ONE);
    let discount = decimal(line.get("discount_percent")).unwrap_or(Decimal::ZERO);
    let factor = Decimal::ONE.checked_sub(discount.checked_div(Decimal::ONE_HUNDRED)?)?;
    times(price, qty.checked_mul(factor)?)
}

fn times(money: &Money, factor: Decimal) -> Option<Money> {
    let exact = Decimal::from(money.minor()).checked_mul(factor)?;
    let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    Money::new(money.currency(), rounded.to_i64()?).ok()
}

fn add(left: &Money, right: &Money) -> Option<Money> {
    if left.currency() != right.currency() {
        return None;
    }
    Money::new(left.currency(), left.minor().checked_add(right.minor())?).ok()
}

fn amount_of_order(record: &Map<String, Json>) -> Option<Money> {
    let subtotal = total_of_lines(record);
    let fee = record.get("shipping_fee").and_then(money_of);
    match (subtotal, fee) {
        (Some(subtotal), Some(fee)) => add(&subtotal, &fee),
        (subtotal, fee) => subtotal.or(fee),
    }
}

/// The chance of winning in percent: the record's own, else that of its stage; a stage on hold
/// keeps that of the last stage in the history that has one.
fn chance(entity: &Entity, record: &Map<String, Json>) -> Option<i64> {
    if let Some(own) = record.get("probability").and_then(Json::as_i64) {
        return Some(own);
    }
    let field = entity.field("sales_stage")?;
    let Type::Picklist(stages) = &field.ty else { return None };
    let stage = stages.choice(record.get("sales_stage")?.as_str()?)?;
    if stage.stage_type != Some(StageType::Hold) {
        return stage.probability.map(i64::from);
    }
    let history = record.get("stages")?.as_array()?;
    let moves = history.iter().rev().filter_map(|entry| entry.get("to_stage")?.as_str());
    moves.filter_map(|id| stages.choice(id)?.probability).map(i64::from).next()
}

fn weighted_amount(entity: &Entity, record: &Map<String, Json>) -> Option<Money> {
    let amount = record.get("expected_amount").and_then(money_of)?;
    let chance = Decimal::from(chance(entity, record)?).checked_div(Decimal::ONE_HUNDRED)?;
    times(&amount, chance)
}

fn decimal(json: Option<&Json>) -> Option<Decimal> {
    match json? {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    fn derive(entity: &str, record: Json) -> Map<String, Json> {
        let mut record = record.as_object().unwrap().clone();
        add_derived(Schema::current().entity(entity).unwrap(), &mut record);
        record
    }

    fn eur(minor: i64) -> Json {
        json!({ "currency": "EUR", "minor": minor })
    }

    #[test]
    fn every_derived_field_of_the_schema_is_computed() {
        let line = json!({ "qty": "1", "unit_price": eur(100) });
        let full = json!({
            "lines": [line], "shipping_fee": eur(5), "sales_stage": "proposal",
            "expected_amount": eur(1000),
        });
        // The stock of a product waits for the entity of stock moves.
        for entity in Schema::current().entities().filter(|entity| entity.name != "product") {
            let record = derive(&entity.name, full.clone());
            for derived in &entity.derived {
                assert!(record.contains_key(&derived.name), "{}.{}", entity.name, derived.name);
            }
        }
    }

    #[test]
    fn lines_round_one_by_one_and_their_order_does_not_matter() {
        let mut lines = vec![
            json!({ "qty": "3", "unit_price": eur(333), "discount_percent": "12.5" }),
            json!({ "qty": "0.5", "unit_price": eur(1) }),
            json!({ "qty": "7", "unit_price": eur(19) }),
            json!({ "name": "no price yet" }),
        ];
        let amount = |lines: &[Json]| {
            derive("sales_order", json!({ "lines": lines, "shipping_fee": eur(500) }))["amount"]
                .clone()
        };
        let first = amount(&lines);
        assert_eq!(first["minor"], 874 + 1 + 133 + 500);
        lines.reverse();
        assert_eq!(amount(&lines), first);
    }

    #[test]
    fn mixed_currencies_have_no_sum() {
        let yuan = json!({ "currency": "CNY", "minor": 1 });
        let lines = json!([{ "unit_price": eur(1) }, { "unit_price": yuan }]);
        assert!(!derive("sales_order", json!({ "lines": lines })).contains_key("amount"));
    }

    #[test]
    fn a_deal_on_hold_keeps_its_chance_and_a_lost_one_weighs_nothing() {
        let history = json!([{ "to_stage": "negotiation" }, { "to_stage": "on_hold" }]);
        let held = derive(
            "opportunity",
            json!({
                "sales_stage": "on_hold", "stages": history, "expected_amount": eur(1000),
            }),
        );
        assert_eq!(held["weighted_amount"]["minor"], 750);
        let lost =
            derive("opportunity", json!({ "sales_stage": "lost", "expected_amount": eur(1000) }));
        assert_eq!(lost["weighted_amount"]["minor"], 0);
        let own = derive("opportunity", json!({ "sales_stage": "lost", "probability": 40 }));
        assert_eq!(own["chance"], 40);
    }
}
