//! An office with a server process, and devices whose every command is a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use outrider_core::replica::{Options, Replica};
use serde_json::Value as Json;
use tempfile::TempDir;

pub(crate) const OUTRIDER: &str = env!("CARGO_BIN_EXE_outrider");

/// A server process with its data; it ends with the test.
pub(crate) struct Office {
    pub(crate) folder: TempDir,
    child: Child,
    pub(crate) url: String,
    settings: Vec<&'static str>,
}

impl Office {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with more settings.
    pub(crate) fn start_with(settings: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, url) = serve(folder.path(), "127.0.0.1:0", settings);
        Self { folder, child, url, settings: settings.to_vec() }
    }

    /// Runs a command at the server, and returns its JSON.
    pub(crate) fn at_server(&self, command: &str, args: &[&str]) -> Json {
        let data = self.folder.path().join("server");
        let mut full = Command::new(OUTRIDER);
        full.args([command, "--json", "--data"]).arg(data).args(args);
        let output = full.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "outrider {command} {args:?}: {words}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the office says of the device of `user`.
    pub(crate) fn standing(&self, user: &str) -> Json {
        let devices = self.at_server("device", &["list"]);
        let mut devices = devices.as_array().unwrap().clone();
        devices.retain(|device| device["user"] == user);
        assert_eq!(devices.len(), 1, "{devices:?}");
        devices.remove(0)
    }

    /// Ends the server the way an operator does, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "SIGTERM ends the server in good order");
    }

    /// Starts the server again, on the same address.
    pub(crate) fn start_again(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap().to_owned();
        (self.child, _) = serve(self.folder.path(), &address, &self.settings);
    }

    /// Runs one of the server's commands on its data, whatever comes of it.
    pub(crate) fn attempt(&self, args: &[&str]) -> Output {
        self.server_command(args).output().unwrap()
    }

    fn server_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(OUTRIDER);
        command.arg("server").args(args).env("OUTRIDER_DATA", self.data()).stdin(Stdio::null());
        command
    }

    /// Begins one of the server's commands on its data.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.server_command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs one of the server's commands, which must succeed, and returns its JSON.
    pub(crate) fn command(&self, args: &[&str]) -> Json {
        let output = self.attempt(args);
        let words = String::from_utf8_lossy(&output.stderr);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "server {args:?}: {words}{told}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("server {args:?}: {error}"))
    }

    /// The server's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    /// A fresh device, enrolled for `user`.
    pub(crate) fn device(&self, user: &str) -> Device {
        self.device_of(user, user)
    }

    /// A fresh device of this name, enrolled for `user`, who may have others.
    pub(crate) fn device_of(&self, user: &str, name: &str) -> Device {
        let device = Device { home: self.folder.path().join(name) };
        device.json(&["init"]);
        let code = self.command(&["code", "--json", "--user", user]);
        device.json(&["enroll", &self.url, code["code"].as_str().unwrap(), "--name", name]);
        device
    }
}

fn serve(folder: &Path, address: &str, settings: &[&str]) -> (Child, String) {
    let mut child = Command::new(OUTRIDER)
        .args(["serve", "--listen", address, "--requests-per-second", "10000"])
        .args(["--requests-burst", "100000", "--enrolments-per-minute", "1000", "--data"])
        .arg(folder.join("server"))
        .args(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect("the server's address").to_owned();
    (child, url)
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A device: a folder.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) home: PathBuf,
}

impl Device {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(OUTRIDER);
        command.arg("--home").arg(&self.home).arg("--json").args(args);
        command
    }

    /// Runs a command, whatever comes of it.
    pub(crate) fn attempt(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed, and returns its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Json {
        let output = self.attempt(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "outrider {args:?}: {words}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("outrider {args:?}: {error}"))
    }

    /// Starts a command without waiting for it.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts a process that reads commands.
    pub(crate) fn start_batch(&self) -> Child {
        self.command(&["batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs commands in one process; all must succeed.
    pub(crate) fn batch(&self, commands: &[Json]) -> Vec<Json> {
        let mut child = self.start_batch();
        let mut stdin = child.stdin.take().unwrap();
        let input: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let answers: Vec<Json> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(answers.len(), commands.len());
        for (command, answer) in commands.iter().zip(&answers) {
            assert_eq!(answer["ok"], true, "{command} → {answer}");
        }
        answers
    }

    pub(crate) fn sync(&self) -> Json {
        self.json(&["sync"])
    }

    /// All typed rows, for comparing devices. No other process may use the device meanwhile.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.replica().dump_rows().unwrap()
    }

    pub(crate) fn replica(&self) -> Replica {
        Replica::open(&self.home, Options::default()).unwrap()
    }
}

/// Where the data that others wrote lies, if it is there.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("OUTRIDER_SHARED_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = given.unwrap_or(beside).join(name);
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("skipped: no data in {}", folder.display());
        None
    }
}
