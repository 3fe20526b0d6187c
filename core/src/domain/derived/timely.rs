//! What changes as time goes by. The time now is an argument; days are those of UTC.

use serde_json::Value as Json;

use super::{Record, date, day_of, moment_ms, moments::side_of_period, text};
use crate::time::TimestampMs;

/// Days until a contract ends; less than 0 when it is over.
pub(super) fn days_left(record: &Record, now_ms: TimestampMs) -> Option<Json> {
    let runs = matches!(text(record, "status"), Some("signed" | "active" | "suspended"));
    let end = date(side_of_period(record, "end").filter(|_| runs).as_ref())?;
    Some(end.signed_duration_since(day_of(now_ms)?).num_days().into())
}

/// Whether what was planned is past and nobody began.
pub(super) fn is_overdue(record: &Record, now_ms: TimestampMs) -> Option<Json> {
    let is_open = matches!(
        text(record, "status"),
        None | Some("planned" | "in_progress" | "new" | "scheduled" | "dispatched")
    );
    // A visit in progress is not late; an activity that was begun and not finished is.
    let is_visit = record.contains_key("scheduled");
    let is_open = is_open && !(is_visit && text(record, "status") == Some("in_progress"));
    let plan = record.get("scheduled").or_else(|| record.get("activity_date"))?;
    let end = moment_ms(plan.get("end")).or_else(|| moment_ms(plan.get("start")))?;
    (is_open && end < now_ms).then_some(Json::Bool(true))
}

/// Where a request stands beside its due times.
pub(super) fn sla_status(record: &Record, now_ms: TimestampMs) -> Option<Json> {
    let state = |due: &str, done: &str| {
        let due = moment_ms(record.get(due))?;
        let done = moment_ms(record.get(done));
        Some(match done {
            Some(done) if done <= due => Step::InTime,
            Some(_) => Step::Late,
            None if due < now_ms => Step::Late,
            None => Step::Waits,
        })
    };
    let response = state("response_due", "first_response_at");
    let resolution = state("resolve_due", "resolved_at");
    Some(match (response, resolution) {
        (None, None) => return None,
        (Some(Step::Late), _) | (_, Some(Step::Late)) => "failed".into(),
        (Some(Step::Waits), _) => "first_response_due".into(),
        (_, Some(Step::Waits)) => "resolution_due".into(),
        (_, _) => "fulfilled".into(),
    })
}

#[derive(Clone, Copy)]
enum Step {
    Waits,
    InTime,
    Late,
}
