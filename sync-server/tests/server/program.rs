//! The program itself: its commands, its signals, its log.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use outrider_core::time::{Clock as _, SystemClock};
use outrider_sync_server::storage::sqlite::SqliteStorage;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{PATIENCE, prove, public_key};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrider-sync-server"));
    command.env("OUTRIDER_DATA", folder).env("OUTRIDER_LOG", "trace");
    command
}

fn create_code(folder: &Path, arguments: &[&str]) -> String {
    let output = program(folder).arg("code").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The program, serving; ended when dropped.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut child = program(folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the log ended");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        Self { child, log, address }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends SIGTERM and returns the rest of the log.
    fn stop(mut self) -> String {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_code_made_beside_the_running_server_enrols_and_the_log_keeps_secrets() {
    let folder = TempDir::new().unwrap();
    let running = Running::start(folder.path());
    let output = create_code(folder.path(), &["--user", "CANARY-user", "--json"]);
    let output: Value = serde_json::from_str(&output).unwrap();
    let code = output["code"].as_str().unwrap();

    let body = serde_json::json!({
        "code": code,
        "device_name": "CANARY-device",
        "public_key": outrider_core::ids::to_hex(&public_key()),
        "protocol": 2,
    });
    let json = "content-type: application/json\r\n";
    let proof = |path: &str, token: &str, body: &str| {
        prove(("POST", path), token, body.as_bytes(), SystemClock.now_ms())
    };
    let body = body.to_string();
    let signed = format!("{json}outrider-proof: {}\r\n", proof("/v1/enroll", "", &body));
    let answer = running.post("/v1/enroll", &signed, &body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let token = body["token"].as_str().unwrap();

    let signed = proof("/v1/push?CANARY-query", token, "CANARY-body");
    let bearer = format!("authorization: Bearer {token}\r\noutrider-proof: {signed}\r\n");
    let pushed = running.post(
        "/v1/push?CANARY-query",
        &format!(
            "{bearer}content-type: application/vnd.outrider.v1\r\nx-request-id: CANARY-id\r\n"
        ),
        "CANARY-body",
    );
    assert!(pushed.starts_with("HTTP/1.1 400"), "{pushed}");
    assert!(!pushed.contains("CANARY"), "{pushed}");
    running.post("/v1/enroll", json, "{\"code\":\"CANARY-code\"}");
    running.post("/CANARY-path", "authorization: Bearer CANARY-token\r\n", "");
    running.post("/v1/status", "authorization: Bearer CANARY-token\r\n", "");

    let log = running.stop();
    assert!(log.contains("/v1/push") && log.contains("enrolled a device"), "{log}");
    assert!(log.contains("stopped"), "{log}");
    let refresh = body["refresh_token"].as_str().unwrap();
    for secret in ["CANARY", token, refresh, code] {
        assert!(!log.contains(secret), "the log has {secret}: {log}");
    }
}

/// The lines that a starting server prints, and its log up to the end.
fn start_and_stop(folder: &Path) -> (Vec<String>, String) {
    let mut child = program(folder)
        .args(["serve", "--listen", "127.0.0.1:0", "--stop-with-input"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    drop(child.stdin.take());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
    ([first.as_str(), &rest].concat().lines().map(str::to_owned).collect(), log)
}

#[test]
fn the_first_start_says_a_password_once_and_a_command_sets_another() {
    let folder = TempDir::new().unwrap();
    let (said, log) = start_and_stop(folder.path());
    assert!(said[0].starts_with("listening on http://127.0.0.1:"), "{said:?}");
    let password = said[1].strip_prefix("sign in as admin with the password ").unwrap();
    assert_eq!(password.len(), 30);
    assert!(!log.contains(password), "the log has it");
    assert_eq!(start_and_stop(folder.path()).0.len(), 1, "said once");
    let is_password = |password: &str| {
        let storage = SqliteStorage::open(folder.path()).unwrap();
        outrider_sync_server::accounts::check_password(&storage, "admin", password).is_ok()
    };
    assert!(is_password(password));
    let set = |arguments: &[&str]| {
        let output = program(folder.path()).arg("password").args(arguments).output().unwrap();
        (output.status.success(), [output.stdout, output.stderr].concat())
    };
    let (is_set, words) = set(&["--user", "admin", "--json"]);
    assert!(is_set);
    let new: Value = serde_json::from_slice(&words).unwrap();
    assert!(is_password(new["password"].as_str().unwrap()) && !is_password(password));
    let (is_set, words) = set(&["--user", "li"]);
    assert!(!is_set && String::from_utf8_lossy(&words).contains("--create"));
    assert!(set(&["--user", "li", "--create", "--name", "Li Na"]).0);
}

#[test]
fn a_code_can_be_made_while_no_server_runs() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    drop(SqliteStorage::open(&data).unwrap());
    let output = create_code(&data, &["--user", "Li Na", "--minutes", "5"]);
    let code = output.lines().next().unwrap();
    assert_eq!(code.len(), 30);
    assert!(output.contains("for Li Na, good until 2"), "{output}");
    let database = std::fs::read(data.join("outrider.db")).unwrap();
    let wal = std::fs::read(data.join("outrider.db-wal")).unwrap_or_default();
    for file in [database, wal] {
        let is_there = file.windows(code.len()).any(|bytes| bytes == code.as_bytes());
        assert!(!is_there, "only the hash of a code is kept");
    }
}

#[test]
fn mistakes_are_told_in_words() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let failed = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let words = failed(program(&file).arg("serve"));
    assert!(words.contains("cannot open the data: cannot open the data folder"), "{words}");
    let words = failed(program(folder.path()).args(["code", "--user", "Li Na"]));
    assert!(words.contains("no server's data"), "{words}");
    drop(SqliteStorage::open(folder.path()).unwrap());
    let words = failed(program(folder.path()).args(["code", "--user", ""]));
    assert!(words.contains("the user's name"), "{words}");
    let words = failed(program(folder.path()).args(["serve", "--listen", "here"]));
    assert!(words.contains("--listen"), "{words}");
    let help = program(folder.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("code") && help.contains("--data"), "{help}");
}
