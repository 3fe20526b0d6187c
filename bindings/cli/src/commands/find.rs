//! Searching, and what is near.

use std::{
    io::{IsTerminal as _, stdout},
    ops::Range,
};

use outrider_core::{
    replica::Replica,
    schema::Schema,
    store::{
        near::{NearQuery, RADIUS_MAX_M, geo_field},
        search::{Hit, SearchPage, SearchQuery},
    },
};
use serde_json::{Value as Json, json};

use crate::{
    cli::{NearArgs, SearchArgs},
    context::Context,
    error::CliError,
    messages::{Word, word},
    output::Output,
    record_ref,
    table::{Table, one_line},
};

/// Searches all records.
pub(crate) fn search(
    context: &Context,
    args: &SearchArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let mut entities = Vec::new();
    for name in args.entities.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        entities.push(replica.entity(name)?.name.clone());
    }
    let (limit, before) = (usize::from(args.limit), usize::from(args.page) - 1);
    let query = SearchQuery {
        text: args.text.join(" "),
        entities,
        with_archived: args.archived,
        after: (before > 0).then(|| (before * limit).to_string()),
        limit,
    };
    let page = replica.search(&query)?;
    if output.is_json {
        return output.json(&page);
    }
    let SearchPage { hits, next, total, is_cut, .. } = page;
    if hits.is_empty() {
        output.note(word(Word::NothingFound, context.language));
        return Ok(());
    }
    for hit in &hits {
        output.line(&line_of(context, hit))?;
    }
    output.finish()?;
    if hits.iter().any(|hit| hit.is_slip) {
        output.note(word(Word::OneTypo, context.language));
    }
    if next.is_some() {
        let more = word(Word::More, context.language);
        output.note(&format!("{total}: {more} --page {}", args.page + 1));
    }
    if is_cut {
        output.note(word(Word::Narrower, context.language));
    }
    Ok(())
}

/// A hit on one line: its entity, its name, where it hits, its id.
pub(super) fn line_of(context: &Context, hit: &Hit) -> String {
    let entity = Schema::current().entity(&hit.entity);
    let kind = entity.map_or(hit.entity.as_str(), |entity| entity.label.get(context.language));
    let title = one_line(&marked(&hit.title, &hit.title_marks));
    let place = hit.place.as_ref().map_or(String::new(), |place| {
        let text = one_line(&marked(&place.snippet.text, &place.snippet.marks));
        format!("  {}: {text}", place.label.get(context.language))
    });
    format!("{}  {kind}  {title}{place}", hit.record)
}

/// The text with its marks in reverse video, where somebody looks at it.
fn marked(text: &str, marks: &[Range<usize>]) -> String {
    if !stdout().is_terminal() {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut at = 0;
    for mark in marks {
        shown.push_str(text.get(at..mark.start).unwrap_or_default());
        let part = text.get(mark.clone()).unwrap_or_default();
        shown.push_str(&format!("\u{1b}[7m{part}\u{1b}[27m"));
        at = mark.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

/// Lists what is near a place.
pub(crate) fn near(
    context: &Context,
    args: &NearArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let (lat, lon) = place_of(&replica, &args.place)?;
    let wrong =
        |_| CliError::Usage("a place is degrees north and east: 31.2304,121.4737".to_owned());
    let query = NearQuery {
        lat: lat.trim().parse().map_err(wrong)?,
        lon: lon.trim().parse().map_err(wrong)?,
        entity: match &args.entity {
            Some(name) => Some(replica.entity(name)?.name.clone()),
            None => None,
        },
        radius_m: args.within.unwrap_or(RADIUS_MAX_M),
        limit: args.limit.into(),
    };
    let found = replica.near(&query)?;
    let mut named = Vec::with_capacity(found.len());
    for near in found {
        let title = replica.title(near.record)?.map(|(_, title)| title).unwrap_or_default();
        named.push((near, title));
    }
    if output.is_json {
        let records: Vec<Json> = named
            .iter()
            .map(|(near, title)| {
                let mut record = json!(near);
                if let Some(members) = record.as_object_mut() {
                    members.insert("title".to_owned(), title.as_str().into());
                }
                record
            })
            .collect();
        return output.json(&json!({ "records": records }));
    }
    if named.is_empty() {
        output.note(word(Word::NothingFound, context.language));
        return Ok(());
    }
    let labels = [Word::Entity, Word::Record, Word::Distance];
    let labels = labels.map(|label| word(label, context.language));
    let mut table = Table::new(std::iter::once("id").chain(labels));
    for (near, title) in &named {
        let entity = Schema::current().entity(&near.entity);
        let kind = entity.map_or(near.entity.as_str(), |entity| entity.label.get(context.language));
        let distance = distance(near.distance_m);
        table.row(vec![near.record.to_string(), kind.to_owned(), title.clone(), distance]);
    }
    table.write(output)
}

/// The degrees that were typed, or those of a record.
fn place_of(replica: &Replica, place: &str) -> Result<(String, String), CliError> {
    if let Some((lat, lon)) = place.split_once(',') {
        return Ok((lat.to_owned(), lon.to_owned()));
    }
    let record = record_ref::find(replica, place)?;
    let json = replica.get(record)?.unwrap_or_default();
    let entity = json.get("entity").and_then(Json::as_str).unwrap_or_default();
    let field = replica.schema().entity(entity).and_then(geo_field);
    let geo = field.and_then(|field| json.get(&field.name));
    let degrees = |name: &str| geo?.get(name)?.as_str().map(str::to_owned);
    degrees("lat")
        .zip(degrees("lon"))
        .ok_or_else(|| CliError::Usage("the record has no position".to_owned()))
}

fn distance(metres: u32) -> String {
    match metres {
        0..1_000 => format!("{metres} m"),
        _ => format!("{}.{} km", metres / 1_000, metres % 1_000 / 100),
    }
}
