//! A customer's timeline.

use outrider_core::{
    replica::Replica,
    schema::{Entity, Field, Schema, TextHints, Type},
    store::timeline::{TimelineEntry, TimelineQuery},
    time::{TimestampMs, to_rfc3339},
    value::Value,
};
use serde_json::Value as Json;

use super::show;
use crate::{
    cli::TimelineArgs,
    context::Context,
    error::CliError,
    messages::{Word, word},
    output::Output,
    record_ref,
    table::one_line,
};

/// Tells what happened with a customer and all that belongs to it, newest first.
pub(crate) fn timeline(
    context: &Context,
    args: &TimelineArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let family = record_ref::find(&replica, &args.record)?;
    let by = args.by.as_deref().map(|by| match record_ref::target("user") {
        Some(user) => record_ref::find_of(&replica, by, user),
        None => record_ref::find(&replica, by),
    });
    let query = TimelineQuery {
        kinds: args.kinds.iter().map(|kind| kind.trim().to_owned()).collect(),
        from: args.from.as_deref().map(moment).transpose()?,
        to: args.to.as_deref().map(moment).transpose()?,
        by: by.transpose()?,
        after: args.after.clone(),
        limit: args.limit.into(),
    };
    let page = replica.timeline(family, &query)?;
    if output.is_json {
        return output.json(&page);
    }
    if page.entries.is_empty() {
        output.note(word(Word::NothingHappened, context.language));
        return Ok(());
    }
    for entry in &page.entries {
        output.line(&line(&replica, context, entry)?)?;
    }
    if let Some(next) = &page.next {
        output.finish()?;
        output.note(&format!("{} --after {next}", word(Word::More, context.language)));
    }
    Ok(())
}

/// A day or a moment.
pub(crate) fn moment(text: &str) -> Result<TimestampMs, CliError> {
    let wrong = || {
        CliError::Usage(format!("`{text}` is no moment; write 2026-11-23 or 2026-11-23T08:30:00Z"))
    };
    match Type::DateTime.from_text(text, &TextHints::default()) {
        Ok(Value::Int(at_ms)) => Ok(at_ms),
        Ok(Value::Null | Value::Bool(_) | Value::Text(_) | Value::Bytes(_)) | Err(_) => {
            Err(wrong())
        }
    }
}

fn line(replica: &Replica, context: &Context, entry: &TimelineEntry) -> Result<String, CliError> {
    let entity = Schema::current().entity(&entry.entity);
    let log = entry.kind.split_once('.').and_then(|(_, log)| entity?.field(log));
    let kind = match (entity, log) {
        (_, Some(log)) => log.label.get(context.language),
        (Some(entity), None) => entity.label.get(context.language),
        (None, None) => &entry.kind,
    };
    let mut words = vec![
        to_rfc3339(entry.at_ms),
        kind.to_owned(),
        one_line(&show::readable(&entry.title)),
        detail(replica, context, entity, log, &entry.detail)?,
    ];
    words.extend(entry.by_name.as_deref().map(one_line));
    words.retain(|word| !word.is_empty());
    Ok(words.join("  "))
}

fn detail(
    replica: &Replica,
    context: &Context,
    entity: Option<&Entity>,
    log: Option<&Field>,
    detail: &Json,
) -> Result<String, CliError> {
    let Some(detail) = detail.as_object() else { return Ok(String::new()) };
    let mut words = Vec::new();
    for (name, json) in detail {
        let field = match log {
            Some(log) => {
                log.column(name).filter(|column| !["at", "by_user"].contains(&column.name.as_str()))
            }
            None => entity.and_then(|entity| entity.field(name)),
        };
        if let Some(field) = field {
            let value = show::value(replica, field, json, context.language)?;
            words.push(format!("{}: {}", field.label.get(context.language), one_line(&value)));
        }
    }
    Ok(words.join("; "))
}
