//! A list that stays and tells what becomes of it, also by other processes.

use std::{thread, time::Duration};

use outrider_core::{
    replica::{Diff, Replica},
    schema::{Entity, Field},
    store::query::Query,
};
use serde_json::{Value as Json, json};

use super::cells;
use crate::{context::Context, error::CliError, output::Output, table::one_line};

/// Between two looks: another process gives no sign when it writes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Shows the list, then what becomes of it, until nobody reads any more.
pub(super) fn watch(
    context: &Context,
    mut replica: Replica,
    (entity, columns): (&Entity, &[&Field]),
    query: Query,
    output: &mut Output,
) -> Result<(), CliError> {
    let (_, page) = replica.live(&entity.name, query)?;
    if output.is_json {
        output.json_line(&json!(page))?;
    } else {
        for (place, record) in (1..).zip(&page.records) {
            say(context, &replica, columns, ("=", place), record, output)?;
        }
        output.finish()?;
    }
    // The ids of the list, to name what leaves it.
    let mut list = page.records;
    loop {
        for (_, diff) in replica.news()? {
            if output.is_json {
                output.json_line(&json!(diff))?;
            } else {
                tell(context, &replica, columns, &diff, &list, output)?;
            }
            diff.apply(&mut list);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn tell(
    context: &Context,
    replica: &Replica,
    columns: &[&Field],
    diff: &Diff,
    list: &[Json],
    output: &mut Output,
) -> Result<(), CliError> {
    for at in &diff.removed {
        if let Some(record) = list.get(*at) {
            say(context, replica, columns, ("-", at + 1), record, output)?;
        }
    }
    for (from, to) in &diff.moved {
        output.line(&format!("> {} → {}", from + 1, to + 1))?;
    }
    for placed in &diff.inserted {
        say(context, replica, columns, ("+", placed.index + 1), &placed.record, output)?;
    }
    for placed in &diff.changed {
        say(context, replica, columns, ("~", placed.index + 1), &placed.record, output)?;
    }
    output.finish()
}

fn say(
    context: &Context,
    replica: &Replica,
    columns: &[&Field],
    (sign, place): (&str, usize),
    record: &Json,
    output: &mut Output,
) -> Result<(), CliError> {
    let cells: Vec<String> =
        cells(replica, columns, record, context)?.iter().map(|cell| one_line(cell)).collect();
    output.line(&format!("{sign} {place}  {}", cells.join("  ").trim_end()))
}
