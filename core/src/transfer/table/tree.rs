//! Salesforce's data tree as CSV.
//!
//! Its command line exports records with a name each (`referenceId`), by which others refer to
//! them (`@AccountRef1`), and may nest the records of a child relationship in their parent. Every
//! record of the wanted type becomes a row, wherever it stands; a nested one has its parent's name
//! in the column `@parent`.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value as Json};
use tempfile::NamedTempFile;

use super::{
    json::{Columns, Rows},
    records::{self, RECORD_BYTES_MAX, Shape},
};
use crate::transfer::error::ImportError;

/// The column that holds a record's name in the tree.
pub const REFERENCE_ID: &str = "referenceId";
/// The column that holds the name of the record that a nested one belongs to.
pub const PARENT: &str = "@parent";
/// Characters of a type's name that are told, at most.
const TYPE_CHARS_MAX: usize = 80;
/// Other types that are told, at most.
pub const TYPES_MAX: usize = 100;
const TOO_DEEP: &str = "its records are nested deeper than Salesforce allows";
/// How deep records may be nested: what Salesforce allows.
const DEPTH_MAX: u32 = 5;

/// The types of the records of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Types {
    /// The one whose records are the rows.
    pub taken: String,
    /// Records of the others, which are no rows, by type.
    pub others: BTreeMap<String, u64>,
}

/// Writes the records of one type as CSV.
pub(super) fn to_csv(
    path: &Path,
    wanted: Option<&str>,
) -> Result<(NamedTempFile, Types), ImportError> {
    let wrong =
        |problem: &str| ImportError::Json { path: path.to_owned(), problem: problem.to_owned() };
    let mut types = Types { taken: wanted.unwrap_or_default().to_owned(), ..Types::default() };
    let mut columns = Columns::default();
    let mut is_first = wanted.is_none();
    let shape = records::each(path, RECORD_BYTES_MAX, &mut |record| {
        if std::mem::take(&mut is_first) {
            types.taken = type_of(&record).unwrap_or_default().to_owned();
        }
        for row in gather(&record, &mut types).ok_or_else(|| wrong(TOO_DEEP))? {
            columns.add(path, row.keys())?;
        }
        Ok(())
    })?;
    if !matches!(shape, Shape::Member(_)) {
        return Err(wrong("a data tree has a list `records`"));
    }
    let mut rows = Rows::begin(path, &columns)?;
    let mut again = types.clone();
    records::each(path, RECORD_BYTES_MAX, &mut |record| {
        let found = gather(&record, &mut again).unwrap_or_default();
        found.iter().try_for_each(|row| rows.write(&columns, row))
    })?;
    Ok((rows.finish()?, types))
}

/// The rows of a record with those that are nested in it.
fn gather(record: &Json, types: &mut Types) -> Option<Vec<Map<String, Json>>> {
    let mut found = Vec::new();
    gather_all(std::slice::from_ref(record), types, None, DEPTH_MAX, &mut found)?;
    Some(found)
}

fn type_of(record: &Json) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn gather_all(
    records: &[Json],
    types: &mut Types,
    parent: Option<&str>,
    depth: u32,
    found: &mut Vec<Map<String, Json>>,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    for record in records {
        let name = record.get("attributes").and_then(|about| about.get(REFERENCE_ID));
        let Some(members) = record.as_object() else { continue };
        let is_taken = type_of(record) == Some(types.taken.as_str());
        if let Some(other) = type_of(record).filter(|_| !is_taken) {
            let other: String = other.chars().take(TYPE_CHARS_MAX).collect();
            if types.others.len() < TYPES_MAX || types.others.contains_key(&other) {
                *types.others.entry(other).or_default() += 1;
            }
        }
        if is_taken {
            let mut row = Map::new();
            if let Some(name) = name {
                row.insert(REFERENCE_ID.to_owned(), name.clone());
            }
            if let Some(parent) = parent {
                row.insert(PARENT.to_owned(), parent.into());
            }
            let own = members.iter().filter(|(name, _)| *name != "attributes");
            let own = own.filter(|(_, json)| !json.is_object());
            row.extend(own.map(|(name, json)| (name.clone(), without_mark(json))));
            found.push(row);
        }
        for children in members.values().filter_map(|json| json.get("records")?.as_array()) {
            gather_all(children, types, name.and_then(Json::as_str), depth, found)?;
        }
    }
    Some(())
}

/// A reference without the mark that tells it from text.
fn without_mark(json: &Json) -> Json {
    match json.as_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) if name.contains("Ref") => name.into(),
        Some(_) | None => json.clone(),
    }
}
