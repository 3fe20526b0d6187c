//! Records that may be the same: of one that somebody types, and of the whole store.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Replica, ReplicaError};
use crate::{
    ids::RecordId,
    store::likeness::{self, Likely, PairPage},
};

/// A record that may be the same as one that is typed, with its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedLikely {
    /// Its name.
    pub title: String,
    /// The record, and how alike they are.
    #[serde(flatten)]
    pub likely: Likely,
}

impl Replica {
    /// The records of an entity that may be the same as one with these fields, the likeliest
    /// first. `except` is the record itself, if it is stored.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownEntity`].
    pub fn likely(
        &self,
        entity: &str,
        fields: &Map<String, Json>,
        except: Option<RecordId>,
    ) -> Result<Vec<NamedLikely>, ReplicaError> {
        let entity = self.entity(entity)?;
        let found = likeness::likely(self.conn()?, entity, fields, except)?;
        let named = found.into_iter().map(|likely| {
            let title = self.title(likely.record)?.map(|(_, title)| title);
            let title = title.unwrap_or_else(|| likely.record.to_string());
            Ok(NamedLikely { title, likely })
        });
        named.collect()
    }

    /// A page of pairs of an entity's records that may be the same, by the one that came first;
    /// goes through at most `scan` records, so that the caller can tell how far it is.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownEntity`].
    pub fn duplicates(
        &self,
        entity: &str,
        after: Option<RecordId>,
        scan: usize,
    ) -> Result<PairPage, ReplicaError> {
        Ok(likeness::pairs(self.conn()?, self.entity(entity)?, after, scan)?)
    }
}
