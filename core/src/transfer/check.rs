//! A mapping file against the schema: what it names must be there and take what comes.

use std::collections::BTreeMap;

use serde_json::json;
use toml::Spanned;

use super::{
    error::MappingProblem,
    file::{FieldEntry, MappingFile, Missing, Order, ReferenceEntry},
    mapping::{By, Column, Content, Mapping, Reference, Rescale, Source, Target},
    row::parse_text,
};
use crate::{
    ids::Part,
    schema::{Entity, Field, Kind, Schema, TextHints, Type},
    value::Money,
};

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
        None => b',',
        Some(given) => u8::try_from(*given.get_ref())
            .ok()
            .filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte))
            .ok_or(MappingProblem::Delimiter)
            .map_err(at(given))?,
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
    let mut targets: Vec<Target> = Vec::new();
    for (name, entry) in file.fields {
        let place = name.span().start;
        check_field(entity, name.get_ref(), entry, &defaults, &mut columns, &mut targets)
            .map_err(|problem| (place, problem))?;
    }
    check_required(entity, &targets).map_err(at(&file.entity))?;
    Ok(Mapping {
        entity,
        source: defaults.source,
        key,
        key_occurrence: file.key_occurrence,
        delimiter,
        columns: columns.into_list(),
        targets,
    })
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
    let schema = Schema::builtin();
    schema.entity(name).ok_or_else(|| MappingProblem::UnknownEntity {
        name: name.to_owned(),
        known: schema.entities().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn check_source_name(name: &str) -> Result<(), MappingProblem> {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let fits = (1..=40).contains(&name.len()) && name.bytes().all(is_part);
    if fits { Ok(()) } else { Err(MappingProblem::SourceName(name.to_owned())) }
}

fn check_currency(code: &str) -> Result<(), MappingProblem> {
    match Money::new(code, 0) {
        Ok(_) => Ok(()),
        Err(_) => Err(MappingProblem::Currency(code.to_owned())),
    }
}

fn check_required(entity: &Entity, targets: &[Target]) -> Result<(), MappingProblem> {
    let is_mapped = |field: &Field| targets.iter().any(|target| target.field.name == field.name);
    let asked = |field: &&Field| field.required && field.kind != Kind::Office;
    match entity.fields.iter().filter(asked).find(|field| !is_mapped(field)) {
        None => Ok(()),
        Some(field) => {
            Err(MappingProblem::Required { entity: entity.name.clone(), field: field.name.clone() })
        }
    }
}

fn check_field(
    entity: &'static Entity,
    name: &str,
    entry: FieldEntry,
    defaults: &Defaults,
    columns: &mut Columns,
    targets: &mut Vec<Target>,
) -> Result<(), MappingProblem> {
    let (field_name, part) = match name.split_once('.') {
        Some((field, part)) => (field, Some(part)),
        None => (name, None),
    };
    let field = entity.field(field_name).ok_or_else(|| MappingProblem::UnknownField {
        entity: entity.name.clone(),
        field: field_name.to_owned(),
        known: entity.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", "),
    })?;
    check_importable(field)?;
    check_settings(field, part, &entry)?;
    if let Some(part) = part {
        check_part(field, part)?;
    }
    let allow_empty = entry.allow_empty;
    let hints = hints_of(&entry, defaults)?;
    let rescale = (entry.times.is_some() || entry.round.is_some())
        .then(|| Rescale { times: entry.times.unwrap_or(1), round: entry.round });
    let reference = entry
        .reference
        .as_ref()
        .map(|r| check_reference(entity, field, r, defaults))
        .transpose()?;
    let content = content_of(field, part, entry, columns)?;
    if let Content::Whole(Source::Constant(text)) = &content
        && reference.is_none()
    {
        parse_text(field, text, &hints, rescale)
            .map_err(|source| MappingProblem::Constant { field: field.name.clone(), source })?;
    }
    let same = targets.iter_mut().find(|target| target.field.name == field.name);
    if let (Some(target), Content::Parts(more)) = (same, &content)
        && let Content::Parts(parts) = &mut target.content
    {
        parts.extend(more.iter().cloned());
        target.allow_empty |= allow_empty;
        return Ok(());
    }
    targets.push(Target { field, content, hints, rescale, reference, allow_empty });
    Ok(())
}

fn check_importable(field: &Field) -> Result<(), MappingProblem> {
    let reason = match field.kind {
        Kind::Register | Kind::Counter | Kind::Set | Kind::Once | Kind::Text => {
            match field.name.as_str() {
                "external_id" => "it is made from the source and the key",
                "archived" => "it is written by the program",
                _ => return Ok(()),
            }
        }
        Kind::Office => "the office alone writes it",
        Kind::Rows => "it has rows of its own",
        Kind::Log => "it is written by the program",
    };
    Err(MappingProblem::NotImportable { field: field.name.clone(), reason })
}

fn check_settings(
    field: &Field,
    part: Option<&str>,
    entry: &FieldEntry,
) -> Result<(), MappingProblem> {
    let is_number = matches!(field.ty, Type::Integer { .. } | Type::Decimal { .. } | Type::Money);
    let is_whole = part.is_none() && field.kind != Kind::Set;
    let is_link = matches!(field.ty, Type::Link(_)) && field.kind.is_single();
    let is_list = entry.constant.as_ref().is_some_and(toml::Value::is_array);
    let rules: [(&'static str, bool, &'static str); 7] = [
        ("map", entry.map.is_none() || entry.column.is_some(), "fields with a `column`"),
        ("currency", entry.currency.is_none() || field.ty == Type::Money, "amounts"),
        ("times", entry.times.is_none() || (is_number && is_whole), "numbers and amounts"),
        ("round", entry.round.is_none() || (is_number && is_whole), "numbers and amounts"),
        ("split", entry.split.is_none() || field.kind == Kind::Set, "sets"),
        ("ref", entry.reference.is_none() || is_link, "single links"),
        ("const", !is_list || field.kind == Kind::Set, "sets, when it is a list"),
    ];
    match rules.into_iter().find(|(_, is_fine, _)| !is_fine) {
        None => Ok(()),
        Some((setting, _, usable)) => {
            Err(MappingProblem::Setting { field: field.name.clone(), setting, usable })
        }
    }
}

fn check_part(field: &Field, part: &str) -> Result<(), MappingProblem> {
    let has_parts = matches!(field.ty, Type::Address | Type::PersonName);
    if has_parts && field.ty.from_json(&json!({ part: "x" })).is_ok() {
        return Ok(());
    }
    Err(MappingProblem::UnknownPart { field: field.name.clone(), part: part.to_owned() })
}

fn hints_of(entry: &FieldEntry, defaults: &Defaults) -> Result<TextHints, MappingProblem> {
    if let Some(currency) = &entry.currency {
        check_currency(currency)?;
    }
    Ok(TextHints {
        date_order: entry.date_order.unwrap_or(defaults.date_order).into(),
        currency: entry.currency.clone().or_else(|| defaults.currency.clone()),
        utc_offset_minutes: defaults.utc_offset_minutes,
        ..TextHints::default()
    })
}

fn content_of(
    field: &Field,
    part: Option<&str>,
    entry: FieldEntry,
    columns: &mut Columns,
) -> Result<Content, MappingProblem> {
    let source = match (entry.column, entry.constant, entry.template) {
        (Some(column), None, None) => {
            if let Some(map) = entry.map {
                columns.add_map(&column, map)?;
            }
            Source::Column(columns.slot(&column))
        }
        (None, Some(toml::Value::Array(items)), None) => {
            let members: Option<Vec<String>> = items.into_iter().map(constant_text).collect();
            return members
                .map(Content::Members)
                .ok_or_else(|| MappingProblem::Source(field.name.clone()));
        }
        (None, Some(constant), None) => Source::Constant(
            constant_text(constant).ok_or_else(|| MappingProblem::Source(field.name.clone()))?,
        ),
        (None, None, Some(template)) => {
            let template = parse_template(&template, columns);
            Source::Template(template.ok_or_else(|| MappingProblem::Template(field.name.clone()))?)
        }
        _ => return Err(MappingProblem::Source(field.name.clone())),
    };
    Ok(match (part, field.kind) {
        (Some(part), _) => Content::Parts(vec![(part.to_owned(), source)]),
        (None, Kind::Set) => Content::Split(source, entry.split.unwrap_or_default()),
        (
            None,
            Kind::Register
            | Kind::Counter
            | Kind::Rows
            | Kind::Log
            | Kind::Once
            | Kind::Office
            | Kind::Text,
        ) => Content::Whole(source),
    })
}

fn constant_text(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(at) => Some(at.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

fn parse_template(text: &str, columns: &mut Columns) -> Option<Vec<Source>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if before.contains('}') || name.is_empty() || name.contains('{') {
            return None;
        }
        pieces.push(Source::Constant(before.to_owned()));
        pieces.push(Source::Column(columns.slot(name.trim())));
        rest = after;
    }
    if pieces.is_empty() || rest.contains('}') {
        return None;
    }
    pieces.push(Source::Constant(rest.to_owned()));
    Some(pieces)
}

fn check_reference(
    entity: &'static Entity,
    field: &Field,
    entry: &ReferenceEntry,
    defaults: &Defaults,
) -> Result<Reference, MappingProblem> {
    let Type::Link(target) = &field.ty else {
        let (setting, usable) = ("ref", "single links");
        return Err(MappingProblem::Setting { field: field.name.clone(), setting, usable });
    };
    if let Some(named) = entry.entity.as_ref().filter(|named| *named != target) {
        return Err(MappingProblem::OtherEntity {
            field: field.name.clone(),
            entity: target.clone(),
            named: named.clone(),
        });
    }
    let target = find_entity(target)?;
    if target.name == entity.name && entry.missing == Missing::Reject {
        return Err(MappingProblem::RejectsItself(field.name.clone()));
    }
    let by = if entry.by == "key" {
        let source = entry.source.clone().unwrap_or_else(|| defaults.source.clone());
        check_source_name(&source)?;
        By::Key { source }
    } else {
        if entry.source.is_some() {
            let (setting, usable) = ("source", "references by key");
            return Err(MappingProblem::Setting { field: field.name.clone(), setting, usable });
        }
        By::Field(find_lookup(target, &entry.by)?)
    };
    Ok(Reference { entity: target, by, missing: entry.missing })
}

/// A field by which records can be looked up: indexed, in the part that everyone has.
fn find_lookup(entity: &'static Entity, name: &str) -> Result<&'static Field, MappingProblem> {
    let usable = |field: &&Field| {
        let is_plain = field.kind.is_single() && field.ty.columns().len() == 1;
        field.indexed && is_plain && field.part == Part::Main
    };
    let field = entity.field(name).filter(usable);
    field.ok_or_else(|| MappingProblem::NotIndexed {
        entity: entity.name.clone(),
        field: name.to_owned(),
        known: entity
            .fields
            .iter()
            .filter(usable)
            .map(|field| format!("`{}`", field.name))
            .collect::<Vec<_>>()
            .join(", "),
    })
}
