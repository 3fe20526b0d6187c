//! A record: its fields, what is in conflict, who links to it, what happened with it.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as JsonBody,
    extract::{Path, RawQuery, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use outrider_core::{
    access::Operation,
    ids::RecordId,
    schema::{Entity, Family, Schema},
    store::{
        near::geo_field,
        timeline::{TimelineEntry, TimelineQuery},
    },
};
use serde_json::{Map, Value as Json};

use super::{
    edit::{record_of, titles_in, view_of},
    export::{Offer, record_offers},
    failure::Failure,
    form::Fields,
    inputs::{Titles, is_common, linked},
    page::{Page, When, name_of, respond},
    search::address_of,
    session::Session,
    sheet::Sheet,
    show::{Shown, show},
    words::Words,
};
use crate::{
    error::AppError,
    office::{
        self, ConflictView, HISTORY_PAGE_MAX, HistoryQuery, Holder, OfficeError, RecordView,
        Related,
    },
    state::AppState,
};

/// Related records that a record's page names of each sort, at most.
const RELATED_SHOWN_MAX: usize = 8;
/// Entries of a timeline on one page.
const TIMELINE_SHOWN_MAX: usize = 25;
/// Fields that an entry of a timeline shows, at most.
const DETAILS_MAX: usize = 4;

/// One of several values.
#[derive(Debug, Clone)]
struct Choice {
    value: Shown,
    json: String,
    user: String,
    device: String,
    when: Option<When>,
    is_shown: bool,
}

/// A field or cell with several values.
#[derive(Debug, Clone)]
struct Dispute {
    key: String,
    label: String,
    must_settle: bool,
    choices: Vec<Choice>,
}

/// Records of one sort that link here.
#[derive(Debug, Clone)]
struct Relation {
    label: String,
    field: String,
    entity: String,
    count: u64,
    all: String,
    new: String,
    records: Vec<(String, String)>,
}

/// A device that holds the record.
#[derive(Debug, Clone)]
struct Holding {
    user: String,
    device: String,
    said: When,
    /// Whether it should be gone, and since when, if that is known.
    should_go: bool,
    since: Option<When>,
}

impl From<Holder> for Holding {
    fn from(holder: Holder) -> Self {
        Self {
            user: holder.user,
            device: holder.name,
            said: When::at(holder.said_at),
            should_go: !holder.may_hold,
            since: holder.since.map(When::at),
        }
    }
}

/// One thing that happened with a family.
#[derive(Debug, Clone)]
struct Happening {
    key: String,
    href: String,
    when: Option<When>,
    kind: String,
    title: String,
    by: String,
    details: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    page: Page,
    title: String,
    entity_label: String,
    list: String,
    path: String,
    id: RecordId,
    position: u64,
    is_archived: bool,
    is_revived: bool,
    sheet: Sheet,
    disputes: Vec<Dispute>,
    /// What happened with the whole family, where the record is its head.
    timeline: Option<Vec<Happening>>,
    earlier: Option<String>,
    relations: Vec<Relation>,
    parts: Vec<String>,
    /// What is near it, if it has a position.
    near: Option<String>,
    /// Where the record leads, if it was merged into another.
    heir: Option<(String, String)>,
    /// Records that were merged into this one.
    halves: Vec<(String, String)>,
    exports: Vec<Offer>,
    /// Whether the reader may take records of this sort out as files.
    may_export: bool,
    /// Whether the reader may erase it, and it is a person.
    may_erase: bool,
    /// The devices that hold it, for administrators.
    holders: Option<Vec<Holding>>,
}

/// `GET /records/{entity}/{id}`: the record.
pub(super) async fn show_record(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let query = query.unwrap_or_default();
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "before");
    let wanted = TimelineQuery {
        after: after.map(|(_, after)| after.into_owned()),
        limit: TIMELINE_SHOWN_MAX,
        ..TimelineQuery::default()
    };
    let now_ms = state.now_ms();
    let is_administrator = super::devices::check_role(&session).is_ok();
    let (record, related, timeline, titles, last, (heir, halves, names, holders)) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let record = view_of(&*read, entity, id)?.at(now_ms);
            let related = office::related(&*read, id)?;
            let past = HistoryQuery { limit: HISTORY_PAGE_MAX, ..HistoryQuery::default() };
            let mut last = BTreeMap::new();
            for entry in office::history(&*read, id, &past)?.entries {
                last.entry(entry.field).or_insert((entry.user, When::at(entry.made_at)));
            }
            let timeline = match has_timeline(entity) {
                true => Some(office::timeline(&*read, id, &wanted)?),
                false => None,
            };
            let mut all = record.json.clone();
            for conflict in &record.conflicts {
                for (at, value) in conflict.values.iter().enumerate() {
                    all.insert(format!("{}?{at}", conflict.key), value.value.clone());
                }
            }
            let titles = titles_in(&*read, &all, &Fields::default())?;
            let leads = record.json.get("redirect_to").and_then(Json::as_str);
            let heir: Option<RecordId> = leads.and_then(|leads| leads.parse().ok());
            let holders = match is_administrator {
                true => Some(office::holders(&*read, id, now_ms)?),
                false => None,
            };
            let halves = read.halves(entity, id)?;
            let names = office::titles(&*read, heir.into_iter().chain(halves.iter().copied()))?;
            let rest = (heir, halves, names, holders);
            Ok::<_, OfficeError>((record, related, timeline, titles, last, rest))
        })
        .await?;
    let words = Words(session.language);
    let path = format!("/records/{}/{id}", entity.name);
    let mut page = Page::new(&session, name_of(&record.title, id, &entity.name, words.0), &path)
        .at(record.position);
    page.notice = match form_urlencoded::parse(query.as_bytes()).next() {
        Some((name, done)) if name == "done" => notice(words, &done),
        Some(_) | None => None,
    };
    let disputed: Vec<String> = record.conflicts.iter().map(|c| c.field.clone()).collect();
    let sheet = Sheet::new(entity, &record.json, &disputed, words, &titles).with_last(&last);
    let title = name_of(&record.title, id, &entity.name, words.0);
    let RecordView { conflicts, position, is_archived, json, .. } = record;
    let disputes = conflicts.into_iter().filter_map(|c| dispute(entity, c, &json, words, &titles));
    let (timeline, earlier) = match timeline {
        Some(timeline) => {
            let earlier = timeline.next.map(|next| {
                let mut query = form_urlencoded::Serializer::new(String::new());
                format!("{path}?{}#timeline", query.append_pair("before", &next).finish())
            });
            let happenings = timeline.entries.into_iter().map(|entry| happening(entry, words));
            (Some(happenings.collect()), earlier)
        }
        None => (None, None),
    };
    let named = |id: RecordId| {
        let title = names.get(&id).map_or_else(|| id.to_string(), |(_, title)| title.clone());
        let title = name_of(&title, id, &entity.name, words.0);
        (format!("/records/{}/{id}", entity.name), title)
    };
    Ok(respond(&RecordPage {
        page,
        timeline,
        earlier,
        title,
        entity_label: entity.label.get(words.0).to_owned(),
        list: format!("/records/{}", entity.name),
        may_export: session.may(Operation::Export, &entity.name),
        exports: record_offers(entity, &path),
        path,
        id,
        position,
        is_archived,
        is_revived: json.get("is_revived").and_then(Json::as_bool) == Some(true),
        sheet,
        disputes: disputes.collect(),
        relations: related.into_iter().map(|related| relation(related, id, words)).collect(),
        near: near_of(entity, &json),
        may_erase: is_administrator && office::PERSONS.contains(&entity.name.as_str()),
        holders: holders.map(|all| all.into_iter().map(Holding::from).collect()),
        heir: heir.map(named),
        halves: halves.into_iter().map(named).collect(),
        parts: entity.parts().iter().map(|part| part.as_str().to_owned()).collect(),
    }))
}

