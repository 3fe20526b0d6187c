//! What people at the pages of the server do: the same edits as in the field, often on a page
//! that was left open while others wrote.

use outrider_core::{
    domain::record::{Documents, conflicts},
    ids::{DocumentId, Part, RecordId},
    schema::{Entity, Field},
};
use outrider_sync_server::office::{self, OfficeError, Settlement};
use serde_json::{Map, Value as Json};

use crate::{Failure, device::TICKS, hand::Hand, ledger::Ledger, server::Server};

/// Who works at the office.
const CLERKS: &[&str] = &["Zhao", "Hu"];
/// Positions of the feed that pass while a page is left open, at most.
const OPEN_MAX: usize = 20;

/// What an edit at the office is made with.
pub(crate) struct Counter<'a> {
    pub(crate) server: &'a Server,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) hand: Hand<'a>,
    /// The number of this edit.
    pub(crate) number: u32,
}

impl Counter<'_> {
    /// Makes one edit; returns what it was, for the trace.
    pub(crate) fn edit(&mut self) -> Result<String, Failure> {
        let before = self.server.storage().read()?.position()?;
        let done = match self.hand.dice.below(100) {
            0..15 => self.create(),
            15..25 => self.archive_or_restore(),
            25..45 => self.settle(),
            _ => self.update(before),
        };
        let (what, touched) = match done {
            Ok(done) => done,
            Err(error) => (told(error)?, None),
        };
        if let Some((record, entity)) = touched {
            let read = self.server.storage().read()?;
            for part in entity.parts().into_iter().filter(Part::is_flat) {
                let id = DocumentId { record, part };
                for change in read.changes_since(&id, before, usize::MAX)? {
                    self.ledger.note_office(&id, &entity.name, &change.bytes)?;
                }
            }
        }
        Ok(what)
    }

    fn now_ms(&self) -> i64 {
        let now_ms = self.server.now_ms;
        now_ms - now_ms.rem_euclid(TICKS) + i64::from(self.number)
    }

    fn author(&mut self) -> Result<office::Author, Failure> {
        let user = self.hand.dice.pick(CLERKS).copied().unwrap_or("Zhao");
        self.server.author(user, self.now_ms())
    }

    fn create(&mut self) -> Result<Done, Failure> {
        let entity = self.hand.draw_entity()?;
        let fields = self.hand.new_fields(entity);
        let (author, now_ms) = (self.author()?, self.now_ms());
        let (storage, policy) = (self.server.storage(), self.server.policy()?);
        let record = office::create(storage, &policy, &author, &entity.name, &fields, now_ms)?;
        self.hand.records.push(record);
        for field in entity.texts() {
            let typed = fields.get(&field.name).and_then(Json::as_str).unwrap_or_default();
            let document = DocumentId { record, part: Part::Text(field.name.clone()) };
            self.ledger.note_text(&document, "", typed);
        }
        Ok((format!("creates {} {record}", entity.name), Some((record, entity))))
    }

    fn archive_or_restore(&mut self) -> Result<Done, Failure> {
        let Some((record, entity, _)) = self.draw_record()? else { return self.create() };
        let (author, now_ms) = (self.author()?, self.now_ms());
        let (storage, policy) = (self.server.storage(), self.server.policy()?);
        let what = if self.hand.dice.percent(50) {
            office::archive(storage, &policy, &author, record, None, now_ms)?;
            "archives"
        } else {
            office::restore(storage, &policy, &author, record, None, now_ms)?;
            "restores"
        };
        Ok((format!("{what} {record}"), Some((record, entity))))
    }

    fn settle(&mut self) -> Result<Done, Failure> {
        let Some((record, entity, documents)) = self.draw_record()? else { return self.create() };
        let open = conflicts(entity, &documents);
        let Some(conflict) = self.hand.dice.pick(&open) else {
            return Ok((format!("finds nothing to settle in {record}"), None));
        };
        let chosen = self.hand.dice.pick(&conflict.values);
        let value = chosen.map_or(Json::Null, |chosen| chosen.value.clone());
        let (author, now_ms) = (self.author()?, self.now_ms());
        let (storage, policy) = (self.server.storage(), self.server.policy()?);
        let settlement = Settlement { key: &conflict.key, value: &value, seen: None };
        office::settle(storage, &policy, &author, record, settlement, now_ms)?;
        Ok((format!("settles {} of {record}", conflict.key), Some((record, entity))))
    }

    fn update(&mut self, position: u64) -> Result<Done, Failure> {
        let Some((record, entity, documents)) = self.draw_record()? else { return self.create() };
        let texts: Vec<&Field> = entity.texts().collect();
        if let Some(field) = self.hand.dice.pick(&texts).copied()
            && self.hand.dice.percent(25)
        {
            return self.edit_text(record, entity, field, &documents);
        }
        let (author, now_ms) = (self.author()?, self.now_ms());
        let (storage, policy) = (self.server.storage(), self.server.policy()?);
        let (seen, shown) = if self.hand.dice.percent(50) {
            let open = self.hand.dice.below(OPEN_MAX.min(position as usize + 1));
            let seen = position.saturating_sub(open as u64);
            match office::as_of(&*storage.read()?, record, seen)? {
                Some(_) => (Some(seen), None),
                None => (None, Some(documents)),
            }
        } else {
            (None, Some(documents))
        };
        let fields = match &shown {
            Some(documents) => self.hand.office_fields(entity, documents),
            // Rows and members of then need not be those of now.
            None => self.hand.single_fields(entity),
        };
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let what =
            format!("changes {} of {} {record}, seen {seen:?}", names.join(", "), entity.name);
        match office::update(storage, &policy, &author, record, &fields, seen, now_ms) {
            Ok(_) => Ok((what, Some((record, entity)))),
            // The form's time is one at which the record was not there.
            Err(OfficeError::UnknownRecord(_)) => Ok((format!("{what}: not there then"), None)),
            Err(error) => Err(error.into()),
        }
    }

    fn edit_text(
        &mut self,
        record: RecordId,
        entity: &'static Entity,
        field: &Field,
        documents: &Documents,
    ) -> Result<Done, Failure> {
        let before = documents.texts.get(&field.name).cloned().unwrap_or_default();
        let mut letters: Vec<char> = before.chars().collect();
        let at = self.hand.dice.below(letters.len() + 1);
        letters.splice(at..at, self.hand.type_letters().chars());
        let after: String = letters.into_iter().collect();
        let fields = Map::from_iter([(field.name.clone(), after.as_str().into())]);
        let (author, now_ms) = (self.author()?, self.now_ms());
        let (storage, policy) = (self.server.storage(), self.server.policy()?);
        office::update(storage, &policy, &author, record, &fields, None, now_ms)?;
        let document = DocumentId { record, part: Part::Text(field.name.clone()) };
        self.ledger.note_text(&document, &before, &after);
        Ok((format!("edits {} of {record}", field.name), Some((record, entity))))
    }

    /// A record that the office has, with its documents.
    fn draw_record(&mut self) -> Result<Option<(RecordId, &'static Entity, Documents)>, Failure> {
        let read = self.server.storage().read()?;
        for _ in 0..6 {
            let count = self.hand.records.len();
            let recent = if self.hand.dice.percent(60) { 6 } else { count };
            let at = count.saturating_sub(1 + self.hand.dice.below(recent));
            let Some(drawn) = self.hand.records.get(at).copied() else { break };
            let Some((entity, _)) = office::documents(&*read, drawn)? else { continue };
            // Of merged ones it is the one that goes on.
            let record = read.heir(entity, drawn)?;
            if let Some((entity, documents)) = office::documents(&*read, record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        Ok(None)
    }
}

/// What was done, and to which record.
type Done = (String, Option<(RecordId, &'static Entity)>);

/// What somebody is told at the office whose edit is not kept: that the record was erased.
/// Whatever else fails is not to fail.
fn told(error: Failure) -> Result<String, Failure> {
    match error.downcast_ref::<OfficeError>() {
        Some(OfficeError::Refused { code, .. }) if code == "erased" => {
            Ok(format!("is told: {error}"))
        }
        Some(_) | None => Err(error),
    }
}
