//! A device's bundle, lived through again: its records come from the office, its edits are typed anew
//! while colleagues write where they had written, and then everybody syncs and is judged.

use std::collections::BTreeMap;

use outrider_core::{
    bundle::{MaskedEdit, Structure},
    ids::RecordId,
    replica::ReplicaError,
    schema::{Schema, sample},
};
use serde_json::{Map, Value as Json};

use super::{Outcome, Settings, World};
use crate::{
    Failure,
    plan::{Check, Kind},
};

/// The device that is lived through again, and the one whose people wrote everything else.
const SUBJECT: usize = 0;
const OFFICE: usize = 1;

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The run, judged.
    pub outcome: Outcome,
    /// Records that the office made.
    pub records: u64,
    /// Edits that were typed anew.
    pub edits: u64,
    /// Edits and records that could not be typed anew, with why.
    pub left_out: Vec<String>,
}

/// Lives through a bundle.
#[must_use]
pub fn replay(structure: &Structure, seed: u64, keeps_trace: bool) -> Replayed {
    let settings = Settings { devices: Some(2), steps: 0, keeps_trace, ..Settings::of(Kind::Sync) };
    let mut replayed = Replayed::default();
    let mut world = match World::new(seed, &settings) {
        Ok(world) => world,
        Err(error) => {
            let words = format!("the world cannot be built: {error}");
            replayed.outcome.add(Check::Alive, words);
            return replayed;
        }
    };
    let ended = world.relive(structure, &mut replayed);
    replayed.outcome = world.end(ended);
    replayed.outcome.edits = replayed.edits;
    replayed
}

impl World {
    fn relive(&mut self, structure: &Structure, replayed: &mut Replayed) -> Result<(), Failure> {
        // Nothing is withheld from anybody: the office took these records once.
        if let Some(server) = &mut self.server {
            server.withheld.clear();
        }
        for at in [SUBJECT, OFFICE] {
            self.enrol(at)?;
        }
        for record in &structure.records {
            if record.fields.is_empty() {
                // It is the device's own, and not at the office yet.
                continue;
            }
            let made = self.type_in(OFFICE, &record.entity, record.record, &record.fields, true)?;
            match made {
                Ok(()) => replayed.records += 1,
                Err(why) => replayed.left_out.push(format!("{}: {why}", record.entity)),
            }
        }
        self.sync(OFFICE, 1 << 30)?;
        self.sync(SUBJECT, 1 << 30)?;
        for edit in structure.taps.iter().flat_map(|tap| &tap.edits) {
            self.write_beside(edit)?;
        }
        self.sync(OFFICE, 1 << 30)?;
        for edit in structure.taps.iter().flat_map(|tap| &tap.edits) {
            let typed =
                self.type_in(SUBJECT, &edit.entity, edit.record, &edit.fields, edit.is_new)?;
            match typed {
                Ok(()) => replayed.edits += 1,
                Err(why) => replayed.left_out.push(format!("{}: {why}", edit.entity)),
            }
        }
        Ok(())
    }

    /// What others wrote in the same fields, unseen by the device.
    fn write_beside(&mut self, edit: &MaskedEdit) -> Result<(), Failure> {
        let Some(entity) = Schema::current().entity(&edit.entity) else { return Ok(()) };
        let mut fields = Map::new();
        for name in &edit.beside {
            let Some(field) = entity.field(name) else { continue };
            let dice = &mut self.dice;
            let mut draw =
                |below: u32| u32::try_from(dice.below(below as usize)).unwrap_or_default();
            fields.insert(name.clone(), sample::edit(entity, field, &mut draw));
        }
        if fields.is_empty() {
            return Ok(());
        }
        // Where the record is not here, nobody writes beside.
        self.type_in(OFFICE, &edit.entity, edit.record, &fields, false).map(drop)
    }

    /// Types fields into a record; one that is not there is made first. What does not fit any more is
    /// told, and nothing is typed.
    fn type_in(
        &mut self,
        at: usize,
        entity: &str,
        record: RecordId,
        fields: &Map<String, Json>,
        makes: bool,
    ) -> Result<Result<(), String>, Failure> {
        let number = self.next_edit;
        self.next_edit += 1;
        let required = self.required(entity);
        let device = self.device(at)?;
        device.tell_time(number);
        let replica = device.replica_mut()?;
        let is_here = replica.get(record)?.is_some();
        let typed = if is_here {
            replica.update(record, fields).map(drop)
        } else if makes {
            let mut all: Map<String, Json> = required.into_iter().collect();
            all.extend(fields.clone().into_iter().map(|(name, value)| (name, at_creation(value))));
            replica.transaction(|writer| writer.create(entity, Some(record), &all).map(drop))
        } else {
            return Ok(Err("the record is not here".to_owned()));
        };
        self.scan(at)?;
        match typed {
            Ok(()) => Ok(Ok(())),
            Err(ReplicaError::Store(error)) => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Values for the fields that a new record must have.
    fn required(&mut self, entity: &str) -> BTreeMap<String, Json> {
        let Some(entity) = Schema::current().entity(entity) else { return BTreeMap::new() };
        let dice = &mut self.dice;
        let mut draw = |below: u32| u32::try_from(dice.below(below as usize)).unwrap_or_default();
        let fields =
            entity.fields.iter().filter(|field| field.required && sample::is_by_person(field));
        fields.map(|field| (field.name.clone(), sample::value(field, &mut draw))).collect()
    }
}

/// An edit of a set, a counter or rows, as a new record takes it.
fn at_creation(edit: Json) -> Json {
    let added = edit.as_object().filter(|members| members.len() == 1);
    added.and_then(|members| members.get("add")).cloned().unwrap_or(edit)
}