/// The address of what is near a record, if it has a position.
fn near_of(entity: &Entity, json: &Map<String, Json>) -> Option<String> {
    let geo = json.get(&geo_field(entity)?.name)?;
    let degrees = |name: &str| geo.get(name).and_then(Json::as_str);
    Some(address_of(&format!("{},{}", degrees("lat")?, degrees("lon")?), &entity.name))
}

/// Whether a record of this entity is the head of a family.
fn has_timeline(entity: &Entity) -> bool {
    let heads = Schema::current().entities().filter_map(|other| match &other.family {
        Family::Link(field) => linked(&other.field(field)?.ty),
        Family::Itself => None,
    });
    entity.family == Family::Itself && heads.into_iter().any(|head| head == entity.name)
}

fn happening(entry: TimelineEntry, words: Words) -> Happening {
    let entity = Schema::current().entity(&entry.entity);
    let mut kind = entity.map_or_else(|| entry.entity.clone(), |e| e.label.get(words.0).to_owned());
    if let Some((_, log)) = entry.kind.split_once('.') {
        kind = format!("{kind} · {}", super::today::label(&entry.entity, log, words.0));
    }
    let columns = entity.into_iter().flat_map(|entity| {
        let log = entry.kind.split_once('.').and_then(|(_, log)| entity.field(log));
        log.map_or(&entity.fields, |log| &log.columns)
    });
    let told = columns.filter(|field| {
        field.name != "customer_id"
            && !is_common(field)
            && entity.is_some_and(|e| e.title != field.name)
    });
    let nobody = Titles::new();
    let details = told.filter_map(|field| {
        let shown = show(&field.ty, entry.detail.get(&field.name)?, words.0, &nobody);
        let is_told = linked(&field.ty).is_none() && !shown.is_empty();
        is_told.then(|| Shown::Named(field.label.get(words.0).to_owned(), Box::new(shown)))
    });
    Happening {
        href: format!("/records/{}/{}", entry.entity, entry.record),
        key: format!("{}/{}/{}", entry.kind, entry.record, entry.at_ms),
        when: (entry.at_ms > 0).then(|| When::at(entry.at_ms)),
        title: name_of(&entry.title, entry.record, &entry.entity, words.0),
        by: entry.by_name.unwrap_or_default(),
        details: details.take(DETAILS_MAX).collect(),
        kind,
    }
}

