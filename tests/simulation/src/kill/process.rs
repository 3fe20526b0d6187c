//! A process that can be told where to stop, and is killed with a signal that nobody can catch.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use outrider_core::points::{STOP_AT, STOPPED};

use crate::Failure;

/// How long anything may take that should take a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Last words of a process that are kept.
const WORDS_BYTES_MAX: usize = 4 * 1024;

/// What a process said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It has come to the point, and waits there.
    Stopped(String),
    /// It closed its standard error: it has ended. With its last words.
    Ended(String),
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    said: Receiver<Said>,
    /// Where it stopped.
    point: Option<String>,
}

impl Process {
    /// Starts a command, which stops at a point if one is named.
    pub(super) fn start(command: &mut Command, stop_at: Option<&str>) -> Result<Self, Failure> {
        command.env_remove(STOP_AT);
        if let Some(point) = stop_at {
            command.env(STOP_AT, point);
        }
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().ok_or("a process without a standard error")?;
        let (tell, said) = mpsc::channel();
        thread::spawn(move || listen(BufReader::new(stderr), &tell));
        Ok(Self { child, said, point: None })
    }

    pub(super) fn stdin(&mut self) -> Result<ChildStdin, Failure> {
        self.child.stdin.take().ok_or_else(|| "a process without a standard input".into())
    }

    pub(super) fn stdout(&mut self) -> Result<ChildStdout, Failure> {
        self.child.stdout.take().ok_or_else(|| "a process without a standard output".into())
    }

    /// What it says within this time.
    pub(super) fn said_within(&mut self, time: Duration) -> Option<Said> {
        match self.said.recv_timeout(time) {
            Ok(said) => {
                if let Said::Stopped(point) = &said {
                    self.point = Some(point.clone());
                }
                Some(said)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Said::Ended(String::new())),
        }
    }

    /// Kills it, if it still lives; whether it did, and at which point it had stopped.
    pub(super) fn kill(mut self) -> Result<(bool, Option<String>), Failure> {
        let was_alive = self.child.try_wait()?.is_none();
        self.child.kill()?;
        self.child.wait()?;
        while let Some(Said::Stopped(_)) = self.said_within(PATIENCE) {}
        Ok((was_alive, self.point.take()))
    }

    /// Waits until it ends by itself; false if it does not.
    pub(super) fn ends(&mut self) -> Result<bool, Failure> {
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(true)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(stderr: impl BufRead, tell: &Sender<Said>) {
    let mut words = String::new();
    for line in stderr.lines().map_while(Result::ok) {
        if let Some(point) = line.strip_prefix(STOPPED) {
            let _ = tell.send(Said::Stopped(point.to_owned()));
        } else if words.len() < WORDS_BYTES_MAX {
            words.push_str(&line);
            words.push('\n');
        }
    }
    let _ = tell.send(Said::Ended(words));
}

/// Runs a command that stops at a point, and kills it there; false if it ended without getting there.
pub(super) fn kill_at(mut command: Command, point: &str) -> Result<bool, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = Process::start(&mut command, Some(point))?;
    let said = process.said_within(PATIENCE);
    process.kill()?;
    Ok(matches!(said, Some(Said::Stopped(_))))
}

/// Runs a command to its end.
pub(super) fn finish(command: &mut Command) -> Result<Output, Failure> {
    Ok(command.env_remove(STOP_AT).stdin(Stdio::null()).output()?)
}

/// What a command said, in one line.
pub(super) fn words_of(output: &Output) -> String {
    let text = [&output.stderr[..], &output.stdout].concat();
    let text = String::from_utf8_lossy(&text).replace('\n', " ");
    text.chars().take(400).collect()
}
