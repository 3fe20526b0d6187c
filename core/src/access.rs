//! Who may do what: one pure function, the same on phone and server.
//!
//! For now everybody may read everything, and write every field that is not withheld by name;
//! the seam is where roles, territories and approval will join.

use std::collections::BTreeSet;

use crate::{crdt::Change, ids::Part, schema::Entity};

/// What the current policy withholds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Fields that nobody outside the office writes: (entity, field).
    withheld: BTreeSet<(String, String)>,
}

impl Policy {
    /// A policy that withholds nothing.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// The same policy that also withholds a field.
    #[must_use]
    pub fn withholding(mut self, entity: &str, field: &str) -> Self {
        self.withheld.insert((entity.to_owned(), field.to_owned()));
        self
    }

    /// Whether nobody outside the office writes a field.
    #[must_use]
    pub fn is_withheld(&self, entity: &str, field: &str) -> bool {
        self.withheld.contains(&(entity.to_owned(), field.to_owned()))
    }

    /// The keys of a change that its author may not write; none if all is well.
    #[must_use]
    pub fn refused_keys(&self, entity: &Entity, part: &Part, change: &Change) -> Vec<String> {
        if self.withheld.is_empty() {
            return Vec::new();
        }
        let is_withheld = |key: &str| {
            entity
                .parse_key(part, key)
                .is_ok_and(|key| self.is_withheld(&entity.name, &key.field().name))
        };
        change.ops.iter().map(|op| &op.key).filter(|key| is_withheld(key)).cloned().collect()
    }
}
