//! What is wrong with this device's store, in sentences, and repairs by name.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use outrider_core::{
    doctor::{Finding, Fix, Fixed, Kind, Level, examine_folder, salvage},
    replica::{Replica, ReplicaError},
    time::{Clock as _, SystemClock},
};
use serde_json::{Value as Json, json};

use crate::{
    cli::DoctorArgs,
    context::Context,
    error::CliError,
    messages::doctor::{finding, fix_words, fixed, question, well},
    output::Output,
};

/// Repairs everything but the exchange of the whole file.
const ALL_SAFE: &str = "all-safe";

/// Looks, repairs what is asked for, and looks again.
pub(crate) fn doctor(
    context: &Context,
    args: &DoctorArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    if !context.is_initialised() {
        return Err(CliError::NotInitialised(context.home.clone()));
    }
    let mut found = examine(context)?;
    let mut done = Vec::new();
    for fix in asked(args, &found)? {
        if is_agreed(context, args, fix)? {
            done.push(repair(context, fix)?);
        }
    }
    if !done.is_empty() {
        found = examine(context)?;
    }
    let language = context.language;
    if output.is_json {
        let told: Vec<Json> = found.iter().map(|one| told(one, context)).collect();
        output.json(&json!({ "found": told, "fixed": done }))?;
    } else {
        for one in &done {
            output.line(&fixed(one, language))?;
        }
        for one in &found {
            output.line(&finding(one, language))?;
            for name in &one.names {
                output.line(&format!("  {name}"))?;
            }
            if let Some(fix) = one.fix {
                output.line(&format!("  --fix {fix}: {}", fix_words(fix, language)))?;
            }
        }
    }
    let problems = found.iter().filter(|found| found.level == Level::Problem).count();
    if problems > 0 {
        return Err(CliError::Unwell(problems));
    }
    if !output.is_json {
        output.line(well(language))?;
    }
    Ok(())
}

fn told(one: &Finding, context: &Context) -> Json {
    let mut told = json!(one);
    if let Json::Object(members) = &mut told {
        members.insert("sentence".to_owned(), finding(one, context.language).into());
    }
    told
}

/// What is wrong with the folder, and with the store in it.
pub(crate) fn examine(context: &Context) -> Result<Vec<Finding>, CliError> {
    let mut found = examine_folder(&context.home);
    match Replica::open(&context.home, context.options()) {
        Ok(replica) => found.extend(replica.examine()?),
        Err(ReplicaError::Store(error)) if error.is_damage() => {
            found.push(Finding::problem(Kind::Unopenable, Some(Fix::Salvage)).named(error));
        }
        // Without its key the device is not itself; the finding says so.
        Err(ReplicaError::Folder { .. }) if found.iter().any(|one| one.kind == Kind::Key) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(found)
}

/// The repairs that are asked for, in the order in which they are done.
fn asked(args: &DoctorArgs, found: &[Finding]) -> Result<Vec<Fix>, CliError> {
    let mut asked = Vec::new();
    for name in &args.fix {
        if name == ALL_SAFE {
            asked.extend(found.iter().filter_map(|one| one.fix).filter(|fix| fix.is_safe()));
        } else {
            let fix: Fix =
                name.parse().map_err(|error| CliError::Usage(format!("{error}, {ALL_SAFE}")))?;
            asked.push(fix);
        }
    }
    Ok(Fix::ALL.into_iter().filter(|fix| asked.contains(fix)).collect())
}

/// Asks before a repair, where somebody sits there to answer.
fn is_agreed(context: &Context, args: &DoctorArgs, fix: Fix) -> Result<bool, CliError> {
    if args.yes || context.json || !io::stdin().is_terminal() {
        return Ok(true);
    }
    let _ = write!(io::stderr(), "{}", question(fix, context.language));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(CliError::Output)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "是"))
}

fn repair(context: &Context, fix: Fix) -> Result<Fixed, CliError> {
    if fix == Fix::Salvage {
        let saved = salvage(&context.home, &context.options(), SystemClock.now_ms())?;
        // Opening makes its rows anew.
        context.open()?;
        let repaired = saved.tables.iter().map(|table| table.rows).sum();
        return Ok(Fixed { fix, repaired, kept_in: Some(saved.kept_in) });
    }
    Ok(context.open()?.repair(fix)?)
}
