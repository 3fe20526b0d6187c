//! Records with their past: as they are, as they were, who changed what, as a file.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use outrider_core::{
    ids::{Part, RecordId},
    transfer::export::ExportError as FileError,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    access::Eyes,
    auth::Caller,
    error::AppError,
    office::{self, HistoryPage, HistoryQuery, OfficeError},
    state::AppState,
};

/// The media type of Automerge files.
const AUTOMERGE_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.automerge");

/// What can be asked of a history.
#[derive(Deserialize)]
pub(crate) struct ChangesQuery {
    field: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// As of when a record is asked for.
#[derive(Deserialize)]
pub(crate) struct AtQuery {
    at: Option<u64>,
}

/// `GET /v1/records/{record}/changes?field=&after=&limit=`: who changed what, newest first.
pub(crate) async fn show_changes(
    State(state): State<AppState>,
    Caller(device): Caller,
    record: Result<Path<RecordId>, PathRejection>,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Json<HistoryPage>, AppError> {
    let Path(record) = record.map_err(|_| no_record())?;
    let Query(ChangesQuery { field, after, limit }) = query.map_err(|_| no_query("limit"))?;
    let after = after.as_deref().map(str::parse).transpose()?;
    let standard = HistoryQuery::default();
    let query = HistoryQuery { field, after, limit: limit.unwrap_or(standard.limit) };
    let page = state.run_as(Eyes::of_device(&device), move |storage| {
        office::history(&*storage.read()?, record, &query)
    });
    page.await.map(Json)
}

/// `GET /v1/records/{record}?at=`: a record as JSON, as it is or as it was at a position.
pub(crate) async fn show_record(
    State(state): State<AppState>,
    Caller(device): Caller,
    record: Result<Path<RecordId>, PathRejection>,
    query: Result<Query<AtQuery>, QueryRejection>,
) -> Result<Json<Value>, AppError> {
    let Path(record) = record.map_err(|_| no_record())?;
    let Query(AtQuery { at }) = query.map_err(|_| no_query("at"))?;
    let found = state.run_as(Eyes::of_device(&device), move |storage| {
        let read = storage.read()?;
        let found = match at {
            Some(at) => office::as_of(&*read, record, at)?
                .map(|json| json!({ "position": at, "record": json })),
            None => office::view(&*read, record)?.map(|view| {
                json!({
                    "position": view.position,
                    "title": view.title,
                    "record": view.json,
                    "conflicts": view.conflicts,
                })
            }),
        };
        Ok::<_, OfficeError>(found)
    });
    found.await?.map(Json).ok_or_else(no_record)
}

/// `GET /v1/records/{record}/{part}/automerge`: a part's history as a standard file.
pub(crate) async fn show_automerge(
    State(state): State<AppState>,
    Caller(device): Caller,
    Path((record, part)): Path<(String, String)>,
) -> Result<Response, AppError> {
    let (Ok(record), Ok(part)) = (record.parse::<RecordId>(), part.parse::<Part>()) else {
        return Err(no_record());
    };
    let name = format!("attachment; filename=\"{record}-{part}.automerge\"");
    let name = HeaderValue::from_str(&name).map_err(|_| no_record())?;
    let found = state.run_as(Eyes::of_device(&device), move |storage| {
        office::export_automerge(&*storage.read()?, record, &part)
    });
    let bytes = found.await?.ok_or_else(no_record)?;
    let headers = [(header::CONTENT_TYPE, AUTOMERGE_TYPE), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}

fn no_record() -> AppError {
    AppError::refused(StatusCode::NOT_FOUND, "not_found", "there is no such record here")
}

fn no_query(name: &str) -> AppError {
    AppError::bad_request("bad_query", format!("`{name}` must be a whole number"))
}

impl From<OfficeError> for AppError {
    fn from(error: OfficeError) -> Self {
        let words = error.to_string();
        let refused = |status, code| Self::refused(status, code, words);
        match error {
            OfficeError::Storage(error) => Self::Storage(error),
            OfficeError::UnknownEntity(_) | OfficeError::UnknownRecord(_) => {
                refused(StatusCode::NOT_FOUND, "not_found")
            }
            OfficeError::UnknownPosition(_) => refused(StatusCode::CONFLICT, "unknown_position"),
            OfficeError::NoReview(_) => refused(StatusCode::CONFLICT, "no_review"),
            OfficeError::NotEntered(_) => refused(StatusCode::CONFLICT, "not_entered"),
            OfficeError::NoConflict { .. } => refused(StatusCode::CONFLICT, "no_conflict"),
            OfficeError::Merge(_) => refused(StatusCode::CONFLICT, "not_merged"),
            OfficeError::Edit(_) => refused(StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            OfficeError::Write(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, error.code()),
            OfficeError::Text(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, error.code()),
            OfficeError::Refused { .. } => refused(StatusCode::FORBIDDEN, "refused"),
            OfficeError::TooLarge => refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            OfficeError::Random(_) => Self::Internal("the system gave no randomness"),
            OfficeError::File(FileError::Io(error)) => {
                // Most likely a reader who went away; the log says what it was.
                tracing::debug!(error = %error, "a file was not written to its end");
                Self::Internal("a file could not be written")
            }
            OfficeError::File(FileError::Workbook(_)) => Self::Internal("a workbook failed"),
            OfficeError::File(FileError::OneEntity | FileError::NotThat { .. }) => {
                refused(StatusCode::BAD_REQUEST, "bad_format")
            }
            OfficeError::Export(_) => Self::Internal("a history could not be exported"),
        }
    }
}
