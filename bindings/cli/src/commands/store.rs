//! The store as a whole: what it takes, and copies of it for support.

use std::path::Path;

use outrider_core::replica::Replica;
use serde_json::json;

use crate::{
    cli::StoreCommand,
    context::Context,
    error::CliError,
    messages::{
        Word,
        past::{Past, say},
        word,
    },
    output::Output,
    table::Table,
};

/// Says what takes how much.
pub(crate) fn storage(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let storage = context.open()?.storage()?;
    if output.is_json {
        return output.json(&storage);
    }
    let language = context.language;
    let head = [
        word(Word::Entity, language),
        word(Word::Records, language),
        say(Past::Documents, language),
        say(Past::StateBytes, language),
        say(Past::TextBytes, language),
        say(Past::OwnChanges, language),
        word(Word::Waiting, language),
    ];
    let mut table = Table::new(head);
    for sizes in &storage.entities {
        table.row([
            sizes.entity.clone(),
            sizes.records.to_string(),
            sizes.documents.to_string(),
            bytes(sizes.state_bytes + sizes.confirmed_bytes),
            bytes(sizes.text_bytes),
            format!("{} ({})", sizes.own_changes, bytes(sizes.own_change_bytes)),
            sizes.waiting.to_string(),
        ]);
    }
    table.write(output)?;
    let (file, free) = (say(Past::File, language), say(Past::Free, language));
    let sizes = (bytes(storage.file_bytes), bytes(storage.free_bytes));
    output.line(&format!("{file}: {}; {free}: {}", sizes.0, sizes.1))
}

/// Bytes as people read them.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut whole, mut rest, mut unit) = (count, 0, "B");
    for name in UNITS {
        if whole < 1024 {
            break;
        }
        (rest, whole, unit) = (whole % 1024 * 10 / 1024, whole / 1024, name);
    }
    format!("{whole}.{rest} {unit}")
}

/// Exports or imports the whole store.
pub(crate) fn store(
    context: &Context,
    which: &StoreCommand,
    output: &mut Output,
) -> Result<(), CliError> {
    match which {
        StoreCommand::Export { file, plain } => {
            let mut replica = context.open()?;
            let manifest = if *plain {
                replica.export_store_plain(file)?
            } else {
                replica.export_store(file)?
            };
            output.note(say(Past::StoreExported, context.language));
            let text = format!("{} {}", word(Word::Exported, context.language), file.display());
            output.answer(&json!({ "file": file, "holds": manifest }), &text)
        }
        StoreCommand::Import { file } => import(context, file, output),
    }
}

fn import(context: &Context, file: &Path, output: &mut Output) -> Result<(), CliError> {
    let (_, manifest) = Replica::import_store(file, &context.home, context.options())?;
    output.note(say(Past::StoreImported, context.language));
    let home = context.home.display();
    let text = format!("{} {home}", word(Word::Ready, context.language));
    output.answer(&json!({ "home": context.home, "holds": manifest }), &text)
}
