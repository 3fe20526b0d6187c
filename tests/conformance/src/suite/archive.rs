//! Archiving, bringing back, and edits beside an archiving.

use outrider_core::store::query::Query;
use serde_json::{Map, Value as Json};

use super::{Suite, canonical, editable, one, value_of};
use crate::Failure;

const PHASE: &str = "archive and restore";

impl Suite {
    pub(super) fn archive_and_restore(&mut self) -> Result<(), Failure> {
        for made in self.made.clone() {
            self.world.act(self.a)?.replica_mut()?.archive(made.id)?;
        }
        self.sync()?;
        self.check_standing("is_archived", false)?;
        for made in self.made.clone() {
            self.world.act(self.b)?.replica_mut()?.restore(made.id)?;
        }
        self.sync()?;
        self.check_standing("", true)?;
        let mut beside = Vec::new();
        for made in self.made.clone() {
            self.world.act(self.a)?.replica_mut()?.archive(made.id)?;
            let Some(field) = editable(made.entity).find(|field| field.kind.is_single()) else {
                continue;
            };
            let shown = self.shown(self.b, made.id)?;
            let values = self.distinct(field, 1, value_of(&shown, field));
            let value = values.into_iter().next().unwrap_or_default();
            self.update(self.b, made.id, &one(field, value.clone()))?;
            beside.push((made, field, value));
        }
        self.sync()?;
        self.check_standing("is_revived", true)?;
        for (made, field, value) in beside {
            let shown = self.shown(self.a, made.id)?;
            let is_well = *value_of(&shown, field) == canonical(&field.ty, &value);
            self.check(PHASE, is_well, || {
                format!("{}.{}: the edit beside is lost", made.entity.name, field.name)
            });
        }
        Ok(())
    }

    /// All records say so, and are in the lists or not.
    fn check_standing(&mut self, flag: &str, is_listed: bool) -> Result<(), Failure> {
        for made in self.made.clone() {
            for at in [self.a, self.b] {
                let shown = self.shown(at, made.id)?;
                let says = |name: &str, shown: &Map<String, Json>| {
                    shown.contains_key(name) == (name == flag)
                };
                let is_well = says("is_archived", &shown) && says("is_revived", &shown);
                let query = Query { limit: 500, ..Query::default() };
                let page = self.world.device(at)?.replica()?.list(&made.entity.name, &query)?;
                let id = Json::from(made.id.to_string());
                let is_there = page.records.iter().any(|record| record["id"] == id);
                self.check(PHASE, is_well && is_there == is_listed, || {
                    format!("{}: expected `{flag}`, listed: {is_there}", made.entity.name)
                });
            }
        }
        Ok(())
    }
}
