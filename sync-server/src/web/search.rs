//! Search over all records, and what is near a place.

use std::ops::Range;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use outrider_core::{
    schema::{Language, Schema},
    store::{
        near::{NearQuery, RADIUS_MAX_M},
        search::{Hit, SearchPage, SearchQuery},
    },
};

use super::{
    failure::Failure,
    form::Fields,
    list::SEARCH_CHARS_MAX,
    page::{Page, label_of, name_of, respond},
    session::Session,
};
use crate::{
    audit::reading::showing,
    office::{self, OfficeError},
    state::AppState,
};

/// Hits on one page.
const PAGE_HITS: usize = 25;
/// Records near a place that are shown.
const NEAR_SHOWN: usize = 50;

/// Text, some parts of which are marked.
#[derive(Debug, Clone)]
struct Marked {
    /// The parts, each with whether it is marked.
    parts: Vec<(bool, String)>,
}

impl Marked {
    fn new(text: &str, marks: &[Range<usize>]) -> Self {
        let mut parts = Vec::new();
        let mut at = 0;
        let mut add = |is_marked, range: Range<usize>| {
            let part = text.get(range).unwrap_or_default();
            if !part.is_empty() {
                parts.push((is_marked, part.to_owned()));
            }
        };
        for mark in marks {
            add(false, at..mark.start);
            add(true, mark.clone());
            at = mark.end;
        }
        add(false, at..text.len());
        Self { parts }
    }
}

#[derive(Debug, Clone)]
struct Found {
    href: String,
    kind: String,
    title: Marked,
    /// The field that hits, and the text around it.
    place: Option<(String, Marked)>,
    is_archived: bool,
}

/// A way to the hits of one entity.
#[derive(Debug, Clone)]
struct Sort {
    href: String,
    label: String,
    count: u64,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchTemplate {
    page: Page,
    text: String,
    entity: String,
    with_archived: bool,
    found: Vec<Found>,
    sorts: Vec<Sort>,
    total: u64,
    is_cut: bool,
    is_slip: bool,
    first: Option<String>,
    next: Option<String>,
}

/// What the address of a search says.
#[derive(Debug, Clone, Default)]
struct Asked {
    text: String,
    entity: String,
    with_archived: bool,
    after: String,
}

fn fields_of(query: Option<&str>) -> Fields {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(20);
    Fields(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

impl Asked {
    fn read(query: Option<&str>) -> Self {
        let fields = fields_of(query);
        Self {
            text: fields.get("q").trim().chars().take(SEARCH_CHARS_MAX).collect(),
            entity: fields.get("entity").to_owned(),
            with_archived: fields.get("archived") == "yes",
            after: fields.get("after").to_owned(),
        }
    }

    fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &self.text);
        for (name, value) in [("entity", self.entity.as_str()), ("after", self.after.as_str())] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if self.with_archived {
            query.append_pair("archived", "yes");
        }
        format!("/search?{}", query.finish())
    }

    fn query(&self) -> SearchQuery {
        SearchQuery {
            text: self.text.clone(),
            entities: Some(self.entity.clone())
                .filter(|name| !name.is_empty())
                .into_iter()
                .collect(),
            with_archived: self.with_archived,
            after: Some(self.after.clone()).filter(|after| !after.is_empty()),
            limit: PAGE_HITS,
        }
    }
}

/// `GET /search?q=`: what is found, everywhere or in one entity.
pub(super) async fn show_search(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = Asked::read(query.as_deref());
    let wanted = asked.query();
    let everywhere = Asked { entity: String::new(), after: String::new(), ..asked.clone() };
    let counted = SearchQuery { limit: 1, ..everywhere.query() };
    let (page, counts) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let page = office::search(&*read, &wanted)?;
            // The counts of the others stay in sight when one is chosen.
            let counts = match wanted.entities.is_empty() {
                true => page.counts.clone(),
                false => office::search(&*read, &counted)?.counts,
            };
            Ok::<_, OfficeError>((page, counts))
        })
        .await?;
    let language = session.language;
    let SearchPage { hits, next, total, is_cut, .. } = page;
    let here = asked.address();
    let title = match asked.text.as_str() {
        "" => super::words::Words(language).t("search-title"),
        text => super::words::Words(language).name("search-of", text),
    };
    let sort = |(name, count): &(String, u64)| {
        let entity = Schema::current().entity(name)?;
        Some(Sort {
            href: Asked { entity: name.clone(), ..everywhere.clone() }.address(),
            label: label_of(entity, language).to_owned(),
            count: *count,
            is_here: asked.entity == *name,
        })
    };
    let first = Asked { after: String::new(), ..asked.clone() };
    let count = hits.len();
    let page = SearchTemplate {
        page: Page::new(&session, title, &here).searching(&asked.text),
        is_slip: hits.iter().any(|hit| hit.is_slip),
        found: hits.into_iter().map(|hit| found(&hit, language)).collect(),
        sorts: counts.iter().filter_map(sort).collect(),
        total,
        is_cut,
        first: (!asked.after.is_empty()).then(|| first.address()),
        next: next.map(|after| Asked { after, ..asked.clone() }.address()),
        text: asked.text,
        entity: asked.entity,
        with_archived: asked.with_archived,
    };
    Ok(showing(respond(&page), count))
}

