//! A file for support, of which the writer sees what is in it before it is written.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use outrider_core::schema::Language;
use serde_json::json;

use super::doctor::examine;
use crate::{
    cli::BundleArgs,
    context::Context,
    error::CliError,
    messages::{Word, doctor::bundle_words, word},
    output::Output,
};

/// Puts a bundle together, shows what is in it, and writes it.
pub(crate) fn bundle(
    context: &Context,
    args: &BundleArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    if args.out.exists() {
        return Err(CliError::FileExists(args.out.clone()));
    }
    let log = match &args.log {
        Some(path) => {
            let file = |source| CliError::File { path: path.clone(), source };
            Some(String::from_utf8_lossy(&fs::read(path).map_err(file)?).into_owned())
        }
        None => None,
    };
    let replica = context.open()?;
    let findings = examine(context)?;
    let bundle = replica.bundle(rand::random(), &findings, log.as_deref())?;
    let language = context.language;
    output.note(bundle_words(language));
    for part in &bundle.parts {
        output.note(&format!("  {} ({} bytes)", part.name, part.bytes));
    }
    if bundle.left_out > 0 {
        output.note(&match language {
            Language::En => {
                format!("  {} records are left out: it would be too large", bundle.left_out)
            }
            Language::Zh => format!("  {} 条记录因大小限制未包含", bundle.left_out),
        });
    }
    if !args.yes && !context.json && io::stdin().is_terminal() {
        let question = match language {
            Language::En => "write it? [y/N] ",
            Language::Zh => "写入？[y/N] ",
        };
        let _ = write!(io::stderr(), "{question}");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(CliError::Output)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes" | "是") {
            return Ok(());
        }
    }
    let written = bundle.write(&args.out);
    written.map_err(|error| CliError::File {
        path: args.out.clone(),
        source: io::Error::other(error),
    })?;
    let answer = json!({ "file": args.out, "parts": bundle.parts, "left_out": bundle.left_out });
    output.answer(&answer, &format!("{} {}", word(Word::Exported, language), args.out.display()))
}
