//! Days and moments in the JSON of records, as numbers to reckon with.

use chrono::{DateTime, NaiveDate};

use crate::time::TimestampMs;

/// Milliseconds from 1970 to a day: `2026-11-23`.
pub(super) fn date_to_ms(day: &str) -> Option<TimestampMs> {
    let day: NaiveDate = day.parse().ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

/// Milliseconds from 1970 to a moment: `2026-11-23T08:30:00.000Z`.
pub(super) fn moment_to_ms(moment: &str) -> Option<TimestampMs> {
    DateTime::parse_from_rfc3339(moment).ok().map(|at| at.timestamp_millis())
}

/// A day as calendars write it: `20261123`.
pub(super) fn basic_day(at_ms: TimestampMs) -> Option<String> {
    let at = DateTime::from_timestamp_millis(at_ms)?;
    is_four_digits(&at).then(|| at.format("%Y%m%d").to_string())
}

/// A moment as calendars write it, in UTC: `20261123T083000Z`.
pub(super) fn basic_moment(at_ms: TimestampMs) -> Option<String> {
    let at = DateTime::from_timestamp_millis(at_ms)?;
    is_four_digits(&at).then(|| at.format("%Y%m%dT%H%M%SZ").to_string())
}

fn is_four_digits(at: &DateTime<chrono::Utc>) -> bool {
    (0..=9_999).contains(&chrono::Datelike::year(at))
}
