//! A key in a file that its owner alone may read: for desktops, where no Keychain is asked.
//!
//! The file protects as much as the place that it lies in. Beside the database it protects against
//! nothing but a copy of the database alone; on another disk, or in a folder that backups leave out,
//! against the loss of the disk that holds the records.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{KEY_BYTES, KeyStore, KeyStoreError, StoreKey};
use crate::{
    ids::{from_hex, to_hex},
    points,
};

/// Counts the drafts of this process.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// The key of one replica in a file.
#[derive(Debug, Clone)]
pub struct FileKeys {
    path: PathBuf,
}

impl FileKeys {
    /// The key in this file; its folder is made when a key is kept.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where this system keeps settings, far from the records: a file for each folder of a replica. None where
    /// the environment, of which `variable` reads a variable, does not say where that is.
    ///
    /// # Errors
    ///
    /// Fails when the folder has no absolute path.
    pub fn standard_place(
        folder: &Path,
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
        let folder = std::path::absolute(folder)?;
        let digest = to_hex(&Sha256::digest(folder.as_os_str().as_encoded_bytes()));
        let name = [digest.get(..16).unwrap_or(&digest), ".key"].concat();
        Ok(base.map(|base| base.join("outrider/keys").join(name)))
    }

    fn failed(&self, source: io::Error) -> KeyStoreError {
        let place = self.place();
        if source.kind() == io::ErrorKind::PermissionDenied {
            return KeyStoreError::Locked { place };
        }
        KeyStoreError::Failed { place, source }
    }

    fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    fn write(&self, key: &StoreKey) -> io::Result<()> {
        make_private_folder(self.folder())?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}.{number}", std::process::id()));
        let draft = self.path.with_file_name(name);
        // One that is left is of a process that was killed, and may be the key itself by another name.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = private().create_new(true).open(&draft)?;
        file.write_all(Zeroizing::new(to_hex(key.bytes())).as_bytes())?;
        file.sync_all()?;
        // Of two processes that keep a key together one is first; both use its key.
        points::reach("device.keep.drafted");
        let linked = fs::hard_link(&draft, &self.path);
        points::reach("device.keep.linked");
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        sync_folder(self.folder())
    }

    fn erase(&self) -> io::Result<bool> {
        let mut file = match private().open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        // Where the disk writes in place, nothing of the key is left; elsewhere it costs nothing.
        file.write_all(&[b'0'; 2 * KEY_BYTES])?;
        file.sync_all()?;
        points::reach("device.wipe.key_zeroed");
        fs::remove_file(&self.path)?;
        sync_folder(self.folder())?;
        Ok(true)
    }
}

impl KeyStore for FileKeys {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn load(&self) -> Result<Option<StoreKey>, KeyStoreError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(KeyStoreError::Damaged { place: self.place() });
            }
            Err(error) => return Err(self.failed(error)),
        };
        let bytes = from_hex::<KEY_BYTES>(text.trim()).filter(|bytes| *bytes != [0; KEY_BYTES]);
        let damaged = || KeyStoreError::Damaged { place: self.place() };
        bytes.map(StoreKey::new).map(Some).ok_or_else(damaged)
    }

    fn keep(&self, key: &StoreKey) -> Result<StoreKey, KeyStoreError> {
        self.write(key).map_err(|error| self.failed(error))?;
        self.load()?.ok_or_else(|| self.failed(io::ErrorKind::NotFound.into()))
    }

    fn destroy(&self) -> Result<bool, KeyStoreError> {
        self.erase().map_err(|error| self.failed(error))
    }
}

/// How a file is opened that only its owner may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder that only its owner may look into.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes what was made, renamed or removed in a folder outlast a power failure.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_stays_until_it_is_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = FileKeys::new(folder.path().join("apart/device.key"));
        assert_eq!(keys.load().unwrap(), None);
        assert!(!keys.destroy().unwrap());
        let (one, two) = (StoreKey::new([1; 32]), StoreKey::new([2; 32]));
        assert_eq!(keys.keep(&one).unwrap(), one);
        assert_eq!(keys.keep(&two).unwrap(), one);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(keys.path()), mode(keys.folder())), (0o600, 0o700));
        }
        assert_eq!(fs::read_dir(keys.folder()).unwrap().count(), 1, "no draft is left");
        assert!(keys.destroy().unwrap());
        assert_eq!(keys.load().unwrap(), None);
        assert_eq!(format!("{one:?}"), "StoreKey(…)");
    }

    /// A process was killed between linking its draft and removing it; another one with its number
    /// emptied the draft, which was the key.
    #[test]
    fn a_draft_that_is_left_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let keys = FileKeys::new(folder.path().join("device.key"));
        let (one, two) = (StoreKey::new([1; 32]), StoreKey::new([2; 32]));
        keys.keep(&one).unwrap();
        let next = DRAFTS.load(Ordering::Relaxed);
        for number in next..next + 1_000 {
            let draft = format!("device.key.{}.{number}", std::process::id());
            fs::hard_link(keys.path(), folder.path().join(draft)).unwrap();
        }
        assert_eq!(keys.keep(&two).unwrap(), one);
        assert_eq!(keys.load().unwrap(), Some(one));
    }

    #[test]
    fn what_is_no_key_is_told_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keys = FileKeys::new(folder.path().join("device.key"));
        for content in [&b"no key"[..], b"", &[0xff; 64], &[b'0'; 64]] {
            fs::write(keys.path(), content).unwrap();
            assert!(matches!(keys.load(), Err(KeyStoreError::Damaged { .. })), "{content:?}");
            assert!(keys.keep(&StoreKey::new([1; 32])).is_err());
            assert_eq!(fs::read(keys.path()).unwrap(), content);
        }
    }
}
