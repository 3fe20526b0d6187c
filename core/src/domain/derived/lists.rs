//! What rows of a record come to.

use serde_json::Value as Json;

use super::{Record, moments::between, rows};

fn is(row: &Json, column: &str, value: &str) -> bool {
    row.get(column).and_then(Json::as_str) == Some(value)
}

fn is_yes(row: &Json, column: &str) -> bool {
    row.get(column).and_then(Json::as_bool) == Some(true)
}

/// The first of the signatures of one side.
pub(super) fn first_signature(record: &Record, side: &str) -> Option<Json> {
    let own = rows(record, "signatures")?.iter().filter(|row| is(row, "role", side));
    // Moments are written in one form, whose order is that of time.
    own.filter_map(|row| row.get("signed_at")?.as_str()).min().map(Json::from)
}

pub(super) fn fulfilled_percent(record: &Record) -> Option<Json> {
    let items = rows(record, "fulfilment_items")?;
    let counted = items.iter().filter(|row| !is(row, "status", "not_applicable"));
    let (mut done, mut all) = (0_usize, 0_usize);
    for row in counted {
        all += 1;
        done += usize::from(is_yes(row, "done") || is(row, "status", "fulfilled"));
    }
    (done * 100).checked_div(all).map(Json::from)
}

/// Minutes of one kind of work.
pub(super) fn minutes_of(record: &Record, kind: &str) -> Option<Json> {
    let own = rows(record, "work_times")?.iter().filter(|row| is(row, "work_kind", kind));
    let spans = own.filter_map(|row| row.get("span"));
    let minutes = spans.filter_map(|span| between(span.get("start"), span.get("end")));
    minutes.reduce(i64::saturating_add).map(Json::from)
}

/// Required checks that are not done.
pub(super) fn checklist_left(record: &Record) -> Option<Json> {
    let rows = rows(record, "checklist")?;
    let left = rows.iter().filter(|row| is_yes(row, "required") && !is_yes(row, "done"));
    Some(left.count().into())
}
