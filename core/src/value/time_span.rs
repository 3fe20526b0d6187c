//! From one moment to another, with the time zone that a person thought of.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::time::{TimestampMs, to_rfc3339};

/// Characters of the name of a time zone, at most.
const ZONE_CHARS_MAX: usize = 64;

/// A start and maybe an end, as calendars keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSpan {
    /// When it begins.
    pub start_ms: TimestampMs,
    /// When it ends, if that is said.
    pub end_ms: Option<TimestampMs>,
    /// Name of the time zone, such as `Asia/Shanghai`; empty if nobody said.
    pub time_zone: String,
    /// Whether whole days are meant, and the times of day mean nothing.
    pub all_day: bool,
}

/// Why a time span is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSpanProblem {
    /// Not of the form that a time span has.
    Malformed,
    /// It ends before it starts.
    EndsBeforeStart,
}

/// How it stands in a document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    start: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    time_zone: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all_day: bool,
}

impl TimeSpan {
    /// Checks that it does not end before it starts, and that the zone may be one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), TimeSpanProblem> {
        let is_zone_letter = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
        if self.time_zone.len() > ZONE_CHARS_MAX || !self.time_zone.bytes().all(is_zone_letter) {
            return Err(TimeSpanProblem::Malformed);
        }
        if self.end_ms.is_some_and(|end| end < self.start_ms) {
            return Err(TimeSpanProblem::EndsBeforeStart);
        }
        Ok(())
    }

    /// Reads the text that stands in a document.
    ///
    /// # Errors
    ///
    /// What is wrong with it; also text in another spelling is malformed.
    pub fn from_canonical(text: &str) -> Result<Self, TimeSpanProblem> {
        let malformed = TimeSpanProblem::Malformed;
        let Stored { start, end, time_zone, all_day } =
            serde_json::from_str(text).map_err(|_| malformed)?;
        let read = |text: &str| {
            DateTime::parse_from_rfc3339(text)
                .map(|at| at.timestamp_millis())
                .map_err(|_| malformed)
        };
        let end_ms = end.as_deref().map(read).transpose()?;
        let span = Self { start_ms: read(&start)?, end_ms, time_zone, all_day };
        span.check()?;
        if span.to_canonical() == text { Ok(span) } else { Err(malformed) }
    }

    /// The text that stands in a document.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let Self { start_ms, end_ms, time_zone, all_day } = self;
        let stored = Stored {
            start: to_rfc3339(*start_ms),
            end: end_ms.map(to_rfc3339),
            time_zone: time_zone.clone(),
            all_day: *all_day,
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Whole minutes from start to end, if it has an end.
    #[must_use]
    pub fn minutes(&self) -> Option<i64> {
        Some((self.end_ms? - self.start_ms) / 60_000)
    }
}
