//! Export: records as files for other programs, or one record with its history.
//!
//! A file is there whole or not at all, and is not written over unless somebody says so.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use outrider_core::{
    replica::Replica,
    schema::Entity,
    store::query::Query,
    time::{Clock as _, SystemClock},
    transfer::export::{
        CardVersion, Export, ExportError, Format, Headers, Options, Written, whole::WholeFile,
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::list::query_of;
use crate::{
    cli::{ExportArgs, HeadersArg},
    context::Context,
    error::CliError,
    messages::{Word, word},
    output::Output,
    record_ref,
};

mod automerge;

/// Where everything goes to stdout.
const STDOUT: &str = "-";
/// Records between two steps of the progress bar.
const STEP: u64 = 256;

/// One file that was written.
#[derive(Debug, Serialize)]
struct FileAnswer {
    file: PathBuf,
    #[serde(flatten)]
    written: Written,
    bytes: u64,
}

/// What goes into a file.
enum Content<'q> {
    /// Records of entities.
    Lists(Vec<(&'static Entity, &'q Query)>),
    /// One record.
    Record(&'static Entity, Json),
}

/// Writes records, or a document as an Automerge file.
pub(crate) fn export(
    context: &Context,
    args: &ExportArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    if let Some(file) = &args.automerge {
        return automerge::export(context, args, file, output);
    }
    let replica = context.open()?;
    let query = Query { with_archived: args.conditions.archived, ..Query::default() };
    if args.all {
        return export_all(context, args, &replica, &query, output);
    }
    let Some(file) = &args.file else {
        let text = "say which file to write, such as customers.csv, or - for stdout";
        return Err(CliError::Usage(text.to_owned()));
    };
    let format = format_of(args, file)?;
    let content = match replica.schema().entity(&args.what) {
        Some(_) => Content::Lists(Vec::new()),
        None => {
            let id = record_ref::find(&replica, &args.what)
                .map_err(|error| entity_or_record(&replica, &args.what, error))?;
            let unknown = || CliError::UnknownRecord(args.what.clone());
            let (entity, _) = replica.title(id)?.ok_or_else(unknown)?;
            Content::Record(entity, replica.get(id)?.ok_or_else(unknown)?)
        }
    };
    let query = match &content {
        Content::Record(..) => query,
        Content::Lists(_) => query_of(&replica, replica.entity(&args.what)?, &args.conditions)?,
    };
    let content = match content {
        Content::Lists(_) => Content::Lists(vec![(replica.entity(&args.what)?, &query)]),
        record => record,
    };
    let answer = write_file(context, args, &replica, format, file, &content, output)?;
    say(context, &[answer], output)
}

/// A word that is neither: most likely a misspelt entity, unless it looks like an id.
fn entity_or_record(replica: &Replica, what: &str, error: CliError) -> CliError {
    let looks_like_id = what.contains(':') || what.starts_with(|c: char| c.is_ascii_digit());
    match replica.entity(what) {
        Err(unknown) if !looks_like_id => unknown.into(),
        Err(_) | Ok(_) => error,
    }
}

/// Every entity in one file, or in a folder with a file for each that has records.
fn export_all(
    context: &Context,
    args: &ExportArgs,
    replica: &Replica,
    query: &Query,
    output: &mut Output,
) -> Result<(), CliError> {
    let target = Path::new(&args.what);
    let is_file = target.extension().is_some() || args.what == STDOUT;
    let format =
        if is_file { format_of(args, target)? } else { args.format.unwrap_or(Format::Csv) };
    let takes = |entity: &&Entity| format.takes(entity);
    let all: Vec<_> = replica.schema().entities().filter(takes).map(|e| (e, query)).collect();
    if is_file {
        if !format.takes_several() {
            return Err(ExportError::OneEntity.into());
        }
        let content = Content::Lists(all);
        let answer = write_file(context, args, replica, format, target, &content, output)?;
        return say(context, &[answer], output);
    }
    fs::create_dir_all(target)
        .map_err(|source| CliError::File { path: target.to_owned(), source })?;
    let mut answers = Vec::new();
    for (entity, query) in all {
        if replica.count(&entity.name, query)? == 0 {
            continue;
        }
        let file = target.join(format!("{}.{}", entity.name, format.ending()));
        let content = Content::Lists(vec![(entity, query)]);
        answers.push(write_file(context, args, replica, format, &file, &content, output)?);
    }
    say(context, &answers, output)
}

fn format_of(args: &ExportArgs, file: &Path) -> Result<Format, CliError> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let format = args.format.or_else(|| ending.and_then(Format::named)).ok_or_else(|| {
        let text =
            "the file's ending is no format; say --format csv, xlsx, json, jsonl, vcf or ics";
        CliError::Usage(text.to_owned())
    })?;
    Ok(if format == Format::Json && args.lines { Format::JsonLines } else { format })
}

