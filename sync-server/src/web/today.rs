//! The first page: what arrived today and from whom, what waits for a choice, where sales stand.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, http::HeaderMap, response::Response};
use outrider_core::{
    schema::{Language, Schema},
    time::TimestampMs,
};

use super::{
    failure::Failure,
    page::{Page, When, name_of, respond},
    pipeline::{Chart, chart},
    session::{Session, cookie},
    show::grouped,
};
use crate::{
    office::{self, Arrival, OfficeError},
    state::AppState,
};

/// Arrivals that the page names, at most.
const ARRIVALS_MAX: usize = 200;
/// Arrivals of one person that are seen at once; the others are behind a click.
const NEWS_SHOWN: usize = 10;
/// Records with open conflicts that the page names, at most.
const CONFLICTS_MAX: usize = 20;
/// The cookie in which the script leaves how many minutes the reader is ahead of UTC.
const OFFSET_COOKIE: &str = "outrider_offset";
/// Minutes that a time zone may be away from UTC.
const OFFSET_MINUTES_MAX: i64 = 14 * 60;
const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_DAY: i64 = 24 * 60 * MS_PER_MINUTE;

struct News {
    href: String,
    title: String,
    entity: String,
    fields: String,
    device: String,
    when: When,
    position: u64,
}

struct Person {
    user: String,
    news: Vec<News>,
    /// What is behind a click.
    more: Vec<News>,
}

struct Open {
    href: String,
    title: String,
    entity: String,
    fields: String,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    page: Page,
    since: When,
    people: Vec<Person>,
    arrived: u64,
    is_cut: bool,
    conflicts: u64,
    open: Vec<Open>,
    devices: u64,
    counts: Vec<(String, String, String)>,
    chart: Option<Chart>,
}

/// When the reader's day began.
fn day_start(headers: &HeaderMap, now_ms: TimestampMs) -> TimestampMs {
    let offset = cookie(headers, OFFSET_COOKIE).and_then(|text| text.parse::<i64>().ok());
    let offset = offset.unwrap_or(0).clamp(-OFFSET_MINUTES_MAX, OFFSET_MINUTES_MAX) * MS_PER_MINUTE;
    (now_ms + offset).div_euclid(MS_PER_DAY) * MS_PER_DAY - offset
}

/// `GET /`: today.
pub(super) async fn show_today(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let since = day_start(&headers, state.now_ms());
    let language = session.language;
    let (position, arrivals, conflicts, devices, counts, report) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let mut counts = Vec::new();
            for entity in Schema::current().entities() {
                let count = read.count(entity, &outrider_core::store::query::Query::default())?;
                if count > 0 {
                    let label = entity.plural.get(language).to_owned();
                    let href = format!("/records/{}", entity.name);
                    counts.push((href, label, grouped(&count.to_string())));
                }
            }
            Ok::<_, OfficeError>((
                read.position()?,
                office::arrivals(&*read, since, ARRIVALS_MAX)?,
                office::open_conflicts(&*read, CONFLICTS_MAX)?,
                office::devices(&*read)?,
                counts,
                office::pipeline(&*read)?,
            ))
        })
        .await?;
    let arrived = arrivals.len() as u64;
    let title = super::words::Words(language).t("nav-today");
    let open = conflicts.records.into_iter().map(|record| {
        let labels =
            record.conflicts.iter().map(|c| label(&record.entity.name, &c.field, language));
        Open {
            href: format!("/records/{}/{}#conflicts", record.entity.name, record.id),
            entity: record.entity.label.get(language).to_owned(),
            fields: joined(labels.collect(), language),
            title: name_of(&record.title, record.id, &record.entity.name, language),
        }
    });
    Ok(respond(&TodayPage {
        page: Page::new(&session, title, "/").at(position),
        since: When::at(since),
        is_cut: arrivals.len() == ARRIVALS_MAX,
        people: people(arrivals, language),
        arrived,
        conflicts: conflicts.count,
        open: open.collect(),
        devices: devices
            .iter()
            .filter(|contact| contact.last_contact_at >= since && !contact.device.is_office)
            .count() as u64,
        counts,
        chart: (report.main.count > 0).then(|| chart(&report.main, language)),
    }))
}

/// Arrivals by who wrote them; whoever was last comes first.
fn people(arrivals: Vec<Arrival>, language: Language) -> Vec<Person> {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<News>> = BTreeMap::new();
    for arrival in arrivals {
        if !order.contains(&arrival.user) {
            order.push(arrival.user.clone());
        }
        let entity = Schema::current().entity(&arrival.entity);
        let fields = arrival.fields.iter().map(|field| label(&arrival.entity, field, language));
        let fields = joined(fields.collect(), language);
        groups.entry(arrival.user).or_default().push(News {
            href: format!("/records/{}/{}", arrival.entity, arrival.record),
            title: name_of(&arrival.title, arrival.record, &arrival.entity, language),
            entity: entity.map_or(arrival.entity, |entity| entity.label.get(language).to_owned()),
            fields,
            device: arrival.device_name,
            when: When::at(arrival.received_at),
            position: arrival.position,
        });
    }
    let person = |user: String| {
        let mut news = groups.remove(&user).unwrap_or_default();
        let more = news.split_off(news.len().min(NEWS_SHOWN));
        Person { user, news, more }
    };
    order.into_iter().map(person).collect()
}

/// A field's name for people.
pub(super) fn label(entity: &str, field: &str, language: Language) -> String {
    let known = Schema::current().entity(entity).and_then(|entity| entity.field(field));
    known.map_or_else(|| field.to_owned(), |field| field.label.get(language).to_owned())
}

pub(super) fn joined(labels: Vec<String>, language: Language) -> String {
    labels.join(match language {
        Language::En => ", ",
        Language::Zh => "、",
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_day_begins_where_the_reader_is() {
        let start = |cookie: &'static str| {
            let field = (header::COOKIE, HeaderValue::from_static(cookie));
            // 2023-11-14T22:13:20Z
            day_start(&HeaderMap::from_iter([field]), 1_700_000_000_000)
        };
        let midnight = 1_699_920_000_000;
        assert_eq!(start("x=1"), midnight);
        assert_eq!(start("outrider_offset=480"), midnight + MS_PER_DAY - 480 * MS_PER_MINUTE);
        assert_eq!(start("outrider_offset=-480"), midnight + 480 * MS_PER_MINUTE);
        assert_eq!(start("outrider_offset=99999"), start("outrider_offset=840"));
    }
}
