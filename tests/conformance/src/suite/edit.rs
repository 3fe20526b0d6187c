//! Every field changed on the other device, one after the other.

use outrider_core::schema::{Field, Kind, sample};
use serde_json::{Map, Value as Json, json};

use super::{DRAWS_MAX, Edit, Suite, editable, items_of, one, value_of};
use crate::{Failure, see::is_same};

const PHASE: &str = "edit every field";

impl Suite {
    pub(super) fn edit_every_field(&mut self) -> Result<(), Failure> {
        for made in self.made.clone() {
            for field in editable(made.entity) {
                let shown = self.shown(self.b, made.id)?;
                let before = value_of(&shown, field).clone();
                let (edit, after) = if field.kind.is_single() {
                    let values = self.distinct(field, 1, &before);
                    let value = values.into_iter().next().unwrap_or(Json::Null);
                    (value.clone(), value)
                } else {
                    let draw = |suite: &mut Self| {
                        sample::edit(made.entity, field, &mut |max| suite.world.draw(max))
                    };
                    let mut edit = draw(self);
                    for _ in 0..DRAWS_MAX {
                        // A member that is there already changes nothing.
                        if !is_same(Some(field), &before, &expected(field, &shown, &edit)) {
                            break;
                        }
                        edit = draw(self);
                    }
                    let after = expected(field, &shown, &edit);
                    (edit, after)
                };
                self.update(self.b, made.id, &one(field, edit))?;
                let (entity, id) = (made.entity, made.id);
                self.edits.push(Edit { entity, id, field, before, after });
            }
        }
        self.sync()?;
        for Edit { entity, id, field, after, .. } in self.edits.clone() {
            let shown = self.shown(self.a, id)?;
            let found = value_of(&shown, field);
            self.check(PHASE, is_same(Some(field), &after, found), || {
                format!("{}.{} is {found}, expected {after}", entity.name, field.name)
            });
        }
        Ok(())
    }
}

/// What a field that holds several items shows after an edit.
fn expected(field: &Field, shown: &Map<String, Json>, edit: &Json) -> Json {
    match field.kind {
        Kind::Counter => {
            let before = value_of(shown, field).as_i64().unwrap_or(0);
            json!(before + edit["add"].as_i64().unwrap_or(0))
        }
        Kind::Set | Kind::Rows | Kind::Log => {
            let mut items = items_of(shown, field);
            items.extend(edit["add"].as_array().cloned().unwrap_or_default());
            items.into()
        }
        Kind::Register | Kind::Once | Kind::Office | Kind::Text => edit.clone(),
    }
}
