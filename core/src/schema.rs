//! The schema as data: entities, their fields, what the values look like, how they merge.
//!
//! One definition per entity is the single source for tables, forms, the API, import and export,
//! search and validation. The built-in definitions are TOML files beside this room, embedded in
//! the program; companies' own come through the same [`EntityDefinition`] at run time.
//!
//! Each value has one canonical encoding ([`Type`]), so that equal values are equal bytes on every
//! replica; each field one way of merging ([`Kind`], [`Settle`]), which decides its keys in the
//! flat document ([`Key`]).

mod entity;
mod field;
pub(crate) mod types;

mod likeness;
mod picklist;
mod rollup;

mod display;
mod hints;
mod key;
mod sql;

mod check;
mod definition;
mod markdown;
mod names;

pub mod sample;

#[cfg(test)]
mod strategies;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

pub use check::SchemaError;
pub use definition::{EntityDefinition, FieldDefinition, PicklistDefinition};
pub use entity::{Derived, Entity, Family, Label, Language};
pub use field::{Field, Kind, Settle};
pub use hints::{DateOrder, TextHints};
pub use key::{
    ENTRY_BYTES_MAX, KEY_BYTES_MAX, Key, KeyError, MEMBER_CHARS_MAX, ROW_GONE, RowId,
    VALUE_BYTES_MAX, cell_key, counter_key, entry_key, member_key, register_key, row_gone_key,
};
pub use likeness::Likeness;
pub use picklist::{Choice, Picklist, StageType};
pub use rollup::{Rollup, RollupHow, RollupWhen};
pub use sql::{Column, SqlValue};
pub use types::{Type, ValueError};

/// Version of the built-in definitions; every change of them counts it up.
pub const BUILTIN_VERSION: u32 = 3;

/// All entities and picklists at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Counts up with every change of a definition.
    pub version: u32,
    entities: Vec<Entity>,
    picklists: Vec<Arc<Picklist>>,
    positions: HashMap<String, usize>,
}

/// What [`Schema::current`] gives in this process.
static CURRENT: OnceLock<Schema> = OnceLock::new();

thread_local! {
    /// What [`Schema::current`] gives on this thread instead, once it was [entered](Schema::enter).
    static ENTERED: Cell<Option<&'static Schema>> = const { Cell::new(None) };
}

impl Schema {
    /// The schema of this process: what was [installed](Self::install), else the built-in one.
    #[must_use]
    pub fn current() -> &'static Self {
        match ENTERED.get() {
            Some(entered) => entered,
            None => CURRENT.get_or_init(|| Self::builtin().clone()),
        }
    }

    /// From here on this thread is an app, or a server, of another version.
    ///
    /// Only for simulations, in which programs of several versions live in one process. Whatever
    /// was opened under a schema is to be used under it.
    pub fn enter(schema: &'static Self) {
        ENTERED.set(Some(schema));
    }

    /// Makes `schema` the one of this process; to be called before anything asks for it.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] when the process already uses a schema.
    pub fn install(schema: Self) -> Result<(), SchemaError> {
        let used = |_| SchemaError::new("schema", "the process already uses a schema");
        CURRENT.set(schema).map_err(used)
    }

    /// The built-in definitions with further entities, each a TOML file like the built-in ones. A
    /// file with the name of an entity that is there adds its fields to that one's, and may say
    /// anew what tells that two records are the same.
    ///
    /// # Errors
    ///
    /// The first definition that is wrong, and why.
    pub fn extended(version: u32, files: &[&str]) -> Result<Self, SchemaError> {
        let wrong = |error: toml::de::Error| SchemaError::new("definition", error.to_string());
        let (mut entities, picklists) = definition::builtin().map_err(wrong)?;
        for file in files {
            let more: EntityDefinition = toml::from_str(file).map_err(wrong)?;
            match entities.iter_mut().find(|entity| entity.name == more.name) {
                Some(entity) => {
                    entity.fields.extend(more.fields);
                    entity.likeness = more.likeness.or(entity.likeness.take());
                }
                None => entities.push(more),
            }
        }
        Self::new(version, entities, picklists)
    }

    /// The definitions that come with the program.
    ///
    /// # Panics
    ///
    /// Never: the tests read the embedded definitions.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Schema> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            let (entities, picklists) =
                definition::builtin().expect("the embedded files are read by the tests");
            Self::new(BUILTIN_VERSION, entities, picklists)
                .expect("the embedded definitions are checked by the tests")
        })
    }

    /// Builds a schema from definitions and checks that they fit together.
    ///
    /// # Errors
    ///
    /// The first definition that is wrong, and why.
    pub fn new(
        version: u32,
        entities: Vec<EntityDefinition>,
        picklists: Vec<PicklistDefinition>,
    ) -> Result<Self, SchemaError> {
        let picklists = definition::resolve_picklists(picklists)?;
        let entities = definition::resolve_entities(entities, &picklists)?;
        let positions =
            entities.iter().enumerate().map(|(at, entity)| (entity.name.clone(), at)).collect();
        let schema = Self { version, entities, picklists, positions };
        check::check_schema(&schema)?;
        Ok(schema)
    }

    /// The entity of this name.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.get(*self.positions.get(name)?)
    }

    /// All entities in the order of their definitions.
    pub fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter()
    }

    /// The picklist of this name.
    #[must_use]
    pub fn picklist(&self, name: &str) -> Option<&Picklist> {
        self.picklists().find(|list| list.name == name)
    }

    /// All picklists in the order of their definitions.
    pub fn picklists(&self) -> impl Iterator<Item = &Picklist> {
        self.picklists.iter().map(Arc::as_ref)
    }

    /// The data model as a page for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::write_schema(self)
    }
}
