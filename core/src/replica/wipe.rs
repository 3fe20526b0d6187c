//! Leaving nothing on a device that was lost, or is given away.
//!
//! The key goes first: from then on an encrypted store is noise, whatever becomes of its file. Then
//! the device's private key, with which nobody shall sign any more, and the files. A mark in the
//! folder is the first thing that is written and the last that goes: until then the replica does not
//! open, and wiping goes on where it was when it is called again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE, ReplicaError};
use crate::keys::{KeyStore, KeyStoreError, sync_folder};

/// Name of the file that says that wiping was begun.
const MARK: &str = "wiping";

/// What a wipe removed; a second one after a crash says what the first one had left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wiped {
    /// Whether there was a key, and it was destroyed.
    pub key: bool,
    /// Names of the files that were removed, in order.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the folder went too; it stays if something else is in it.
    pub folder: bool,
}

/// Why something is left. Wiping again goes on.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// The key may still be there; the files are gone.
    #[error("the files are gone and the key may still be there: {source}; wipe again")]
    Key {
        /// What was removed.
        wiped: Wiped,
        /// What the key store said.
        #[source]
        source: KeyStoreError,
    },
    /// A file may still be there.
    #[error("cannot remove {path}: {source}; end what uses it and wipe again")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Destroys the key of the replica in `folder`, then its files; `folder` itself if nothing else is in
/// it. Close the replica first. Nothing to wipe is no error.
///
/// # Errors
///
/// Returns [`WipeError`] when something may be left. If the key store fails, the files are removed all
/// the same.
pub fn wipe(folder: &Path, keys: &dyn KeyStore) -> Result<Wiped, WipeError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| WipeError::File { path, source }
    };
    let is_there = folder.exists();
    let mark = folder.join(MARK);
    if is_there {
        set_mark(&mark).map_err(file_error(&mark))?;
    }
    let mut wiped = Wiped::default();
    let destroyed = keys.destroy();
    if is_there {
        for path in files_of(folder).map_err(file_error(folder))? {
            wiped.bytes += remove(&path).map_err(file_error(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            wiped.files.push(name.into_owned());
        }
        sync_folder(folder).map_err(file_error(folder))?;
    }
    match destroyed {
        Ok(was_there) => wiped.key = was_there,
        Err(source) => return Err(WipeError::Key { wiped, source }),
    }
    if is_there {
        fs::remove_file(&mark).map_err(file_error(&mark))?;
        // It fails for a folder in which something else is, and that stays.
        wiped.folder = fs::remove_dir(folder).is_ok();
    }
    Ok(wiped)
}

/// A replica that is being wiped does not open.
pub(super) fn check_not_begun(folder: &Path) -> Result<(), ReplicaError> {
    if folder.join(MARK).exists() {
        return Err(ReplicaError::BeingWiped(folder.to_owned()));
    }
    Ok(())
}

fn set_mark(path: &Path) -> io::Result<()> {
    File::create(path)?.sync_all()?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Everything that a replica writes into its folder, drafts and leftovers among it: first the private
/// key, last what is left of the locks.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let place = name.to_str().and_then(place_of);
        if let Some(place) = place.filter(|_| entry.path().is_file()) {
            found.push((place, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// In which turn a file of a replica goes; none if it is no file of a replica.
fn place_of(name: &str) -> Option<u8> {
    let of = |known: &str, separators: &[char]| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(separators))
    };
    let stem = KEY_FILE.split('.').next().unwrap_or(KEY_FILE);
    if of(stem, &['.']) {
        Some(0)
    } else if of(DATABASE_FILE, &['-', '.']) {
        Some(1)
    } else if of(INSTANCE_FILE, &['.']) {
        Some(2)
    } else if name == "init.lock" {
        Some(3)
    } else {
        None
    }
}

/// Removes a file; a small one, which may be a key, is written over first. Returns its bytes.
fn remove(path: &Path) -> io::Result<u64> {
    const SMALL_BYTES_MAX: u64 = 4 * 1024;
    let bytes = fs::metadata(path)?.len();
    if bytes <= SMALL_BYTES_MAX
        && let Ok(mut file) = OpenOptions::new().write(true).open(path)
    {
        // What cannot be written over is removed all the same.
        let zeros = vec![0; usize::try_from(bytes).unwrap_or_default()];
        let _ = file.write_all(&zeros).and_then(|()| file.sync_all());
    }
    fs::remove_file(path)?;
    Ok(bytes)
}
