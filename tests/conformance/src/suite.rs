//! What every entity of the schema must do on device and server, made from the definitions alone:
//! whoever adds a field or an entity has it tested without writing a test.
//!
//! One world for all entities: two devices, the office, and a third device that comes at the end.
//! The phases follow each other; each makes its edits for all entities, lets everybody sync, and
//! looks at every record on every device and in the office.

use std::collections::BTreeMap;

use outrider_core::{
    ids::RecordId,
    schema::{Entity, Field, Kind, Schema, Settle, Type, sample},
};
use serde_json::{Map, Value as Json};

use crate::{
    Failure,
    see::{is_same, without_time},
    world::World,
};

mod archive;
mod conflict;
mod create;
mod edit;
mod files;
mod history;
mod office;

/// How often a sample is drawn again because it equals another one.
const DRAWS_MAX: usize = 200;

/// A record that the suite made.
#[derive(Debug, Clone)]
struct Made {
    entity: &'static Entity,
    id: RecordId,
}

/// One edit, so that the history can be asked for it.
#[derive(Debug, Clone)]
struct Edit {
    entity: &'static Entity,
    id: RecordId,
    field: &'static Field,
    before: Json,
    after: Json,
}

/// The suite under way.
#[derive(Debug)]
struct Suite {
    world: World,
    /// The device that creates.
    a: usize,
    /// The device that edits.
    b: usize,
    /// Records made by device A, one per entity.
    made: Vec<Made>,
    edits: Vec<Edit>,
    /// The records as they were at a position of the feed.
    created: Vec<Json>,
    created_at: u64,
    report: Report,
}

/// What the suite did and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many checks were made, by phase.
    pub checks: BTreeMap<&'static str, usize>,
    /// Fields that were in conflict, by kind.
    pub conflicts: BTreeMap<&'static str, usize>,
    /// What was wrong.
    pub wrong: Vec<String>,
}

/// Runs the suite over all entities of the process's schema.
///
/// # Errors
///
/// Fails when something breaks; what is merely wrong is in the report.
pub fn run(seed: u64) -> Result<Report, Failure> {
    let mut world = World::new(seed)?;
    let a = world.add_device("Li", "Li's phone")?;
    let b = world.add_device("Wang", "Wang's tablet")?;
    world.enrol(a)?;
    world.enrol(b)?;
    let mut suite = Suite {
        world,
        a,
        b,
        made: Vec::new(),
        edits: Vec::new(),
        created: Vec::new(),
        created_at: 0,
        report: Report::default(),
    };
    suite.phase("create", Suite::create)?;
    suite.keep_what_is()?;
    suite.phase("edit every field", Suite::edit_every_field)?;
    suite.phase("history", Suite::tell_history)?;
    suite.phase("conflict", Suite::conflict)?;
    suite.phase("settle", Suite::settle)?;
    suite.phase("write once", Suite::write_once)?;
    suite.phase("office", Suite::work_at_the_office)?;
    suite.phase("archive and restore", Suite::archive_and_restore)?;
    suite.phase("import", Suite::import)?;
    suite.phase("export", Suite::export)?;
    suite.phase("begin anew", Suite::begin_anew)?;
    Ok(suite.report)
}

impl Suite {
    fn phase(
        &mut self,
        name: &'static str,
        run: fn(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.report.checks.entry(name).or_default();
        let (wrong, done) = (self.report.wrong.len(), run(self));
        for found in self.report.wrong.iter_mut().skip(wrong) {
            *found = [name, ": ", found].concat();
        }
        done.map_err(|error| format!("{name}: {error}").into())
    }

    /// Notes a check of the phase that runs.
    fn check(&mut self, phase: &'static str, is_well: bool, wrong: impl FnOnce() -> String) {
        *self.report.checks.entry(phase).or_default() += 1;
        if !is_well {
            self.report.wrong.push(wrong());
        }
    }

    /// Everybody syncs, and holds the same.
    fn sync(&mut self) -> Result<(), Failure> {
        let everyone: Vec<usize> = (0..self.world.devices.len()).collect();
        self.world.sync_all(&everyone)?;
        self.world.check_agreement()
    }

    /// A record as a device shows it.
    fn shown(&self, at: usize, id: RecordId) -> Result<Map<String, Json>, Failure> {
        let json = self.world.device(at)?.replica()?.get(id)?;
        let object = json.as_ref().and_then(Json::as_object);
        let mut object = object.ok_or("the record is not here")?.clone();
        without_time(&mut object);
        Ok(object)
    }

    fn update(
        &mut self,
        at: usize,
        id: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), Failure> {
        self.world.act(at)?.replica_mut()?.update(id, fields)?;
        Ok(())
    }

    /// Values of a field that differ from each other and from `present`; an empty one at the end
    /// where the type has no more. Empty ones are no value to a field that must have one.
    fn distinct(&mut self, field: &Field, count: usize, present: &Json) -> Vec<Json> {
        let mut values: Vec<Json> = Vec::new();
        for _ in 0..DRAWS_MAX {
            let drawn = sample::value(field, &mut |limit| self.world.draw(limit));
            let is_new = |other: &Json| !is_same(Some(field), &drawn, other);
            if values.len() < count && is_new(present) && values.iter().all(is_new) {
                values.push(drawn);
            }
        }
        if values.len() < count && !field.required && !present.is_null() {
            values.push(Json::Null);
        }
        values
    }
}

fn one(field: &Field, value: Json) -> Map<String, Json> {
    Map::from_iter([(field.name.clone(), value)])
}

/// What a field shows in a record.
fn value_of<'a>(record: &'a Map<String, Json>, field: &Field) -> &'a Json {
    record.get(&field.name).unwrap_or(&Json::Null)
}

/// The items that a field shows.
fn items_of(record: &Map<String, Json>, field: &Field) -> Vec<Json> {
    value_of(record, field).as_array().cloned().unwrap_or_default()
}

/// The fields that a person may change in a record that is there.
fn editable(entity: &'static Entity) -> impl Iterator<Item = &'static Field> {
    entity.fields.iter().filter(|field| sample::is_by_person(field) && field.kind != Kind::Once)
}

/// Whether concurrent values stand beside each other.
fn keeps_both(field: &Field) -> bool {
    match field.settle {
        Settle::Winner | Settle::Person => true,
        Settle::OptOut | Settle::Done | Settle::Higher | Settle::StageRank => false,
    }
}

/// The value in the form in which it is shown.
fn canonical(ty: &Type, value: &Json) -> Json {
    ty.from_json(value).map_or(Json::Null, |value| ty.to_json(&value))
}

fn entities() -> impl Iterator<Item = &'static Entity> {
    Schema::current().entities()
}
