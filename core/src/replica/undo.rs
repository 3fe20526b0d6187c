//! Undo: what this device wrote last, tap by tap, taken back.
//!
//! Taking back is writing: a new tap puts back what stood before, only where nobody has written
//! since. What somebody else, or a later edit, wrote there stays, and the answer says who. The new
//! tap can be taken back like any other. History is never shortened: a stage that moves back
//! leaves an entry more. What an import wrote is not taken back here.
//!
//! | written | taken back |
//! |---|---|
//! | a value, a cell | the value before; cleared if there was none |
//! | a counter's step | the same step the other way, whatever others counted |
//! | a member | out, or in again |
//! | a row | out, or in again |
//! | a long text | as it was before, if nobody typed since |
//! | archived, restored | restored, archived |
//! | a new record | archived, if nobody else wrote in it |
//! | an entry of a log | stays, and the answer says so |

mod before;
mod flat;
mod tell;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::{Replica, ReplicaError, Writer, flat::decode_own};
use crate::{
    crdt::{OpId, TextDocument, header},
    domain::history::What,
    ids::{ActorId, ChangeHash, DocumentId, Part, RecordId},
    store::{
        document,
        undo::{self, Undoable},
    },
    time::TimestampMs,
};

pub(super) use before::olds;
pub(super) use tell::told_value;

pub use crate::store::undo::UNDO_TAPS_MAX;

/// Pieces of a tap that are told, at most.
pub const TAP_ITEMS_MAX: usize = 100;

/// One piece of what a tap did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TapItem {
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name, or its id if it is not here any more.
    pub title: String,
    /// The key as in histories; empty for the record itself.
    pub key: String,
    /// What happened.
    pub what: What,
    /// What stood before.
    pub old: Json,
    /// What was written.
    pub new: Json,
}

/// What a person wrote at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tap {
    /// Its number: what [`Replica::undo`] takes.
    pub group: i64,
    /// When it was made, by this device's clock.
    pub made_at: TimestampMs,
    /// Whether the office has all of it.
    pub is_acknowledged: bool,
    /// The tap that it took back.
    pub undoes: Option<i64>,
    /// Whether a later tap took it back, and stands itself.
    pub is_undone: bool,
    /// What it did, at most [`TAP_ITEMS_MAX`] pieces.
    pub items: Vec<TapItem>,
}

/// Why a piece stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody has written there since.
    WrittenSince,
    /// The record is not on this device any more.
    NotHere,
    /// Entries of logs are final.
    Final,
}

/// A piece that was not taken back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skipped {
    /// Name of the record's entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// Its name, or its id if it is not here any more.
    pub title: String,
    /// The key; empty for the record itself.
    pub key: String,
    /// Why.
    pub reason: Reason,
    /// Whether this device wrote there since.
    pub is_own: bool,
    /// Who else wrote there since, as far as it is known.
    pub by: Option<String>,
}

/// What came of taking a tap back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Undone {
    /// The tap that was to be taken back.
    pub group: i64,
    /// The tap that did it, which can be taken back in turn; `None` if there was nothing to do.
    pub by_group: Option<i64>,
    /// What it did.
    pub items: Vec<TapItem>,
    /// What stays as it is.
    pub skipped: Vec<Skipped>,
}

impl Replica {
    /// The last taps of this device that can be taken back, newest first, at most
    /// [`UNDO_TAPS_MAX`].
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn undoable(&self, limit: usize) -> Result<Vec<Tap>, ReplicaError> {
        let taps = undo::taps(self.conn()?, limit)?;
        let mut undone: BTreeSet<i64> = BTreeSet::new();
        let mut told = Vec::with_capacity(taps.len());
        for changes in taps {
            let Some(first) = changes.first() else { continue };
            let (group, undoes) = (first.own.group_id, first.before.undoes);
            let is_undone = undone.contains(&group);
            // A tap that took another back and was itself taken back counts no more.
            if !is_undone {
                undone.extend(undoes);
            }
            told.push(Tap {
                group,
                made_at: first.own.made_at,
                is_acknowledged: changes.iter().all(|change| change.is_acknowledged),
                undoes,
                is_undone,
                items: self.tell(&changes)?,
            });
        }
        Ok(told)
    }

    /// Takes a tap back, where nobody has written since.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::NoTap`] if there is no such tap, or fails when the store does;
    /// nothing was written then.
    pub fn undo(&mut self, group: i64) -> Result<Undone, ReplicaError> {
        let changes = undo::tap(self.conn()?, group)?;
        if changes.is_empty() {
            return Err(ReplicaError::NoTap(group));
        }
        let (by_group, skipped) = self.transaction(|writer| writer.undo(group, &changes))?;
        let mut done = Undone { group, by_group, items: Vec::new(), skipped: Vec::new() };
        for one in skipped {
            let title = self.title(one.id.record)?.map(|(_, title)| title);
            done.skipped.push(Skipped {
                entity: one.entity,
                record: one.id.record,
                title: title.unwrap_or_else(|| one.id.record.to_string()),
                key: one.key,
                reason: one.reason,
                is_own: one.author.is_some_and(|author| author.prefix() == self.actor.prefix()),
                by: self.author_name(one.author)?,
            });
        }
        if let Some(by_group) = by_group {
            done.items = self.tell(&undo::tap(self.conn()?, by_group)?)?;
        }
        Ok(done)
    }

