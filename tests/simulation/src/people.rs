//! What people do with their phones.
//!
//! Entities, fields and values are drawn from the schema, so whatever is added to it is edited
//! here too ([`crate::hand`]). Values differ as far as their type allows, and several people work on the same few
//! records, so that concurrent edits are the rule.

use std::collections::BTreeSet;

use outrider_core::{
    domain::{edit::EditError, record::Documents},
    ids::{DocumentId, Part, RecordId},
    replica::{ReplicaError, Writer},
    schema::{Entity, Field, Schema},
    store::{StoreError, outbox},
};
use serde_json::{Map, Value as Json};

use crate::{Failure, device::Device, hand::Hand, ledger::Ledger, world::chain};

/// Records that several devices make under one id, as imports of one file do.
const SHARED_RECORDS: usize = 4;

/// What an edit is made with.
pub(crate) struct Desk<'a> {
    pub(crate) device: &'a mut Device,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) hand: Hand<'a>,
    /// The number of this edit.
    pub(crate) number: u32,
}

impl Desk<'_> {
    /// Makes one edit; returns what it was, for the trace.
    pub(crate) fn edit(&mut self) -> Result<String, Failure> {
        self.make(|desk| match desk.hand.dice.below(100) {
            0..12 => desk.create(),
            12..18 => desk.write_group(),
            18..24 => desk.archive_or_restore(),
            24..32 => desk.settle(),
            _ => desk.update(),
        })
    }

    /// Merges two records, or takes a merge back.
    pub(crate) fn merge(&mut self) -> Result<String, Failure> {
        self.make(Self::merge_or_part)
    }

    fn make(
        &mut self,
        make: impl FnOnce(&mut Self) -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        // What the device wrote by itself since is nobody's edit.
        self.ledger.scan(&self.device.name, self.device.replica()?)?;
        self.device.tell_time(self.number);
        let before = self.waiting()?;
        let what = match make(self) {
            Ok(what) => what,
            Err(error) => {
                if self.waiting()? != before {
                    let words = "an edit that its author was told is not kept is in the outbox";
                    self.ledger.broken.push(format!("{}: {words}", self.device.name));
                }
                told(error, self.device.has_rotted)?
            }
        };
        self.ledger.is_editing = true;
        let scanned = self.ledger.scan(&self.device.name, self.device.replica()?);
        self.ledger.is_editing = false;
        scanned?;
        Ok(what)
    }

    fn merge_or_part(&mut self) -> Result<String, Failure> {
        let Some((loser, entity, _)) = self.draw_record()? else { return self.create() };
        let replica = self.device.replica()?;
        let halves = replica.halves(loser)?;
        if let Some(half) = self.hand.dice.pick(&halves).copied().filter(|half| *half != loser) {
            self.device.replica_mut()?.unmerge(half)?;
            return Ok(format!("parts {half} from {loser}"));
        }
        let mut others = Vec::new();
        for record in self.hand.records.iter().rev().filter(|record| **record != loser) {
            // Of a record that is just arriving there may be a text alone.
            if let Some((other, documents)) = replica.documents(*record)?
                && other.name == entity.name
                && documents.flat.contains_key(&Part::Main)
            {
                others.push(*record);
            }
        }
        let Some(survivor) = self.hand.dice.pick(&others).copied() else { return self.update() };
        let take = entity.fields.iter().filter(|_| self.hand.dice.percent(5));
        let take: BTreeSet<String> = take.map(|field| field.name.clone()).collect();
        self.device.replica_mut()?.merge(loser, survivor, &take)?;
        Ok(format!("merges {loser} into {survivor}"))
    }

    fn waiting(&self) -> Result<u64, Failure> {
        Ok(outbox::count_waiting(self.device.replica()?.store().conn())?)
    }

    fn create(&mut self) -> Result<String, Failure> {
        let entity = self.hand.draw_entity()?;
        let fields = self.hand.new_fields(entity);
        let id = self.hand.dice.percent(5).then(|| {
            let key = self.hand.dice.below(SHARED_RECORDS).to_string();
            RecordId::external(&entity.name, "shared", &key)
        });
        let replica = self.device.replica_mut()?;
        if let Some(id) = id
            && replica.documents(id)?.is_some()
        {
            return self.update();
        }
        let record = replica.transaction(|writer| writer.create(&entity.name, id, &fields))?;
        if !self.hand.records.contains(&record) {
            self.hand.records.push(record);
        }
        self.note_new_texts(entity, record, &fields);
        Ok(format!("creates {} {record}", entity.name))
    }

    /// Creates a customer with what belongs to it, and touches another record, in one group.
    fn write_group(&mut self) -> Result<String, Failure> {
        let entity = Schema::current().entity("customer").ok_or("there are no customers")?;
        let customer = self.hand.new_fields(entity);
        let mut children = Vec::new();
        for _ in 0..=self.hand.dice.below(4) {
            let entity = self.hand.draw_entity()?;
            children.push((entity, self.hand.new_fields(entity)));
        }
        let other = self.draw_record()?;
        let touched = other
            .as_ref()
            .map(|(record, entity, documents)| (*record, self.hand.flat_fields(entity, documents)));
        let write = |writer: &mut Writer<'_>| -> Result<Vec<RecordId>, ReplicaError> {
            let id = writer.create("customer", None, &customer)?;
            let mut made = vec![id];
            for (entity, fields) in &children {
                let mut fields = fields.clone();
                if fields.contains_key("customer_id") {
                    fields.insert("customer_id".to_owned(), id.to_string().into());
                }
                made.push(writer.create(&entity.name, None, &fields)?);
            }
            if let Some((record, fields)) = &touched {
                writer.update(*record, fields)?;
            }
            Ok(made)
        };
        let replica = self.device.replica_mut()?;
        let made = replica.transaction(|writer| writer.group(write))?;
        let written = std::iter::once((entity, customer.clone())).chain(children.iter().cloned());
        for (record, (entity, fields)) in made.iter().zip(written.collect::<Vec<_>>()) {
            self.note_new_texts(entity, *record, &fields);
        }
        let count = made.len();
        self.hand.records.extend(made);
        Ok(format!("writes a group of {count} records"))
    }

    fn note_new_texts(&mut self, entity: &Entity, record: RecordId, fields: &Map<String, Json>) {
        for field in entity.texts() {
            let Some(text) = fields.get(&field.name).and_then(Json::as_str) else { continue };
            let document = DocumentId { record, part: Part::Text(field.name.clone()) };
            self.ledger.note_typed((&self.device.name, self.number), &document, "", text);
        }
    }

    fn archive_or_restore(&mut self) -> Result<String, Failure> {
        let Some((record, ..)) = self.draw_record()? else { return self.create() };
        if self.hand.dice.percent(50) {
            self.device.replica_mut()?.archive(record)?;
            Ok(format!("archives {record}"))
        } else {
            self.device.replica_mut()?.restore(record)?;
            Ok(format!("restores {record}"))
        }
    }

    fn settle(&mut self) -> Result<String, Failure> {
        let conflicts = self.device.replica()?.conflicts(None)?;
        let Some(conflict) = self.hand.dice.pick(&conflicts) else { return self.update() };
        let Some(chosen) = self.hand.dice.pick(&conflict.values) else { return self.update() };
        let (record, key) = (conflict.record, conflict.key.clone());
        match self.device.replica_mut()?.settle(record, &key, &chosen.value) {
            Ok(()) => Ok(format!("settles {key} of {record}")),
            // What the office owns it settles itself.
            Err(ReplicaError::Edit(EditError::OfficeOwned(_))) => {
                Ok(format!("may not settle {key} of {record}"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn update(&mut self) -> Result<String, Failure> {
        let Some((record, entity, documents)) = self.draw_record()? else { return self.create() };
        let texts: Vec<&Field> = entity.texts().collect();
        if let Some(field) = self.hand.dice.pick(&texts).copied()
            && self.hand.dice.percent(25)
        {
            return self.edit_text(record, &field.name, &documents);
        }
        let fields = self.hand.flat_fields(entity, &documents);
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let what = format!("changes {} of {} {record}", names.join(", "), entity.name);
        self.device.replica_mut()?.update(record, &fields)?;
        Ok(what)
    }

    /// Puts new characters anywhere into a text, or takes some out.
    fn edit_text(
        &mut self,
        record: RecordId,
        field: &str,
        documents: &Documents,
    ) -> Result<String, Failure> {
        let before = documents.texts.get(field).cloned().unwrap_or_default();
        let mut letters: Vec<char> = before.chars().collect();
        let at = self.hand.dice.below(letters.len() + 1);
        if self.hand.dice.percent(25) && !letters.is_empty() {
            let until = letters.len().min(at + 1 + self.hand.dice.below(5));
            letters.drain(at.min(until)..until);
        }
        if self.hand.dice.percent(85) {
            let at = at.min(letters.len());
            letters.splice(at..at, self.hand.type_letters().chars());
        }
        let after: String = letters.into_iter().collect();
        let fields = Map::from_iter([(field.to_owned(), after.as_str().into())]);
        let updated = self.device.replica_mut()?.update(record, &fields);
        let document = DocumentId { record, part: Part::Text(field.to_owned()) };
        if let Err(error) = updated {
            // When the power fails at this moment the disk may have it all the same.
            let kept: String = after.chars().filter(|letter| before.contains(*letter)).collect();
            self.ledger.note_text(&document, &before, &kept);
            return Err(error.into());
        }
        self.ledger.note_typed((&self.device.name, self.number), &document, &before, &after);
        Ok(format!("edits {field} of {record}"))
    }

    /// A record that this device holds, with its documents: mostly one of the newest. Of merged ones
    /// it is the one that goes on.
    fn draw_record(&mut self) -> Result<Option<(RecordId, &'static Entity, Documents)>, Failure> {
        let count = self.hand.records.len();
        let recent = if self.hand.dice.percent(60) { 4 } else { count };
        let first = count.saturating_sub(1 + self.hand.dice.below(recent));
        for tried in 0..5 {
            let at = if tried == 0 { first } else { self.hand.dice.below(count) };
            let Some(record) = self.hand.records.get(at).copied() else { break };
            let replica = self.device.replica()?;
            let record = replica.resolve(record)?;
            if let Some((entity, documents)) = replica.documents(record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        Ok(None)
    }
}

/// What somebody is told whose edit is not kept: that the device is locked, the record erased, that two
/// records cannot be merged, that only a newer app knows what this is, or that it has rotted and waits for the
/// server's copy. Whatever else fails is not to fail.
fn told(error: Failure, has_rotted: bool) -> Result<String, Failure> {
    match error.downcast_ref::<ReplicaError>() {
        Some(
            ReplicaError::Locked { .. }
            | ReplicaError::Erased(_)
            | ReplicaError::Merge(_)
            | ReplicaError::UnknownEntity { .. },
        ) => Ok(format!("is told: {}", chain(&*error))),
        Some(ReplicaError::Store(StoreError::DamagedDocument { .. })) if has_rotted => {
            Ok(format!("is told: {}", chain(&*error)))
        }
        Some(_) | None => Err(error),
    }
}
