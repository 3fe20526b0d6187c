//! Names of records that are here already, so that a misspelt one can be told.

use std::collections::BTreeMap;

use crate::{
    replica::{Replica, ReplicaError},
    schema::{Entity, Field},
    store::query::Query,
    writing::fold,
};

/// Names of one entity that are compared, at most; of more none is proposed.
pub const NAMES_MAX: usize = 2_000;
/// Characters of a name that may be misspelt by one.
const SHORT_MAX: usize = 4;

/// Knows what records are called.
pub trait Names {
    /// The names that records of an entity have in a field, at most `limit`.
    ///
    /// # Errors
    ///
    /// Fails when the store does, in words.
    fn names(&self, entity: &Entity, field: &Field, limit: usize) -> Result<Vec<String>, String>;
}

/// Nobody's names.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl Names for NoNames {
    fn names(&self, _: &Entity, _: &Field, _: usize) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

impl Names for Replica {
    fn names(&self, entity: &Entity, field: &Field, limit: usize) -> Result<Vec<String>, String> {
        let query = Query { limit, ..Query::default() };
        let words = |error: ReplicaError| error.to_string();
        let page = self.list(&entity.name, &query).map_err(words)?;
        let name =
            |record: &serde_json::Value| record.get(&field.name)?.as_str().map(str::to_owned);
        Ok(page.records.iter().filter_map(name).collect())
    }
}

/// What each value that is no record's name means, if one name alone is near.
pub(super) fn near_names<'v>(
    names: &[String],
    values: impl Iterator<Item = &'v String>,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if names.is_empty() || names.len() >= NAMES_MAX {
        return found;
    }
    let folded: Vec<(String, &String)> = names.iter().map(|name| (squeezed(name), name)).collect();
    for value in values.filter(|value| !names.contains(value)) {
        let wanted = squeezed(value);
        let mut near = folded.iter().filter(|(name, _)| is_near(name, &wanted));
        if let (Some((_, name)), None) = (near.next(), near.next()) {
            found.insert(value.clone(), (*name).clone());
        }
    }
    found
}

fn squeezed(name: &str) -> String {
    fold(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn is_near(name: &str, wanted: &str) -> bool {
    name == wanted
        || (wanted.chars().count() > SHORT_MAX && strsim::damerau_levenshtein(name, wanted) == 1)
}
