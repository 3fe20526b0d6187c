//! Import: files of other systems, by mappings that say which column becomes which field, given or
//! proposed.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use outrider_core::{
    replica::{Replica, ReplicaError},
    transfer::{
        self, ImportError, ImportReport, Job, Mapping, Table, TargetError, own::OwnError, propose,
    },
};
use serde_json::json;

use crate::{cli::ImportArgs, context::Context, error::CliError, output::Output};

mod told;

/// Imports files, or says what importing them would do.
pub(crate) fn import(
    context: &Context,
    args: &ImportArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    if args.exported {
        return take_back(context, args, &mut replica, output);
    }
    let Some(mappings) = mappings(context, &replica, args, output)? else { return Ok(()) };
    let errors = error_files(args)?;
    let jobs: Vec<Job<'_>> = args
        .files
        .iter()
        .zip(&mappings)
        .zip(errors)
        .map(|((file, mapping), error_file)| Job { error_file, ..Job::new(mapping, file) })
        .collect();
    let bar = if context.json { ProgressBar::hidden() } else { progress_bar() };
    let reports = transfer::import_all(&mut replica, &jobs, args.dry_run, &mut |file, progress| {
        let entity = mappings.get(file).map_or("", |mapping| mapping.entity());
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        let rate = progress.rows as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{entity}: {} ({rate:.0}/s)", progress.rows));
    });
    bar.finish_and_clear();
    let reports = reports.map_err(import_error)?;
    match reports.as_slice() {
        [only] => output.answer(only, told::report(only, context.language).trim_end())?,
        all => {
            let texts: Vec<String> =
                all.iter().map(|report| told::report(report, context.language)).collect();
            output.answer(&all, texts.concat().trim_end())?;
        }
    }
    check_rejected(args, &reports)
}

/// The mappings of the files; none if there is nothing to import.
fn mappings(
    context: &Context,
    replica: &Replica,
    args: &ImportArgs,
    output: &mut Output,
) -> Result<Option<Vec<Mapping>>, CliError> {
    if !args.mapping.is_empty() {
        if args.mapping.len() != args.files.len() {
            return Err(CliError::Usage(format!(
                "{} files and {} mappings: give one --mapping for each file, in their order",
                args.files.len(),
                args.mapping.len()
            )));
        }
        return args
            .mapping
            .iter()
            .map(|path| read_mapping(path))
            .collect::<Result<_, _>>()
            .map(Some);
    }
    let names: Vec<_> = args.files.iter().map(|file| file.to_string_lossy()).collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let mut proposals = Vec::new();
    for file in &args.files {
        let table = Table::open(file, &transfer::TableOptions::default()).map_err(import_error)?;
        let wishes = propose::Wishes {
            entity: args.entity.clone(),
            source: args.source.clone().or_else(|| Some(propose::source_of(&names))),
            currency: args.currency.clone(),
            region: args.region.clone(),
            ..propose::Wishes::default()
        };
        proposals.push(propose::propose(&table, &wishes, replica).map_err(import_error)?);
    }
    if let Some(path) = &args.save_mapping {
        let [only] = proposals.as_slice() else {
            return Err(CliError::Usage("--save-mapping is for one file at a time".to_owned()));
        };
        fs::write(path, &only.mapping)
            .map_err(|source| CliError::File { path: path.clone(), source })?;
    }
    if args.propose {
        for (file, proposal) in args.files.iter().zip(&proposals) {
            let words = told::proposal(file, proposal, context.language);
            output.answer(proposal, &format!("{words}\n{}", proposal.mapping))?;
        }
        return Ok(None);
    }
    for (file, proposal) in args.files.iter().zip(&proposals) {
        output.note(&told::proposal(file, proposal, context.language));
    }
    if !args.yes && !args.dry_run && !agrees(context)? {
        return Ok(None);
    }
    let read = |proposal: &propose::Proposal| {
        Mapping::from_toml(&proposal.mapping).map_err(|error| CliError::Usage(error.to_string()))
    };
    proposals.iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn read_mapping(path: &Path) -> Result<Mapping, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|source| CliError::File { path: path.to_owned(), source })?;
    Mapping::from_toml(&text)
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
}

