//! Where the replica is, and in which language people are spoken to.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    ids::to_hex,
    keys::{FileKeys, KeyStore},
    replica::{DATABASE_FILE, Options, Replica},
    schema::Language,
};
use sha2::{Digest as _, Sha256};

use crate::{cli::Global, error::CliError};

/// Who makes the replica holds the lock of this file.
const LOCK_FILE: &str = "init.lock";
/// What `--key-file` says for a replica that is not encrypted.
pub(crate) const PLAIN: &str = "plain";

/// What every command knows.
#[derive(Debug)]
pub(crate) struct Context {
    /// The replica's folder.
    pub(crate) home: PathBuf,
    /// Where the key of the replica is kept, if it is encrypted.
    keys: Option<Arc<dyn KeyStore>>,
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
        let keys = keys_of(&home, global.key_file.as_deref())?;
        Ok(Self { home, keys, json: global.json, language: global.language() })
    }

    /// How the replica is opened.
    pub(crate) fn options(&self) -> Options {
        Options { keys: self.keys.clone(), ..Options::default() }
    }

    /// Opens the replica, which must be there.
    pub(crate) fn open(&self) -> Result<Replica, CliError> {
        if !self.is_initialised() {
            return Err(CliError::NotInitialised(self.home.clone()));
        }
        Ok(Replica::open(&self.home, self.options())?)
    }

    /// Opens the replica, or makes it; of several processes that begin together, one makes it.
    pub(crate) fn open_or_create(&self) -> Result<Replica, CliError> {
        let file_error = |source| CliError::File { path: self.home.clone(), source };
        fs::create_dir_all(&self.home).map_err(file_error)?;
        let lock = File::create(self.home.join(LOCK_FILE)).map_err(file_error)?;
        lock.lock().map_err(file_error)?;
        // Dropping the file gives the lock back.
        Ok(Replica::open(&self.home, self.options())?)
    }

    /// Whether there is a replica.
    pub(crate) fn is_initialised(&self) -> bool {
        self.home.join(DATABASE_FILE).exists()
    }
}

/// Where the key of a replica is kept: where `--key-file` says. Programs that can encrypt do so
/// unless told otherwise, with a key far from the records, so that no copy of their folder has it.
fn keys_of(home: &Path, told: Option<&Path>) -> Result<Option<Arc<dyn KeyStore>>, CliError> {
    let path = match told {
        Some(told) if told.as_os_str() == PLAIN => return Ok(None),
        Some(told) => told.to_owned(),
        None if cfg!(feature = "sqlcipher") => {
            standard_key(home, |name| env::var_os(name).map(PathBuf::from))
                .map_err(|source| CliError::File { path: home.to_owned(), source })?
                .ok_or(CliError::NoHome)?
        }
        None => return Ok(None),
    };
    Ok(Some(Arc::new(FileKeys::new(path))))
}

/// Where this system keeps settings; a file for each folder of a replica.
fn standard_key(
    home: &Path,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> io::Result<Option<PathBuf>> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        absolute("APPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Preferences"))
    } else {
        absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
    };
    let home = std::path::absolute(home)?;
    let digest = to_hex(&Sha256::digest(home.as_os_str().as_encoded_bytes()));
    let name = [digest.get(..16).unwrap_or(&digest), ".key"].concat();
    Ok(base.map(|base| base.join("outrider/keys").join(name)))
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
