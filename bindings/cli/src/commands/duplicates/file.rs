//! The rows of a CSV file, compared with each other and with the store; nothing is written.

use std::path::Path;

use outrider_core::{
    likeness::{Inside, Likeness, Profile},
    replica::Replica,
    schema::Entity,
};
use serde_json::{Map, Value as Json, json};

use super::{measure::Measured, reasons, score};
use crate::{
    cli::DuplicatesArgs,
    context::Context,
    error::CliError,
    messages::merge::{Merge, say},
    output::Output,
    table::Table,
};

/// Rows of one file, at most: they are compared in memory. A longer file is imported first.
const ROWS_MAX: usize = 1_000_000;

struct Hit {
    row: usize,
    other: Other,
    likeness: Likeness,
}

enum Other {
    Row(usize),
    Record(String, String),
}

pub(super) fn duplicates(
    context: &Context,
    replica: &Replica,
    args: &DuplicatesArgs,
    (path, threshold): (&Path, f64),
    output: &mut Output,
) -> Result<(), CliError> {
    let entity = replica.entity(args.entity.as_deref().unwrap_or_default())?;
    let Some(roles) = &entity.likeness else {
        return Err(CliError::Usage(format!("records of {} are not compared", entity.name)));
    };
    let failed = |error: csv::Error| {
        let file = path.display();
        CliError::Usage(format!(
            "{file} is no CSV in UTF-8: {error}; `outrider import {file}` reads other encodings"
        ))
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_path(path)
        .map_err(failed)?;
    let head: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let columns = columns(entity, &head, &args.map)?;
    let answer = args.answer_key.as_deref();
    let answer = answer.map(|name| column(&head, name)).transpose()?;
    let mut measured = answer.map(|_| Measured::default());
    let (mut inside, mut hits) = (Inside::new(entity), Vec::new());
    for (at, row) in reader.records().enumerate() {
        if at >= ROWS_MAX {
            return Err(CliError::Usage(format!("a file has at most {ROWS_MAX} rows here")));
        }
        let row = row.map_err(failed)?;
        let fields = fields_of(&columns, &row);
        if let (Some(measured), Some(column)) = (&mut measured, answer) {
            let answer = row.get(column).unwrap_or_default();
            measured.know(&at.to_string(), answer, args.key_pattern.as_deref());
        }
        for (other, likeness) in inside.add(Profile::of(roles, &fields)) {
            if likeness.score >= threshold {
                if let Some(measured) = &mut measured {
                    measured.found(&at.to_string(), &other.to_string());
                }
                hits.push(Hit { row: at, other: Other::Row(other), likeness });
            }
        }
        for found in replica.likely(&entity.name, &fields, None)? {
            let likeness = found.likely.likeness;
            if likeness.score >= threshold {
                let other = Other::Record(found.likely.record.to_string(), found.title);
                hits.push(Hit { row: at, other, likeness });
            }
        }
    }
    hits.sort_by(|a, b| b.likeness.score.total_cmp(&a.likeness.score).then(a.row.cmp(&b.row)));
    hits.truncate(args.limit.into());
    if output.is_json {
        let pairs: Vec<Json> = hits.iter().map(told).collect();
        return output.json(&json!({ "pairs": pairs, "measured": measured.map(|m| m.told()) }));
    }
    let language = context.language;
    if hits.is_empty() {
        output.line(say(Merge::NoDuplicates, language))?;
    } else {
        let heads = [Merge::Score, Merge::Row, Merge::Other, Merge::Other, Merge::Reasons];
        let mut table = Table::new(heads.map(|head| say(head, language)));
        for Hit { row, other, likeness } in &hits {
            let (other, title) = match other {
                Other::Row(other) => {
                    (format!("{} {}", say(Merge::Row, language), other + 1), String::new())
                }
                Other::Record(id, title) => (id.clone(), title.clone()),
            };
            let row = (row + 1).to_string();
            table.row([score(likeness, language), row, other, title, reasons(likeness, language)]);
        }
        table.write(output)?;
    }
    measured.map_or(Ok(()), |measured| output.line(&measured.in_words()))
}

fn told(Hit { row, other, likeness }: &Hit) -> Json {
    let mut told = json!({
        "row": row + 1, "score": likeness.score, "verdict": likeness.verdict,
        "reasons": likeness.reasons,
    });
    if let Json::Object(members) = &mut told {
        match other {
            Other::Row(other) => members.insert("other_row".to_owned(), (other + 1).into()),
            Other::Record(id, title) => {
                members.insert("other_title".to_owned(), title.as_str().into());
                members.insert("other".to_owned(), id.as_str().into())
            }
        };
    }
    told
}

/// Where a field's value comes from: the field, its part if it has parts, columns.
type Columns = Vec<(String, Option<String>, Vec<usize>)>;

fn column(head: &[String], name: &str) -> Result<usize, CliError> {
    head.iter().position(|known| known == name.trim()).ok_or_else(|| {
        CliError::Usage(format!("the file has no column `{name}`; it has {}", head.join(", ")))
    })
}

fn columns(entity: &Entity, head: &[String], map: &[String]) -> Result<Columns, CliError> {
    if map.is_empty() {
        let known = head.iter().enumerate().filter(|(_, name)| entity.field(name).is_some());
        return Ok(known.map(|(at, name)| (name.clone(), None, vec![at])).collect());
    }
    let mut columns = Columns::new();
    for text in map {
        let Some((path, names)) = text.split_once('=') else {
            return Err(CliError::Usage(format!("--map {text}: write FIELD=COLUMN")));
        };
        let (field, part) = match path.split_once('.') {
            Some((field, part)) => (field, Some(part.to_owned())),
            None => (path, None),
        };
        let Some(known) = entity.field(field) else {
            return Err(crate::near::unknown_field(entity.name.clone(), field.to_owned()));
        };
        if let Some(part) = &part
            && known.ty.from_json(&json!({ part: "x" })).is_err()
        {
            return Err(CliError::Usage(format!("`{field}` has no part `{part}`")));
        }
        let places = names.split('+').map(|name| column(head, name)).collect::<Result<_, _>>()?;
        columns.push((field.to_owned(), part, places));
    }
    Ok(columns)
}

fn fields_of(columns: &Columns, row: &csv::StringRecord) -> Map<String, Json> {
    let mut fields = Map::new();
    for (field, part, places) in columns {
        let cells = places.iter().filter_map(|at| row.get(*at)).filter(|cell| !cell.is_empty());
        let text = cells.collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            continue;
        }
        match part {
            None => {
                fields.insert(field.clone(), text.into());
            }
            Some(part) => {
                let parts = fields.entry(field.clone()).or_insert_with(|| json!({}));
                if let Json::Object(parts) = parts {
                    parts.insert(part.clone(), text.into());
                }
            }
        }
    }
    fields
}