/// Whether a person who was shown the mapping agrees with it.
fn agrees(context: &Context) -> Result<bool, CliError> {
    if context.json || !io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "nobody is here to agree with the proposed mapping: look at it with --propose, then \
             give it with --mapping, or say --yes"
                .to_owned(),
        ));
    }
    let _ = write!(io::stderr(), "{} ", told::question(context.language));
    let mut answer = String::new();
    let failed = |source| CliError::File { path: PathBuf::from("stdin"), source };
    io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "是" | "好"))
}

/// Where what is wrong with each file goes.
fn error_files(args: &ImportArgs) -> Result<Vec<Option<PathBuf>>, CliError> {
    let Some(path) = &args.errors else { return Ok(vec![None; args.files.len()]) };
    if args.files.len() == 1 {
        return Ok(vec![Some(path.clone())]);
    }
    fs::create_dir_all(path).map_err(|source| CliError::File { path: path.clone(), source })?;
    let name = |file: &PathBuf| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Some(path.join(format!("{stem}.errors.csv")))
    };
    Ok(args.files.iter().map(name).collect())
}

/// Takes back files that `outrider export` wrote.
fn take_back(
    context: &Context,
    args: &ImportArgs,
    replica: &mut Replica,
    output: &mut Output,
) -> Result<(), CliError> {
    let (mut rows, mut rejected) = (0, 0);
    for file in &args.files {
        let bar = if context.json { ProgressBar::hidden() } else { progress_bar() };
        let report = transfer::own::take_back(replica, file, &mut |progress| {
            bar.set_length(progress.bytes_total);
            bar.set_position(progress.bytes);
            bar.set_message(progress.rows.to_string());
        });
        bar.finish_and_clear();
        let report = report.map_err(|error| {
            if let OwnError::Replica(error) = error { error.into() } else { CliError::Own(error) }
        })?;
        output.answer(&report, report.to_string().trim_end())?;
        rows += report.rows;
        rejected += report.rejected;
    }
    if rejected > 0 && (args.strict || rejected == rows) {
        return Err(CliError::Rejected(rejected));
    }
    Ok(())
}

fn check_rejected(args: &ImportArgs, reports: &[ImportReport]) -> Result<(), CliError> {
    let rejected: u64 = reports.iter().map(|report| report.rejected).sum();
    let nothing_came =
        reports.iter().any(|report| report.rows > 0 && report.rejected == report.rows);
    if nothing_came || (args.strict && rejected > 0) {
        Err(CliError::Rejected(rejected))
    } else {
        Ok(())
    }
}

/// Lists the imports of this device.
pub(crate) fn list(context: &Context, limit: usize, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let batches = transfer::imports(&mut replica, limit).map_err(target_error)?;
    output.answer(&batches, &told::batches(&batches, context.language))
}

/// Takes an import back.
pub(crate) fn undo(context: &Context, id: i64, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let bar = if context.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let undone = transfer::undo_import(&mut replica, id, &mut |progress| {
        bar.set_message(progress.rows.to_string());
        bar.tick();
    });
    bar.finish_and_clear();
    let undone = undone.map_err(import_error)?;
    output.answer(&json!(undone), &told::undone(&undone, context.language))
}

fn import_error(error: ImportError) -> CliError {
    if let ImportError::Target(error) = error {
        target_error(error)
    } else {
        CliError::Import(error)
    }
}

/// The replica's own error where it was one, so that it has its own words and exit code.
fn target_error(error: TargetError) -> CliError {
    match error {
        TargetError::Failed(error) => match error.downcast::<ReplicaError>() {
            Ok(error) => (*error).into(),
            Err(error) => CliError::Import(ImportError::Target(TargetError::Failed(error))),
        },
        refused @ TargetError::Refused(_) => CliError::Import(ImportError::Target(refused)),
    }
}

/// How much of the file is read; nothing is drawn where no person watches.
fn progress_bar() -> ProgressBar {
    let style = "{msg} {wide_bar} {percent}% ({eta})";
    let style = ProgressStyle::with_template(style);
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
