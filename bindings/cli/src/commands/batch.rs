//! Batch: one JSON command per line of stdin, one JSON answer per line of stdout.
//!
//! An answer leaves the program after its command is safely on disk: whoever reads it may cut the
//! power.

use std::io::BufRead as _;

use outrider_core::replica::Replica;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::{context::Context, error::CliError, messages, output::Output, record_ref, sync};

/// Bytes of one line, at most.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One command.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Create {
        entity: String,
        #[serde(default)]
        fields: Map<String, Json>,
        id: Option<String>,
    },
    Edit {
        record: String,
        fields: Map<String, Json>,
    },
    Archive {
        record: String,
    },
    Restore {
        record: String,
    },
    Get {
        record: String,
    },
    Sync {},
}

/// Runs commands until stdin ends.
pub(crate) fn batch(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let (mut total, mut failed) = (0, 0);
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = stdin
            .read_until(b'\n', &mut line)
            .map_err(|source| CliError::File { path: "-".into(), source })?;
        if count == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        total += 1;
        let answer = match run(context, &mut replica, &line) {
            Ok(answer) => answer,
            // Nothing that is written from here on would stay.
            Err(error @ CliError::Wiped) => return Err(error),
            Err(error) => {
                failed += 1;
                let message = messages::of_error(&error, context.language);
                json!({ "ok": false, "error": { "code": error.code(), "message": message } })
            }
        };
        output.json_line(&answer)?;
    }
    if failed > 0 { Err(CliError::BatchFailed { failed, total }) } else { Ok(()) }
}

fn run(context: &Context, replica: &mut Replica, line: &[u8]) -> Result<Json, CliError> {
    let wrong = |cause: String| CliError::Json { what: "the line".to_owned(), cause };
    if line.len() > LINE_BYTES_MAX {
        return Err(wrong(format!("longer than {LINE_BYTES_MAX} bytes")));
    }
    let step: Step = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
    match step {
        Step::Create { entity, fields, id } => {
            let id = match id {
                Some(id) => Some(id.parse().map_err(|_| CliError::BadReference(id))?),
                None => None,
            };
            let record = replica.transaction(|writer| writer.create(&entity, id, &fields))?;
            Ok(json!({ "ok": true, "record": record }))
        }
        Step::Edit { record, fields } => {
            let record = record_ref::find(replica, &record)?;
            let is_changed = replica.update(record, &fields)?;
            Ok(json!({ "ok": true, "record": record, "changed": is_changed }))
        }
        Step::Archive { record } => {
            let record = record_ref::find(replica, &record)?;
            replica.archive(record)?;
            Ok(json!({ "ok": true, "record": record }))
        }
        Step::Restore { record } => {
            let record = record_ref::find(replica, &record)?;
            replica.restore(record)?;
            Ok(json!({ "ok": true, "record": record }))
        }
        Step::Get { record } => {
            let record = record_ref::find(replica, &record)?;
            let value = replica.get(record)?;
            Ok(json!({ "ok": true, "record": record, "value": value }))
        }
        Step::Sync {} => {
            let summary = sync::run(replica, context.language, false)?;
            Ok(json!({ "ok": true, "summary": summary }))
        }
    }
}
