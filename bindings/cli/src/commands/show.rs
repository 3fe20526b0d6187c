//! Records in words: labels of the language, choices by label, links by the other record's name.

use outrider_core::{
    replica::Replica,
    schema::{Entity, Field, Kind, Language, Type},
};
use serde_json::Value as Json;

use crate::{error::CliError, output::Output, table::one_line};

/// Writes all values of a record, a line each.
pub(crate) fn record(
    replica: &Replica,
    entity: &Entity,
    record: &Json,
    language: Language,
    output: &mut Output,
) -> Result<(), CliError> {
    let id = record.get("id").and_then(Json::as_str).unwrap_or_default();
    output.line(&format!("{} {id}", entity.label.get(language)))?;
    for field in &entity.fields {
        let Some(json) = record.get(&field.name) else { continue };
        let label = field.label.get(language);
        match (field.kind, json) {
            (Kind::Rows | Kind::Log, Json::Array(rows)) => {
                output.line(&format!("  {label} ({}):", field.name))?;
                for row in rows {
                    output.line(&format!("    - {}", self::row(replica, field, row, language)?))?;
                }
            }
            (Kind::Text, Json::String(text)) => {
                output.line(&format!("  {label} ({}):", field.name))?;
                for line in text.lines() {
                    output.line(&format!("    {}", one_line(line)))?;
                }
            }
            _ => {
                let words = value(replica, field, json, language)?;
                output.line(&format!("  {label} ({}): {}", field.name, one_line(&words)))?;
            }
        }
    }
    for flag in ["is_archived", "is_revived"] {
        if record.get(flag).and_then(Json::as_bool) == Some(true) {
            output.line(&format!("  {flag}"))?;
        }
    }
    Ok(())
}

/// One row or entry in words.
pub(crate) fn row(
    replica: &Replica,
    field: &Field,
    row: &Json,
    language: Language,
) -> Result<String, CliError> {
    let mut words = Vec::new();
    if let Some(id) = row.get("id").and_then(Json::as_str) {
        words.push(id.to_owned());
    }
    for column in &field.columns {
        if let Some(json) = row.get(&column.name) {
            let text = value(replica, column, json, language)?;
            words.push(format!("{}: {}", column.label.get(language), one_line(&text)));
        }
    }
    Ok(words.join("  "))
}

/// One value in words.
pub(crate) fn value(
    replica: &Replica,
    field: &Field,
    json: &Json,
    language: Language,
) -> Result<String, CliError> {
    if let (Json::Array(items), Kind::Set) = (json, field.kind) {
        let items: Result<Vec<String>, CliError> =
            items.iter().map(|item| single(replica, field, item, language)).collect();
        return Ok(items?.join(", "));
    }
    single(replica, field, json, language)
}

fn single(
    replica: &Replica,
    field: &Field,
    json: &Json,
    language: Language,
) -> Result<String, CliError> {
    if let (Type::Link(_), Json::String(id)) = (&field.ty, json)
        && let Ok(id) = id.parse()
        && let Some((_, title)) = replica.title(id)?
    {
        return Ok(readable(&title));
    }
    // What an older program cannot read comes out as it is stored.
    Ok(match (field.ty.from_json(json), json) {
        (Ok(value), _) if field.kind != Kind::Counter => field.ty.display(&value, language),
        (_, Json::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    })
}

/// The name of a record for people: a person's name is stored in parts.
pub(crate) fn readable(title: &str) -> String {
    if !title.starts_with('{') {
        return title.to_owned();
    }
    let value = outrider_core::value::Value::from(title);
    Type::PersonName.display(&value, Language::En)
}
