//! Who changed what, as far as this device knows without the office: what it wrote itself, who
//! wrote the values that it has, and the whole past of long texts, which travel with theirs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Replica, ReplicaError, flat::decode_own, undo::TapItem};
use crate::{
    crdt::{OpId, TextDocument, text::first_change},
    domain::history::{TEXT_STEPS_MAX, What, text_changes},
    ids::{ActorId, ChangeHash, DocumentId, RecordId},
    store::{
        document, meta,
        undo::{self, Undoable},
    },
    time::TimestampMs,
};

/// Entries of one answer, at most.
pub const LOCAL_HISTORY_MAX: usize = 1_000;
/// Last changes of one text that an answer tells, at most.
pub const LOCAL_TEXT_STEPS_MAX: usize = 100;

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Written here, and the office does not have it yet.
    Waiting,
    /// Written here, and the office has it.
    Acknowledged,
    /// Written elsewhere; it came from the office.
    Arrived,
}

/// One entry of what a device knows of a record's past.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocalChange {
    /// What was changed: a field, `tags/vip`, `lines/<row>/qty`.
    pub key: String,
    /// The field that it belongs to.
    pub field: String,
    /// What happened.
    pub what: What,
    /// What stood before, where this device knows it.
    pub old: Json,
    /// What was written.
    pub new: Json,
    /// Who wrote it; `None` for this device's own user before enrolment, and where nobody said.
    pub by: Option<String>,
    /// Whether this device wrote it.
    pub is_own: bool,
    /// When, by the author's clock, where it is known.
    pub made_at: Option<TimestampMs>,
    /// How far it has come.
    pub progress: Progress,
}

impl Replica {
    /// What this device knows of a record's past: own changes, newest first, then the values that
    /// others wrote; at most [`LOCAL_HISTORY_MAX`] entries. It reads all of the device's own
    /// changes.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::UnknownRecord`] if the record is not here.
    pub fn history(
        &self,
        record: RecordId,
        field: Option<&str>,
    ) -> Result<Vec<LocalChange>, ReplicaError> {
        let conn = self.conn()?;
        let documents = self.stored_all(record)?;
        if documents.is_empty() {
            return Err(ReplicaError::UnknownRecord(record));
        }
        let user = meta::enrolment(conn)?.map(|enrolment| enrolment.user);
        let own = undo::of_record(conn, record)?;
        let waiting: BTreeSet<ChangeHash> =
            own.iter().filter(|own| !own.is_acknowledged).map(|own| own.own.hash).collect();
        let mut entries = Vec::new();
        let mut own_ops: BTreeSet<OpId> = BTreeSet::new();
        for change in own.iter().rev().filter(|change| change.own.document.part.is_flat()) {
            own_ops.extend(decode_own(&change.own)?.change.ops_with_ids().map(|(id, _)| id));
            let items = self.tell_flat(change, &blank(change))?;
            entries.extend(items.into_iter().map(|item| own_entry(item, change, user.as_deref())));
        }
        let mut authors = Authors { replica: self, names: BTreeMap::new() };
        for (part, stored) in documents {
            let id = DocumentId { record, part };
            if id.part.is_flat() {
                let state = document::decode_state(&id, &stored.state)?;
                let Some(entity) = self.schema.entity(&stored.entity) else { continue };
                let mut arrived = Vec::new();
                for (key, ops) in &state.keys {
                    for op in ops.iter().filter(|op| !own_ops.contains(&op.id)) {
                        let Some(item) = super::undo::told_value(entity, &id.part, key, op) else {
                            continue;
                        };
                        let entry = LocalChange {
                            by: authors.name(op.id.actor)?,
                            made_at: meta::made_at(conn, &id, op.id)?,
                            is_own: op.id.actor.prefix() == self.actor.prefix(),
                            ..arrived_entry(item)
                        };
                        arrived.push((op.id, entry));
                    }
                }
                arrived.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
                entries.extend(arrived.into_iter().map(|(_, entry)| entry));
            } else {
                let saved = &stored.state;
                self.text_entries(
                    &id,
                    saved,
                    &waiting,
                    user.as_deref(),
                    &mut authors,
                    &mut entries,
                )?;
            }
        }
        entries.retain(|entry| field.is_none_or(|field| entry.field == field));
        entries.truncate(LOCAL_HISTORY_MAX);
        Ok(entries)
    }

    fn text_entries(
        &self,
        id: &DocumentId,
        saved: &[u8],
        waiting: &BTreeSet<ChangeHash>,
        user: Option<&str>,
        authors: &mut Authors<'_>,
        to: &mut Vec<LocalChange>,
    ) -> Result<(), ReplicaError> {
        const { assert!(LOCAL_TEXT_STEPS_MAX <= TEXT_STEPS_MAX) };
        let changes = TextDocument::load(saved)?.changes_since(&[first_change().hash])?;
        let changes: Vec<(Vec<u8>, ())> =
            changes.into_iter().map(|change| (change.bytes, ())).collect();
        let first = changes.len().saturating_sub(LOCAL_TEXT_STEPS_MAX);
        for change in text_changes(id.part.as_str(), &changes, first)?.into_iter().rev() {
            let is_own = change.actor.prefix() == self.actor.prefix();
            let progress = match (is_own, waiting.contains(&change.hash)) {
                (_, true) => Progress::Waiting,
                (true, false) => Progress::Acknowledged,
                (false, false) => Progress::Arrived,
            };
            to.push(LocalChange {
                key: change.key,
                field: change.field,
                what: change.what,
                old: change.old,
                new: change.new,
                by: if is_own { user.map(str::to_owned) } else { authors.name(change.actor)? },
                is_own,
                made_at: Some(change.made_at),
                progress,
            });
        }
        Ok(())
    }
}

/// Names of those who stand behind actors, each asked for once.
struct Authors<'a> {
    replica: &'a Replica,
    names: BTreeMap<ActorId, Option<String>>,
}

impl Authors<'_> {
    fn name(&mut self, actor: ActorId) -> Result<Option<String>, ReplicaError> {
        if let Some(name) = self.names.get(&actor) {
            return Ok(name.clone());
        }
        let name = meta::author(self.replica.store.conn(), actor.prefix())?;
        self.names.insert(actor, name.clone());
        Ok(name)
    }
}

fn blank(change: &Undoable) -> TapItem {
    TapItem {
        entity: change.own.entity.clone(),
        record: change.own.document.record,
        title: String::new(),
        key: String::new(),
        what: What::Added,
        old: Json::Null,
        new: Json::Null,
    }
}

fn own_entry(item: TapItem, change: &Undoable, user: Option<&str>) -> LocalChange {
    let progress = if change.is_acknowledged { Progress::Acknowledged } else { Progress::Waiting };
    LocalChange {
        by: user.map(str::to_owned),
        is_own: true,
        made_at: Some(change.own.made_at),
        progress,
        ..arrived_entry(item)
    }
}

fn arrived_entry(item: TapItem) -> LocalChange {
    let TapItem { key, what, old, new, .. } = item;
    let field = key.split('/').next().unwrap_or_default().to_owned();
    // What an actor counted stands under a key of its own.
    let counted = key.split_once('/').filter(|(_, rest)| rest.parse::<ActorId>().is_ok());
    let (key, new) = match counted {
        Some((field, _)) if new.is_i64() => (field.to_owned(), json!({ "count": new })),
        Some(_) | None => (key, new),
    };
    LocalChange {
        key,
        field,
        what,
        old,
        new,
        by: None,
        is_own: false,
        made_at: None,
        progress: Progress::Arrived,
    }
}
