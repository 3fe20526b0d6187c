//! The commands about what lies beside the database: `ledger`, `tenant`.

use std::{error::Error, fs};

use clap::{Args, Subcommand};
use outrider_core::time::{Clock as _, SystemClock, to_rfc3339};
use serde_json::json;

use super::{DataArgs, say};
use crate::{
    accounts::FIRST_LOGIN,
    config::StorageConfig,
    ledger::{LEDGER_FILE, Ledger},
    lock::lock,
    serve::create_administrator,
    storage::sqlite::{SqliteStorage, snapshot::forget_ledger},
    tenants::{self, TenantName},
};

/// What `ledger` can be told.
#[derive(Debug, Clone, Subcommand)]
pub enum LedgerCommand {
    /// Check the chain of the ledger and say how many entries it has
    Check(LedgerArgs),
    /// Begin a new ledger from what the database knows, when the old one is lost
    Renew(LedgerArgs),
}

/// Which ledger.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `tenant` can be told.
#[derive(Debug, Clone, Subcommand)]
pub enum TenantCommand {
    /// Add a company with data of its own
    Add(TenantArgs),
    /// List the companies beside the first
    List(TenantsArgs),
}

/// What `tenant add` can be told.
#[derive(Debug, Clone, Args)]
pub struct TenantArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Its name: a-z, 0-9 and -
    pub name: TenantName,
    /// Host under which it is reached; may be given several times
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `tenant list` can be told.
#[derive(Debug, Clone, Args)]
pub struct TenantsArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Checks a ledger, or begins a new one.
///
/// # Errors
///
/// Fails when the ledger was changed, or a server runs that uses it.
pub fn keep_ledger(command: &LedgerCommand) -> Result<(), Box<dyn Error>> {
    let (LedgerCommand::Check(args) | LedgerCommand::Renew(args)) = command;
    let place = args.data.place()?;
    let path = place.ledger.clone().unwrap_or_else(|| place.data.join(LEDGER_FILE));
    let entries = match command {
        LedgerCommand::Check(_) => match Ledger::open(&path, true)? {
            Some((ledger, _)) => ledger.reached().entries,
            None => return Err(format!("there is no ledger {}", path.display()).into()),
        },
        LedgerCommand::Renew(_) => {
            place.must_have_data()?;
            let _lock = lock(&place.data)?;
            if path.exists() {
                let time = to_rfc3339(SystemClock.now_ms()).replace([':', '.'], "");
                let mut aside = path.as_os_str().to_owned();
                aside.push(format!(".replaced-{time}"));
                fs::rename(&path, aside)?;
            }
            forget_ledger(&place.data)?;
            let storage = SqliteStorage::open_with_ledger(&place.data, Some(&path))?;
            storage.ledger().reached().entries
        }
    };
    let words = format!("{} has {entries} entries, and each fits the one before", path.display());
    say(args.json, &json!({ "ledger": path, "entries": entries }), &words)
}

/// Adds a tenant or lists them.
///
/// # Errors
///
/// Fails when a name or host is taken or none, or the folder cannot be used.
pub fn keep_tenants(command: &TenantCommand) -> Result<(), Box<dyn Error>> {
    match command {
        TenantCommand::Add(args) => {
            let data = &args.storage.data;
            let tenant = tenants::add(data, &args.name, &args.host)?;
            // The database too, so that codes can be made before the server begins.
            let ledger = tenants::ledger_of(args.storage.ledger.as_deref(), &args.name);
            let storage = SqliteStorage::open_with_ledger(&tenant.folder, ledger.as_deref())?;
            let password = create_administrator(&storage)?.unwrap_or_default();
            let name = &tenant.name;
            let hosts = hosts_of(&tenant);
            let words = format!(
                "{name} is reached under {} when the server begins the next time\n\
                 sign in there as {FIRST_LOGIN} with the password {password}\n\
                 (shown this once; the command `password --tenant {name} --user {FIRST_LOGIN}` sets \
                 another)",
                hosts.join(", ")
            );
            let known = json!({
                "tenant": name.as_str(),
                "hosts": hosts,
                "login": FIRST_LOGIN,
                "password": password,
            });
            say(args.json, &known, &words)
        }
        TenantCommand::List(args) => {
            let all = tenants::list(&args.storage.data)?;
            let lines: Vec<String> = all
                .iter()
                .map(|tenant| format!("{}\t{}", tenant.name, hosts_of(tenant).join(", ")))
                .collect();
            let known: Vec<_> = all
                .iter()
                .map(|tenant| json!({ "tenant": tenant.name.as_str(), "hosts": hosts_of(tenant) }))
                .collect();
            say(args.json, &json!(known), &lines.join("\n"))
        }
    }
}

fn hosts_of(tenant: &tenants::Tenant) -> Vec<String> {
    let local = [tenant.name.as_str(), tenants::LOCAL_SUFFIX].concat();
    tenant.hosts.iter().cloned().chain([local]).collect()
}
