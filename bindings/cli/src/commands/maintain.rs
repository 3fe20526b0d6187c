//! Care of the lists: they are a cache of the documents.

use std::collections::BTreeSet;

use outrider_core::{
    crdt::TextDocument,
    replica::{Replica, ReplicaError},
    store::{
        Store, StoreError,
        document::{self, decode_state},
        rows,
    },
};
use serde_json::json;

use crate::{
    context::Context,
    error::CliError,
    messages::{Word, word},
    output::Output,
};

/// How often a check begins again because another process wrote meanwhile.
const CHECKS_MAX: usize = 5;

/// Makes the rows anew.
pub(crate) fn rebuild(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    replica.rebuild_rows()?;
    let rows = replica.dump_rows()?.len();
    output.answer(&json!({ "rows": rows }), word(Word::Rebuilt, context.language))
}

/// Compares the rows with those that the documents make in memory.
pub(crate) fn check(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let mut kept = replica.dump_rows()?;
    for _ in 0..CHECKS_MAX {
        let made = project(&replica)?;
        let again = replica.dump_rows()?;
        if again != kept {
            kept = again;
            continue;
        }
        return answer(context, &kept, &made, output);
    }
    let text = "another process keeps writing; run the check again when it is done";
    Err(CliError::Usage(text.to_owned()))
}

fn answer(
    context: &Context,
    kept: &[String],
    made: &[String],
    output: &mut Output,
) -> Result<(), CliError> {
    let kept: BTreeSet<&String> = kept.iter().collect();
    let made: BTreeSet<&String> = made.iter().collect();
    let differing: BTreeSet<&str> = kept
        .symmetric_difference(&made)
        // `entity id values`: a row that differs is there on both sides, and counts once.
        .map(|line| {
            line.match_indices(' ').nth(1).and_then(|(at, _)| line.get(..at)).unwrap_or(line)
        })
        .collect();
    if differing.is_empty() {
        let answer = json!({ "rows": kept.len(), "differing": 0 });
        return output.answer(&answer, word(Word::RowsAgree, context.language));
    }
    Err(CliError::RowsDiffer(differing.len()))
}

/// The rows that the documents make, in a database that is never on disk.
fn project(replica: &Replica) -> Result<Vec<String>, CliError> {
    let schema = replica.schema();
    let mut store = Store::in_memory()?;
    let tx = store.begin()?;
    rows::create_tables(&tx, schema).map_err(StoreError::from)?;
    document::for_each(replica.store().conn(), |id, entity, state| {
        let Some(entity) = schema.entity(entity) else { return Ok(()) };
        if id.part.is_flat() {
            let state = decode_state(id, state)?;
            rows::project_flat(&tx, entity, id.record, &id.part, &state)?;
        } else {
            let damaged = |error| StoreError::Damaged(format!("{id}: {error}"));
            let text = TextDocument::load(state).and_then(|text| text.text()).map_err(damaged)?;
            rows::project_text(&tx, entity, id.record, id.part.as_str(), &text)?;
        }
        Ok(())
    })?;
    Ok(rows::dump(&tx, schema).map_err(StoreError::from).map_err(ReplicaError::from)?)
}
