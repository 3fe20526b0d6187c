//! A search that stays and tells what becomes of it, also by other processes.

use std::{thread, time::Duration};

use outrider_core::{
    replica::Replica,
    store::search::{Hit, SearchQuery},
};
use serde_json::json;

use crate::{commands::find::line_of, context::Context, error::CliError, output::Output};

/// Between two looks: another process gives no sign when it writes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows what is found, then what becomes of it, until nobody reads any more.
pub(super) fn watch(
    context: &Context,
    replica: &Replica,
    query: &SearchQuery,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut known: Vec<Hit> = Vec::new();
    let mut is_first = true;
    let mut seen = None;
    loop {
        let version = replica.data_version()?;
        if seen != Some(version) {
            seen = Some(version);
            let found = replica.search(query)?.hits;
            tell(context, (&known, &found), is_first, output)?;
            known = found;
            is_first = false;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Says what came, changed and went, by the record.
fn tell(
    context: &Context,
    (known, found): (&[Hit], &[Hit]),
    is_first: bool,
    output: &mut Output,
) -> Result<(), CliError> {
    if output.is_json && is_first {
        return output.json_line(&json!({ "hits": found }));
    }
    let before = |hit: &Hit| known.iter().find(|other| other.record == hit.record);
    let gone: Vec<&Hit> =
        known.iter().filter(|hit| !found.iter().any(|other| other.record == hit.record)).collect();
    let inserted: Vec<&Hit> = found.iter().filter(|hit| before(hit).is_none()).collect();
    let changed: Vec<&Hit> =
        found.iter().filter(|hit| before(hit).is_some_and(|old| old != *hit)).collect();
    if output.is_json {
        if !(gone.is_empty() && inserted.is_empty() && changed.is_empty()) {
            let removed: Vec<_> = gone.iter().map(|hit| hit.record).collect();
            let news = json!({ "removed": removed, "inserted": inserted, "changed": changed });
            output.json_line(&news)?;
        }
        return Ok(());
    }
    let sign = if is_first { "=" } else { "+" };
    for (sign, hits) in [("-", gone), (sign, inserted), ("~", changed)] {
        for hit in hits {
            output.line(&format!("{sign} {}", line_of(context, hit)))?;
        }
    }
    output.finish()
}
