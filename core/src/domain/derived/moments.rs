//! Sides of periods, and minutes between moments.

use chrono::Days;
use serde_json::Value as Json;

use super::{Record, date, moment_ms};

/// Fields that hold the one period of an entity.
const PERIODS: &[&str] = &["term", "period"];
/// Fields that hold the planned time of an entity.
const PLANS: &[&str] = &["scheduled", "activity_date"];

pub(super) fn side_of_period(record: &Record, side: &str) -> Option<Json> {
    let period = PERIODS.iter().find_map(|name| record.get(*name))?;
    period.get(side).filter(|side| !side.is_null()).cloned()
}

/// When to think of renewing: the end less the days of notice.
pub(super) fn renewal_reminder_on(record: &Record) -> Option<Json> {
    let end = date(side_of_period(record, "end").as_ref())?;
    let notice = record.get("notice_days").and_then(Json::as_u64).unwrap_or(0);
    end.checked_sub_days(Days::new(notice)).map(|day| day.to_string().into())
}

pub(super) fn planned_minutes(record: &Record) -> Option<Json> {
    let plan = PLANS.iter().find_map(|name| record.get(*name))?;
    between(plan.get("start"), plan.get("end")).map(Json::from)
}

/// Whole minutes from one field to another.
pub(super) fn minutes(record: &Record, from: &str, to: &str) -> Option<Json> {
    between(record.get(from), record.get(to)).map(Json::from)
}

/// Whole minutes; none if the end comes first, which two clocks can make so.
pub(super) fn between(from: Option<&Json>, to: Option<&Json>) -> Option<i64> {
    let minutes = moment_ms(to)?.checked_sub(moment_ms(from)?)? / 60_000;
    (minutes >= 0).then_some(minutes)
}
