//! Where the replica is, and in which language people are spoken to.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
};

use outrider_core::{
    replica::{DATABASE_FILE, Options, Replica},
    schema::Language,
};

use crate::{cli::Global, error::CliError};

/// Who makes the replica holds the lock of this file.
const LOCK_FILE: &str = "init.lock";

/// What every command knows.
#[derive(Debug)]
pub(crate) struct Context {
    /// The replica's folder.
    pub(crate) home: PathBuf,
    /// Whether programs read the output.
    pub(crate) json: bool,
    /// The language of labels and messages.
    pub(crate) language: Language,
}

impl Context {
    /// Takes what was typed, and the environment for the rest.
    pub(crate) fn new(global: &Global) -> Result<Self, CliError> {
        let home = match &global.home {
            Some(home) => home.clone(),
            None => standard_home(|name| env::var_os(name).map(PathBuf::from))
                .ok_or(CliError::NoHome)?,
        };
        Ok(Self { home, json: global.json, language: global.language() })
    }

    /// Opens the replica, which must be there.
    pub(crate) fn open(&self) -> Result<Replica, CliError> {
        if !self.is_initialised() {
            return Err(CliError::NotInitialised(self.home.clone()));
        }
        Ok(Replica::open(&self.home, Options::default())?)
    }

    /// Opens the replica, or makes it; of several processes that begin together, one makes it.
    pub(crate) fn open_or_create(&self) -> Result<Replica, CliError> {
        let file_error = |source| CliError::File { path: self.home.clone(), source };
        fs::create_dir_all(&self.home).map_err(file_error)?;
        let lock = File::create(self.home.join(LOCK_FILE)).map_err(file_error)?;
        lock.lock().map_err(file_error)?;
        // Dropping the file gives the lock back.
        Ok(Replica::open(&self.home, Options::default())?)
    }

    /// Whether there is a replica.
    pub(crate) fn is_initialised(&self) -> bool {
        self.home.join(DATABASE_FILE).exists()
    }
}

/// Where programs keep their data on this system.
fn standard_home(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        absolute("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        absolute("HOME")?.join("Library/Application Support")
    } else {
        absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?
    };
    Some(base.join("outrider"))
}

/// The language that the environment asks for: English unless it begins with `zh`.
pub(crate) fn standard_language() -> Language {
    let asked = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .find(|value| !value.is_empty());
    match asked {
        Some(value) if value.starts_with("zh") => Language::Zh,
        Some(_) | None => Language::En,
    }
}
