//! Names of records at the office, so that misspelt ones in a file can be told.

use outrider_core::{
    schema::{Entity, Field, Schema},
    store::query::Query,
    transfer::propose::Names,
};

use crate::{office, storage::Storage};

/// What records at the office are called.
pub(super) struct OfficeNames<'a>(pub(super) &'a dyn Storage);

impl Names for OfficeNames<'_> {
    fn names(&self, entity: &Entity, field: &Field, limit: usize) -> Result<Vec<String>, String> {
        let Some(entity) = Schema::current().entity(&entity.name) else { return Ok(Vec::new()) };
        let read = self.0.read().map_err(|error| error.to_string())?;
        let query = Query { limit, ..Query::default() };
        let page = office::list(&*read, entity, &query).map_err(|error| error.to_string())?;
        let name =
            |record: &office::RecordView| record.json.get(&field.name)?.as_str().map(str::to_owned);
        Ok(page.records.iter().filter_map(name).collect())
    }
}
