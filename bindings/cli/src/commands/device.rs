//! This device: making it, where it stands, what waits, what was refused.

use outrider_core::{
    access::words::sentence,
    sync::{head::HeadsFile, sign::fingerprint},
    time::to_rfc3339,
};
use serde_json::{Value as Json, json};

use crate::{
    context::Context,
    error::CliError,
    messages::{self, Word, word},
    output::Output,
    table::Table,
};

/// Makes the replica.
pub(crate) fn init(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let was_there = context.is_initialised();
    context.open_or_create()?;
    let words = if was_there { Word::AlreadyThere } else { Word::Ready };
    let text = format!("{} {}", word(words, context.language), context.home.display());
    output.answer(&json!({ "home": context.home, "created": !was_there }), &text)
}

/// Says where this device stands.
pub(crate) fn status(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let status = replica.status()?;
    let fingerprint = fingerprint(&replica.public_key()).unwrap_or_default();
    if output.is_json {
        let mut json = json!(status);
        if let Json::Object(object) = &mut json {
            object.insert("home".to_owned(), json!(context.home));
            object.insert("fingerprint".to_owned(), json!(fingerprint));
            object.insert("encrypted".to_owned(), json!(replica.store().is_sealed()));
        }
        return output.json(&json);
    }
    let say = |name| word(name, context.language);
    let damaged = messages::doctor::status(&status, context.language);
    let mut lines = vec![(Word::Folder, context.home.display().to_string())];
    let encrypted = if replica.store().is_sealed() { Word::Yes } else { Word::No };
    lines.push((Word::Encrypted, say(encrypted).to_owned()));
    match (status.server, status.user) {
        (Some(server), Some(user)) => {
            lines.push((Word::Server, server));
            lines.push((Word::User, user));
        }
        _ => lines.push((Word::Server, say(Word::NotEnrolled).to_owned())),
    }
    lines.extend(status.device.map(|device| (Word::Device, device)));
    lines.push((Word::Fingerprint, fingerprint));
    let records: Vec<String> = status
        .records
        .iter()
        .map(|(entity, count)| {
            let label = replica.schema().entity(entity).map(|e| e.plural.get(context.language));
            format!("{} {count}", label.unwrap_or(entity))
        })
        .collect();
    lines.push((Word::Records, records.join(", ")));
    lines.push((Word::Waiting, status.waiting.to_string()));
    lines.push((Word::Conflicts, status.conflicts.to_string()));
    lines.push((Word::Refusals, status.refusals.to_string()));
    lines.push((Word::Position, status.position.to_string()));
    let last_sync = status.last_sync.map_or_else(|| say(Word::Never).to_owned(), to_rfc3339);
    lines.push((Word::LastSync, last_sync));
    for (name, value) in lines {
        output.line(format!("{}: {value}", say(name)).trim_end())?;
    }
    if let Some(line) = damaged {
        output.line(&line)?;
    }
    Ok(())
}

/// Writes the heads of the server's audit that this device was told, as the server reads them.
pub(crate) fn audit_head(context: &Context, output: &mut Output) -> Result<(), CliError> {
    // A file for a program, whether or not JSON was asked for.
    output.json(&HeadsFile::new(&context.open()?.audit_heads()?))
}

/// Shows changes that wait to be sent.
pub(crate) fn outbox(context: &Context, limit: usize, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let waiting = replica.outbox(limit)?;
    if output.is_json {
        return output.json(&waiting);
    }
    if waiting.is_empty() {
        return output.line(word(Word::NothingWaits, context.language));
    }
    let head = [Word::WrittenAt, Word::Entity, Word::Record, Word::Part, Word::Keys];
    let mut table = Table::new(head.map(|name| word(name, context.language)));
    for one in &waiting {
        let keys = one.keys.join(" ");
        let id = one.record.to_string();
        table.row([to_rfc3339(one.made_at), one.entity.clone(), id, one.part.clone(), keys]);
    }
    table.write(output)
}

/// Shows what the office refused.
pub(crate) fn inbox(context: &Context, limit: usize, output: &mut Output) -> Result<(), CliError> {
    let replica = context.open()?;
    let refused = replica.inbox(limit)?;
    if output.is_json {
        return output.json(&refused);
    }
    if refused.is_empty() {
        return output.line(word(Word::NothingRefused, context.language));
    }
    let words = [Word::RefusedAt, Word::Reason, Word::Entity, Word::Record, Word::Value];
    let head = std::iter::once("id").chain(words.map(|name| word(name, context.language)));
    let mut table = Table::new(head);
    for one in &refused {
        let (id, at) = (one.id.to_string(), to_rfc3339(one.refused_at));
        let (record, value) = (one.record.to_string(), one.refused.to_string());
        let why = sentence(&one.code, context.language).unwrap_or(&one.code).to_owned();
        let why = if one.proposal.is_some() {
            format!("{why} {}", word(Word::Asked, context.language))
        } else {
            why
        };
        table.row([id, at, why, one.entity.clone(), record, value]);
    }
    table.write(output)
}

/// Puts a refusal away.
pub(crate) fn dismiss(context: &Context, id: i64, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    if !replica.dismiss(id)? {
        return Err(CliError::NoRefusal(id));
    }
    output.answer(&json!({ "id": id }), word(Word::Dismissed, context.language))
}

/// Asks the office for something that it refused.
pub(crate) fn ask(
    context: &Context,
    id: i64,
    reason: &str,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let proposal = replica.ask_approval(id, reason)?;
    output.answer(&json!({ "id": id, "proposal": proposal }), word(Word::Asked, context.language))
}
