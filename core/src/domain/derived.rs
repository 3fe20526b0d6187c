//! Derived fields: never stored, so that two people adding a line each get the sum of both.
//!
//! Device and server compute them by the same functions: from the record itself
//! ([`add_derived`]), from that and what links to it ([`add_with_rollups`], called by
//! [`crate::store::rollup`]), and from the time now ([`add_timely`]).

mod amounts;
mod linked;
mod lists;
mod moments;
mod pipeline;
mod timely;
mod totals;

#[cfg(test)]
mod tests;

use chrono::{DateTime, NaiveDate};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use crate::{
    schema::Entity,
    time::{TimestampMs, to_rfc3339},
};

pub use totals::total_of_lines;

/// A record's JSON.
type Record = Map<String, Json>;

/// Adds the derived fields that follow from the record itself.
pub fn add_derived(entity: &Entity, record: &mut Record) {
    add(entity, record, |name, record| match name {
        "lines_total" | "subtotal" => Some(amounts::to_json(&total_of_lines(record)?)),
        "line_totals" => totals::line_totals(record),
        "discount" | "tax" | "taxes" | "amount" => totals::of_order(name, record),
        "chance" => pipeline::chance(entity, record).map(Json::from),
        "weighted_amount" => {
            pipeline::weighted_amount(entity, record).map(|money| amounts::to_json(&money))
        }
        "closed_at" => pipeline::closed_at(record),
        "needs_reason" => pipeline::needs_reason(record),
        "start_date" => moments::side_of_period(record, "start"),
        "end_date" => moments::side_of_period(record, "end"),
        "renewal_reminder_on" => moments::renewal_reminder_on(record),
        "planned_minutes" => moments::planned_minutes(record),
        "response_minutes" => moments::minutes(record, "request_date", "first_response_at"),
        "resolution_minutes" => moments::minutes(record, "request_date", "resolved_at"),
        "held_minutes" => moments::minutes(record, "held_from", "held_until"),
        "customer_signed_at" => lists::first_signature(record, "customer"),
        "company_signed_at" => lists::first_signature(record, "company"),
        "fulfilled_percent" => lists::fulfilled_percent(record),
        "work_minutes" => lists::minutes_of(record, "work"),
        "travel_minutes" => lists::minutes_of(record, "travel"),
        "checklist_left" => lists::checklist_left(record),
        _ => None,
    });
}

/// Adds the derived fields that need the rollups, which the record must hold.
pub fn add_with_rollups(entity: &Entity, record: &mut Record) {
    add(entity, record, |name, record| match name {
        "available_quantity" => linked::available_quantity(record),
        "stock_status" => linked::stock_status(record),
        "outstanding_amount" => linked::outstanding_amount(record),
        "payment_status" => linked::payment_status(record),
        "response_percent" => linked::response_percent(record),
        "roi_percent" => linked::roi_percent(record),
        "potential_score" => linked::potential_score(record),
        "visit_minutes" => moments::minutes(record, "checked_in_at", "checked_out_at"),
        _ => None,
    });
}

/// Derived fields that change as time goes by.
pub const TIMELY: &[&str] = &["days_left", "is_overdue", "sla_status"];

/// Adds the derived fields that change as time goes by, [`TIMELY`].
pub fn add_timely(entity: &Entity, record: &mut Record, now_ms: TimestampMs) {
    add(entity, record, |name, record| match name {
        "days_left" => timely::days_left(record, now_ms),
        "is_overdue" => timely::is_overdue(record, now_ms),
        "sla_status" => timely::sla_status(record, now_ms),
        _ => None,
    });
}

/// Adds what `compute` gives for the names that the entity declares.
fn add(entity: &Entity, record: &mut Record, compute: impl Fn(&str, &Record) -> Option<Json>) {
    for derived in &entity.derived {
        if let Some(value) = compute(&derived.name, record) {
            record.insert(derived.name.clone(), value);
        }
    }
}

fn decimal(json: Option<&Json>) -> Option<Decimal> {
    match json? {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

fn rows<'a>(record: &'a Record, name: &str) -> Option<&'a [Json]> {
    record.get(name)?.as_array().map(Vec::as_slice)
}

fn moment_ms(json: Option<&Json>) -> Option<TimestampMs> {
    DateTime::parse_from_rfc3339(json?.as_str()?).ok().map(|at| at.timestamp_millis())
}

fn date(json: Option<&Json>) -> Option<NaiveDate> {
    json?.as_str()?.parse().ok()
}

/// The day of a moment, in UTC: the same on every device.
fn day_of(at_ms: TimestampMs) -> Option<NaiveDate> {
    to_rfc3339(at_ms).get(..10)?.parse().ok()
}
