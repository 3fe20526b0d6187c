//! The command line: `serve`, `code` for letting a device in, `password` for letting a person in;
//! `backup` and its kin ([`backup`]), [`doctor`], `ledger` and `tenant` ([`keep`]).

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use outrider_core::{
    store::is_denied,
    time::{Clock, SystemClock, to_rfc3339},
};
use serde_json::{Value as Json, json};
use tokio::runtime;

mod device;

pub use device::{Act, DeviceArgs};

use crate::{
    accounts::{FIRST_LOGIN, Whose, factor, fold_login, set_password, show_password},
    audit::{self, command::AuditArgs},
    config::{CODE_MINUTES, Config, StorageConfig, millis},
    enrol::{Approval, create_code_with},
    erasure::{self, DiscloseArgs, ErasureArgs},
    logging, office,
    serve::{Ready, ServeError, run},
    storage::{
        Storage as _, StorageError,
        sqlite::{DATABASE_FILE, SqliteStorage},
    },
    tenants::{self, TenantError, TenantName},
    tls::PinnedCa,
};

pub mod backup;
pub mod doctor;
pub mod keep;
pub mod recovery;
mod rules;

/// What to do about a file that the system keeps from this user.
const DENIED: &str = "; it belongs to another user, or is read-only: give the data folder and what is in \
                      it to the user who runs the server, or run it as their owner";
/// The same, where it may also be the disk.
const CANNOT_OPEN: &str = "; if it belongs to another user, or is read-only, give the data folder and what is \
                           in it to the user who runs the server; else look after the disk";
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
    /// Check the audit, or take old lines of it away, whether the server runs or not
    Audit(AuditArgs),
    /// Look at the access rules, change them, switch them on and off
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Give a user a role
    Role(rules::RoleArgs),
    /// Make the pair of keys that backups are encrypted with
    BackupKey(backup::KeyArgs),
    /// Make an encrypted backup, whether the server runs or not
    Backup(backup::BackupArgs),
    /// Put a backup back while no server runs
    Restore(backup::RestoreArgs),
    /// Say which devices came back after a backup was put back, or wait for them no more
    Recovery(recovery::RecoveryArgs),
    /// Check that everything in a data folder or a backup fits together
    Verify(backup::VerifyArgs),
    /// Say what is wrong with a data folder and what can be done, and repair it
    Doctor(doctor::DoctorArgs),
    /// Look after the file that remembers what must outlive a backup
    #[command(subcommand)]
    Ledger(keep::LedgerCommand),
    /// Look after the companies beside the first
    #[command(subcommand)]
    Tenant(keep::TenantCommand),
    /// Erase a person's data for good, or print the certificate of an erasure
    Erasure(ErasureArgs),
    /// Print everything that is known of a person as JSON
    Disclose(DiscloseArgs),
}

/// Whose data a command is about.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Name of the tenant; the first company unless given
    #[arg(long, env = "OUTRIDER_TENANT", value_name = "NAME")]
    pub tenant: Option<TenantName>,
}

/// Where one company's data and ledger lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPlace {
    /// The folder.
    pub data: PathBuf,
    /// The ledger, if it lies elsewhere.
    pub ledger: Option<PathBuf>,
}

impl DataArgs {
    /// Finds the folder of the tenant, if one is named.
    ///
    /// # Errors
    ///
    /// [`TenantError::Unknown`] for a tenant that there is not.
    pub fn place(&self) -> Result<DataPlace, TenantError> {
        let StorageConfig { data, ledger } = self.storage.clone();
        let Some(name) = &self.tenant else { return Ok(DataPlace { data, ledger }) };
        let tenant = tenants::find(&data, name)?;
        Ok(DataPlace { data: tenant.folder, ledger: tenants::ledger_of(ledger.as_deref(), name) })
    }
}

impl DataPlace {
    /// Says what to do where there is no data yet.
    fn must_have_data(&self) -> Result<(), Box<dyn Error>> {
        let database = self.data.join(DATABASE_FILE);
        match database.try_exists() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // It may be there, and this user may not look.
            Err(source) => {
                let path = database.display().to_string();
                return Err(StorageError::Open { path, source }.into());
            }
        }
        let folder = self.data.display();
        let words = format!(
            "there is no server's data in {folder}; name the folder with --data, or start the server once with it"
        );
        Err(words.into())
    }

    /// Opens data that is there already.
    fn open(&self) -> Result<SqliteStorage, Box<dyn Error>> {
        self.must_have_data()?;
        let storage = SqliteStorage::open_with_ledger(&self.data, self.ledger.as_deref())?;
        office::replay_erasures(&storage, SystemClock.now_ms())?;
        Ok(storage)
    }
}

