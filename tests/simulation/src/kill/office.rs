//! The server's process, its data, and the commands that an operator types.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use super::{
    browser::Browser,
    device::Device,
    process::{PATIENCE, Process, Said, finish, words_of},
};
use crate::Failure;

/// So short that every session of a device exchanges its tokens: they are exchanged a minute ahead.
const TOKEN_MS: &str = "50000";
/// How often a server is started again whose address somebody else took meanwhile.
const STARTS_MAX: u32 = 5;
/// How long it waits for the address.
const ADDRESS_PAUSE: Duration = Duration::from_millis(300);

/// Between two looks at a server that starts.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What came of a start.
#[derive(Debug)]
enum Started {
    Listens,
    /// It came to its point before that.
    Stopped,
    /// With its last words.
    Ended(String),
}

/// An office: a server, alive or not, in a folder with its devices.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) program: PathBuf,
    /// Everything lies in here.
    pub(super) folder: PathBuf,
    pub(super) process: Option<Process>,
    /// Where it listens, once it did.
    pub(super) url: String,
}

impl Office {
    /// An office in a folder, whose server does not run.
    pub(super) fn closed(program: &Path, folder: &Path, url: &str) -> Self {
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Self { program, folder, process: None, url: url.to_owned() }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("server")
    }

    pub(super) fn serve(&self) -> Command {
        let address = self.url.strip_prefix("http://").unwrap_or("127.0.0.1:0");
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--listen", address, "--log", "error", "--token-ms", TOKEN_MS])
            .args(["--requests-per-second", "10000", "--requests-burst", "100000"])
            .args(["--enrolments-per-minute", "10000", "--sign-ins-per-minute", "10000", "--data"])
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the server; where it stops at a point before it listens it is dead when this returns,
    /// and the answer is false.
    pub(super) fn start(&mut self, stop_at: Option<&str>) -> Result<bool, Failure> {
        for _ in 0..STARTS_MAX {
            match self.try_start(stop_at)? {
                Started::Listens => return Ok(true),
                Started::Stopped => return Ok(false),
                Started::Ended(words) if words.contains("cannot listen") => {
                    thread::sleep(ADDRESS_PAUSE);
                }
                Started::Ended(words) => {
                    return Err(format!("the server did not start: {words}").into());
                }
            }
        }
        Err("the address of the server is taken".into())
    }

    /// Starts the server, and kills it where it stops; false if it listens without getting there.
    pub(super) fn kill_at_start(&mut self, point: &str) -> Result<bool, Failure> {
        let started = self.try_start(Some(point))?;
        self.kill()?;
        match started {
            Started::Listens => Ok(false),
            Started::Stopped => Ok(true),
            Started::Ended(words) => Err(format!("the server did not start: {words}").into()),
        }
    }

    fn try_start(&mut self, stop_at: Option<&str>) -> Result<Started, Failure> {
        let mut process = Process::start(&mut self.serve(), stop_at)?;
        let stdout = BufReader::new(process.stdout()?);
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            // Read to the end: a server whose words nobody reads would wait for somebody.
            for line in stdout.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(line) = heard.recv_timeout(LOOK_EVERY) {
                let url = line.trim().strip_prefix("listening on ").ok_or("no address")?;
                self.url = url.to_owned();
                self.process = Some(process);
                return Ok(Started::Listens);
            }
            match process.said_within(Duration::ZERO) {
                Some(Said::Ended(words)) => return Ok(Started::Ended(words)),
                Some(Said::Stopped(_)) => return Ok(Started::Stopped),
                None => {}
            }
        }
        Err("the server said nothing".into())
    }

    /// Kills the server; whether it lived, and the point at which it had stopped.
    pub(super) fn kill(&mut self) -> Result<(bool, Option<String>), Failure> {
        self.process.take().map_or(Ok((false, None)), Process::kill)
    }

    /// One of the server's commands, on its data.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("server").args(args).env("OUTRIDER_DATA", self.data());
        command
    }

    /// Runs one of the server's commands, which must succeed.
    pub(super) fn run(&self, args: &[&str]) -> Result<Json, Failure> {
        let output = finish(&mut self.command(args))?;
        if !output.status.success() {
            return Err(format!("server {args:?}: {}", words_of(&output)).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Somebody with a browser, signed in as the administrator.
    pub(super) fn browser(&self) -> Result<Browser, Failure> {
        let shown = self.run(&["password", "--user", "admin", "--json"])?;
        let password = shown.get("password").and_then(Json::as_str).unwrap_or_default();
        Browser::sign_in(&self.url, "admin", password)
    }

    /// A code for a device of a user.
    pub(super) fn code(&self, user: &str) -> Result<String, Failure> {
        let made = self.run(&["code", "--json", "--user", user])?;
        Ok(made.get("code").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    /// A device of the folder, enrolled or not.
    pub(super) fn device(&self, name: &str) -> Device {
        Device { program: self.program.clone(), home: self.folder.join(name) }
    }

    /// A fresh device, enrolled for a user of its name.
    pub(super) fn enrol(&self, name: &str) -> Result<Device, Failure> {
        let device = self.device(name);
        device.run(&["init"])?;
        let code = self.code(name)?;
        device.run(&["enroll", &self.url, &code, "--name", name])?;
        Ok(device)
    }

    /// What the office says of the device of this name; null if there is none.
    pub(super) fn standing(&self, name: &str) -> Result<Json, Failure> {
        let list = self.run(&["device", "list", "--json"])?;
        let list = list.as_array().cloned().unwrap_or_default();
        let of = |one: &Json| one.get("name").and_then(Json::as_str) == Some(name);
        Ok(list.into_iter().rfind(of).unwrap_or(Json::Null))
    }
}
