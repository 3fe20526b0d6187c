//! The demo's server: a process of its own, ended when the demo ends.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::device::{DemoError, parse, run_well};

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Kept open: when it closes, the server stops.
    _input: Option<ChildStdin>,
    /// Kept open, so that what the server says later finds a reader.
    _output: Option<BufReader<ChildStdout>>,
    pub(super) address: SocketAddr,
    /// The administrator's password at the office pages.
    pub(super) password: String,
    pub(super) data: PathBuf,
}

impl Server {
    /// Starts a server on a free port, with its data and its log in `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self, DemoError> {
        let data = folder.join("server");
        let program = std::env::current_exe().map_err(DemoError::io("finding this program"))?;
        let log_path = folder.join("server.log");
        let log = File::create(&log_path).map_err(DemoError::io("creating the server's log"))?;
        let mut child = Command::new(program)
            .args([
                "serve",
                "--stop-with-input",
                "--listen",
                "127.0.0.1:0",
                "--requests-per-second",
                "1000",
            ])
            .args(["--requests-burst", "10000", "--enrolments-per-minute", "600", "--data"])
            .arg(&data)
            // Our end of this pipe closes when the demo ends, however it ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(DemoError::io("starting the server"))?;
        let input = child.stdin.take();
        // Where it listens, then the password that it tells once, on its first start.
        let (mut first, mut second) = (String::new(), String::new());
        let mut output = child.stdout.take().map(BufReader::new);
        if let Some(output) = &mut output {
            let waiting = || DemoError::io("waiting for the server");
            output.read_line(&mut first).map_err(waiting())?;
            output.read_line(&mut second).map_err(waiting())?;
        }
        let address = first.trim().rsplit("http://").next().and_then(|text| text.parse().ok());
        match (address, second.trim().rsplit_once(' ')) {
            (Some(address), Some((_, password))) => {
                let password = password.to_owned();
                Ok(Self { child, _input: input, _output: output, address, password, data })
            }
            (Some(_) | None, _) => {
                let _ = child.kill();
                let words = format!("no address; its log is {}", log_path.display());
                Err(DemoError::Command { command: "outrider serve".to_owned(), words })
            }
        }
    }

    /// A code that enrols a device of `user`.
    pub(super) fn code(&self, user: &str) -> Result<String, DemoError> {
        let data = self.data.to_string_lossy();
        let text = run_well(&["code", "--json", "--user", user, "--data", &data], "")?;
        let code = parse("code", &text)?;
        let code = code.get("code").and_then(serde_json::Value::as_str);
        code.map(str::to_owned).ok_or_else(|| DemoError::Command {
            command: "outrider code".to_owned(),
            words: "no code".to_owned(),
        })
    }

    /// Waits until the server ends by itself.
    pub(super) fn wait(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
