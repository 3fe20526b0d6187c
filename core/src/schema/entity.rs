//! Entities: what a record can be.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::Part,
    schema::{
        field::{Field, Kind},
        likeness::Likeness,
        rollup::Rollup,
        sql::Texts,
    },
};

/// The languages that labels come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// A name for people, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Label {
    /// The label in one language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Zh => &self.zh,
        }
    }
}

/// The record whose changes a record travels with, and whose readers may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// It is the head of its own family.
    Itself,
    /// The record that this field links to; itself while the link is empty.
    Link(String),
}

/// What is computed from a record and never stored in it; for forms and documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// Its name in the API and in reports.
    pub name: String,
    /// Its name for people.
    #[serde(flatten)]
    pub label: Label,
    /// How it is computed, in words.
    pub formula: String,
}

/// A sort of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its name in the API, in SQL and on the wire.
    pub name: String,
    /// What a record's id is called.
    pub id_label: Label,
    /// What one record is called.
    pub label: Label,
    /// What the table of them is called.
    pub plural: Label,
    /// The field that is shown as a record's name.
    pub title: String,
    /// Whose family its records belong to.
    pub family: Family,
    /// The field that places a record on a timeline; where it is empty, `created_at` does.
    pub moment: String,
    /// Its own fields in their order on forms, then those that all entities have.
    pub fields: Vec<Field>,
    /// What is computed from its records.
    pub derived: Vec<Derived>,
    /// What is computed from the records that link here.
    pub rollups: Vec<Rollup>,
    /// What tells that two records are the same; none where nobody asks.
    pub likeness: Option<Likeness>,
    /// Fields that name users who may read a record though they may not read its family.
    pub readers: Vec<String>,
    /// Links whose records the users named in `readers` may read with it.
    pub shares: Vec<String>,
    pub(in crate::schema) positions: HashMap<String, usize>,
    pub(crate) texts: Texts,
}

impl Entity {
    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(*self.positions.get(name)?)
    }

    /// The field that is shown as a record's name.
    #[must_use]
    pub fn title_field(&self) -> Option<&Field> {
        self.field(&self.title)
    }

    /// The fields kept in `part`.
    pub fn fields_in<'a>(&'a self, part: &'a Part) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().filter(move |field| field.part == *part)
    }

    /// The parts that a record of this entity can have, `main` first.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for field in &self.fields {
            if !parts.contains(&field.part) {
                parts.push(field.part.clone());
            }
        }
        parts.sort();
        parts
    }

    /// The long texts, each a part of its own.
    pub fn texts(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.kind == Kind::Text)
    }
}
