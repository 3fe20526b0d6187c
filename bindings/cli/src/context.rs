//! Where the replica is, and in which language people are spoken to.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    keys::{FileKeys, KeyStore, NoKeys},
    replica::{DATABASE_FILE, Options, Replica},
    schema::Language,
};

use crate::{cli::Global, error::CliError};

/// What `--key-file` says for a replica that is not encrypted.
pub(crate) const PLAIN: &str = "plain";

/// The folder of the stores of a device's other users.
const USERS_FOLDER: &str = "users";
/// Name of the file in it that says whose turn it is.
const CURRENT_FILE: &str = "current";
/// Characters of a user's name, at most.
pub(crate) const NAME_CHARS_MAX: usize = 20;

/// What every command knows.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The replica's folder: that of the user whose turn it is.
    pub(crate) home: PathBuf,
    /// The device's folder.
    pub(crate) device_home: PathBuf,
    /// Where the command line says that keys are.
    key_file: Option<PathBuf>,
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
        let device_home = home;
        let current = device_home.join(USERS_FOLDER).join(CURRENT_FILE);
        let home = match fs::read_to_string(&current) {
            Ok(name) if user_of(name.trim()).is_some() => {
                device_home.join(USERS_FOLDER).join(name.trim())
            }
            Ok(_) => device_home.clone(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => device_home.clone(),
            Err(source) => return Err(CliError::File { path: current, source }),
        };
        let context = Self {
            home: device_home.clone(),
            device_home,
            key_file: global.key_file.clone(),
            keys: None,
            json: global.json,
            language: global.language(),
        };
        context.at(home)
    }

    /// In another store of this device.
    pub(crate) fn at(&self, home: PathBuf) -> Result<Self, CliError> {
        let keys = keys_of(&home, self.key_file.as_deref())?;
        Ok(Self { home, keys, ..self.clone() })
    }

    /// How the replica is opened.
    pub(crate) fn options(&self) -> Options {
        Options { keys: self.keys.clone(), ..Options::default() }
    }

    /// Where the key of the replica is kept; nowhere if it is plain.
    pub(crate) fn key_store(&self) -> Arc<dyn KeyStore> {
        self.keys.clone().unwrap_or_else(|| Arc::new(NoKeys))
    }

    /// Where the stores of other users are.
    pub(crate) fn users_folder(&self) -> PathBuf {
        self.device_home.join(USERS_FOLDER)
    }

    /// Makes it the turn of a user, or of the first one; for this command and all later ones.
    pub(crate) fn switch(&self, user: Option<&str>) -> Result<Self, CliError> {
        let users = self.users_folder();
        let file_error = |source| CliError::File { path: users.clone(), source };
        fs::create_dir_all(&users).map_err(file_error)?;
        let folder = user.map(folder_of).unwrap_or_default();
        let draft = users.join(format!("{CURRENT_FILE}.{}", std::process::id()));
        fs::write(&draft, &folder).map_err(file_error)?;
        fs::rename(&draft, users.join(CURRENT_FILE)).map_err(file_error)?;
        let home = match user {
            Some(_) => users.join(folder),
            None => self.device_home.clone(),
        };
        self.at(home)
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
        Ok(Replica::open_or_create(&self.home, self.options(), None)?)
    }

    /// Whether there is a replica.
    pub(crate) fn is_initialised(&self) -> bool {
        self.home.join(DATABASE_FILE).exists()
    }
}

/// The folder of a user's store: the name, of which everything but plain letters and digits is
/// written by its bytes, so that names that differ have folders that differ, on every system.
pub(crate) fn folder_of(user: &str) -> String {
    let mut folder = String::from("u-");
    for byte in user.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            folder.push(char::from(byte));
        } else {
            folder.push_str(&format!("_{byte:02x}"));
        }
    }
    folder
}

/// Whose store a folder is.
pub(crate) fn user_of(folder: &str) -> Option<String> {
    let mut rest = folder.strip_prefix("u-")?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = rest.next() {
        if byte == b'_' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            name.push(byte);
        }
    }
    let name = String::from_utf8(name).ok()?;
    (folder_of(&name) == folder && !name.is_empty()).then_some(name)
}

/// Where the key of a replica is kept: where `--key-file` says. Programs that can encrypt do so
/// unless told otherwise, with a key far from the records, so that no copy of their folder has it.
fn keys_of(home: &Path, told: Option<&Path>) -> Result<Option<Arc<dyn KeyStore>>, CliError> {
    let path = match told {
        Some(told) if told.as_os_str() == PLAIN => return Ok(None),
        // Each user's store has a key of its own, in a file of its own.
        Some(told) => {
            match home.file_name().and_then(OsStr::to_str).filter(|name| user_of(name).is_some()) {
                None => told.to_owned(),
                Some(user) => {
                    let mut beside = told.as_os_str().to_owned();
                    beside.push(".");
                    beside.push(user);
                    PathBuf::from(beside)
                }
            }
        }
        None if cfg!(feature = "sqlcipher") => {
            FileKeys::standard_place(home, |name| env::var_os(name).map(PathBuf::from))
                .map_err(|source| CliError::File { path: home.to_owned(), source })?
                .ok_or(CliError::NoHome)?
        }
        None => return Ok(None),
    };
    Ok(Some(Arc::new(FileKeys::new(path))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_folders_that_can_be_read_back() {
        for name in ["anna", "Anna", "Li Na", "王伟", "../..", "a_b", "CON", "a/b\\c"] {
            let folder = folder_of(name);
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            assert!(folder.chars().all(is_plain), "{folder}");
            assert_eq!(user_of(&folder).as_deref(), Some(name));
        }
        for folder in ["", "u-", "current", "u-A", "u-_4", "u-_zz", "u-_61", "../u-x"] {
            assert_eq!(user_of(folder), None, "{folder}");
        }
        // Four bytes a character, three letters a byte.
        let longest = folder_of(&"𠮷".repeat(NAME_CHARS_MAX));
        assert!(longest.len() <= 255, "file systems end there");
    }
}
