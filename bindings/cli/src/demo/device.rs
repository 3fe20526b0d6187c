//! One device of the demo: a folder, and a process for each command.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;

use crate::context::PLAIN;

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// The system said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A command did not do what it should.
    #[error("`{command}` failed: {words}")]
    Command {
        /// Which one.
        command: String,
        /// What it said.
        words: String,
    },
    /// A replica cannot be read.
    #[error(transparent)]
    Replica(#[from] outrider_core::replica::ReplicaError),
    /// The server's data cannot be read.
    #[error(transparent)]
    Storage(#[from] outrider_sync_server::storage::StorageError),
}

impl DemoError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Runs `outrider` with `args`, with `input` on its standard input.
pub(super) fn run(args: &[&str], input: &str) -> Result<Output, DemoError> {
    let doing = || format!("running outrider {}", args.join(" "));
    let program = std::env::current_exe().map_err(DemoError::io("finding this program"))?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(DemoError::io(doing()))?;
    // The answers are read while the input is written, or both sides would wait for ever.
    let stdin = child.stdin.take();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(input.as_bytes());
        }
    });
    let output = child.wait_with_output().map_err(DemoError::io(doing()));
    let _ = writer.join();
    output
}

/// Runs `outrider` and returns what it printed; a failure becomes an error with its words.
pub(super) fn run_well(args: &[&str], input: &str) -> Result<String, DemoError> {
    let output = run(args, input)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(DemoError::Command { command: format!("outrider {}", args.join(" ")), words });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads the JSON that a command printed.
pub(super) fn parse(command: &str, text: &str) -> Result<Json, DemoError> {
    serde_json::from_str(text.trim()).map_err(|error| DemoError::Command {
        command: command.to_owned(),
        words: format!("not JSON: {error}"),
    })
}

/// A device.
#[derive(Debug)]
pub(super) struct Device {
    /// Its user, for the machine.
    pub(super) key: &'static str,
    /// Its user, for people.
    pub(super) user: &'static str,
    pub(super) home: PathBuf,
}

impl Device {
    pub(super) fn new(folder: &Path, key: &'static str, user: &'static str) -> Self {
        Self { key, user, home: folder.join(key) }
    }

    fn args<'a>(&'a self, home: &'a str, args: &[&'a str]) -> Vec<&'a str> {
        // Made-up people need no key, and nobody would take away its file.
        [&["--home", home, "--key-file", PLAIN, "--json"], args].concat()
    }

    /// Runs a command on this device and returns its JSON.
    pub(super) fn json(&self, args: &[&str]) -> Result<Json, DemoError> {
        let home = self.home.to_string_lossy();
        let text = run_well(&self.args(&home, args), "")?;
        parse(args.first().copied().unwrap_or_default(), &text)
    }

    /// Runs a command on this device, whatever comes of it.
    pub(super) fn attempt(&self, args: &[&str]) -> Result<Output, DemoError> {
        let home = self.home.to_string_lossy();
        run(&self.args(&home, args), "")
    }

    /// Feeds commands to one process and returns its answers, one for each.
    pub(super) fn batch(&self, commands: &[Json]) -> Result<Vec<Json>, DemoError> {
        let home = self.home.to_string_lossy();
        let input: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let text = run_well(&self.args(&home, &["batch"]), &input)?;
        let answers: Vec<Json> =
            text.lines().map(|line| parse("batch", line)).collect::<Result<_, _>>()?;
        for (command, answer) in commands.iter().zip(&answers) {
            if answer.get("ok") != Some(&Json::Bool(true)) {
                let words = format!("{command} → {answer}");
                return Err(DemoError::Command { command: "outrider batch".to_owned(), words });
            }
        }
        Ok(answers)
    }
}
