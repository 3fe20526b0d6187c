//! Records that may be the same: the page of pairs, and what a form says while one types.

use askama::Template;
use axum::{
    Json as JsonBody,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use outrider_core::{
    ids::RecordId,
    likeness::{Likeness, Verdict, score::Feature},
    schema::{Entity, Schema},
    store::likeness::{Likely, SCAN_MAX},
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{
    edit::{author_of, entity_of, record_of},
    failure::Failure,
    form::{Fields, Submission},
    page::{Page, label_of, name_of, respond},
    session::Session,
    words::Words,
};
use crate::{
    audit::reading::showing,
    office::{self, OfficeError},
    state::AppState,
    storage::Read,
};

/// Pairs on one page, about; the record that reaches it is told whole.
const PAIRS_SHOWN: usize = 50;
/// Pages of records that one page of pairs goes through, at most: it says how far it came.
const SCANS_MAX: usize = 20;

/// A record that may be the same as another, with a way to it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Hint {
    pub(super) href: String,
    pub(super) title: String,
    pub(super) why: String,
}

/// What a score means and what it comes from, in words.
fn why(likeness: &Likeness, words: Words) -> String {
    let verdict = match likeness.verdict {
        Verdict::Sure => words.t("likely-sure"),
        Verdict::Possible | Verdict::No => words.t("likely-possible"),
    };
    let agreeing = likeness.reasons.iter().filter(|reason| reason.bits > 0.0);
    let names: Vec<String> = agreeing.map(|reason| feature(reason.feature, words)).collect();
    format!("{verdict}: {}", names.join(", "))
}

fn feature(feature: Feature, words: Words) -> String {
    words.t(match feature {
        Feature::Name => "likely-name",
        Feature::Phone => "likely-phone",
        Feature::Email => "likely-email",
        Feature::Number => "likely-number",
        Feature::Born => "likely-born",
        Feature::Address => "likely-address",
        Feature::Within => "likely-within",
    })
}

/// Likely records as a page shows them.
pub(super) fn hints(
    read: &dyn Read,
    entity: &Entity,
    likely: &[Likely],
    words: Words,
) -> Result<Vec<Hint>, OfficeError> {
    let titles = office::titles(read, likely.iter().map(|likely| likely.record))?;
    let hint = |Likely { record, likeness }: &Likely| Hint {
        href: format!("/records/{}/{record}", entity.name),
        title: title_of(&titles, *record, entity, words),
        why: why(likeness, words),
    };
    Ok(likely.iter().map(hint).collect())
}

type Titles = std::collections::BTreeMap<RecordId, (String, String)>;

fn title_of(titles: &Titles, id: RecordId, entity: &Entity, words: Words) -> String {
    let title = titles.get(&id).map_or_else(|| id.to_string(), |(_, title)| title.clone());
    name_of(&title, id, &entity.name, words.0)
}

/// `GET /likely/{entity}?f.FIELD=…`: records that may be the same as what a form holds so far.
pub(super) async fn likely(
    State(state): State<AppState>,
    session: Session,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<JsonBody<Vec<Hint>>, Failure> {
    let entity = entity_of(&entity)?;
    let query = query.unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let sent = Fields(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect());
    let except: Option<RecordId> = sent.get("except").parse().ok();
    let fields = typed(&sent);
    let words = Words(session.language);
    let found = state.run_as(session.eyes(), move |storage| {
        let read = storage.read()?;
        let likely = read.likely(entity, &fields, except)?;
        hints(&*read, entity, &likely, words)
    });
    Ok(JsonBody(found.await?))
}

/// What a form holds, as far as it tells who a record is: texts, values with parts, rows.
fn typed(sent: &Fields) -> Map<String, Json> {
    let mut fields = Map::new();
    for (name, value) in sent.0.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let mut path = name.split('.');
        if path.next() != Some("f") {
            continue;
        }
        match (path.next(), path.next(), path.next()) {
            (Some(field), None, None) => {
                fields.entry(field).or_insert_with(|| value.as_str().into());
            }
            // What a link leads to.
            (Some(field), Some("id"), None) => {
                fields.insert(field.to_owned(), value.as_str().into());
            }
            (Some(field), Some(part), None) => {
                let parts = fields.entry(field).or_insert_with(|| json!({}));
                if let Json::Object(parts) = parts {
                    parts.insert(part.to_owned(), value.as_str().into());
                }
            }
            (Some(field), Some(_), Some(column)) => {
                let rows = fields.entry(field).or_insert_with(|| json!([]));
                if let Json::Array(rows) = rows {
                    rows.push(json!({ column: value }));
                }
            }
            (None, ..) | (Some(_), None, Some(_)) => {}
        }
    }
    fields
}

/// Two records that may be the same.
struct Pair {
    one: (String, String),
    other: (String, String),
    why: String,
    merge: String,
    distinct: String,
    other_id: RecordId,
}

#[derive(Template)]
#[template(path = "duplicates.html")]
struct DuplicatesPage {
    page: Page,
    entities: Vec<(String, String, bool)>,
    pairs: Vec<Pair>,
    scanned: u64,
    next: Option<String>,
}

/// `GET /duplicates?entity=&after=`: pairs of records that may be the same.
pub(super) async fn show_duplicates(
    State(state): State<AppState>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let asked = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let words = Words(session.language);
    let taking_part = || Schema::current().entities().filter(|entity| entity.likeness.is_some());
    let entity = match asked("entity") {
        Some(name) => entity_of(&name)?,
        None => taking_part().next().ok_or(Failure::NotFound)?,
    };
    let mut after: Option<RecordId> = match asked("after") {
        Some(text) => Some(text.parse().map_err(|_| Failure::BadQuery)?),
        None => None,
    };
    let found = state.run_as(session.eyes(), move |storage| {
        let read = storage.read()?;
        let (mut pairs, mut scanned) = (Vec::new(), 0);
        for _ in 0..SCANS_MAX {
            let scan = SCAN_MAX.min(PAIRS_SHOWN);
            let page = read.likely_pairs(entity, after, scan)?;
            scanned += page.scanned as u64;
            pairs.extend(page.pairs);
            after = page.next;
            if after.is_none() || pairs.len() >= PAIRS_SHOWN {
                break;
            }
        }
        pairs.sort_by(|a, b| b.likeness.score.total_cmp(&a.likeness.score));
        let ids = pairs.iter().flat_map(|pair| [pair.one, pair.other]);
        let titles = office::titles(&*read, ids)?;
        Ok::<_, OfficeError>((pairs, titles, scanned, after))
    });
    let (pairs, titles, scanned, next) = found.await?;
    let path = |id: RecordId| format!("/records/{}/{id}", entity.name);
    let pairs = pairs.into_iter().map(|pair| {
        let side = |id| (path(id), title_of(&titles, id, entity, words));
        Pair {
            one: side(pair.one),
            other: side(pair.other),
            why: why(&pair.likeness, words),
            // The older record goes on.
            merge: format!("{}/merge/{}", path(pair.other), pair.one),
            distinct: format!("{}/distinct", path(pair.one)),
            other_id: pair.other,
        }
    });
    let entities = taking_part().map(|known| {
        let href = format!("/duplicates?entity={}", known.name);
        (href, label_of(known, words.0).to_owned(), known.name == entity.name)
    });
    let pairs: Vec<Pair> = pairs.collect();
    let count = pairs.len();
    let page = DuplicatesPage {
        page: Page::new(&session, words.t("duplicates-title"), "/duplicates"),
        entities: entities.collect(),
        pairs,
        scanned,
        next: next.map(|next| format!("/duplicates?entity={}&after={next}", entity.name)),
    };
    Ok(showing(respond(&page), count))
}

/// `POST /records/{entity}/{id}/distinct`: two records are not the same.
pub(super) async fn tell_apart(
    State(state): State<AppState>,
    Path((entity, id)): Path<(String, String)>,
    Submission { session, fields }: Submission,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let other: RecordId = fields.get("other").parse().map_err(|_| Failure::BadQuery)?;
    let (policy, now_ms) = (state.policy()?, state.now_ms());
    let done = state.run_as(session.eyes(), move |storage| {
        let author = author_of(storage, &policy, &session.user, session.user_record, now_ms)?;
        office::tell_apart(storage, &policy, &author, (id, other), now_ms)
    });
    done.await?;
    Ok(Redirect::to(&format!("/duplicates?entity={}", entity.name)).into_response())
}
