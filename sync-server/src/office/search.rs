//! Search at the office: hits, lists of what was found, what is near, saved filters.

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Schema},
    store::{
        near::{NearQuery, NearRecord},
        query::{Compare, Filter, IdPage, Query},
        search::{SearchPage, SearchQuery},
    },
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{ListPage, OfficeError, list::views, view::view};
use crate::storage::{Read, StorageError};

/// Saved filters that a list offers, at most.
pub const SAVED_MAX: usize = 50;

/// Searches all records for what a person typed, the best hits first.
///
/// # Errors
///
/// [`StorageError::Query`] for an entity that there is not or a cursor that is none.
pub fn search(read: &dyn Read, query: &SearchQuery) -> Result<SearchPage, OfficeError> {
    Ok(read.search(query)?)
}

/// Records near a place with their names, nearest first.
///
/// # Errors
///
/// [`StorageError::Query`] for a place that is not on Earth, and an entity without positions.
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
    let asked = SearchQuery {
        text: text.to_owned(),
        entities: vec![entity.name.clone()],
        with_archived: query.with_archived,
        ..SearchQuery::default()
    };
    let (ids, _) = read.search_ids(&asked)?;
    if query.sort.is_some() || !query.filters.is_empty() {
        let (page, total) = read.list_among(entity, query, &ids)?;
        return Ok(ListPage { records: views(read, page.ids)?, next: page.next, total });
    }
    let wrong = || StorageError::Query("this is not a cursor of an earlier page".to_owned());
    let from: usize = match &query.after {
        Some(after) => after.parse().map_err(|_| wrong())?,
        None => 0,
    };
    let page: Vec<RecordId> = ids.iter().skip(from).take(query.limit).copied().collect();
    let end = from.saturating_add(page.len());
    let next = (end < ids.len() && !page.is_empty()).then(|| end.to_string());
    Ok(ListPage { records: views(read, page)?, next, total: ids.len() as u64 })
}

/// A list that somebody kept: what is searched, and under which conditions in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedFilter {
    /// Its record.
    pub id: Option<RecordId>,
    /// What it is called.
    pub name: String,
    /// What is searched; nothing if empty.
    pub search: String,
    /// The conditions and the order.
    pub query: Query,
    /// Whether it is for everybody.
    pub is_shared: bool,
}

/// What of a query is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Definition {
    filters: Vec<Filter>,
    sort: Option<String>,
    descending: bool,
    with_archived: bool,
}

impl SavedFilter {
    /// Reads one from its record.
    #[must_use]
    pub fn read(record: &Map<String, Json>) -> Self {
        let text =
            |name: &str| record.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let definition = record.get("definition").cloned().unwrap_or_else(|| json!({}));
        // What a newer program keeps and this one cannot read is left out.
        let Definition { filters, sort, descending, with_archived } =
            serde_json::from_value(definition).unwrap_or_default();
        Self {
            id: text("id").parse().ok(),
            name: text("name"),
            search: text("search"),
            query: Query { filters, sort, descending, with_archived, ..Query::default() },
            is_shared: record.get("shared").and_then(Json::as_bool).unwrap_or_default(),
        }
    }

    /// The fields of its record.
    #[must_use]
    pub fn fields(&self, entity: &Entity) -> Map<String, Json> {
        let Query { filters, sort, descending, with_archived, .. } = &self.query;
        let mut fields = Map::new();
        fields.insert("name".to_owned(), self.name.as_str().into());
        fields.insert("about_entity".to_owned(), entity.name.as_str().into());
        if !self.search.is_empty() {
            fields.insert("search".to_owned(), self.search.as_str().into());
        }
        fields.insert("shared".to_owned(), self.is_shared.into());
        let definition = json!({
            "filters": filters,
            "sort": sort,
            "descending": descending,
            "with_archived": with_archived,
        });
        fields.insert("definition".to_owned(), definition);
        fields
    }
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
    let Some(kept) = Schema::current().entity("saved_filter") else { return Ok(Vec::new()) };
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
    let found = view(read, id)?.filter(|record| record.entity.name == "saved_filter");
    let record = found.ok_or(OfficeError::UnknownRecord(id))?;
    Ok(SavedFilter { id: Some(id), ..SavedFilter::read(&record.json) })
}
