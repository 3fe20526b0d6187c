//! What a tap did, in the words of histories.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{TAP_ITEMS_MAX, TapItem, before::count_of};
use crate::{
    crdt::{Action, Survivor, TextDocument, archive::ARCHIVED, header},
    domain::{
        history::{What, excerpt},
        values,
    },
    ids::{DocumentId, Part, RecordId},
    replica::{Replica, ReplicaError, flat::decode_own},
    schema::{Entity, Key},
    store::undo::{Old, Undoable},
    value::Value,
};

/// The log that the program keeps beside the field that people see.
const KEPT_BY_PROGRAM: &str = "stages";

impl Replica {
    /// What the changes of a tap did, at most [`TAP_ITEMS_MAX`] pieces.
    pub(super) fn tell(&self, changes: &[Undoable]) -> Result<Vec<TapItem>, ReplicaError> {
        let mut items: Vec<TapItem> = Vec::new();
        let mut created: BTreeSet<RecordId> = BTreeSet::new();
        for change in changes {
            let DocumentId { record, part } = &change.own.document;
            let told = TapItem {
                entity: change.own.entity.clone(),
                record: *record,
                title: self.title_of(*record)?,
                key: String::new(),
                what: What::Added,
                old: Json::Null,
                new: Json::Null,
            };
            if change.before.is_new {
                if created.insert(*record) {
                    items.push(TapItem { new: told.title.clone().into(), ..told });
                }
            } else if created.contains(record) {
            } else if part.is_flat() {
                items.extend(self.tell_flat(change, &told)?);
            } else {
                items.push(self.tell_text(change, told)?);
            }
            if items.len() >= TAP_ITEMS_MAX {
                items.truncate(TAP_ITEMS_MAX);
                break;
            }
        }
        Ok(items)
    }

    fn title_of(&self, record: RecordId) -> Result<String, ReplicaError> {
        let title = self.title(record)?.map(|(_, title)| title);
        Ok(title.unwrap_or_else(|| record.to_string()))
    }

    fn tell_text(&self, change: &Undoable, told: TapItem) -> Result<TapItem, ReplicaError> {
        let key = change.own.document.part.as_str().to_owned();
        let told = TapItem { key, what: What::Edited, ..told };
        let Some(stored) = self.stored(&change.own.document)? else {
            return Ok(told);
        };
        let text = TextDocument::load(&stored.state)?;
        let deps = header(&change.own.bytes).map_err(crate::crdt::TextError::from)?.deps;
        // A text that left and came back may not have what was written before.
        let texts =
            text.text_at(&deps).and_then(|old| Ok((old, text.text_at(&[change.own.hash])?)));
        let Ok((old, new)) = texts else { return Ok(told) };
        let place = excerpt(&old, &new);
        Ok(TapItem { old: place.old.into(), new: place.new.into(), ..told })
    }

    pub(in crate::replica) fn tell_flat(
        &self,
        change: &Undoable,
        told: &TapItem,
    ) -> Result<Vec<TapItem>, ReplicaError> {
        let Some(entity) = self.schema().entity(&change.own.entity) else { return Ok(Vec::new()) };
        let part = &change.own.document.part;
        let encoded = decode_own(&change.own)?;
        let mut items = Vec::new();
        let mut new_rows: BTreeSet<&str> = BTreeSet::new();
        for op in &encoded.change.ops {
            let olds = &change.before.olds;
            if let Some((row, _)) = op.key.rsplit_once('/')
                && olds.get(row) == Some(&Old::NewRow)
            {
                if new_rows.insert(row) {
                    items.push(TapItem { key: row.to_owned(), ..told.clone() });
                }
                continue;
            }
            let old = olds.get(&op.key);
            if let Some((field, _)) = count_of(&op.key, &op.action) {
                let step = match olds.get(field) {
                    Some(Old::Step(step)) => *step,
                    _ => 0,
                };
                let (key, new) = (field.to_owned(), json!({ "add": step }));
                items.push(TapItem { key, what: What::Changed, new, ..told.clone() });
                continue;
            }
            items.extend(item(entity, part, (&op.key, &op.action, old), told));
        }
        Ok(items)
    }
}

/// A value that stands in a document, as what was written there; `None` for what the program keeps.
pub(in crate::replica) fn told_value(
    entity: &Entity,
    part: &Part,
    key: &str,
    op: &Survivor,
) -> Option<TapItem> {
    let told = TapItem {
        entity: entity.name.clone(),
        record: RecordId::from_bytes([0; 16]),
        title: String::new(),
        key: key.to_owned(),
        what: What::Changed,
        old: Json::Null,
        new: Json::Null,
    };
    if let Value::Int(count) = op.value
        && matches!(entity.parse_key(part, key), Ok(Key::Counter { .. }))
    {
        return Some(TapItem { new: count.into(), ..told });
    }
    item(entity, part, (key, &Action::Put(op.value.clone()), None), &told)
}

fn item(
    entity: &Entity,
    part: &Part,
    (key, action, old): (&str, &Action, Option<&Old>),
    told: &TapItem,
) -> Option<TapItem> {
    let is_put = matches!(action, Action::Put(_));
    let plain = |what, old: Json, new: Json| {
        Some(TapItem { key: key.to_owned(), what, old, new, ..told.clone() })
    };
    match entity.parse_key(part, key) {
        Ok(Key::Register(field)) if field.name == ARCHIVED => {
            let what = if is_put { What::Archived } else { What::Restored };
            plain(what, (!is_put).into(), is_put.into())
        }
        Ok(Key::Register(field) | Key::Cell { column: field, .. }) => {
            let json = |value: &Value| field.ty.to_json(value);
            let new = match action {
                Action::Put(value) => json(value),
                Action::Delete => Json::Null,
            };
            plain(What::Changed, old.map_or(Json::Null, |old| json(&old.value())), new)
        }
        Ok(Key::Member { .. }) => {
            let member = values::member_json(key);
            match is_put {
                true => plain(What::Added, Json::Null, member),
                false => plain(What::Removed, member, Json::Null),
            }
        }
        Ok(Key::RowGone { field, row }) => {
            let what = if is_put { What::Removed } else { What::CameBack };
            let key = [field.name.as_str(), "/", row.as_str()].concat();
            Some(TapItem { key, what, ..told.clone() })
        }
        Ok(Key::Entry { field, .. }) if field.name == KEPT_BY_PROGRAM => None,
        Ok(Key::Entry { .. } | Key::Counter { .. }) | Err(_) => {
            let entry = match action {
                Action::Put(Value::Text(text)) => serde_json::from_str(text).unwrap_or(Json::Null),
                Action::Put(_) | Action::Delete => Json::Null,
            };
            plain(What::Added, Json::Null, entry)
        }
    }
}
