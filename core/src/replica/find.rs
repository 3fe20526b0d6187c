//! Finding: by what a person types, and by where a record is.

use serde_json::Value as Json;

use super::{Page, Replica, ReplicaError};
use crate::store::{
    StoreError,
    near::{self, NearQuery, NearRecord},
    query::{Compare, Filter, PAGE_MAX, Query},
    saved::{SAVED_FILTER, SavedFilter},
    search::{self, SearchPage, SearchQuery},
};

impl Replica {
    /// Searches all records for what a person typed, the best hits first.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] for an entity that there is not or a cursor that is none; whatever
    /// is typed is no error.
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, ReplicaError> {
        Ok(search::search(self.conn()?, self.schema, query)?)
    }

    /// A page of an entity's records that a search finds: the best hits first, unless the query has
    /// an order or conditions of its own.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn list_found(
        &self,
        entity: &str,
        text: &str,
        query: &Query,
    ) -> Result<Page, ReplicaError> {
        let entity = self.entity(entity)?;
        let conn = self.conn()?;
        let (page, _) = search::list(conn, self.schema, entity, text, query)?;
        let mut records = Vec::with_capacity(page.ids.len());
        for id in page.ids {
            records.extend(self.get_listed(id)?);
        }
        Ok(Page { records, next: page.next })
    }

    /// The saved filters for lists of an entity, or of all, by name; at most [`PAGE_MAX`].
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn saved_filters(
        &self,
        entity: Option<&str>,
    ) -> Result<Vec<(String, SavedFilter)>, ReplicaError> {
        let about = entity.map(|entity| Filter {
            column: "about_entity".to_owned(),
            compare: Compare::Is,
            value: entity.to_owned(),
        });
        let query = Query {
            filters: about.into_iter().collect(),
            sort: Some("name".to_owned()),
            limit: PAGE_MAX,
            ..Query::default()
        };
        let records = self.list(SAVED_FILTER, &query)?.records;
        let read = |record: &Json| {
            let about = record.get("about_entity")?.as_str()?.to_owned();
            Some((about, SavedFilter::read(record.as_object()?)))
        };
        Ok(records.iter().filter_map(read).collect())
    }

    /// A number that another process changes when it writes; writes of this one leave it.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn data_version(&self) -> Result<i64, ReplicaError> {
        let version = self.conn()?.pragma_query_value(None, "data_version", |row| row.get(0));
        Ok(version.map_err(StoreError::from)?)
    }

    /// Records near a place, nearest first.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] for a place that is not on Earth, and an entity without positions.
    pub fn near(&self, query: &NearQuery) -> Result<Vec<NearRecord>, ReplicaError> {
        Ok(near::near(self.conn()?, self.schema, query)?)
    }
}
