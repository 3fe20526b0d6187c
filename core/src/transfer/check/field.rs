//! What a field is made from, and whether it takes that.

use std::collections::HashMap;

use serde_json::json;

use super::{Columns, Defaults, Of, check_currency, reference::check_reference};
use crate::{
    schema::{Entity, Field, Kind, TextHints, Type},
    transfer::{
        error::MappingProblem,
        file::FieldEntry,
        mapping::{Content, Rescale, Source, Target},
        row::parse_text,
    },
};

/// Checks one entry of the file and adds it to the targets.
pub(super) fn check_field(
    entity: &'static Entity,
    of: Of,
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
    let fields = of.fields(entity);
    let field = fields.iter().find(|field| field.name == field_name);
    let field = field.ok_or_else(|| MappingProblem::UnknownField {
        entity: entity.name.clone(),
        field: field_name.to_owned(),
        known: fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", "),
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
    let choices = spellings(field);
    targets.push(Target { field, content, hints, rescale, reference, allow_empty, choices });
    Ok(())
}

/// What each spelling of a picklist's choices means.
fn spellings(field: &Field) -> HashMap<String, String> {
    let Type::Picklist(list) = &field.ty else { return HashMap::new() };
    let spellings = list.choices.iter().flat_map(|choice| {
        [&choice.id, &choice.label.en, &choice.label.zh].into_iter().chain(&choice.aliases)
    });
    let meant = |text: &String| Some((text.clone(), list.find(text)?.id.clone()));
    spellings.filter_map(meant).collect()
}

fn check_importable(field: &Field) -> Result<(), MappingProblem> {
    let reason = match field.kind {
        Kind::Register | Kind::Counter | Kind::Set | Kind::Once | Kind::Text | Kind::Rows => {
            match field.name.as_str() {
                "external_id" => "it is made from the source and the key",
                "archived" => "it is written by the program",
                _ => return Ok(()),
            }
        }
        Kind::Office => "the office alone writes it",
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
    if let Some(toml::Value::Array(items)) = &entry.constant {
        let members: Option<Vec<String>> = items.iter().cloned().map(constant_text).collect();
        let is_only = entry.column.is_none() && entry.template.is_none() && entry.sum.is_none();
        let members = members.filter(|_| is_only).map(Content::Members);
        return members.ok_or_else(|| MappingProblem::Source(field.name.clone()));
    }
    let split = entry.split.clone().unwrap_or_default();
    let source = source_of(&field.name, entry, columns)?;
    Ok(match (part, field.kind) {
        (Some(part), _) => Content::Parts(vec![(part.to_owned(), source)]),
        (None, Kind::Set) => Content::Split(source, split),
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

/// Where the text of an entry comes from.
pub(super) fn source_of(
    name: &str,
    entry: FieldEntry,
    columns: &mut Columns,
) -> Result<Source, MappingProblem> {
    let wrong = || MappingProblem::Source(name.to_owned());
    match (entry.column, entry.constant, entry.template, entry.sum) {
        (Some(column), None, None, None) => {
            if let Some(map) = entry.map {
                columns.add_map(&column, map)?;
            }
            Ok(Source::Column(columns.slot(&column)))
        }
        (None, Some(constant), None, None) => {
            constant_text(constant).map(Source::Constant).ok_or_else(wrong)
        }
        (None, None, Some(template), None) => {
            let template = parse_template(&template, columns);
            template.map(Source::Template).ok_or_else(|| MappingProblem::Template(name.to_owned()))
        }
        (None, None, None, Some(names)) if !names.is_empty() => {
            Ok(Source::Sum(names.iter().map(|name| columns.slot(name)).collect()))
        }
        _ => Err(wrong()),
    }
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
