//! Long texts: read, added to, edited in the person's own editor.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    process::Command,
};

use outrider_core::{
    ids::{ChangeHash, RecordId},
    replica::{
        Replica,
        typing::{SeenText, TextEdit},
    },
    schema::Entity,
};
use serde_json::json;

use crate::{
    cli::NoteArgs,
    context::Context,
    error::CliError,
    messages::{Word, word},
    near,
    output::Output,
    record_ref,
};

/// Bytes of a text that is read from stdin, at most.
const STDIN_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Shows a long text, or writes in it.
pub(crate) fn note(
    context: &Context,
    args: &NoteArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let replica = context.open()?;
    let record = record_ref::find(&replica, &args.record)?;
    let (entity, _) =
        replica.title(record)?.ok_or_else(|| CliError::UnknownRecord(args.record.clone()))?;
    let field = field_of(entity, args.field.as_deref())?;
    if let Some(line) = &args.append {
        let edit = TextEdit::Append(line.clone());
        return write(context, replica, (record, &field), (&edit, None), output);
    }
    if let Some(text) = &args.text {
        let text = if text == "-" { from_stdin()? } else { text.clone() };
        let edit = TextEdit::Text(text);
        return write(context, replica, (record, &field), (&edit, None), output);
    }
    let SeenText { text, heads } = replica.text(record, &field)?;
    if args.edit {
        // Others may write while the editor is open: nothing is held meanwhile.
        drop(replica);
        let edit = TextEdit::Text(in_editor(&text)?);
        let replica = context.open()?;
        return write(context, replica, (record, &field), (&edit, Some(&heads)), output);
    }
    if output.is_json {
        return output.json(&json!({ "record": record, "field": field, "text": text }));
    }
    output.line(text.trim_end_matches('\n'))
}

fn write(
    context: &Context,
    mut replica: Replica,
    (record, field): (RecordId, &str),
    (edit, seen): (&TextEdit, Option<&[ChangeHash]>),
    output: &mut Output,
) -> Result<(), CliError> {
    let changed = replica.edit_text(record, field, edit, seen)?;
    let said = if changed { Word::Changed } else { Word::Unchanged };
    let answer = json!({ "record": record, "field": field, "changed": changed });
    output.answer(&answer, word(said, context.language))
}

/// The long text that was named, or the entity's first.
fn field_of(entity: &Entity, name: Option<&str>) -> Result<String, CliError> {
    if let Some(name) = name {
        return Ok(near::field_of(entity, name)?.name.clone());
    }
    let first = entity.texts().next().map(|field| field.name.clone());
    first.ok_or_else(|| CliError::Usage(format!("{} has no long text", entity.name)))
}

fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let source = |source| CliError::File { path: "-".into(), source };
    io::stdin().lock().take(STDIN_BYTES_MAX).read_to_string(&mut text).map_err(source)?;
    Ok(text)
}

/// Lets the person edit the text; the file is gone afterwards.
fn in_editor(text: &str) -> Result<String, CliError> {
    let chosen = ["VISUAL", "EDITOR"].into_iter().find_map(|name| env::var(name).ok());
    let editor = chosen.filter(|editor| !editor.trim().is_empty()).ok_or_else(|| {
        CliError::Usage("set VISUAL or EDITOR to your editor, or use --append".to_owned())
    })?;
    let failed = |source| CliError::File { path: editor.clone().into(), source };
    let mut file =
        tempfile::Builder::new().prefix("note-").suffix(".txt").tempfile().map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
    // As shells do it: the editor's name may come with options.
    let mut words = editor.split_whitespace();
    let status = Command::new(words.next().unwrap_or_default())
        .args(words)
        .arg(file.path())
        .status()
        .map_err(failed)?;
    if !status.success() {
        let text = format!("`{editor}` ended with {status}; the text stays as it was");
        return Err(CliError::Usage(text));
    }
    let path = file.path().to_owned();
    let edited = fs::read_to_string(&path).map_err(|source| CliError::File { path, source })?;
    // Editors end the last line; a text that had no such end gets none by being looked at.
    let adds_end = !text.ends_with('\n') && edited.ends_with('\n');
    Ok(if adds_end { edited.trim_end_matches('\n').to_owned() } else { edited })
}
