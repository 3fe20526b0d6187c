//! Import: files of other systems, by a mapping that says which column becomes which field.

use std::fs;

use indicatif::{ProgressBar, ProgressStyle};
use outrider_core::{
    replica::Replica,
    transfer::{self, ImportError, ImportOptions, ImportReport, Mapping, own::OwnError},
};

use crate::{cli::ImportArgs, context::Context, error::CliError, output::Output};

/// Imports a file, or says what importing it would do.
pub(crate) fn import(
    context: &Context,
    args: &ImportArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let Some(path) = &args.mapping else { return take_back(context, args, &mut replica, output) };
    let text =
        fs::read_to_string(path).map_err(|source| CliError::File { path: path.clone(), source })?;
    let mapping = Mapping::from_toml(&text)
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    let options = ImportOptions { dry_run: args.dry_run, error_file: args.errors.as_deref() };
    let bar = if context.json { ProgressBar::hidden() } else { progress_bar() };
    let report = transfer::import(&mut replica, &mapping, &args.file, &options, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{}: {}", mapping.entity(), progress.rows));
    });
    bar.finish_and_clear();
    let report = report.map_err(import_error)?;
    output.answer(&report, report.to_string().trim_end())?;
    check_rejected(args, &report)
}

/// Takes back a file that `outrider export` wrote.
fn take_back(
    context: &Context,
    args: &ImportArgs,
    replica: &mut Replica,
    output: &mut Output,
) -> Result<(), CliError> {
    let bar = if context.json { ProgressBar::hidden() } else { progress_bar() };
    let report = transfer::own::take_back(replica, &args.file, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(progress.rows.to_string());
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        OwnError::Replica(error) => error.into(),
        error => CliError::Own(error),
    })?;
    output.answer(&report, report.to_string().trim_end())?;
    check_counts(args, report.rows, report.rejected)
}

fn check_rejected(args: &ImportArgs, report: &ImportReport) -> Result<(), CliError> {
    check_counts(args, report.rows, report.rejected)
}

fn check_counts(args: &ImportArgs, rows: u64, rejected: u64) -> Result<(), CliError> {
    let nothing_came = rows > 0 && rejected == rows;
    if nothing_came || (args.strict && rejected > 0) {
        Err(CliError::Rejected(rejected))
    } else {
        Ok(())
    }
}

fn import_error(error: ImportError) -> CliError {
    if let ImportError::Replica(error) = error { error.into() } else { CliError::Import(error) }
}

/// How much of the file is read; nothing is drawn where no person watches.
fn progress_bar() -> ProgressBar {
    let style = "{msg} {wide_bar} {percent}% ({bytes_per_sec}, {eta})";
    let style = ProgressStyle::with_template(style);
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