    fn author_name(&self, author: Option<ActorId>) -> Result<Option<String>, ReplicaError> {
        let Some(author) = author else { return Ok(None) };
        Ok(crate::store::meta::author(self.conn()?, author.prefix())?)
    }
}

/// A piece that stays, before it has names.
struct Stays {
    id: DocumentId,
    entity: String,
    key: String,
    reason: Reason,
    author: Option<ActorId>,
}

impl Writer<'_> {
    fn undo(
        &mut self,
        group: i64,
        changes: &[Undoable],
    ) -> Result<(Option<i64>, Vec<Stays>), ReplicaError> {
        let mut by_document: BTreeMap<DocumentId, Vec<&Undoable>> = BTreeMap::new();
        for change in changes {
            by_document.entry(change.own.document.clone()).or_default().push(change);
        }
        let is_new = |change: &&Undoable| change.before.is_new;
        let created: BTreeMap<RecordId, &Undoable> =
            changes.iter().filter(is_new).map(|c| (c.own.document.record, c)).collect();
        let put_back = PutBack::of(&undo::taps(self.tx, UNDO_TAPS_MAX)?)?;
        let mut stays = Vec::new();
        self.undoes = Some(group);
        let written = self.group(|writer| {
            for (record, change) in &created {
                writer.undo_creation(*record, change, &mut stays)?;
            }
            for (id, changes) in &by_document {
                if created.contains_key(&id.record) {
                    continue;
                }
                if id.part.is_flat() {
                    writer.undo_flat(id, changes, &put_back, &mut stays)?;
                } else {
                    writer.undo_text(id, changes, &put_back, &mut stays)?;
                }
            }
            Ok(writer.open_group())
        });
        self.undoes = None;
        Ok((written?, stays))
    }

    /// Archives a record that nobody else has written in.
    fn undo_creation(
        &mut self,
        record: RecordId,
        change: &Undoable,
        stays: &mut Vec<Stays>,
    ) -> Result<(), ReplicaError> {
        let id = DocumentId { record, part: Part::Main };
        let entity = change.own.entity.clone();
        let stay = |reason, author| Stays { id, entity, key: String::new(), reason, author };
        let documents = self.stored_all(record)?;
        if documents.is_empty() {
            stays.push(stay(Reason::NotHere, None));
            return Ok(());
        }
        let author = if change.own.document.part.is_flat() {
            decode_own(&change.own)?.change.actor
        } else {
            header(&change.own.bytes).map_err(crate::crdt::TextError::from)?.actor
        };
        for (part, stored) in documents {
            let name = DocumentId { record, part };
            let actors: Vec<ActorId> = if name.part.is_flat() {
                document::decode_state(&name, &stored.state)?.clock.into_keys().collect()
            } else {
                TextDocument::load(&stored.state)?.clock().into_keys().collect()
            };
            let is_other =
                |actor: &&ActorId| **actor != ActorId::ZERO && actor.prefix() != author.prefix();
            if let Some(other) = actors.iter().find(is_other) {
                stays.push(stay(Reason::WrittenSince, Some(*other)));
                return Ok(());
            }
        }
        if !self.is_archived(record)? {
            self.archive(record)?;
        }
        Ok(())
    }

    fn undo_text(
        &mut self,
        id: &DocumentId,
        changes: &[&Undoable],
        put_back: &PutBack,
        stays: &mut Vec<Stays>,
    ) -> Result<(), ReplicaError> {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(()) };
        let mut stay = |reason, author| {
            let (entity, key) = (first.own.entity.clone(), id.part.as_str().to_owned());
            stays.push(Stays { id: id.clone(), entity, key, reason, author });
        };
        let Some(stored) = self.stored(id)? else {
            stay(Reason::NotHere, None);
            return Ok(());
        };
        let text = TextDocument::load(&stored.state)?;
        let since = text.changes_since(&[last.own.hash])?;
        let own = header(&last.own.bytes).map_err(crate::crdt::TextError::from)?.actor.prefix();
        if let Some(other) = since.iter().rfind(|change| change.actor.prefix() != own) {
            stay(Reason::WrittenSince, Some(other.actor));
            return Ok(());
        }
        // What this device typed since and took back leaves the text as the tap left it.
        if let Some(latest) = since.last()
            && !(put_back.changes.contains(&latest.hash)
                && text.text()? == text.text_at(&[last.own.hash])?)
        {
            stay(Reason::WrittenSince, Some(latest.actor));
            return Ok(());
        }
        let deps = header(&first.own.bytes).map_err(crate::crdt::TextError::from)?.deps;
        let before = text.text_at(&deps)?;
        let entity = self.entity(&stored.entity)?;
        self.write_text(id, entity, &before)?;
        Ok(())
    }
}

/// What taps that took others back wrote: it stands for what stood there before them.
#[derive(Default)]
struct PutBack {
    ops: BTreeSet<OpId>,
    changes: BTreeSet<ChangeHash>,
}

impl PutBack {
    fn of(taps: &[Vec<Undoable>]) -> Result<Self, ReplicaError> {
        let mut found = Self::default();
        for change in taps.iter().flatten().filter(|change| change.before.undoes.is_some()) {
            found.changes.insert(change.own.hash);
            if change.own.document.part.is_flat() {
                let encoded = decode_own(&change.own)?;
                found.ops.extend(encoded.change.ops_with_ids().map(|(id, _)| id));
            }
        }
        Ok(found)
    }
}
