//! A device in a folder of its own, and a server on a free port.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The JSON on stdout.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The exit code and the code of the error on stderr.
    pub(crate) fn failure(&self) -> (i32, String) {
        let error: Json =
            serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("no error: {self:?}"));
        assert!(error["error"]["message"].as_str().unwrap().len() > 10, "{error}");
        (self.code, error["error"]["code"].as_str().unwrap().to_owned())
    }
}

/// The program, knowing nothing of whoever runs the tests.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrider"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("OUTRIDER_")) {
        command.env_remove(name);
    }
    command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "C");
    command.env("OUTRIDER_HOME", home);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command, input: &str) -> Done {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) home: TempDir,
}

impl Device {
    /// A folder without a replica.
    pub(crate) fn bare() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// A device with a replica.
    pub(crate) fn new() -> Self {
        let device = Self::bare();
        device.json(&["init"]);
        device
    }

    /// Runs a command and takes its words.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.feed(args, "")
    }

    /// Runs a command with words on its stdin.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> Done {
        finish(program(self.home.path()).args(args), input)
    }

    /// Runs a command that succeeds, and takes its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Json {
        let done = self.run(&[&["--json"], args].concat());
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
        done.json()
    }

    /// Runs a command that fails, and takes exit code and error code.
    pub(crate) fn fail(&self, args: &[&str]) -> (i32, String) {
        self.run(&[&["--json"], args].concat()).failure()
    }

    /// Creates a record and returns its id.
    pub(crate) fn create(&self, args: &[&str]) -> String {
        let answer = self.json(&[&["create"], args].concat());
        answer["record"].as_str().unwrap().to_owned()
    }

    /// A field of a record.
    pub(crate) fn field(&self, record: &str, field: &str) -> Json {
        self.json(&["get", record])[field].clone()
    }
}

/// A server with its data in a folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) data: TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// A server at an address that was free a moment ago.
    pub(crate) fn start_at(address: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = program(data.path())
            .args(["serve", "--listen", address, "--log", "error"])
            .args(["--enrolments-per-minute", "1000", "--data"])
            .arg(data.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it says where it is");
        Self { child, data, url: url.to_owned() }
    }

    /// A code for a device of `user`.
    pub(crate) fn code(&self, user: &str) -> String {
        let data = self.data.path().to_str().unwrap();
        let args = ["code", "--json", "--user", user, "--data", data];
        let done = finish(program(self.data.path()).args(args), "");
        done.json()["code"].as_str().unwrap().to_owned()
    }

    /// A device of `user`, enrolled.
    pub(crate) fn device(&self, user: &str) -> Device {
        let device = Device::new();
        device.json(&["enroll", &self.url, &self.code(user), "--name", "test"]);
        device
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