/// Writes one file whole, or to stdout.
fn write_file(
    context: &Context,
    args: &ExportArgs,
    replica: &Replica,
    format: Format,
    file: &Path,
    content: &Content<'_>,
    output: &mut Output,
) -> Result<FileAnswer, CliError> {
    if file == Path::new(STDOUT) {
        let written = fill(context, args, replica, format, output.writer()?, content)?;
        return Ok(FileAnswer { file: file.to_owned(), written, bytes: 0 });
    }
    let failed = |source| CliError::File { path: file.to_owned(), source };
    if file.exists() && !args.force {
        return Err(CliError::FileExists(file.to_owned()));
    }
    let mut whole = WholeFile::create(file).map_err(failed)?;
    let written = fill(context, args, replica, format, Box::new(&mut whole), content)?;
    let bytes = whole.keep(args.force).map_err(|error| {
        let is_there = error.kind() == io::ErrorKind::AlreadyExists;
        if is_there { CliError::FileExists(file.to_owned()) } else { failed(error) }
    })?;
    Ok(FileAnswer { file: file.to_owned(), written, bytes })
}

fn fill<'w>(
    context: &Context,
    args: &ExportArgs,
    replica: &Replica,
    format: Format,
    out: Box<dyn Write + Send + 'w>,
    content: &Content<'_>,
) -> Result<Written, CliError> {
    let headers = Headers::from(args.headers);
    let options = Options {
        headers,
        bom: args.headers != HeadersArg::Names,
        card: if args.vcard3 { CardVersion::V3 } else { CardVersion::V4 },
        now_ms: SystemClock.now_ms(),
    };
    let find_name = |id| replica.title(id).ok().flatten().map(|(_, title)| title);
    let bar = if context.json { ProgressBar::hidden() } else { progress_bar() };
    let done = replica.at_one_moment(|| {
        let mut export = Export::start(format, options, out, &find_name)?;
        match content {
            Content::Record(entity, record) => {
                export.begin(entity)?;
                export.write(record.as_object().unwrap_or(&serde_json::Map::new()))?;
            }
            Content::Lists(lists) => {
                for (entity, query) in lists {
                    bar.inc_length(replica.count(&entity.name, query)?);
                }
                for (entity, query) in lists {
                    bar.set_message(entity.label.get(context.language).to_owned());
                    export.begin(entity)?;
                    replica.each(entity, query, |record| {
                        export.write(record)?;
                        let Written { records, left_out } = export.written();
                        if (records + left_out).is_multiple_of(STEP) {
                            bar.set_position(records + left_out);
                        }
                        Ok::<_, CliError>(())
                    })?;
                }
            }
        }
        Ok::<_, CliError>(export.finish()?)
    });
    bar.finish_and_clear();
    done.map_err(|error| {
        let is_closed = matches!(&error, CliError::Write(ExportError::Io(error))
            if error.kind() == io::ErrorKind::BrokenPipe);
        if is_closed { CliError::OutputClosed } else { error }
    })
}

fn say(context: &Context, answers: &[FileAnswer], output: &mut Output) -> Result<(), CliError> {
    for answer in answers.iter().filter(|answer| answer.written.left_out > 0) {
        let words = word(Word::LeftOut, context.language);
        output.note(&format!("{} {words}", answer.written.left_out));
    }
    if answers.iter().any(|answer| answer.file == Path::new(STDOUT)) {
        return Ok(());
    }
    let sum = |count: fn(&FileAnswer) -> u64| answers.iter().map(count).sum::<u64>();
    let (records, bytes) = (sum(|a| a.written.records), sum(|a| a.bytes));
    let line = |answer: &FileAnswer| {
        let words = word(Word::Exported, context.language);
        let noun = word(Word::Records, context.language);
        format!("{words} {}: {} {noun}", answer.file.display(), answer.written.records)
    };
    let lines: Vec<String> = answers.iter().map(line).collect();
    output
        .answer(&json!({ "files": answers, "records": records, "bytes": bytes }), &lines.join("\n"))
}

/// How many records are written; nothing is drawn where no person watches.
fn progress_bar() -> ProgressBar {
    let style = "{msg} {wide_bar} {pos}/{len} ({per_sec}, {eta})";
    let style = ProgressStyle::with_template(style);
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
