//! From what a person changes, as JSON, to edits of keys.
//!
//! | kind | on creation | afterwards |
//! |---|---|---|
//! | register | value | value, `null` clears |
//! | counter | number | `{"add": n}` |
//! | set | list | list (made so), or `{"add": […], "remove": […]}` |
//! | rows | list of objects | `{"add": […], "edit": {row: {…}}, "remove": [row]}` |
//! | log | list of objects | `{"add": […]}` |
//! | long text | text | text (the difference is written) |

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{record::Documents, stage::HISTORY};
use crate::{
    crdt::{Action, Edit, State, archive::ARCHIVED},
    ids::{ActorId, Part},
    schema::{
        Entity, Field, KeyError, Kind, RowId, Type, ValueError, cell_key, counter_key, entry_key,
        member_key, register_key,
    },
    value::Value,
};

/// Rows or members that one edit may add or remove, at most.
pub const EDIT_ITEMS_MAX: usize = 500;

/// What is wrong with an edit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The entity has no such field.
    #[error("{entity} has no field `{field}`")]
    UnknownField {
        /// The entity.
        entity: String,
        /// The field.
        field: String,
    },
    /// The value does not fit the field.
    #[error("`{field}`: {source}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong with it.
        #[source]
        source: ValueError,
    },
    /// A member or row does not fit the field.
    #[error("`{field}`: {source}")]
    Key {
        /// The field.
        field: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// The JSON has another shape than the field's kind asks for.
    #[error("`{field}` expects {expected}")]
    Shape {
        /// The field.
        field: String,
        /// What it expects.
        expected: &'static str,
    },
    /// The field cannot be written by devices.
    #[error("`{0}` is written by the office alone")]
    OfficeOwned(String),
    /// The field was written before.
    #[error("`{0}` is written once, and has a value already")]
    WrittenOnce(String),
    /// The field is written by the program alone.
    #[error("`{field}` is written by the program; use {instead}")]
    ByProgram {
        /// The field.
        field: String,
        /// What a person uses.
        instead: &'static str,
    },
    /// A required field has no value.
    #[error("`{0}` is required")]
    Required(String),
    /// The row is not there.
    #[error("`{field}` has no row `{row}`")]
    UnknownRow {
        /// The field.
        field: String,
        /// The row.
        row: String,
    },
    /// More items than one edit may have.
    #[error("`{0}`: at most {EDIT_ITEMS_MAX} items in one edit")]
    TooMany(String),
}

/// Edits by part: keys of flat documents, and new contents of long texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Edits of flat parts.
    pub flat: BTreeMap<Part, Vec<Edit>>,
    /// New texts by field.
    pub texts: BTreeMap<String, String>,
}

/// What a plan is made from.
#[derive(Debug)]
pub struct Planner<'a, R: FnMut() -> RowId> {
    /// The record's entity.
    pub entity: &'a Entity,
    /// The record as it stands.
    pub documents: &'a Documents,
    /// Under which actor each part will be written.
    pub actors: &'a dyn Actors,
    /// Whether the record is being created.
    pub is_new: bool,
    /// Whether the writer is the office, which alone writes the fields that it owns.
    pub is_office: bool,
    /// Draws ids of rows and entries.
    pub draw_row: R,
}

/// Knows under which actor a part will be written.
pub trait Actors: std::fmt::Debug {
    /// The actor of the part's next change.
    fn actor(&self, part: &Part) -> ActorId;
}

/// Whether it clears a field, as an empty box of a form does.
fn is_blank(json: &Json) -> bool {
    json.is_null() || json.as_str().is_some_and(|text| text.trim().is_empty())
}

