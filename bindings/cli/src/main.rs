//! `outrider`: a device in the shell, for demos, support and scripts.
//!
//! In reading order: [`cli`] says what can be typed, [`commands`] does it, one file per subject.
//! [`context`] opens the replica, [`fields`] and [`record_ref`] read what people type, [`output`]
//! and [`table`] write what they read, [`http`], [`access`] and [`sync`] talk to the server, [`messages`]
//! has the words in both languages, [`error`] the exit codes.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;
use outrider_client::access;

use crate::{
    cli::{Cli, Command},
    context::Context,
    error::CliError,
    output::Output,
};

mod cli;

mod commands;

mod context;
mod fields;
mod near;
mod record_ref;

mod output;
mod table;

mod http;
mod sync;

mod demo;

mod messages;

mod error;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return report_usage(&error, &arguments),
    };
    let is_json = cli.global.json;
    if let Command::Serve { rest } = &cli.command {
        return commands::server::run("serve", is_json, rest.clone());
    }
    if let Command::Code { rest } = &cli.command {
        return commands::server::run("code", is_json, rest.clone());
    }
    if let Command::Device { rest } = &cli.command {
        return commands::server::run("device", is_json, rest.clone());
    }
    if let Command::Password { rest } = &cli.command {
        return commands::server::run("password", is_json, rest.clone());
    }
    if let Command::Audit { rest } = &cli.command {
        return commands::server::run("audit", is_json, rest.clone());
    }
    if let Command::Server { rest } = &cli.command {
        return commands::server::run_any(rest.clone());
    }
    if let Command::Demo(args) = &cli.command {
        return demo::run(&cli.global, args);
    }
    let context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(error) => return report(&error, cli.global.json, cli.global.language()),
    };
    let mut output = Output::new(context.json);
    // A wipe that has begun comes before everything; one that began now comes at the end.
    let done = match carry_out_wipe(&context) {
        Ok(false) => commands::run(&context, cli.command, &mut output),
        Ok(true) => Err(CliError::Wiped),
        Err(error) => Err(error),
    };
    let done = match (done, carry_out_wipe(&context)) {
        (Ok(()) | Err(CliError::Wiped), Err(error)) => Err(error),
        (done, _) => done,
    };
    let done = done.and_then(|()| output.finish());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, context.json, context.language),
    }
}

/// Carries out a wipe that has begun; whether there was one.
fn carry_out_wipe(context: &Context) -> Result<bool, CliError> {
    let keys = context.key_store();
    Ok(access::carry_out_wipe(&http::desktop(), &context.home, keys.as_ref())?)
}

/// Says on stderr what went wrong, and gives the exit code.
fn report(error: &CliError, is_json: bool, language: outrider_core::schema::Language) -> ExitCode {
    output::report(error, is_json, language);
    ExitCode::from(error.exit_code())
}

/// Help and version go to stdout and are no failure; everything else is wrong usage.
fn report_usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_json = arguments.iter().any(|argument| argument == "--json");
    if is_json && error.use_stderr() {
        let words = error.render().to_string();
        let words = words.trim_start_matches("error: ").trim().to_owned();
        let error = CliError::Usage(words);
        output::report(&error, true, outrider_core::schema::Language::En);
    } else {
        // A closed pipe is nobody's problem here.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(error::EXIT_USAGE))
}
