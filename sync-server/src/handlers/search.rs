//! Search and what is near, as JSON.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use outrider_core::store::{
    near::{NEAR_MAX, NearQuery, NearRecord, RADIUS_MAX_M},
    search::{SearchPage, SearchQuery},
};
use serde::{Deserialize, Serialize};

use crate::{
    access::Eyes,
    audit::reading::showing,
    auth::Caller,
    error::AppError,
    office::{self, OfficeError},
    state::AppState,
};

/// What can be asked of a search.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    /// Names of entities, with commas.
    #[serde(default)]
    entity: String,
    after: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    archived: bool,
}

/// `GET /v1/search?q=&entity=&after=&limit=&archived=`: records that hit, the best first.
pub(crate) async fn search_records(
    State(state): State<AppState>,
    Caller(device): Caller,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, AppError> {
    let Query(Asked { q, entity, after, limit, archived }) = query.map_err(|_| wrong())?;
    let names = entity.split(',').map(str::trim).filter(|name| !name.is_empty());
    let standard = SearchQuery::default();
    let query = SearchQuery {
        text: q,
        entities: names.map(str::to_owned).collect(),
        with_archived: archived,
        after,
        limit: limit.unwrap_or(standard.limit),
    };
    let page = state
        .run_as(Eyes::of_device(&device), move |storage| office::search(&*storage.read()?, &query));
    let page: SearchPage = page.await?;
    let count = page.hits.len();
    Ok(showing(Json(page).into_response(), count))
}

/// What can be asked of places.
#[derive(Deserialize)]
pub(crate) struct AskedPlace {
    lat: String,
    lon: String,
    entity: Option<String>,
    radius_m: Option<u32>,
    limit: Option<usize>,
}

/// Records near a place.
#[derive(Serialize)]
pub(crate) struct NearPage {
    records: Vec<NearTitle>,
}

#[derive(Serialize)]
struct NearTitle {
    #[serde(flatten)]
    near: NearRecord,
    title: String,
}

/// `GET /v1/near?lat=&lon=&entity=&radius_m=&limit=`: records near a place, nearest first.
pub(crate) async fn list_near(
    State(state): State<AppState>,
    Caller(device): Caller,
    query: Result<Query<AskedPlace>, QueryRejection>,
) -> Result<Response, AppError> {
    let Query(AskedPlace { lat, lon, entity, radius_m, limit }) = query.map_err(|_| wrong())?;
    let lat = lat.parse().map_err(|_| wrong())?;
    let lon = lon.parse().map_err(|_| wrong())?;
    let radius_m = radius_m.unwrap_or(RADIUS_MAX_M);
    let limit = limit.unwrap_or(50).min(NEAR_MAX);
    let query = NearQuery { lat, lon, entity, radius_m, limit };
    let found = state.run_as(Eyes::of_device(&device), move |storage| {
        let found = office::near(&*storage.read()?, &query)?;
        let records = found.into_iter().map(|(near, title)| NearTitle { near, title }).collect();
        Ok::<_, OfficeError>(NearPage { records })
    });
    let page = found.await?;
    let count = page.records.len();
    Ok(showing(Json(page).into_response(), count))
}

fn wrong() -> AppError {
    AppError::bad_request("bad_query", "numbers are expected for limits and degrees".to_owned())
}