impl<R: FnMut() -> RowId> Planner<'_, R> {
    /// Turns `fields` into edits. A value that is there already makes no edit, except a member
    /// of a set, which is written again so that it wins over a concurrent removal.
    ///
    /// # Errors
    ///
    /// Returns the first [`EditError`]; nothing is planned then.
    pub fn plan(&mut self, fields: &Map<String, Json>) -> Result<Plan, EditError> {
        let plan = self.plan_with_gaps(fields)?;
        if self.is_new {
            self.check_required(fields)?;
        }
        Ok(plan)
    }

    /// As [`Planner::plan`], but a new record may leave required fields empty, as an import does.
    ///
    /// # Errors
    ///
    /// Returns the first [`EditError`]; nothing is planned then.
    pub fn plan_with_gaps(&mut self, fields: &Map<String, Json>) -> Result<Plan, EditError> {
        let mut plan = Plan::default();
        for (name, json) in fields {
            let field = self.entity.field(name).ok_or_else(|| EditError::UnknownField {
                entity: self.entity.name.clone(),
                field: name.clone(),
            })?;
            if let Some(instead) = by_program(field) {
                return Err(EditError::ByProgram { field: name.clone(), instead });
            }
            if field.required && is_blank(json) && !self.is_new {
                return Err(EditError::Required(name.clone()));
            }
            if field.kind == Kind::Text {
                let text = text_of(field, json)?;
                plan.texts.insert(name.clone(), text);
                continue;
            }
            let edits = self.field_edits(field, json)?;
            if !edits.is_empty() {
                plan.flat.entry(field.part.clone()).or_default().extend(edits);
            }
        }
        Ok(plan)
    }

    fn check_required(&self, fields: &Map<String, Json>) -> Result<(), EditError> {
        // What only the office writes cannot be asked of a device.
        let missing = |field: &&Field| {
            field.required
                && field.kind != Kind::Office
                && fields.get(&field.name).is_none_or(is_blank)
        };
        match self.entity.fields.iter().find(missing) {
            Some(field) => Err(EditError::Required(field.name.clone())),
            None => Ok(()),
        }
    }

    fn state(&self, field: &Field) -> Option<&State> {
        self.documents.flat.get(&field.part)
    }

    /// Whether there is a value already; what is written once may be written later, too.
    fn is_written(&self, field: &Field) -> bool {
        let key = register_key(field);
        self.state(field).is_some_and(|state| !state.survivors(&key).is_empty())
    }

    fn field_edits(&mut self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        match field.kind {
            Kind::Office if !self.is_office => Err(EditError::OfficeOwned(field.name.clone())),
            Kind::Once if self.is_written(field) => Err(EditError::WrittenOnce(field.name.clone())),
            Kind::Register | Kind::Once | Kind::Office => self.register_edits(field, json),
            Kind::Counter => self.counter_edits(field, json),
            Kind::Set => self.set_edits(field, json),
            Kind::Rows => self.rows_edits(field, json),
            Kind::Log => self.log_edits(field, json),
            Kind::Text => Ok(Vec::new()),
        }
    }

    fn register_edits(&self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        let value = parse(field, json)?;
        let key = register_key(field);
        let survivors = self.state(field).map_or(&[] as &[_], |state| state.survivors(&key));
        let is_same = match survivors {
            [] => value == Value::Null,
            [only] => only.value == value,
            _ => false,
        };
        Ok(if is_same { Vec::new() } else { vec![put(key, value)] })
    }

    fn counter_edits(&self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        let shape = || EditError::Shape {
            field: field.name.clone(),
            expected: "a whole number, or {\"add\": n}",
        };
        let step = match json {
            Json::Object(object) => object.get("add").and_then(Json::as_i64),
            Json::Number(number) if self.is_new => number.as_i64(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
        }
        .ok_or_else(shape)?;
        if step == 0 {
            return Ok(Vec::new());
        }
        let key = counter_key(field, self.actors.actor(&field.part));
        let before = self.state(field).map_or(0, |state| state.own_count(&key));
        let value = Value::Int(before.checked_add(step).ok_or_else(shape)?);
        field.ty.check(&value).map_err(|source| value_error(field, source))?;
        Ok(vec![put(key, value)])
    }

    fn set_edits(&self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        let present: Vec<String> = self.state(field).map_or_else(Vec::new, |state| {
            let key = |member| [field.name.as_str(), "/", member].concat();
            state.members(&field.name).into_iter().map(key).collect()
        });
        let (add, remove) = match json {
            Json::Array(items) => {
                let wanted = self.member_keys(field, items)?;
                let remove: Vec<String> =
                    present.iter().filter(|key| !wanted.contains(key)).cloned().collect();
                let add = wanted.into_iter().filter(|key| !present.contains(key)).collect();
                (add, remove)
            }
            Json::Object(change) => {
                let keys = |name: &str| match change.get(name) {
                    None => Ok(Vec::new()),
                    Some(Json::Array(items)) => self.member_keys(field, items),
                    Some(_) => Err(set_shape(field)),
                };
                let remove = keys("remove")?;
                (keys("add")?, present.into_iter().filter(|key| remove.contains(key)).collect())
            }
            Json::Null => (Vec::new(), present),
            Json::Bool(_) | Json::Number(_) | Json::String(_) => return Err(set_shape(field)),
        };
        let mut edits: BTreeMap<String, Edit> = BTreeMap::new();
        for key in remove {
            edits.insert(key.clone(), Edit { key, action: Action::Delete });
        }
        for key in add {
            edits.insert(key.clone(), put(key, Value::Bool(true)));
        }
        Ok(edits.into_values().collect())
    }

    fn member_keys(&self, field: &Field, items: &[Json]) -> Result<Vec<String>, EditError> {
        check_count(field, items.len())?;
        items
            .iter()
            .map(|item| {
                let member = item.as_str().ok_or_else(|| set_shape(field))?;
                member_key(field, member)
                    .map_err(|source| EditError::Key { field: field.name.clone(), source })
            })
            .collect()
    }

    fn rows_edits(&mut self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        let shape = || EditError::Shape {
            field: field.name.clone(),
            expected: "a list of rows, or {\"add\": […], \"edit\": {row: {…}}, \"remove\": [row]}",
        };
        let change = match json {
            Json::Array(items) if self.is_new => {
                Map::from_iter([("add".to_owned(), Json::Array(items.clone()))])
            }
            Json::Object(change) => change.clone(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                return Err(shape());
            }
        };
        let mut edits = Vec::new();
        for (name, json) in &change {
            match (name.as_str(), json) {
                ("add", Json::Array(rows)) => {
                    check_count(field, rows.len())?;
                    for row in rows {
                        let row = row.as_object().ok_or_else(shape)?;
                        let id = self.new_row_id(row);
                        edits.extend(cells(field, id, row)?);
                    }
                }
                ("edit", Json::Object(rows)) => {
                    check_count(field, rows.len())?;
                    for (id, row) in rows {
                        let id = self.existing_row(field, id)?;
                        edits.extend(cells(field, id, row.as_object().ok_or_else(shape)?)?);
                    }
                }
                ("remove", Json::Array(rows)) => {
                    check_count(field, rows.len())?;
                    for id in rows {
                        edits.push(self.remove_row(field, id.as_str().ok_or_else(shape)?)?);
                    }
                }
                _ => return Err(shape()),
            }
        }
        Ok(edits)
    }

    /// An import gives its own ids, so that two devices importing the same file make one row.
    fn new_row_id(&mut self, row: &Map<String, Json>) -> RowId {
        let given = row.get("id").and_then(Json::as_str).and_then(|id| id.parse().ok());
        given.unwrap_or_else(|| (self.draw_row)())
    }

    fn existing_row(&self, field: &Field, id: &str) -> Result<RowId, EditError> {
        let unknown = || EditError::UnknownRow {
            field: field.name.clone(),
            row: id.chars().take(40).collect(),
        };
        let exists = self
            .state(field)
            .is_some_and(|state| state.rows(&field.name).iter().any(|row| row.id == id));
        if exists { id.parse().map_err(|_| unknown()) } else { Err(unknown()) }
    }

    fn remove_row(&self, field: &Field, id: &str) -> Result<Edit, EditError> {
        let row = self.existing_row(field, id)?;
        self.state(field)
            .and_then(|state| state.delete_row(&field.name, &row.to_string()))
            .ok_or_else(|| EditError::UnknownRow { field: field.name.clone(), row: id.to_owned() })
    }

    fn log_edits(&mut self, field: &Field, json: &Json) -> Result<Vec<Edit>, EditError> {
        let shape =
            || EditError::Shape { field: field.name.clone(), expected: "{\"add\": [entry]}" };
        let items = match json {
            Json::Array(items) if self.is_new => items,
            Json::Object(change) => change.get("add").and_then(Json::as_array).ok_or_else(shape)?,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                return Err(shape());
            }
        };
        check_count(field, items.len())?;
        items
            .iter()
            .map(|item| {
                let entry = item.as_object().ok_or_else(shape)?;
                let value =
                    field.entry_from_json(entry).map_err(|source| value_error(field, source))?;
                Ok(put(entry_key(field, (self.draw_row)()), value))
            })
            .collect()
    }
}

