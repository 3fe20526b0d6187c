//! Finding: by what a person types, and by where a record is.

use super::{Replica, ReplicaError};
use crate::store::{
    near::{self, NearQuery, NearRecord},
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
        Ok(search::search(self.store.conn(), self.schema, query)?)
    }

    /// Records near a place, nearest first.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] for a place that is not on Earth, and an entity without positions.
    pub fn near(&self, query: &NearQuery) -> Result<Vec<NearRecord>, ReplicaError> {
        Ok(near::near(self.store.conn(), self.schema, query)?)
    }
}