fn notice(words: Words, done: &str) -> Option<String> {
    Some(match done {
        "created" => words.t("done-created"),
        "saved" => words.t("done-saved"),
        "same" => words.t("done-same"),
        "settled" => words.t("done-settled"),
        "archived" => words.t("done-archived"),
        "restored" => words.t("done-restored"),
        "merged" => words.t("done-merged"),
        "unmerged" => words.t("done-unmerged"),
        _ => return None,
    })
}

fn dispute(
    entity: &Entity,
    conflict: ConflictView,
    json: &Map<String, Json>,
    words: Words,
    titles: &Titles,
) -> Option<Dispute> {
    let field = entity.field(&conflict.field)?;
    let mut path = conflict.key.split('/').skip(1);
    let row = path.next();
    let column = path.next().and_then(|column| field.column(column));
    let label = field.label.get(words.0);
    let label = match (row, column) {
        (Some(row), Some(column)) => {
            let rows = json.get(&field.name).and_then(Json::as_array).into_iter().flatten();
            let mut ids = rows.map(|row| row.get("id").and_then(Json::as_str).unwrap_or_default());
            let at = ids.position(|id| id == row).map_or(0, |at| at + 1);
            format!("{label} {at}, {}", column.label.get(words.0))
        }
        (_, _) => label.to_owned(),
    };
    let ty = &column.unwrap_or(field).ty;
    let choices = conflict.values.into_iter().map(|value| Choice {
        json: value.value.to_string(),
        value: show(ty, &value.value, words.0, titles),
        user: value.user,
        device: value.device_name,
        when: value.made_at.map(When::at),
        is_shown: value.is_shown,
    });
    Some(Dispute {
        key: conflict.key,
        label,
        must_settle: conflict.must_settle,
        choices: choices.collect(),
    })
}

fn relation(related: Related, id: RecordId, words: Words) -> Relation {
    let Related { entity, field, count, records } = related;
    let records = records.into_iter().take(RELATED_SHOWN_MAX);
    Relation {
        label: entity.plural.get(words.0).to_owned(),
        field: field.label.get(words.0).to_owned(),
        all: format!("/records/{}?by={}&of={id}", entity.name, field.name),
        new: format!("/records/{}/new?{}={id}", entity.name, field.name),
        records: records
            .map(|(id, title)| {
                let title = name_of(&title, id, &entity.name, words.0);
                (format!("/records/{}/{id}", entity.name), title)
            })
            .collect(),
        entity: entity.name.clone(),
        count,
    }
}

/// `GET /records/{entity}/{id}/record.json`: the record for programs.
pub(super) async fn download_json(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let now_ms = state.now_ms();
    let view = state
        .run_to_export(session.eyes(), move |storage| view_of(&*storage.read()?, entity, id))
        .await?;
    let record = view.at(now_ms);
    let name = format!("attachment; filename=\"{}-{id}.json\"", entity.name);
    let name = HeaderValue::from_str(&name)
        .map_err(|_| AppError::Internal("a file had a name that is none"))?;
    Ok(([(header::CONTENT_DISPOSITION, name)], JsonBody(record.json)).into_response())
}
