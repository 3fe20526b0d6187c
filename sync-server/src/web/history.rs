//! A record's complete history, the record as it was, and its Automerge files.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use outrider_core::{
    domain::history::What,
    ids::{Part, RecordId},
    schema::{Entity, Field, Kind},
};
use serde_json::{Map, Value as Json};

use super::{
    edit::{record_of, titles_in, view_of},
    failure::Failure,
    form::Fields,
    inputs::Titles,
    page::{Page, When, name_of, respond},
    session::Session,
    sheet::Sheet,
    show::{Shown, plain, show},
    words::Words,
};
use crate::{
    office::{self, HistoryEntry, HistoryQuery, OfficeError, Place},
    state::AppState,
};

/// Entries on one page.
const PAGE_ENTRIES: usize = 50;

struct Line {
    key: String,
    field: String,
    what: String,
    old: Shown,
    new: Shown,
    written: Option<Shown>,
    is_conflict: bool,
    user: String,
    device: String,
    approved_by: Option<String>,
    made: When,
    received: When,
    at: String,
    position: u64,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryTemplate {
    page: Page,
    title: String,
    path: String,
    field: String,
    fields: Vec<(String, String)>,
    lines: Vec<Line>,
    is_first: bool,
    next: Option<String>,
}

/// `GET /records/{entity}/{id}/history`: who changed what, newest first.
pub(super) async fn show_history(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let asked = Fields(
        form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .take(5)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    );
    let field = asked.get("field").to_owned();
    let after: Option<Place> = match asked.get("after") {
        "" => None,
        text => Some(text.parse().map_err(|_| Failure::BadQuery)?),
    };
    let wanted = HistoryQuery {
        field: Some(field.clone()).filter(|field| !field.is_empty()),
        after,
        limit: PAGE_ENTRIES,
    };
    let (record, history, titles) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let record = view_of(&*read, entity, id)?;
            let history = office::history(&*read, id, &wanted)?;
            let values = history.entries.iter().enumerate().flat_map(|(at, entry)| {
                [(format!("{at}.old"), entry.old.clone()), (format!("{at}.new"), entry.new.clone())]
            });
            let titles = titles_in(&*read, &Map::from_iter(values), &Fields::default())?;
            Ok::<_, OfficeError>((record, history, titles))
        })
        .await?;
    let words = Words(session.language);
    let path = format!("/records/{}/{id}", entity.name);
    let here = format!("{path}/history");
    let title = name_of(&record.title, id, &entity.name, words.0);
    let heading = words.name("history-heading", &title);
    let all = entity.fields.iter().filter(|field| !field.by_program);
    let query = |place: Place| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !field.is_empty() {
            query.append_pair("field", &field);
        }
        format!("{here}?{}", query.append_pair("after", &place.to_string()).finish())
    };
    Ok(respond(&HistoryTemplate {
        page: Page::new(&session, heading, &here).at(record.position),
        title,
        fields: all.map(|f| (f.name.clone(), f.label.get(words.0).to_owned())).collect(),
        lines: history
            .entries
            .into_iter()
            .map(|e| line(e, entity, &path, words, &titles))
            .collect(),
        is_first: after.is_none(),
        next: history.next.map(query),
        path,
        field,
    }))
}

fn line(entry: HistoryEntry, entity: &Entity, path: &str, words: Words, titles: &Titles) -> Line {
    let field = entity.field(&entry.field);
    let (column, row) = parts_of(field, &entry.key);
    let value = |json: &Json| match field {
        Some(field) => show_at(field, column, row, json, words, titles),
        None => plain(json),
    };
    let mut label = field.map_or_else(|| entry.field.clone(), |f| f.label.get(words.0).to_owned());
    if let Some(column) = column {
        label = format!("{label}, {}", column.label.get(words.0));
    }
    Line {
        old: value(&entry.old),
        new: value(&entry.new),
        written: entry.written.as_ref().map(value),
        field: label,
        what: what(entry.what, words),
        is_conflict: entry.is_conflict,
        user: entry.user,
        device: entry.device_name,
        approved_by: entry.approved_by,
        made: When::at(entry.made_at),
        received: When::at(entry.received_at),
        at: format!("{path}/at/{}", entry.position),
        position: entry.position,
        key: entry.key,
    }
}

