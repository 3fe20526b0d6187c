//! The command line: `serve`, `code` for letting a device in, `password` for letting a person in.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use outrider_core::time::{Clock, SystemClock, to_rfc3339};
use serde_json::json;
use tokio::runtime;

mod device;

pub use device::{Act, DeviceArgs};

use crate::{
    accounts::{FIRST_LOGIN, Whose, set_password, show_password},
    config::{CODE_MINUTES, Config, StorageConfig, millis},
    enrol::{Approval, create_code_with},
    logging,
    serve::{Ready, ServeError, run},
    storage::sqlite::{DATABASE_FILE, SqliteStorage},
};

/// Threads for work that blocks, beyond the jobs and streams that the limits allow.
const SPARE_THREADS: u32 = 16;

/// Outrider's sync server: merges what field devices send, gives each device what it may see.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run the server (also without a command)
    Serve(Box<Config>),
    /// Create a one-time code that enrols a device, whether the server runs or not
    Code(CodeArgs),
    /// List devices, let them in, turn them away, have them wiped, whether the server runs or not
    Device(DeviceArgs),
    /// Set a new password for the office pages and print it, whether the server runs or not
    Password(PasswordArgs),
}

/// What `code` can be told.
#[derive(Debug, Clone, Args)]
pub struct CodeArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Name of the user whose device it will be
    #[arg(long)]
    pub user: String,
    /// Let the office approve the device before it is let in; without this whoever has the code is let
    /// in at once
    #[arg(long)]
    pub approve: bool,
    /// Minutes that the code is good
    #[arg(long, default_value_t = CODE_MINUTES, value_parser = clap::value_parser!(u32).range(1..=10_080))]
    pub minutes: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `password` can be told.
#[derive(Debug, Clone, Args)]
pub struct PasswordArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Login of the account
    #[arg(long)]
    pub user: String,
    /// Make the account if there is none
    #[arg(long)]
    pub create: bool,
    /// Name under which a new account edits; the login unless given
    #[arg(long, requires = "create")]
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command line in `args`, the first of which is the program's name.
pub fn main_with_args<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match cli.command {
        None => serve(cli.config).map_err(Into::into),
        Some(Subcommands::Serve(config)) => serve(*config).map_err(Into::into),
        Some(Subcommands::Code(args)) => print_code(&args),
        Some(Subcommands::Device(args)) => {
            open(&args.storage).and_then(|storage| device::run(&storage, &args))
        }
        Some(Subcommands::Password(args)) => print_password(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is told to stop.
///
/// # Errors
///
/// Returns [`ServeError`] when the server cannot start or cannot go on.
pub fn serve(config: Config) -> Result<(), ServeError> {
    logging::start(&config.logging)?;
    let stop_timeout = millis(config.network.stop_timeout_ms);
    let threads = config.limits.jobs_max.saturating_add(config.limits.streams_max);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(threads.saturating_add(SPARE_THREADS) as usize)
        .build()
        .map_err(ServeError::Stopped)?;
    // Whoever started this process learns the address from the first line of its output: with
    // port 0 the system chooses one.
    let ready = |ready: Ready| {
        let mut stdout = io::stdout();
        let _ = writeln!(stdout, "listening on http://{}", ready.address);
        if let Some(password) = ready.first_password {
            // Said here once, and never again: the database has its hash alone.
            let _ = writeln!(
                stdout,
                "sign in as {FIRST_LOGIN} with the password {password}\n\
                 (shown this once; the command `password --user {FIRST_LOGIN}` sets another)"
            );
        }
    };
    let result = runtime.block_on(run(config, ready));
    runtime.shutdown_timeout(stop_timeout);
    result
}

/// Creates a code and prints it, once: the data folder has only its hash.
///
/// # Errors
///
/// Fails when the data cannot be opened or the name is no name.
pub fn print_code(args: &CodeArgs) -> Result<(), Box<dyn Error>> {
    let storage = open(&args.storage)?;
    let random = u128::from_be_bytes(draw()?);
    let now_ms = SystemClock.now_ms();
    // Whoever runs this is at the server, and hands the code over.
    let approval = if args.approve { Approval::ByOffice } else { Approval::AtOnce };
    let whose = (args.user.as_str(), approval);
    let (code, expires_at) = create_code_with(&storage, whose, args.minutes, random, now_ms)?;
    let expires_at = to_rfc3339(expires_at);
    let text = if args.json {
        json!({ "code": code, "user": args.user, "expires_at": expires_at }).to_string()
    } else {
        format!("{code}\nfor {}, good until {expires_at}, for one device", args.user)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Sets a password and prints it, once: the data folder has only its hash.
///
/// # Errors
///
/// Fails when the data cannot be opened, or nobody has this login and none is to be created.
pub fn print_password(args: &PasswordArgs) -> Result<(), Box<dyn Error>> {
    let storage = open(&args.storage)?;
    let password = show_password(u128::from_be_bytes(draw()?));
    let name = args.name.clone().unwrap_or_else(|| args.user.clone());
    let whose = Whose { login: args.user.clone(), create_as: args.create.then_some(name) };
    let id = uuid::Uuid::now_v7();
    set_password(&storage, &whose, &password, &draw()?, id, SystemClock.now_ms())?;
    let text = if args.json {
        json!({ "login": args.user, "password": password }).to_string()
    } else {
        format!("{password}\nfor {}, who is signed out everywhere", args.user)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Opens data that is there already.
fn open(storage: &StorageConfig) -> Result<SqliteStorage, Box<dyn Error>> {
    let data = &storage.data;
    if !data.join(DATABASE_FILE).exists() {
        let folder = data.display();
        let words = format!(
            "there is no server's data in {folder}; name the folder with --data, or start the server once with it"
        );
        return Err(words.into());
    }
    Ok(SqliteStorage::open(data)?)
}

fn draw() -> Result<[u8; 16], getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(random)
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