fn found(hit: &Hit, language: Language) -> Found {
    let Hit { entity, record, title, title_marks, place, is_archived, is_slip: _ } = hit;
    let label = Schema::current().entity(entity).map(|entity| label_of(entity, language));
    let name = name_of(title, *record, entity, language);
    let marks = if name == *title { title_marks.as_slice() } else { &[] };
    Found {
        href: format!("/records/{entity}/{record}"),
        kind: label.unwrap_or(entity).to_owned(),
        title: Marked::new(&name, marks),
        place: place.as_ref().map(|place| {
            let text = Marked::new(&place.snippet.text, &place.snippet.marks);
            (place.label.get(language).to_owned(), text)
        }),
        is_archived: *is_archived,
    }
}

#[derive(Debug, Clone)]
struct Nearby {
    href: String,
    kind: String,
    title: String,
    distance: String,
}

#[derive(Template)]
#[template(path = "near.html")]
struct NearTemplate {
    page: Page,
    at: String,
    entity: String,
    sorts: Vec<(String, String)>,
    found: Vec<Nearby>,
}

/// `GET /near?at=LAT,LON&entity=`: records near a place, nearest first.
pub(super) async fn show_near(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let fields = fields_of(query.as_deref());
    let at: String = fields.get("at").chars().take(SEARCH_CHARS_MAX).collect();
    let entity = fields.get("entity").to_owned();
    let place = at
        .split_once(',')
        .and_then(|(lat, lon)| Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?)));
    let found = match place {
        None if at.is_empty() => Vec::new(),
        None => return Err(Failure::BadQuery),
        Some((lat, lon)) => {
            let wanted = NearQuery {
                lat,
                lon,
                entity: Some(entity.clone()).filter(|name| !name.is_empty()),
                radius_m: RADIUS_MAX_M,
                limit: NEAR_SHOWN,
            };
            state
                .run_as(session.eyes(), move |storage| office::near(&*storage.read()?, &wanted))
                .await?
        }
    };
    let language = session.language;
    let schema = Schema::current();
    let here = address_of(&at, &entity);
    let sorts = schema
        .entities()
        .filter(|entity| outrider_core::store::near::geo_field(entity).is_some())
        .map(|entity| (entity.name.clone(), entity.plural.get(language).to_owned()));
    let found = found.into_iter().map(|(near, title)| {
        let kind = schema.entity(&near.entity).map(|entity| label_of(entity, language));
        Nearby {
            href: format!("/records/{}/{}", near.entity, near.record),
            kind: kind.unwrap_or(&near.entity).to_owned(),
            title: name_of(&title, near.record, &near.entity, language),
            distance: distance(near.distance_m),
        }
    });
    let title = super::words::Words(language).t("near-title");
    let found: Vec<Nearby> = found.collect();
    let count = found.len();
    let page = NearTemplate {
        found,
        sorts: sorts.collect(),
        page: Page::new(&session, title, &here),
        at,
        entity,
    };
    Ok(showing(respond(&page), count))
}

/// The address of what is near a place.
pub(super) fn address_of(at: &str, entity: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("at", at);
    if !entity.is_empty() {
        query.append_pair("entity", entity);
    }
    format!("/near?{}", query.finish())
}

/// A distance for people.
fn distance(metres: u32) -> String {
    match metres {
        0..1_000 => format!("{metres} m"),
        1_000..100_000 => format!("{}.{} km", metres / 1_000, metres % 1_000 / 100),
        _ => format!("{} km", metres / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_part_a_text_without_losing_any() {
        let marked = Marked::new("上海三川实业", std::slice::from_ref(&(6..12)));
        let parts: Vec<_> = marked.parts.iter().map(|(is, part)| (*is, part.as_str())).collect();
        assert_eq!(parts, [(false, "上海"), (true, "三川"), (false, "实业")]);
        assert_eq!(Marked::new("", &[]).parts.len(), 0);
    }

    #[test]
    fn distances_are_short() {
        let shown = [999, 1_234, 99_999, 123_456].map(distance);
        assert_eq!(shown, ["999 m", "1.2 km", "99.9 km", "123 km"]);
    }
}
