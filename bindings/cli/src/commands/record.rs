//! One record: show, create, change, archive, bring back, links.

use std::{fs, io::Read as _, path::Path};

use outrider_core::{
    ids::RecordId,
    replica::{Replica, read::Link},
};
use serde_json::{Map, Value as Json, json};

use super::{duplicates, show};
use crate::{
    cli::{CreateArgs, EditArgs},
    context::Context,
    error::CliError,
    fields,
    messages::{Word, word},
    output::Output,
    record_ref,
    table::Table,
};

/// Shows a record.
pub(crate) fn get(context: &Context, record: &str, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let id = record_ref::find(&replica, record)?;
    let unknown = || CliError::UnknownRecord(record.to_owned());
    let json = replica.get(id)?.ok_or_else(unknown)?;
    if output.is_json {
        return output.json(&json);
    }
    let (entity, _) = replica.title(id)?.ok_or_else(unknown)?;
    show::record(&replica, entity, &json, context.language, output)
}

/// Creates one record, or all of a list, or none.
pub(crate) fn create(
    context: &Context,
    args: &CreateArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let entity = replica.entity(&args.entity)?;
    let typed = fields::parse(&replica, entity, &args.fields)?;
    let given = match &args.from_json {
        Some(path) => read_json(path)?,
        None => json!({}),
    };
    let is_list = given.is_array();
    let records = if let Json::Array(records) = given { records } else { vec![given] };
    let mut drafts = Vec::with_capacity(records.len());
    for record in records {
        drafts.push(draft(record, &typed)?);
    }
    let mut likely = Vec::new();
    for (_, fields) in &drafts {
        likely.push(replica.likely(&entity.name, fields, None)?);
    }
    let ids = replica.transaction(|writer| {
        drafts.iter().map(|(id, fields)| writer.create(&entity.name, *id, fields)).collect()
    });
    let ids: Vec<RecordId> = ids?;
    let lines: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut answer = match lines.as_slice() {
        [only] if !is_list => json!({ "record": only }),
        _ => json!({ "records": lines }),
    };
    for found in &likely {
        duplicates::warn(found, context.language, output);
    }
    if let Some(members) = answer.as_object_mut().filter(|_| likely.iter().any(|l| !l.is_empty())) {
        let found = if is_list { json!(likely) } else { json!(likely.first()) };
        members.insert("likely".to_owned(), found);
    }
    if lines.is_empty() && !output.is_json {
        return Ok(());
    }
    output.answer(&answer, &lines.join("\n"))
}

/// A record's id, if it has one, and its fields, with those that were typed on top.
fn draft(
    record: Json,
    typed: &Map<String, Json>,
) -> Result<(Option<RecordId>, Map<String, Json>), CliError> {
    let Json::Object(mut fields) = record else { return Err(not_an_object("a record")) };
    let id = match fields.remove("id") {
        Some(Json::String(text)) => {
            Some(text.parse().map_err(|_| CliError::Usage(format!("`{text}` is no full id")))?)
        }
        Some(_) => return Err(CliError::Usage("`id` is a text".to_owned())),
        None => None,
    };
    fields.remove("entity");
    fields.extend(typed.clone());
    Ok((id, fields))
}

/// Changes fields of a record.
pub(crate) fn edit(
    context: &Context,
    args: &EditArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let id = record_ref::find(&replica, &args.record)?;
    let (entity, _) =
        replica.title(id)?.ok_or_else(|| CliError::UnknownRecord(args.record.clone()))?;
    let mut fields = match &args.from_json {
        Some(path) => match read_json(path)? {
            Json::Object(fields) => fields,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                return Err(not_an_object(&path.display().to_string()));
            }
        },
        None => Map::new(),
    };
    fields.extend(fields::parse(&replica, entity, &args.fields)?);
    if fields.is_empty() {
        return Err(CliError::Usage("say what to change: field=value, or --from-json".to_owned()));
    }
    let is_changed = replica.transaction(|writer| {
        if args.anyway {
            writer.insist();
        }
        writer.update(id, &fields)
    })?;
    let words = if is_changed { Word::Changed } else { Word::Unchanged };
    let answer = json!({ "record": id, "changed": is_changed });
    output.answer(&answer, word(words, context.language))
}

/// Archives a record.
pub(crate) fn archive(
    context: &Context,
    record: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let id = record_ref::find(&replica, record)?;
    replica.archive(id)?;
    output.answer(&json!({ "record": id }), word(Word::Archived, context.language))
}

/// Brings an archived record back.
pub(crate) fn restore(
    context: &Context,
    record: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let id = record_ref::find(&replica, record)?;
    replica.restore(id)?;
    output.answer(&json!({ "record": id }), word(Word::Restored, context.language))
}

/// Shows the links of a record, both ways.
pub(crate) fn links(context: &Context, record: &str, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let id = record_ref::find(&replica, record)?;
    let links = replica.links(id)?;
    if output.is_json {
        return output.json(&links);
    }
    if links.to.is_empty() && links.from.is_empty() {
        return output.line(word(Word::NoLinks, context.language));
    }
    let words = [Word::Entity, Word::Field, Word::Record];
    let head = std::iter::once("").chain(words.map(|name| word(name, context.language)));
    let mut table = Table::new(head.chain([""]));
    for (way, links) in [(Word::To, &links.to), (Word::From, &links.from)] {
        for link in links {
            table.row(link_row(&replica, context, way, link));
        }
    }
    table.write(output)
}

fn link_row(replica: &Replica, context: &Context, way: Word, link: &Link) -> [String; 5] {
    let entity = replica.schema().entity(&link.entity);
    let label = entity.map_or(link.entity.as_str(), |entity| entity.label.get(context.language));
    let title = match &link.title {
        Some(title) => show::readable(title),
        None => word(Word::NotHere, context.language).to_owned(),
    };
    let way = word(way, context.language).to_owned();
    [way, label.to_owned(), link.field.clone(), link.record.to_string(), title]
}

/// Reads JSON from a file, or from stdin for `-`.
pub(crate) fn read_json(path: &Path) -> Result<Json, CliError> {
    let file_error = |source| CliError::File { path: path.to_owned(), source };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(file_error)?;
        text
    } else {
        fs::read_to_string(path).map_err(file_error)?
    };
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| CliError::Json {
        what: path.display().to_string(),
        cause: error.to_string(),
    })
}

fn not_an_object(what: &str) -> CliError {
    CliError::Json { what: what.to_owned(), cause: "expected an object of fields".to_owned() }
}
