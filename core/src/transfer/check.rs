//! A mapping file against the schema: what it names must be there and take what comes.
//!
//! [`field`] checks what a field is made from, [`reference`] how a link finds its record.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{
    error::MappingProblem,
    file::{FieldEntry, MappingFile, Order},
    mapping::{Column, Mapping, RowsInto, Target},
    table::TableOptions,
};
use crate::{
    schema::{Entity, Field, Kind, Schema},
    value::Money,
};

mod field;
mod reference;

use field::{check_field, source_of};
use reference::check_parent;

/// A problem and the place of its cause in the file.
type Placed = (usize, MappingProblem);

/// What holds for all fields of a file.
struct Defaults {
    source: String,
    date_order: Order,
    currency: Option<String>,
    utc_offset_minutes: i32,
}

/// Checks a mapping file and makes a mapping of it.
pub(super) fn check_mapping(file: MappingFile) -> Result<Mapping, Placed> {
    let entity = find_entity(file.entity.get_ref()).map_err(at(&file.entity))?;
    check_source_name(file.source.get_ref()).map_err(at(&file.source))?;
    if let Some(currency) = &file.currency {
        check_currency(currency.get_ref()).map_err(at(currency))?;
    }
    let delimiter = match &file.delimiter {
        None => None,
        Some(given) => Some(
            u8::try_from(*given.get_ref())
                .ok()
                .filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte))
                .ok_or(MappingProblem::Delimiter)
                .map_err(at(given))?,
        ),
    };
    let mut columns = Columns::default();
    let key_place = file.key.span().start;
    let key: Vec<usize> =
        file.key.into_inner().into_vec().iter().map(|name| columns.slot(name)).collect();
    if key.is_empty() {
        return Err((key_place, MappingProblem::NoKey));
    }
    let defaults = Defaults {
        source: file.source.get_ref().clone(),
        date_order: file.date_order,
        currency: file.currency.map(Spanned::into_inner),
        utc_offset_minutes: file.utc_offset_minutes,
    };
    let rows = match (file.rows, file.parent) {
        (None, None) => None,
        (Some(rows), Some(parent)) => {
            let place = rows.span().start;
            let problem = |problem| (place, problem);
            let field = rows_field(entity, rows.get_ref()).map_err(problem)?;
            let into = parent_of(entity, field, parent.into_inner(), &defaults, &mut columns);
            Some(into.map_err(problem)?)
        }
        (Some(rows), None) => return Err((rows.span().start, MappingProblem::NoParent)),
        (None, Some(parent)) => return Err((parent.span().start, MappingProblem::NoParent)),
    };
    let mut targets: Vec<Target> = Vec::new();
    let of = rows.as_ref().map_or(Of::Record, |into| Of::Row(into.field));
    for (name, entry) in file.fields {
        let place = name.span().start;
        check_field(entity, of, name.get_ref(), entry, &defaults, &mut columns, &mut targets)
            .map_err(|problem| (place, problem))?;
    }
    check_required(entity, of, &targets).map_err(at(&file.entity))?;
    let table = TableOptions {
        format: file.format,
        encoding: file.encoding,
        delimiter,
        sheet: file.sheet,
        record_type: file.record_type,
        columns: file.columns,
    };
    Ok(Mapping {
        entity,
        rows,
        table,
        is_compared: file.compare,
        is_tidied: file.clean,
        region: file.region,
        source: defaults.source,
        key,
        key_occurrence: file.key_occurrence,
        columns: columns.into_list(),
        targets,
    })
}

/// What the fields of a mapping are fields of.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// The entity's records.
    Record,
    /// The rows of a field.
    Row(&'static Field),
}

impl Of {
    fn fields(self, entity: &'static Entity) -> &'static [Field] {
        match self {
            Self::Record => &entity.fields,
            Self::Row(field) => &field.columns,
        }
    }
}

fn rows_field(entity: &'static Entity, name: &str) -> Result<&'static Field, MappingProblem> {
    let field = entity.field(name).filter(|field| field.kind == Kind::Rows);
    field.ok_or_else(|| MappingProblem::UnknownField {
        entity: entity.name.clone(),
        field: name.to_owned(),
        known: entity
            .fields
            .iter()
            .filter(|field| field.kind == Kind::Rows)
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn parent_of(
    entity: &'static Entity,
    field: &'static Field,
    mut entry: FieldEntry,
    defaults: &Defaults,
    columns: &mut Columns,
) -> Result<RowsInto, MappingProblem> {
    let reference = entry.reference.take().ok_or(MappingProblem::NoParent)?;
    let reference = check_parent(entity, &reference, defaults)?;
    Ok(RowsInto { field, parent: source_of("parent", entry, columns)?, reference })
}

fn at<T>(spanned: &Spanned<T>) -> impl FnOnce(MappingProblem) -> Placed + use<T> {
    let place = spanned.span().start;
    move |problem| (place, problem)
}

/// The columns that the mapping uses, each with a slot.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    maps: BTreeMap<usize, BTreeMap<String, String>>,
}

impl Columns {
    fn slot(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    fn add_map(&mut self, name: &str, map: BTreeMap<String, String>) -> Result<(), MappingProblem> {
        let slot = self.slot(name);
        match self.maps.insert(slot, map.clone()) {
            Some(other) if other != map => Err(MappingProblem::TwoMaps(name.to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    fn into_list(mut self) -> Vec<Column> {
        let with_map =
            |(slot, name)| Column { name, map: self.maps.remove(&slot).unwrap_or_default() };
        self.names.into_iter().enumerate().map(with_map).collect()
    }
}

fn find_entity(name: &str) -> Result<&'static Entity, MappingProblem> {
    let schema = Schema::current();
    schema.entity(name).ok_or_else(|| MappingProblem::UnknownEntity {
        name: name.to_owned(),
        known: schema.entities().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// Bytes of the name of a system, at most.
pub(super) const SOURCE_BYTES_MAX: usize = 40;

fn check_source_name(name: &str) -> Result<(), MappingProblem> {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let fits = (1..=SOURCE_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_part);
    if fits { Ok(()) } else { Err(MappingProblem::SourceName(name.to_owned())) }
}

fn check_currency(code: &str) -> Result<(), MappingProblem> {
    match Money::new(code, 0) {
        Ok(_) => Ok(()),
        Err(_) => Err(MappingProblem::Currency(code.to_owned())),
    }
}

fn check_required(
    entity: &'static Entity,
    of: Of,
    targets: &[Target],
) -> Result<(), MappingProblem> {
    let is_mapped = |field: &Field| targets.iter().any(|target| target.field.name == field.name);
    let asked = |field: &&Field| field.required && field.kind != Kind::Office;
    match of.fields(entity).iter().filter(asked).find(|field| !is_mapped(field)) {
        None => Ok(()),
        Some(field) => {
            Err(MappingProblem::Required { entity: entity.name.clone(), field: field.name.clone() })
        }
    }
}
