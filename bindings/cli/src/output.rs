//! The only place that writes to stdout and stderr.
//!
//! A reader that goes away (`outrider list customer | head`) ends the program quietly.

use std::io::{self, BufWriter, Stdout, Write as _};

use outrider_core::schema::Language;
use serde::Serialize;
use serde_json::json;

use crate::{error::CliError, messages};

/// What a command says, as words or as JSON.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    /// Whether programs read it.
    pub(crate) is_json: bool,
}

impl Output {
    /// An output to stdout.
    pub(crate) fn new(is_json: bool) -> Self {
        Self { stdout: BufWriter::new(io::stdout()), is_json }
    }

    /// Writes one line of words.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CliError> {
        writeln!(self.stdout, "{text}").map_err(output_error)
    }

    /// Writes one JSON value over several lines.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Json {
            what: "the answer".to_owned(),
            cause: error.to_string(),
        })?;
        self.line(&text)
    }

    /// Writes one JSON value on one line and makes it leave the program at once.
    pub(crate) fn json_line(&mut self, value: &serde_json::Value) -> Result<(), CliError> {
        self.line(&value.to_string())?;
        self.finish()
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.stdout.write_all(bytes).map_err(output_error)
    }

    /// Where a whole file goes that is written to stdout.
    pub(crate) fn writer(&mut self) -> Result<Box<dyn io::Write + Send>, CliError> {
        self.finish()?;
        Ok(Box::new(BufWriter::new(io::stdout())))
    }

    /// Writes JSON for programs, or the line for people.
    pub(crate) fn answer(&mut self, value: &impl Serialize, text: &str) -> Result<(), CliError> {
        if self.is_json { self.json(value) } else { self.line(text) }
    }

    /// Says something beside the answer, on stderr, to people alone.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Makes everything leave the program.
    pub(crate) fn finish(&mut self) -> Result<(), CliError> {
        self.stdout.flush().map_err(output_error)
    }
}

/// Says on stderr why a command failed.
pub(crate) fn report(error: &CliError, is_json: bool, language: Language) {
    if matches!(error, CliError::OutputClosed) {
        return;
    }
    let message = messages::of_error(error, language);
    let text = if is_json {
        json!({ "error": { "code": error.code(), "message": message } }).to_string()
    } else {
        format!("outrider: {message}")
    };
    let _ = writeln!(io::stderr(), "{text}");
}

fn output_error(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        CliError::OutputClosed
    } else {
        CliError::Output(error)
    }
}