/// What `code` can be told.
#[derive(Debug, Clone, Args)]
pub struct CodeArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
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
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Login of the account
    #[arg(long)]
    pub user: String,
    /// Make the account if there is none
    #[arg(long)]
    pub create: bool,
    /// Remove the account's second factor too: for who has lost the app and all recovery codes
    #[arg(long, conflicts_with = "create")]
    pub reset_second_factor: bool,
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
        Some(Subcommands::Erasure(args)) => erasure::run(&args),
        Some(Subcommands::Disclose(args)) => erasure::disclose(&args),
        Some(Subcommands::Audit(args)) => match audit::command::run(&args) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Some(Subcommands::Rules(command)) => rules::work_on_rules(&command),
        Some(Subcommands::Role(args)) => rules::give_role(&args),
        Some(Subcommands::BackupKey(args)) => backup::make_key(&args),
        Some(Subcommands::Backup(args)) => backup::make_backup(&args),
        Some(Subcommands::Restore(args)) => backup::put_back(&args),
        Some(Subcommands::Recovery(args)) => recovery::look_after(&args),
        Some(Subcommands::Verify(args)) => match backup::check(&args) {
            // What was found is said already.
            Ok(false) => return ExitCode::FAILURE,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        },
        Some(Subcommands::Doctor(args)) => match doctor::examine(&args) {
            // What was found is said already.
            Ok(false) => return ExitCode::FAILURE,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        },
        Some(Subcommands::Ledger(command)) => keep::keep_ledger(&command),
        Some(Subcommands::Tenant(command)) => keep::keep_tenants(&command),
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
        let scheme = if ready.is_tls { "https" } else { "http" };
        let _ = writeln!(stdout, "listening on {scheme}://{}", ready.address);
        if let Some(ca) = ready.ca_fingerprint {
            let _ = writeln!(stdout, "its authority has the fingerprint {ca}");
        }
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
    let storage = args.data.place()?.open()?;
    let random = u128::from_be_bytes(draw()?);
    let now_ms = SystemClock.now_ms();
    // Whoever runs this is at the server, and hands the code over.
    let approval = if args.approve { Approval::ByOffice } else { Approval::AtOnce };
    let whose = (args.user.as_str(), approval);
    let (code, expires_at) = create_code_with(&storage, whose, args.minutes, random, None, now_ms)?;
    let expires_at = to_rfc3339(expires_at);
    let ca = PinnedCa::of_data(&args.data.storage.data)?.map(|ca| ca.fingerprint());
    let text = if args.json {
        let mut told = json!({ "code": code, "user": args.user, "expires_at": expires_at });
        if let (Some(told), Some(ca)) = (told.as_object_mut(), ca) {
            told.insert("ca_fingerprint".to_owned(), ca.into());
        }
        told.to_string()
    } else {
        let pin = ca.map_or_else(String::new, |ca| format!("\n--ca-fingerprint {ca}"));
        format!("{code}\nfor {}, good until {expires_at}, for one device{pin}", args.user)
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
    let storage = args.data.place()?.open()?;
    let password = show_password(u128::from_be_bytes(draw()?));
    let name = args.name.clone().unwrap_or_else(|| args.user.clone());
    let whose = Whose { login: args.user.clone(), create_as: args.create.then_some(name) };
    let id = uuid::Uuid::now_v7();
    let now_ms = SystemClock.now_ms();
    set_password(&storage, &whose, &password, &draw()?, id, now_ms)?;
    let account = storage.read()?.account_by_login(&fold_login(&args.user))?;
    let is_reset = match account.filter(|_| args.reset_second_factor) {
        Some(account) => factor::remove(&storage, account.id, None, now_ms)?,
        None => false,
    };
    let text = if args.json {
        json!({ "login": args.user, "password": password, "second_factor_removed": is_reset })
            .to_string()
    } else {
        let factor = if is_reset { "; the second factor is removed" } else { "" };
        format!("{password}\nfor {}, who is signed out everywhere{factor}", args.user)
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Opens data that is there already.
pub(crate) fn open(storage: &StorageConfig) -> Result<SqliteStorage, Box<dyn Error>> {
    let StorageConfig { data, ledger } = storage.clone();
    DataPlace { data, ledger }.open()
}

/// Prints for programs or for people.
fn say(is_json: bool, known: &Json, words: &str) -> Result<(), Box<dyn Error>> {
    let text = if is_json { known.to_string() } else { words.to_owned() };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

fn draw() -> Result<[u8; 16], getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(random)
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut advice = advice_for(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        advice = advice.or_else(|| advice_for(error));
        cause = error.source();
    }
    text.push_str(advice.unwrap_or_default());
    text
}

/// What to do when the system keeps a file from this user, or seems to.
fn advice_for(error: &(dyn Error + 'static)) -> Option<&'static str> {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
        return match error.sqlite_error_code() {
            Some(PermissionDenied | ReadOnly) => Some(DENIED),
            Some(CannotOpen) => Some(CANNOT_OPEN),
            Some(_) | None => None,
        };
    }
    error.downcast_ref::<io::Error>().is_some_and(is_denied).then_some(DENIED)
}
