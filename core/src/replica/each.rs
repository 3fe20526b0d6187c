//! All records of a query, one after another, as they stand at one moment: for exports.

use serde_json::{Map, Value as Json};

use super::{Replica, ReplicaError};
use crate::{
    schema::Entity,
    store::query::{self, PAGE_MAX, Query},
};

impl Replica {
    /// How many records a query finds.
    ///
    /// # Errors
    ///
    /// As [`Replica::list`].
    pub fn count(&self, entity: &str, query: &Query) -> Result<u64, ReplicaError> {
        Ok(query::count(self.conn()?, self.entity(entity)?, query)?)
    }

    /// Runs `look`, to which all reading answers as of one moment, whatever other processes write
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// Passes on the error of `look`, or that of the database.
    pub fn at_one_moment<T, E: From<ReplicaError>>(
        &self,
        look: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let _moment = self.store.moment().map_err(ReplicaError::from)?;
        look()
    }

    /// Gives every record that a query finds, page by page, so memory does not grow with them.
    /// The query's own limit does not count.
    ///
    /// # Errors
    ///
    /// Passes on the error of `take`, or that of the store or of a query that does not fit.
    pub fn each<E: From<ReplicaError>>(
        &self,
        entity: &Entity,
        query: &Query,
        mut take: impl FnMut(&Map<String, Json>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut query = Query { limit: PAGE_MAX, ..query.clone() };
        loop {
            let page = query::list(self.conn()?, entity, &query).map_err(ReplicaError::from)?;
            for id in page.ids {
                if let Some(Json::Object(record)) = self.get_listed(id)? {
                    take(&record)?;
                }
            }
            match page.next {
                None => return Ok(()),
                after => query.after = after,
            }
        }
    }
}
