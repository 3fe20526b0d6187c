//! What happened, in words: who changed what, and taking it back.

use std::io::Read as _;

use outrider_client::access;
use outrider_core::{
    ids::RecordId,
    replica::{Replica, history::LocalChange, undo::TapItem},
    schema::{Entity, Kind},
    time::to_rfc3339,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::show;
use crate::{
    cli::{HistoryArgs, UndoArgs},
    context::Context,
    error::CliError,
    http,
    messages::{
        Word,
        past::{self, Past},
        word,
    },
    near,
    output::Output,
    record_ref,
    table::one_line,
};

/// Bytes of a page of the server's history, at most.
const PAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Taps that are looked through for the last one that stands.
const TAPS: usize = outrider_core::replica::undo::UNDO_TAPS_MAX;

/// Takes an edit back, or lists those that can be.
pub(crate) fn undo(
    context: &Context,
    args: &UndoArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    if args.list {
        return list(context, &replica, args.limit.into(), output);
    }
    let group = match args.edit {
        Some(group) => group,
        None => {
            let taps = replica.undoable(TAPS)?;
            let standing = taps.iter().find(|tap| tap.undoes.is_none() && !tap.is_undone);
            standing.ok_or(CliError::NothingToUndo)?.group
        }
    };
    let undone = replica.undo(group)?;
    if output.is_json {
        return output.json(&undone);
    }
    if undone.items.is_empty() && undone.skipped.is_empty() {
        return output.line(past::say(Past::NothingDone, context.language));
    }
    for item in &undone.items {
        output.line(&item_line(context, &replica, item)?)?;
    }
    for one in &undone.skipped {
        let by = one.by.as_deref();
        let reason = past::reason(one.reason, by, one.is_own, context.language);
        let name = one_line(&show::readable(&one.title));
        output.line(&format!("{name}  {}  {reason}", one.key))?;
    }
    Ok(())
}

fn list(
    context: &Context,
    replica: &Replica,
    limit: usize,
    output: &mut Output,
) -> Result<(), CliError> {
    let taps = replica.undoable(limit)?;
    if output.is_json {
        return output.json(&taps);
    }
    if taps.is_empty() {
        output.note(past::say(Past::NothingToUndo, context.language));
    }
    for tap in &taps {
        let mut head = format!("{}  {}", tap.group, to_rfc3339(tap.made_at));
        if let Some(undoes) = tap.undoes {
            head.push_str(&format!("  {} {undoes}", past::say(Past::Undid, context.language)));
        }
        if tap.is_undone {
            head.push_str(&format!("  {}", past::say(Past::IsUndone, context.language)));
        }
        if !tap.is_acknowledged {
            head.push_str(&format!("  {}", past::say(Past::Waiting, context.language)));
        }
        output.line(&head)?;
        for item in &tap.items {
            output.line(&format!("    {}", item_line(context, replica, item)?))?;
        }
    }
    Ok(())
}

fn item_line(context: &Context, replica: &Replica, item: &TapItem) -> Result<String, CliError> {
    let entity = replica.entity(&item.entity)?;
    let what = json!(item.what);
    let what = past::what(what.as_str().unwrap_or_default(), context.language);
    let name = one_line(&show::readable(&item.title));
    let change = change(context, replica, entity, (&item.key, &item.old, &item.new))?;
    let kind = entity.label.get(context.language);
    Ok(format!("{kind} {name}  {what}  {change}").trim_end().to_owned())
}

/// A key with what was there and what is.
fn change(
    context: &Context,
    replica: &Replica,
    entity: &Entity,
    (key, old, new): (&str, &Json, &Json),
) -> Result<String, CliError> {
    if key.is_empty() {
        return Ok(String::new());
    }
    let old = words(context, replica, entity, key, old)?;
    let new = words(context, replica, entity, key, new)?;
    let named = named(context, entity, key);
    Ok(match (old.as_str(), new.as_str()) {
        ("", "") => named,
        _ => format!("{named}: {old} → {new}"),
    })
}

/// A key with the label of its field, and of its column.
fn named(context: &Context, entity: &Entity, key: &str) -> String {
    let mut names = key.split('/');
    let Some(field) = names.next().and_then(|name| entity.field(name)) else {
        return key.to_owned();
    };
    let label = field.label.get(context.language);
    match names.nth(1).and_then(|name| field.column(name)) {
        Some(column) => format!("{label} · {} ({key})", column.label.get(context.language)),
        None => format!("{label} ({key})"),
    }
}

fn words(
    context: &Context,
    replica: &Replica,
    entity: &Entity,
    key: &str,
    json: &Json,
) -> Result<String, CliError> {
    let mut names = key.split('/');
    let field = names.next().and_then(|name| entity.field(name));
    let column = names.nth(1).and_then(|name| field?.column(name));
    let text = match (field, column, json) {
        (_, _, Json::Null) => String::new(),
        (_, Some(column), json) => show::value(replica, column, json, context.language)?,
        (Some(field), None, Json::Object(_)) if matches!(field.kind, Kind::Rows | Kind::Log) => {
            show::row(replica, field, json, context.language)?
        }
        (Some(field), None, json) if !matches!(field.kind, Kind::Counter | Kind::Text) => {
            show::value(replica, field, json, context.language)?
        }
        (_, None, Json::String(text)) => text.clone(),
        (_, None, other) => other.to_string(),
    };
    Ok(one_line(&text))
}

/// A page of the server's answer.
#[derive(Debug, Serialize, Deserialize)]
struct ServerPage {
    entries: Vec<Json>,
    next: Option<String>,
}

/// Says who changed what: the server's history, or what this device knows.
pub(crate) fn history(
    context: &Context,
    args: &HistoryArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let record = record_ref::find(&replica, &args.record)?;
    let (entity, _) =
        replica.title(record)?.ok_or_else(|| CliError::UnknownRecord(args.record.clone()))?;
    if let Some(field) = &args.field {
        near::field_of(entity, field)?;
    }
    if !args.offline {
        match from_server(&mut replica, record, args) {
            Ok(page) => return tell_page(context, &replica, entity, &page, output),
            Err(error) if is_away(&error) => {
                output.note(&crate::messages::of_error(&error, context.language));
            }
            Err(error) => return Err(error),
        }
    }
    let mut entries = replica.history(record, args.field.as_deref())?;
    entries.truncate(args.limit.into());
    if output.is_json {
        return output.json(&json!({ "source": "device", "entries": entries, "next": null }));
    }
    output.note(past::say(Past::OwnAnswer, context.language));
    for entry in &entries {
        output.line(&local_line(context, &replica, entity, entry)?)?;
    }
    Ok(())
}

/// Whether the device must answer by itself: nobody is there, or does not know the record yet.
fn is_away(error: &CliError) -> bool {
    matches!(
        error,
        CliError::NotEnrolled
            | CliError::Unreachable { .. }
            | CliError::Cut { .. }
            | CliError::Server { status: 404, .. }
    )
}

fn from_server(
    replica: &mut Replica,
    record: RecordId,
    args: &HistoryArgs,
) -> Result<ServerPage, CliError> {
    let server = access::authorised(&http::desktop(), replica)?;
    let mut path = format!("/v1/records/{record}/changes?limit={}", args.limit);
    // A field is one of the schema's, of letters and `_` alone; a cursor is checked here.
    if let Some(field) = &args.field {
        path.push_str(&format!("&field={field}"));
    }
    if let Some(after) = &args.after {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '.';
        if !after.chars().all(is_plain) {
            return Err(CliError::Usage(format!("`{after}` is no cursor of an earlier page")));
        }
        path.push_str(&format!("&after={after}"));
    }
    let response = server.accepted(server.get(&path)?)?;
    let mut body = String::new();
    let read = response.body.take(PAGE_BYTES_MAX).read_to_string(&mut body);
    read.map_err(|error| CliError::Unreachable {
        url: server.url().to_owned(),
        cause: error.to_string(),
    })?;
    serde_json::from_str(&body).map_err(|error| CliError::Json {
        what: "the server's answer".to_owned(),
        cause: error.to_string(),
    })
}

fn tell_page(
    context: &Context,
    replica: &Replica,
    entity: &Entity,
    page: &ServerPage,
    output: &mut Output,
) -> Result<(), CliError> {
    if output.is_json {
        let ServerPage { entries, next } = page;
        return output.json(&json!({ "source": "server", "entries": entries, "next": next }));
    }
    if page.entries.is_empty() {
        output.note(past::say(Past::NoHistory, context.language));
    }
    for entry in &page.entries {
        let text = |name: &str| entry.get(name).and_then(Json::as_str).unwrap_or_default();
        let value = |name: &str| entry.get(name).unwrap_or(&Json::Null);
        let at = value("made_at").as_i64().map(to_rfc3339).unwrap_or_default();
        let change = change(context, replica, entity, (text("key"), value("old"), value("new")))?;
        let what = past::what(text("what"), context.language);
        let by = one_line(text("user"));
        let device = one_line(text("device_name"));
        let mut line = format!("{at}  {by} ({device})  {what}  {change}");
        if !text("approved_by").is_empty() {
            let granted = past::say(Past::GrantedBy, context.language);
            line.push_str(&format!("  ({granted} {})", one_line(text("approved_by"))));
        }
        if !value("written").is_null() {
            let written = words(context, replica, entity, text("key"), value("written"))?;
            line.push_str(&format!("  [{written}]"));
        }
        if value("is_conflict").as_bool() == Some(true) {
            line.push_str(&format!("  ({})", past::say(Past::NotSettled, context.language)));
        }
        output.line(&line)?;
    }
    if let Some(next) = &page.next {
        output.finish()?;
        output.note(&format!("{} --after {next}", word(Word::More, context.language)));
    }
    Ok(())
}

fn local_line(
    context: &Context,
    replica: &Replica,
    entity: &Entity,
    entry: &LocalChange,
) -> Result<String, CliError> {
    let at = match entry.made_at {
        Some(at) => to_rfc3339(at),
        None => word(Word::Unknown, context.language).to_owned(),
    };
    let by = match (&entry.by, entry.is_own) {
        (Some(by), _) => one_line(by),
        (None, true) => word(Word::ThisDevice, context.language).to_owned(),
        (None, false) => word(Word::Unknown, context.language).to_owned(),
    };
    let what = json!(entry.what);
    let what = past::what(what.as_str().unwrap_or_default(), context.language);
    let change = change(context, replica, entity, (&entry.key, &entry.old, &entry.new))?;
    let is_waiting = entry.progress == outrider_core::replica::history::Progress::Waiting;
    let waiting = if is_waiting { past::say(Past::Waiting, context.language) } else { "" };
    Ok(format!("{at}  {by}  {what}  {change}  {waiting}").trim_end().to_owned())
}
