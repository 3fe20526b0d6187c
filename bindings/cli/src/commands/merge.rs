//! Making two records one, two again, or telling them apart for good.

use std::collections::BTreeSet;

use outrider_core::{
    domain::merge::{MergePlan, Side, Taken},
    replica::Replica,
};
use serde_json::{Value as Json, json};

use super::show;
use crate::{
    cli::{DistinctArgs, MergeArgs},
    context::Context,
    error::CliError,
    messages::{
        Word,
        merge::{self, Merge, say},
        word,
    },
    output::Output,
    record_ref,
    table::Table,
};

/// Merges a record into another, or shows what that would do.
pub(crate) fn merge(
    context: &Context,
    args: &MergeArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let loser = record_ref::find(&replica, &args.loser)?;
    let survivor = record_ref::find(&replica, &args.survivor)?;
    let take = choices(&args.take)?;
    let plan = if args.dry_run {
        replica.plan_merge(loser, survivor, &take)?
    } else {
        replica.merge(loser, survivor, &take)?
    };
    if output.is_json {
        let answer = json!({
            "record": loser, "merged_into": survivor, "dry_run": args.dry_run, "sides": plan.sides,
        });
        return output.json(&answer);
    }
    side_by_side(&replica, context, loser, &plan, output)?;
    let words = if args.dry_run { Merge::DryRun } else { Merge::Merged };
    output.line(&format!("{loser} {} {survivor}", say(words, context.language)))
}

fn choices(take: &[String]) -> Result<BTreeSet<String>, CliError> {
    let mut chosen = BTreeSet::new();
    for text in take.iter().flat_map(|text| text.split(',')) {
        match text.split_once('=') {
            None | Some((_, "loser")) => {
                chosen.insert(text.split('=').next().unwrap_or_default().to_owned());
            }
            Some((field, "survivor")) => {
                chosen.remove(field);
            }
            Some(_) => {
                let problem = format!("--take {text}: write FIELD=loser or FIELD=survivor");
                return Err(CliError::Usage(problem));
            }
        }
    }
    Ok(chosen)
}

fn side_by_side(
    replica: &Replica,
    context: &Context,
    loser: outrider_core::ids::RecordId,
    plan: &MergePlan,
    output: &mut Output,
) -> Result<(), CliError> {
    let language = context.language;
    let Some((entity, _)) = replica.title(loser)? else { return Ok(()) };
    let heads = [Merge::Goes, Merge::GoesOn, Merge::Outcome].map(|head| say(head, language));
    let mut table = Table::new(std::iter::once(word(Word::Field, language)).chain(heads));
    for Side { field, loser, survivor, taken, .. } in &plan.sides {
        let Some(field) = entity.field(field).filter(|_| *taken != Taken::Same) else { continue };
        let words = |json: &Json| match json {
            Json::Null => Ok(String::new()),
            Json::Array(rows) if rows.iter().any(Json::is_object) => {
                let rows = rows.iter().map(|row| show::row(replica, field, row, language));
                Ok(rows.collect::<Result<Vec<_>, _>>()?.join("; "))
            }
            Json::Bool(_)
            | Json::Number(_)
            | Json::String(_)
            | Json::Array(_)
            | Json::Object(_) => show::value(replica, field, json, language),
        };
        let label = field.label.get(language).to_owned();
        let taken = merge::taken(*taken, language).to_owned();
        table.row([label, words(loser)?, words(survivor)?, taken]);
    }
    table.write(output)
}

/// Takes a merge back.
pub(crate) fn unmerge(
    context: &Context,
    record: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let record = record_ref::find(&replica, record)?;
    let done = replica.unmerge(record)?;
    if output.is_json {
        return output.json(&json!({
            "record": record, "survivor": done.survivor, "given_back": done.given_back,
            "stays": done.stays,
        }));
    }
    let language = context.language;
    output.line(&format!("{record} {} {}", say(Merge::Unmerged, language), done.survivor))?;
    for field in &done.stays {
        output.line(&format!("  {field}: {}", say(Merge::Stays, language)))?;
    }
    Ok(())
}

/// Says that two records are not the same.
pub(crate) fn distinct(
    context: &Context,
    args: &DistinctArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let one = record_ref::find(&replica, &args.one)?;
    let other = record_ref::find(&replica, &args.other)?;
    let is_new = replica.tell_apart(one, other)?;
    let words = if is_new { Merge::Distinct } else { Merge::DistinctAlready };
    let answer = json!({ "one": one, "other": other, "changed": is_new });
    output.answer(&answer, say(words, context.language))
}
