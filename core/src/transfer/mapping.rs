//! Mappings: from the columns of a file to the fields of an entity, checked against the schema.
//!
//! ```toml
//! entity = "opportunity"
//! source = "maven"            # the record of key 17 is `maven:17` on every device
//! key = "opportunity_id"      # or a list of columns
//! date_order = "mdy"
//! currency = "USD"
//!
//! [fields]
//! name = { template = "{product} · {opportunity_id}" }
//! sales_stage = { column = "deal_stage", map = { Engaging = "qualification" } }
//! customer_id = { column = "account_id", ref = { by = "key" }, allow_empty = true }
//! product_id = { column = "product", ref = { by = "name", missing = "reject" } }
//! "address.country" = { column = "office_location" }
//! tags = { const = ["imported"] }
//! ```
//!
//! A `map` cleans the values of its column wherever the mapping uses that column.

use std::collections::{BTreeMap, HashMap};

use super::{
    check,
    error::{MappingError, MappingProblem},
    file::{MappingFile, Missing},
    table::TableOptions,
};
use crate::{
    schema::{Entity, Field, TextHints},
    value::Value,
};

/// How the rows of a file become records.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(super) entity: &'static Entity,
    /// Where rows become rows of a record instead of records.
    pub(super) rows: Option<RowsInto>,
    /// How the file is read.
    pub(super) table: TableOptions,
    /// Whether rows are compared with what is here.
    pub(super) is_compared: bool,
    /// Whether cells are tidied.
    pub(super) is_tidied: bool,
    /// Where telephone numbers without a country's code belong.
    pub(super) region: Option<String>,
    pub(super) source: String,
    /// Slots of the columns that make the key.
    pub(super) key: Vec<usize>,
    pub(super) key_occurrence: bool,
    pub(super) columns: Vec<Column>,
    pub(super) targets: Vec<Target>,
}

/// Which record each row becomes a row of.
#[derive(Debug, Clone)]
pub(super) struct RowsInto {
    /// The field that has rows.
    pub(super) field: &'static Field,
    /// What names the record.
    pub(super) parent: Source,
    /// How it is found.
    pub(super) reference: Reference,
}

/// A column of the file that the mapping uses; its place in the list is its slot.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) map: BTreeMap<String, String>,
}

/// One field and what it is made from.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) field: &'static Field,
    pub(super) content: Content,
    pub(super) hints: TextHints,
    pub(super) rescale: Option<Rescale>,
    pub(super) reference: Option<Reference>,
    pub(super) allow_empty: bool,
    /// Every spelling of the choices of a picklist, with the choice: finding one by its folded
    /// spellings costs more than all else that is done with a cell.
    pub(super) choices: HashMap<String, String>,
}

/// What a field is made from.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// One text.
    Whole(Source),
    /// Parts of an address or of a name.
    Parts(Vec<(String, Source)>),
    /// The same members of a set for every row.
    Members(Vec<String>),
    /// The members of a set in one cell, with what stands between them.
    Split(Source, String),
}

/// Where a text comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The column of this slot.
    Column(usize),
    /// The same for every row.
    Constant(String),
    /// Texts one after another.
    Template(Vec<Source>),
    /// The numbers of the columns of these slots, added.
    Sum(Vec<usize>),
}

impl Source {
    /// The slot of the column that the text comes from, the first if there are several.
    pub(super) fn first_slot(&self) -> Option<usize> {
        match self {
            Self::Column(slot) => Some(*slot),
            Self::Constant(_) => None,
            Self::Template(pieces) => pieces.iter().find_map(Self::first_slot),
            Self::Sum(slots) => slots.first().copied(),
        }
    }
}

/// Arithmetic on a number of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rescale {
    pub(super) times: i64,
    pub(super) round: Option<u32>,
}

/// How a link finds its record.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) entity: &'static Entity,
    pub(super) by: By,
    pub(super) missing: Missing,
}

/// What a link's text is.
#[derive(Debug, Clone)]
pub(super) enum By {
    /// The key in the system of this name.
    Key {
        /// The system.
        source: String,
    },
    /// The record's own id.
    Id,
    /// The value of a field.
    Field(&'static Field),
}

impl Mapping {
    /// Reads a mapping file and checks it against the data model.
    ///
    /// # Errors
    ///
    /// What is wrong with it, where, and what to do.
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        let file: MappingFile =
            toml::from_str(text).map_err(|error| MappingError::Syntax(Box::new(error)))?;
        check::check_mapping(file).map_err(|(offset, problem)| located(text, offset, problem))
    }

    /// Name of the entity that rows become records of.
    #[must_use]
    pub fn entity(&self) -> &str {
        &self.entity.name
    }

    /// How its files are read.
    #[must_use]
    pub fn table(&self) -> &TableOptions {
        &self.table
    }

    /// Entities and fields by which the rows of its file name other records.
    pub(super) fn names_by(&self) -> impl Iterator<Item = (String, String)> {
        let into = self.rows.iter().map(|into| &into.reference);
        let links = self.targets.iter().filter_map(|target| target.reference.as_ref());
        links.chain(into).filter_map(|reference| match &reference.by {
            By::Field(field) => Some((reference.entity.name.clone(), field.name.clone())),
            By::Key { .. } | By::Id => None,
        })
    }

    /// Name of the system that the file comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Target {
    /// The slot of the column to name when something is wrong with the field.
    pub(super) fn first_slot(&self) -> Option<usize> {
        match &self.content {
            Content::Whole(source) | Content::Split(source, _) => source.first_slot(),
            Content::Parts(parts) => parts.iter().find_map(|(_, source)| source.first_slot()),
            Content::Members(_) => None,
        }
    }

    /// Whether the field must have a value in every row.
    pub(super) fn must_be_filled(&self) -> bool {
        self.field.required && !self.allow_empty
    }
}

impl By {
    /// What the text is, in a word.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Key { .. } => "key",
            Self::Id => "id",
            Self::Field(field) => &field.name,
        }
    }
}

/// The value as it is looked up in the table.
pub(super) fn lookup_value(field: &Field, text: &str) -> Option<crate::schema::SqlValue> {
    let value = field.ty.from_text(text, &TextHints::default()).ok()?;
    if value == Value::Null {
        return None;
    }
    field.ty.to_sql(&value).into_iter().next()
}

fn located(text: &str, offset: usize, problem: MappingProblem) -> MappingError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    MappingError::Invalid { line, column, problem }
}
