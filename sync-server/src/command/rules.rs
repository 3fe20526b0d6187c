//! `rules` and `role`: who may do what, decided at the server itself.

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use outrider_core::{
    access::Policy,
    time::{Clock as _, SystemClock},
};
use serde_json::{Map, json};

use super::{DataArgs, say};
use crate::{
    access::{admin, policy_of},
    office::{self, SYSTEM_USER},
    storage::Storage as _,
};

/// Users of which a preview tells, at most.
const PREVIEW_MAX: usize = 10_000;

/// What can be done with rules.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum RulesCommand {
    /// Print the rules as JSON, which `set` takes back
    Show(DataArgs),
    /// Make the rules in a file count; they must follow those that count now
    Set {
        /// Whose.
        #[command(flatten)]
        data: DataArgs,
        /// The file, as `show` writes it
        file: PathBuf,
    },
    /// Switch the rules on: everybody sees and changes what their roles allow
    On(DataArgs),
    /// Switch the rules off: everybody sees and changes everything
    Off(DataArgs),
    /// Say how many records and bytes each user's device would hold with the rules on
    Preview(DataArgs),
}

/// What `role` can be told.
#[derive(Debug, Clone, Args)]
pub(super) struct RoleArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Login of the user; the user's record is made if there is none
    #[arg(long)]
    pub user: String,
    /// Name of the role, such as `sales_rep`
    #[arg(long)]
    pub role: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Works on rules.
///
/// # Errors
///
/// Fails when the data cannot be opened, or the rules cannot count.
pub(super) fn work_on_rules(command: &RulesCommand) -> Result<(), Box<dyn Error>> {
    match command {
        RulesCommand::Show(data) => {
            let rules = data.place()?.open()?.read()?.rules()?;
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&rules)?)?;
        }
        RulesCommand::Set { data, file } => {
            let rules = admin::read_rules(&fs::read_to_string(file)?)?;
            let seen = rules.number;
            publish(data, |known| {
                *known = rules;
                seen
            })?;
        }
        RulesCommand::On(data) => publish(data, |rules| switch(rules, true))?,
        RulesCommand::Off(data) => publish(data, |rules| switch(rules, false))?,
        RulesCommand::Preview(data) => {
            let storage = data.place()?.open()?;
            let rules = storage.read()?.rules()?;
            let now_ms = SystemClock.now_ms();
            for seer in admin::preview(&storage, rules, now_ms, PREVIEW_MAX)? {
                writeln!(io::stdout(), "{}", serde_json::to_string(&seer)?)?;
            }
        }
    }
    Ok(())
}

fn switch(rules: &mut outrider_core::access::Rules, is_on: bool) -> u64 {
    rules.is_on = is_on;
    rules.number
}

fn publish(
    data: &DataArgs,
    change: impl FnOnce(&mut outrider_core::access::Rules) -> u64,
) -> Result<(), Box<dyn Error>> {
    let storage = data.place()?.open()?;
    let mut rules = storage.read()?.rules()?;
    let seen = change(&mut rules);
    let is_on = rules.is_on;
    let number = admin::publish(&storage, rules, seen, "command line", SystemClock.now_ms())?;
    let state = if is_on { "on" } else { "off" };
    say(false, &json!({}), &format!("access rules are {state}; this is decision {number}"))
}

/// Gives a user a role.
///
/// # Errors
///
/// Fails when the data cannot be opened or there is no such role.
pub(super) fn give_role(args: &RoleArgs) -> Result<(), Box<dyn Error>> {
    let storage = args.data.place()?.open()?;
    let policy = policy_of(&*storage.read()?)?;
    if !policy.rules.roles.contains_key(&args.role) {
        let known: Vec<&str> = policy.rules.roles.keys().map(String::as_str).collect();
        return Err(
            format!("there is no role `{}`; there are {}", args.role, known.join(", ")).into()
        );
    }
    let (open, now_ms) = (Policy::open(), SystemClock.now_ms());
    let record = office::ensure_user(&storage, &open, &args.user, now_ms)?;
    let author = office::author_for(&storage, SYSTEM_USER, None, now_ms)?;
    let fields = Map::from_iter([("role".to_owned(), args.role.clone().into())]);
    office::update(&storage, &open, &author, record, &fields, None, now_ms)?;
    let told = json!({ "user": args.user, "record": record, "role": args.role });
    say(args.json, &told, &format!("{} is {} now", args.user, args.role))
}