/// What a person uses instead of writing a field that only the program writes.
fn by_program(field: &Field) -> Option<&'static str> {
    field.by_program.then_some(match field.name.as_str() {
        ARCHIVED => "archive and restore",
        HISTORY => "`sales_stage`, which keeps its history",
        _ => "the command that it follows from",
    })
}

fn cells(field: &Field, row: RowId, json: &Map<String, Json>) -> Result<Vec<Edit>, EditError> {
    let mut edits = Vec::new();
    for (name, json) in json.iter().filter(|(name, _)| *name != "id") {
        let column = field.column(name).ok_or_else(|| EditError::UnknownField {
            entity: field.name.clone(),
            field: name.clone(),
        })?;
        edits.push(put(cell_key(field, row, column), parse(column, json)?));
    }
    if edits.is_empty() {
        return Err(EditError::Shape { field: field.name.clone(), expected: "a row with a cell" });
    }
    Ok(edits)
}

fn parse(field: &Field, json: &Json) -> Result<Value, EditError> {
    field.ty.from_json(json).map_err(|source| value_error(field, source))
}

fn value_error(field: &Field, source: ValueError) -> EditError {
    EditError::Value { field: field.name.clone(), source }
}

fn text_of(field: &Field, json: &Json) -> Result<String, EditError> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            return Err(EditError::Shape { field: field.name.clone(), expected: "text" });
        }
    };
    if let Type::Text { max } = field.ty
        && text.chars().count() > max
    {
        return Err(value_error(field, ValueError::TooLong { max }));
    }
    Ok(text)
}

fn set_shape(field: &Field) -> EditError {
    EditError::Shape {
        field: field.name.clone(),
        expected: "a list of words, or {\"add\": […], \"remove\": […]}",
    }
}

fn check_count(field: &Field, count: usize) -> Result<(), EditError> {
    if count <= EDIT_ITEMS_MAX { Ok(()) } else { Err(EditError::TooMany(field.name.clone())) }
}

fn put(key: String, value: Value) -> Edit {
    Edit { key, action: Action::Put(value) }
}
