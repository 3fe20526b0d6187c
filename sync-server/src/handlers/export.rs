//! Records as files, for devices and programs.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};
use outrider_core::{
    access::Operation,
    schema::{Entity, Language, Schema},
    store::query::{Compare, FILTERS_MAX, Filter, Query},
    transfer::export::{CardVersion, Format, Headers, Options},
};

use crate::{
    access::Eyes,
    auth::Caller,
    error::AppError,
    office::{self, FileOptions, Selection},
    state::AppState,
    stream::stream_file,
};

/// Parameters of one request, at most.
const PARAMETERS_MAX: usize = FILTERS_MAX + 10;

/// `GET /v1/export/{entity}?format=&headers=&where=&from=&to=&contains=&sort=&dir=&archived=`: streams
/// records as a file.
pub(crate) async fn export_records(
    State(state): State<AppState>,
    Caller(device): Caller,
    Path(entity): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AppError> {
    let entity = Schema::current().entity(&entity).ok_or_else(|| {
        AppError::refused(StatusCode::NOT_FOUND, "not_found", "there is no such entity")
    })?;
    let (query, mut file) = read_query(&query.unwrap_or_default(), state.now_ms())?;
    file.device = Some(device.id);
    send_file(&state, Eyes::of_device(&device), entity, Selection::List(query), file).await
}

/// Answers with a file of records.
pub(crate) async fn send_file(
    state: &AppState,
    eyes: Eyes,
    entity: &'static Entity,
    selection: Selection,
    file: FileOptions,
) -> Result<Response, AppError> {
    let name = match &selection {
        Selection::List(_) | Selection::Found(..) => {
            format!("{}.{}", entity.name, file.format.ending())
        }
        Selection::Record(id) => format!("{}-{id}.{}", entity.name, file.format.ending()),
    };
    let (policies, now_ms) = (Arc::clone(&state.policies), state.now_ms());
    stream_file(state, file.format.media_type(), &name, move |storage, pipe| {
        // What may be read need not be what may be taken out as a file.
        let seen = policies.seen(storage, &eyes, now_ms)?.narrowed_to(Operation::Export);
        office::write_file(&seen, entity, &selection, &file, Box::new(pipe))?;
        Ok(())
    })
    .await
}

fn read_query(text: &str, now_ms: i64) -> Result<(Query, FileOptions), AppError> {
    let wrong = |words: String| AppError::bad_request("bad_query", words);
    let mut query = Query::default();
    let mut format = Format::Json;
    let mut options = Options { now_ms, ..Options::default() };
    for (at, (name, value)) in form_urlencoded::parse(text.as_bytes()).enumerate() {
        if at >= PARAMETERS_MAX {
            return Err(wrong(format!("at most {PARAMETERS_MAX} parameters")));
        }
        let compare = match name.as_ref() {
            "format" => {
                format = Format::named(&value).ok_or_else(|| {
                    wrong("`format` is csv, xlsx, json, jsonl, vcf or ics".to_owned())
                })?;
                continue;
            }
            "headers" => {
                options.headers = match value.as_ref() {
                    "names" => Headers::Names,
                    "en" => Headers::Labels(Language::En),
                    "zh" => Headers::Labels(Language::Zh),
                    _ => return Err(wrong("`headers` is names, en or zh".to_owned())),
                };
                options.bom = options.headers != Headers::Names;
                continue;
            }
            "card" => {
                options.card = if value == "3" { CardVersion::V3 } else { CardVersion::V4 };
                continue;
            }
            "sort" => {
                query.sort = Some(value.into_owned());
                continue;
            }
            "dir" => {
                query.descending = value == "down";
                continue;
            }
            "archived" => {
                query.with_archived = value == "yes";
                continue;
            }
            "where" => Compare::Is,
            "from" => Compare::From,
            "to" => Compare::To,
            "contains" => Compare::Contains,
            _ => return Err(wrong("there is no such parameter".to_owned())),
        };
        let (column, value) =
            value.split_once('=').ok_or_else(|| wrong(format!("`{name}` is field=value")))?;
        let (column, compare) = match (column.strip_suffix('!'), compare) {
            (Some(column), Compare::Is) => (column, Compare::IsNot),
            (_, compare) => (column, compare),
        };
        query.filters.push(Filter { column: column.to_owned(), compare, value: value.to_owned() });
    }
    Ok((query, FileOptions { format, options, device: None, account: None, subject: None }))
}
