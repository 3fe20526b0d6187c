//! A device of the shell: a folder, of which every command is a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use outrider_core::replica::{Options, Replica};
use serde_json::Value as Json;

use super::process::{Process, finish, words_of};
use crate::Failure;

/// A device.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) program: PathBuf,
    pub(super) home: PathBuf,
}

impl Device {
    pub(super) fn name(&self) -> String {
        self.home.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // A program that encrypts keeps keys by the place of the folder, and grounds are copied.
        command.env("OUTRIDER_KEY_FILE", "plain");
        command.arg("--home").arg(&self.home).arg("--json").args(args);
        command
    }

    /// Runs a command, which must succeed.
    pub(super) fn run(&self, args: &[&str]) -> Result<Json, Failure> {
        let output = finish(&mut self.command(args))?;
        if !output.status.success() {
            let name = self.name();
            return Err(format!("{name}: {args:?}: {}", words_of(&output)).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts a process that reads commands.
    pub(super) fn start_batch(&self, stop_at: Option<&str>) -> Result<(Process, Talk), Failure> {
        let mut command = self.command(&["batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, stop_at)?;
        let talk = Talk { stdin: process.stdin()?, stdout: BufReader::new(process.stdout()?) };
        Ok((process, talk))
    }

    /// Runs commands in one process; all must succeed.
    pub(super) fn batch(&self, commands: &[Json]) -> Result<Vec<Json>, Failure> {
        let (mut process, mut talk) = self.start_batch(None)?;
        let mut answers = Vec::new();
        for command in commands {
            let answer = talk.ask(command).ok_or("a device ended early")?;
            if answer.get("ok") != Some(&Json::Bool(true)) {
                return Err(format!("{}: {command} → {answer}", self.name()).into());
            }
            answers.push(answer);
        }
        drop(talk);
        if process.ends()? { Ok(answers) } else { Err("a device does not end".into()) }
    }

    /// The records of the device; no process may use it meanwhile.
    pub(super) fn replica(&self) -> Result<Replica, Failure> {
        Ok(Replica::open(&self.home, Options::default())?)
    }
}

/// A conversation with a process that reads commands.
#[derive(Debug)]
pub(super) struct Talk {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Talk {
    /// Sends a command and waits for its answer; none if the process ends meanwhile.
    pub(super) fn ask(&mut self, command: &Json) -> Option<Json> {
        self.stdin.write_all(format!("{command}\n").as_bytes()).ok()?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).ok()?;
        // A line that was cut off is none.
        line.ends_with('\n').then(|| serde_json::from_str(&line).ok()).flatten()
    }
}
