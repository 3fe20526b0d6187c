//! What the office writes: fields that it owns, and whole records.

use outrider_core::schema::{Entity, Field, Kind, sample};
use outrider_sync_server::office;

use super::{Suite, entities, one, value_of};
use crate::{Failure, see::is_same};

const PHASE: &str = "office";

fn owned(entity: &'static Entity) -> impl Iterator<Item = &'static Field> {
    entity.fields.iter().filter(|field| field.kind == Kind::Office)
}

impl Suite {
    pub(super) fn work_at_the_office(&mut self) -> Result<(), Failure> {
        let mut written = Vec::new();
        for made in self.made.clone() {
            for field in owned(made.entity) {
                let value = sample::value(field, &mut |max| self.world.draw(max));
                let refused = self.update(self.b, made.id, &one(field, value.clone()));
                let says = refused.err().map(|error| error.to_string()).unwrap_or_default();
                self.check(PHASE, says.contains("by the office alone"), || {
                    format!("{}.{}: a device may write it: {says}", made.entity.name, field.name)
                });
                let now_ms = self.world.now_ms();
                let place = &self.world.office;
                let author = place.author("Zhao", now_ms)?;
                let fields = one(field, value);
                let (storage, policy) = (place.storage()?, &place.policy);
                office::update(storage, policy, &author, made.id, &fields, None, now_ms)?;
                written.push((made.entity, made.id, fields));
            }
        }
        for entity in entities() {
            let mut fields = sample::record(entity, &mut |max| self.world.draw(max));
            for field in owned(entity) {
                let value = sample::value(field, &mut |max| self.world.draw(max));
                fields.insert(field.name.clone(), value);
            }
            self.world.tick();
            let now_ms = self.world.now_ms();
            let place = &self.world.office;
            let author = place.author("Zhao", now_ms)?;
            let (storage, policy) = (place.storage()?, &place.policy);
            let id = office::create(storage, policy, &author, &entity.name, &fields, now_ms)?;
            written.push((entity, id, fields));
        }
        self.sync()?;
        for (entity, id, fields) in written {
            self.check_fields(PHASE, entity, id, &fields)?;
            let shown = self.shown(self.a, id)?;
            for field in owned(entity).filter(|field| fields.contains_key(&field.name)) {
                let is_well =
                    is_same(Some(field), value_of(&fields, field), value_of(&shown, field));
                self.check(PHASE, is_well, || format!("{}.{}", entity.name, field.name));
            }
        }
        Ok(())
    }
}
