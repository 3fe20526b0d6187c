//! Saved filters: lists that somebody kept, as records like any other, so that they travel.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::query::{Filter, Query};
use crate::{ids::RecordId, schema::Entity};

/// The entity of their records.
pub const SAVED_FILTER: &str = "saved_filter";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema::Schema, store::query::Compare};

    #[test]
    fn what_is_kept_comes_back() {
        let filter =
            Filter { column: "tier".to_owned(), compare: Compare::IsNot, value: "a".to_owned() };
        let query = Query {
            filters: vec![filter],
            sort: Some("company_name".to_owned()),
            descending: true,
            ..Query::default()
        };
        let name = "重点".to_owned();
        let kept = SavedFilter { id: None, name, search: "三川".into(), query, is_shared: true };
        let customer = Schema::current().entity("customer").unwrap();
        assert_eq!(SavedFilter::read(&kept.fields(customer)), kept);
        assert_eq!(SavedFilter::read(&Map::new()), SavedFilter::default());
    }
}
