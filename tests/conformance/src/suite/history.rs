//! Who changed what: every edit is in the office's history, with what was there before and after,
//! and the record can be had as it was.

use std::collections::BTreeMap;

use outrider_core::{domain::record, ids::RecordId, schema::Kind};
use outrider_sync_server::{
    office::{self, HistoryEntry, HistoryQuery},
    storage::Storage,
};
use serde_json::Value as Json;

use super::{Edit, Suite, canonical};
use crate::Failure;

const PHASE: &str = "history";
/// Entries of one page, few, so that there are several.
const PAGE: usize = 20;

impl Suite {
    pub(super) fn tell_history(&mut self) -> Result<(), Failure> {
        let mut told: BTreeMap<RecordId, Vec<HistoryEntry>> = BTreeMap::new();
        for made in self.made.clone() {
            told.insert(made.id, self.all_entries(made.id)?);
        }
        for Edit { entity, id, field, before, after } in self.edits.clone() {
            let entries = told.get(&id).map(Vec::as_slice).unwrap_or_default();
            let by_author =
                |entry: &&HistoryEntry| entry.field == field.name && entry.user == "Wang";
            let mut entries = entries.iter().filter(by_author);
            let is_told = match field.kind {
                Kind::Register | Kind::Once | Kind::Office => {
                    let (before, after) =
                        (canonical(&field.ty, &before), canonical(&field.ty, &after));
                    entries.any(|entry| entry.old == before && entry.new == after)
                }
                Kind::Counter => entries.any(|entry| entry.old == before && entry.new == after),
                // Members, rows and entries are told one by one, texts as what is around.
                Kind::Set | Kind::Rows | Kind::Log | Kind::Text => {
                    entries.any(|entry| !entry.new.is_null() && entry.old != entry.new)
                }
            };
            self.check(PHASE, is_told, || {
                format!("{}.{}: {before} to {after} is not told", entity.name, field.name)
            });
        }
        for (made, before) in self.made.clone().into_iter().zip(self.created.clone()) {
            let was = {
                let read = self.world.office.storage()?.read()?;
                office::as_of(&*read, made.id, self.created_at)?.unwrap_or_default()
            };
            self.check(PHASE, was == before, || {
                format!("{}: was {was}, but {before} was to be seen", made.entity.name)
            });
        }
        Ok(())
    }

    /// All that the office can tell of a record, page by page.
    fn all_entries(&self, record: RecordId) -> Result<Vec<HistoryEntry>, Failure> {
        let read = self.world.office.storage()?.read()?;
        let mut query = HistoryQuery { limit: PAGE, ..HistoryQuery::default() };
        let mut told = Vec::new();
        loop {
            let page = office::history(&*read, record, &query)?;
            told.extend(page.entries);
            if page.next.is_none() {
                return Ok(told);
            }
            query.after = page.next;
        }
    }

    /// Keeps what everybody sees just now, to ask for it later.
    pub(super) fn keep_what_is(&mut self) -> Result<(), Failure> {
        self.created_at = self.world.office.storage()?.read()?.position()?;
        // As the record's own documents say it: what others come to is not kept.
        let seen = |made: &super::Made| -> Result<Option<Json>, Failure> {
            let found = self.world.office.documents(made.id)?;
            Ok(found.map(|(entity, documents)| record::to_json(entity, made.id, &documents)))
        };
        self.created = self
            .made
            .iter()
            .map(|made| Ok(seen(made)?.unwrap_or_default()))
            .collect::<Result<Vec<Json>, Failure>>()?;
        Ok(())
    }
}