/// The column that a key names, and whether it names a row.
fn parts_of<'a>(field: Option<&'a Field>, key: &str) -> (Option<&'a Field>, bool) {
    let mut path = key.split('/').skip(1);
    let row = path.next().is_some();
    (path.next().and_then(|column| field?.column(column)), row)
}

fn show_at(
    field: &Field,
    column: Option<&Field>,
    is_item: bool,
    json: &Json,
    words: Words,
    titles: &Titles,
) -> Shown {
    if let Some(column) = column {
        return show(&column.ty, json, words.0, titles);
    }
    match (field.kind, json) {
        (Kind::Rows | Kind::Log, Json::Object(members)) if is_item => {
            let cells = field.columns.iter().filter_map(|column| {
                let cell = show(&column.ty, members.get(&column.name)?, words.0, titles);
                Some(Shown::Named(column.label.get(words.0).to_owned(), Box::new(cell)))
            });
            Shown::Many(cells.collect())
        }
        (Kind::Text | Kind::Counter, _) | (_, Json::Bool(_)) if field.ty.name() != "bool" => {
            plain(json)
        }
        (_, _) => show(&field.ty, json, words.0, titles),
    }
}

fn what(what: What, words: Words) -> String {
    match what {
        What::Changed => words.t("what-changed"),
        What::Settled => words.t("what-settled"),
        What::Added => words.t("what-added"),
        What::Removed => words.t("what-removed"),
        What::CameBack => words.t("what-came-back"),
        What::Archived => words.t("what-archived"),
        What::Restored => words.t("what-restored"),
        What::Revived => words.t("what-revived"),
        What::Edited => words.t("what-edited"),
    }
}

#[derive(Template)]
#[template(path = "at.html")]
struct AtPage {
    page: Page,
    title: String,
    path: String,
    position: u64,
    now: u64,
    sheet: Sheet,
}

/// `GET /records/{entity}/{id}/at/{position}`: the record as it was.
pub(super) async fn show_at_position(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id, position)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let position: u64 = position.parse().map_err(|_| Failure::NotFound)?;
    let (record, was, titles) = state
        .run_as(session.eyes(), move |storage| {
            let read = storage.read()?;
            let record = view_of(&*read, entity, id)?;
            let was = office::as_of(&*read, id, position)?;
            let was = was.and_then(|was| was.as_object().cloned());
            let was = was.ok_or(OfficeError::UnknownRecord(id))?;
            let titles = titles_in(&*read, &was, &Fields::default())?;
            Ok::<_, OfficeError>((record, was, titles))
        })
        .await?;
    let words = Words(session.language);
    let path = format!("/records/{}/{id}", entity.name);
    let title = words.name("at-heading", &name_of(&record.title, id, &entity.name, words.0));
    Ok(respond(&AtPage {
        page: Page::new(&session, title.clone(), &format!("{path}/at/{position}")),
        sheet: Sheet::new(entity, &was, &[], words, &titles),
        now: record.position,
        title,
        path,
        position,
    }))
}

/// `GET /records/{entity}/{id}/{part}.automerge`: a part's history as a standard file.
pub(super) async fn download_automerge(
    State(state): State<AppState>,
    session: Session,
    Path((entity, id, file)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let (entity, id) = record_of(&entity, &id)?;
    let part = file.strip_suffix(".automerge").and_then(|part| part.parse::<Part>().ok());
    let part = part.filter(|part| entity.parts().contains(part)).ok_or(Failure::NotFound)?;
    let name = format!("attachment; filename=\"{}-{id}-{part}.automerge\"", entity.name);
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::NotFound)?;
    let bytes = state
        .run_to_export(session.eyes(), move |storage| file_of(storage, entity, id, &part))
        .await?;
    let bytes = bytes.ok_or(Failure::NotFound)?;
    let file_type = HeaderValue::from_static("application/vnd.automerge");
    let headers = [(header::CONTENT_TYPE, file_type), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}

fn file_of(
    storage: &dyn crate::storage::Storage,
    entity: &Entity,
    id: RecordId,
    part: &Part,
) -> Result<Option<Vec<u8>>, OfficeError> {
    let read = storage.read()?;
    view_of(&*read, entity, id)?;
    office::export_automerge(&*read, id, part)
}
