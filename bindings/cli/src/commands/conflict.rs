//! Conflicts: fields with several values, and choosing one.

use outrider_core::{
    domain::record::settled_field,
    ids::RecordId,
    replica::{Conflict, Replica, read::ConflictValue},
    schema::Field,
    time::to_rfc3339,
};
use serde_json::{Value as Json, json};

use super::show;
use crate::{
    cli::SettleArgs,
    context::Context,
    error::CliError,
    fields,
    messages::{Word, word},
    output::Output,
    record_ref,
    table::one_line,
};

/// Shows conflicts: who wrote what, and when.
pub(crate) fn list(
    context: &Context,
    record: Option<&str>,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let only = record.map(|record| record_ref::find(&replica, record)).transpose()?;
    let conflicts = replica.conflicts(only)?;
    if output.is_json {
        return output.json(&conflicts);
    }
    if conflicts.is_empty() {
        return output.line(word(Word::NoConflicts, context.language));
    }
    for conflict in &conflicts {
        let field = field_of(&replica, conflict.record, &conflict.key)?;
        output.line(&head(conflict, field, context))?;
        for (number, value) in (1..).zip(&conflict.values) {
            let line = choice(&replica, context, field, value)?;
            output.line(&format!("  {number}. {line}"))?;
        }
    }
    Ok(())
}

fn head(conflict: &Conflict, field: Option<&Field>, context: &Context) -> String {
    let label = field.map_or("", |field| field.label.get(context.language));
    let must = if conflict.must_settle {
        format!(" — {}", word(Word::MustSettle, context.language))
    } else {
        String::new()
    };
    let title = one_line(&show::readable(&conflict.title));
    format!("{} {} ({title}) {}: {label}{must}", conflict.entity, conflict.record, conflict.key)
}

fn choice(
    replica: &Replica,
    context: &Context,
    field: Option<&Field>,
    value: &ConflictValue,
) -> Result<String, CliError> {
    let words = match field {
        Some(field) => show::value(replica, field, &value.value, context.language)?,
        None => value.value.to_string(),
    };
    let by = match &value.by {
        Some(by) => by.clone(),
        None => word(Word::ThisDevice, context.language).to_owned(),
    };
    let at = match value.at {
        Some(at) => to_rfc3339(at),
        None => word(Word::Unknown, context.language).to_owned(),
    };
    let shown = if value.is_shown {
        format!(" ({})", word(Word::Shown, context.language))
    } else {
        String::new()
    };
    Ok(format!("{}  {by}  {at}{shown}", one_line(&words)))
}

/// Chooses one of several values, or writes another in their place.
pub(crate) fn settle(
    context: &Context,
    args: &SettleArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let id = record_ref::find(&replica, &args.record)?;
    let none = || CliError::NoConflict { record: id.to_string(), key: args.key.clone() };
    let field = field_of(&replica, id, &args.key)?.ok_or_else(none)?;
    let value = match (&args.value, args.choose) {
        (Some(text), _) => fields::value(&replica, field, text)?,
        (None, number) => chosen(&replica, id, &args.key, number.unwrap_or(0))?.ok_or_else(none)?,
    };
    replica.settle(id, &args.key, &value)?;
    let answer = json!({ "record": id, "key": args.key, "value": value });
    output.answer(&answer, word(Word::Settled, context.language))
}

/// The value with a number; `None` if there is no such conflict.
fn chosen(
    replica: &Replica,
    id: RecordId,
    key: &str,
    number: usize,
) -> Result<Option<Json>, CliError> {
    let conflicts = replica.conflicts(Some(id))?;
    let Some(conflict) = conflicts.into_iter().find(|conflict| conflict.key == key) else {
        return Ok(None);
    };
    let count = conflict.values.len();
    let value = number.checked_sub(1).and_then(|at| conflict.values.into_iter().nth(at));
    match value {
        Some(value) => Ok(Some(value.value)),
        None => Err(CliError::Usage(format!("there are values 1 to {count}; choose one of them"))),
    }
}

/// The field or column that a key belongs to.
fn field_of(
    replica: &Replica,
    id: RecordId,
    key: &str,
) -> Result<Option<&'static Field>, CliError> {
    let Some((entity, documents)) = replica.documents(id)? else { return Ok(None) };
    Ok(documents.flat.keys().find_map(|part| settled_field(entity, part, key)))
}
