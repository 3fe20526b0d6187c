//! Search at the office: hits, lists of what was found, what is near, saved filters.

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Schema},
    store::{
        near::{NearQuery, NearRecord},
        query::{Compare, Filter, IdPage, Query},
        saved::{SAVED_FILTER, SavedFilter},
        search::{SearchPage, SearchQuery},
    },
};
use serde_json::Value as Json;

use super::{ListPage, OfficeError, list::views, view::view};
use crate::storage::Read;

/// Saved filters that a list offers, at most.
pub const SAVED_MAX: usize = 50;

/// Searches all records for what a person typed, the best hits first.
///
/// # Errors
///
/// [`StorageError::Query`](crate::storage::StorageError::Query) for an entity that there is not or a cursor that is none.
pub fn search(read: &dyn Read, query: &SearchQuery) -> Result<SearchPage, OfficeError> {
    Ok(read.search(query)?)
}

/// Records near a place with their names, nearest first.
///
/// # Errors
///
/// [`StorageError::Query`](crate::storage::StorageError::Query) for a place that is not on Earth, and an entity without positions.
pub fn near(read: &dyn Read, query: &NearQuery) -> Result<Vec<(NearRecord, String)>, OfficeError> {
    let found = read.near(query)?;
    let titles = super::titles(read, found.iter().map(|near| near.record))?;
    let with_title = found.into_iter().map(|near| {
        let title = titles.get(&near.record).map(|(_, title)| title.clone());
        let title = title.unwrap_or_else(|| near.record.to_string());
        (near, title)
    });
    Ok(with_title.collect())
}

/// A page of an entity's records that a search finds: the best hits first, unless an order is
/// asked for.
///
/// # Errors
///
/// As [`list`](super::list).
pub fn list_found(
    read: &dyn Read,
    entity: &Entity,
    text: &str,
    query: &Query,
) -> Result<ListPage, OfficeError> {
    let (page, total) = read.list_found(entity, text, query)?;
    Ok(ListPage { records: views(read, page.ids)?, next: page.next, total })
}

/// The filters that a user may take for lists of an entity: those for everybody and the own ones,
/// by name.
///
/// # Errors
///
/// Fails when the storage does.
pub fn saved_filters(
    read: &dyn Read,
    entity: &Entity,
    user: Option<RecordId>,
) -> Result<Vec<SavedFilter>, OfficeError> {
    let Some(kept) = Schema::current().entity(SAVED_FILTER) else { return Ok(Vec::new()) };
    let filter = Filter {
        column: "about_entity".to_owned(),
        compare: Compare::Is,
        value: entity.name.clone(),
    };
    let query = Query {
        filters: vec![filter],
        sort: Some("name".to_owned()),
        limit: SAVED_MAX,
        ..Query::default()
    };
    let IdPage { ids, .. } = read.list(kept, &query)?;
    let mut found = Vec::new();
    for record in views(read, ids)? {
        let filter = SavedFilter { id: Some(record.id), ..SavedFilter::read(&record.json) };
        let is_of = |name: &str| {
            let id = record.json.get(name).and_then(Json::as_str).and_then(|id| id.parse().ok());
            user.is_some() && id == user
        };
        if filter.is_shared || is_of("owner_id") || is_of("created_by") {
            found.push(filter);
        }
    }
    Ok(found)
}

/// A saved filter by its record.
///
/// # Errors
///
/// [`OfficeError::UnknownRecord`]; fails when the storage does.
pub fn saved_filter(read: &dyn Read, id: RecordId) -> Result<SavedFilter, OfficeError> {
    let found = view(read, id)?.filter(|record| record.entity.name == SAVED_FILTER);
    let record = found.ok_or(OfficeError::UnknownRecord(id))?;
    Ok(SavedFilter { id: Some(id), ..SavedFilter::read(&record.json) })
}
