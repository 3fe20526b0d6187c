//! What the demo says while it goes on: on stderr with `--json`, where stdout is for the result.

use std::{
    cell::Cell,
    io::{self, Write as _},
};

use outrider_core::schema::Language;
use serde_json::Value as Json;

use crate::cli::Global;

/// Speaks to whoever watches.
#[derive(Debug)]
pub(super) struct Voice {
    language: Language,
    is_json: bool,
    step: Cell<u32>,
}

impl Voice {
    pub(super) fn new(global: &Global) -> Self {
        Self { language: global.language(), is_json: global.json, step: Cell::new(0) }
    }

    fn write(&self, text: &str) {
        // Nobody who went away needs to hear it.
        let _ = if self.is_json {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(io::stdout(), "{text}")
        };
    }

    fn choose<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        match self.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }

    /// Begins a step of the story.
    pub(super) fn step(&self, en: &str, zh: &str) {
        self.step.set(self.step.get() + 1);
        self.write(&format!("\n{}. {}", self.step.get(), self.choose(en, zh)));
    }

    /// Says a line within a step.
    pub(super) fn line(&self, en: &str, zh: &str) {
        self.write(&format!("   {}", self.choose(en, zh)));
    }

    /// Says why the demo cannot go on.
    pub(super) fn error(&self, error: &dyn std::fmt::Display) {
        let words = self.choose("the demo cannot go on", "演示无法继续");
        let _ = writeln!(io::stderr(), "{words}: {error}");
    }

    /// Gives the result: one line of JSON when that was asked for.
    pub(super) fn result(&self, result: &Json) {
        if self.is_json {
            let _ = writeln!(io::stdout(), "{result}");
            let _ = io::stdout().flush();
        }
    }
}
