//! Records with every field that a person may fill in, made on a device.

use outrider_core::{
    ids::RecordId,
    schema::{Entity, sample},
};
use serde_json::{Map, Value as Json};

use super::{Made, Suite, entities, value_of};
use crate::{Failure, see::is_same};

const PHASE: &str = "create";

impl Suite {
    pub(super) fn create(&mut self) -> Result<(), Failure> {
        let mut entered = Vec::new();
        for entity in entities() {
            let fields = sample::record(entity, &mut |limit| self.world.draw(limit));
            let device = self.world.act(self.a)?;
            let id = device.replica_mut()?.create(&entity.name, &fields)?;
            self.made.push(Made { entity, id });
            entered.push((entity, id, fields));
        }
        self.sync()?;
        for (entity, id, fields) in entered {
            self.check_fields(PHASE, entity, id, &fields)?;
        }
        Ok(())
    }

    /// A record shows what was entered, on the other device and in the office.
    pub(super) fn check_fields(
        &mut self,
        phase: &'static str,
        entity: &Entity,
        id: RecordId,
        fields: &Map<String, Json>,
    ) -> Result<(), Failure> {
        let there = self.shown(self.b, id)?;
        let office = self.world.office.get(id)?.unwrap_or_default();
        for field in entity.fields.iter().filter(|field| fields.contains_key(&field.name)) {
            let entered = value_of(fields, field);
            let found = value_of(&there, field);
            self.check(phase, is_same(Some(field), entered, found), || {
                format!("{}.{} is {found}, entered was {entered}", entity.name, field.name)
            });
        }
        self.check(phase, office == Json::Object(there), || {
            format!("{}: the office sees another record", entity.name)
        });
        Ok(())
    }
}
