//! Which days a record has for a calendar, and what follows from them.
//!
//! Types tell, not a list of entities: the field that places the record on timelines (its
//! `moment`), and every other day or moment that people plan by, which is one with an index that is
//! not written once. So an opportunity stands on the day when it is expected to close and on that of
//! its next step, a contract during its term, and a company's own entities likewise.

use serde_json::{Map, Value as Json};

use super::days::{basic_day, basic_moment, date_to_ms, moment_to_ms};
use crate::{
    schema::{Entity, Field, Kind, Type},
    time::DAY_MS,
};

/// Half a day: a zone's midnight is nearer to the UTC midnight of its own date than this.
const HALF_DAY_MS: i64 = DAY_MS / 2;

/// The start and the end of an entry, as calendars write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) start: String,
    pub(super) end: Option<String>,
    /// Whether they are days.
    pub(super) is_days: bool,
}

/// The fields of an entity that stand in a calendar, its moment first.
pub(super) fn dated_fields(entity: &Entity) -> Vec<&Field> {
    let is_dated = |field: &&Field| {
        field.kind.is_single()
            && matches!(field.ty, Type::Date | Type::DateTime | Type::Period | Type::TimeSpan)
    };
    let is_moment = |field: &&Field| field.name == entity.moment;
    let is_planned = |field: &&Field| {
        matches!(field.kind, Kind::Register | Kind::Office) && field.indexed && !field.by_program
    };
    let dated = || entity.fields.iter().filter(is_dated).filter(|f| f.name != "created_at");
    let moment = dated().filter(is_moment);
    moment.chain(dated().filter(|field| !is_moment(field) && is_planned(field))).collect()
}

/// When the value of a dated field is; none without one.
#[expect(clippy::wildcard_enum_match_arm, reason = "few types have days")]
pub(super) fn when(field: &Field, record: &Map<String, Json>) -> Option<When> {
    let json = record.get(&field.name)?;
    let side = |name: &str| json.get(name).and_then(Json::as_str);
    match &field.ty {
        Type::Date => {
            let day = date_to_ms(json.as_str()?)?;
            days(day, day)
        }
        Type::Period => {
            let (start, end) =
                (side("start").and_then(date_to_ms), side("end").and_then(date_to_ms));
            days(start.or(end)?, end.or(start)?)
        }
        Type::DateTime => {
            let start = basic_moment(moment_to_ms(json.as_str()?)?)?;
            Some(When { start, end: None, is_days: false })
        }
        Type::TimeSpan => {
            let start = moment_to_ms(side("start")?)?;
            let end = side("end").and_then(moment_to_ms);
            if json.get("all_day") == Some(&Json::Bool(true)) {
                return all_day(start, end);
            }
            let end = end.filter(|end| *end > start).and_then(basic_moment);
            Some(When { start: basic_moment(start)?, end, is_days: false })
        }
        _ => None,
    }
}

/// From the midnight of one day to that of the last; calendars name the day after it.
fn days(first_ms: i64, last_ms: i64) -> Option<When> {
    let (start, end) = (basic_day(first_ms)?, basic_day(last_ms.checked_add(DAY_MS)?));
    Some(When { start, end, is_days: true })
}

/// Whole days as a span keeps them, from a midnight in its own zone to another.
///
/// The nearest UTC midnight is that of the same date for zones up to 12 hours from UTC, so no
/// table of zones is needed.
fn all_day(start_ms: i64, end_ms: Option<i64>) -> Option<When> {
    let first = nearest_midnight(start_ms)?;
    let after = end_ms.and_then(nearest_midnight).filter(|after| *after > first);
    // An end within the last day (23:59) is nearest to the midnight after it, as it should be.
    days(first, after.map_or(first, |after| after - DAY_MS))
}

fn nearest_midnight(at_ms: i64) -> Option<i64> {
    let moved = at_ms.checked_add(HALF_DAY_MS)?;
    Some(moved - moved.rem_euclid(DAY_MS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    fn names(entity: &str) -> Vec<&'static str> {
        let entity = Schema::builtin().entity(entity).unwrap();
        dated_fields(entity).into_iter().map(|field| field.name.as_str()).collect()
    }

    #[test]
    fn the_schema_tells_what_stands_in_a_calendar() {
        assert_eq!(names("activity"), ["activity_date"]);
        assert_eq!(names("visit").first(), Some(&"scheduled"));
        assert_eq!(names("campaign"), ["period"]);
        assert!(names("opportunity").contains(&"expected_close_date"));
        assert!(names("opportunity").contains(&"next_step_due"));
        assert_eq!(names("contract"), ["term"]);
        assert!(names("service_request").contains(&"resolve_due"));
        assert!(names("team").is_empty());
        assert!(names("contact").is_empty());
    }

    #[test]
    fn whole_days_are_those_of_their_own_zone() {
        let visit = Schema::builtin().entity("visit").unwrap();
        let field = visit.field("scheduled").unwrap();
        let at = |start: &str, end: &str| {
            let span = json!({ "start": start, "end": end, "all_day": true });
            let found = when(field, &Map::from_iter([("scheduled".to_owned(), span)])).unwrap();
            (found.start, found.end.unwrap())
        };
        let two = ("20261123".to_owned(), "20261125".to_owned());
        // Shanghai, UTC, New York.
        assert_eq!(at("2026-11-22T16:00:00Z", "2026-11-24T16:00:00Z"), two);
        assert_eq!(at("2026-11-23T00:00:00Z", "2026-11-25T00:00:00Z"), two);
        assert_eq!(at("2026-11-23T05:00:00Z", "2026-11-25T05:00:00Z"), two);
        let one = ("20261123".to_owned(), "20261124".to_owned());
        assert_eq!(at("2026-11-22T16:00:00Z", "2026-11-22T16:00:00Z"), one);
        assert_eq!(at("2026-11-22T16:00:00Z", "2026-11-23T15:59:00Z"), one);
    }
}
