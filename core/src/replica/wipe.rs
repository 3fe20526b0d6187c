//! Leaving nothing on a device that was lost, or is given away.
//!
//! The key goes first: from then on an encrypted store is noise, whatever becomes of its file. Then
//! the device's private key, with which nobody shall sign any more, and the files. A mark in the
//! folder is the first thing that is written and the last that goes: until then the replica does not
//! open, and wiping goes on where it was when it is called again.
//!
//! Where the office ordered it, the mark is that order: to whom and with what to confirm it. It stays
//! until the office has heard.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE, ReplicaError};
use crate::{
    ids::DeviceId,
    keys::{KeyStore, KeyStoreError, sync_folder},
    points,
};

/// Name of the file that says that wiping was begun; it holds the office's order, if there is one.
pub const WIPE_FILE: &str = "wiping";

/// An order that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeOrder {
    /// Where to confirm it.
    pub url: String,
    /// Which device it was.
    pub device: DeviceId,
    /// What confirms it: the key is gone by then.
    pub receipt: String,
    /// The authority (DER, in hexadecimal) that alone says who the server is, if there is one.
    #[serde(default)]
    pub ca: Option<String>,
}

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

/// Notes that the office ordered this. From here on there is no way back.
///
/// # Errors
///
/// Fails when the file cannot be written.
pub fn begin(folder: &Path, order: &WipeOrder) -> io::Result<()> {
    let path = folder.join(WIPE_FILE);
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(&serde_json::to_vec(order)?)?;
    file.sync_all()?;
    points::reach("device.wipe.drafted");
    fs::rename(&draft, &path)?;
    points::reach("device.wipe.ordered");
    sync_folder(folder)
}

/// The order that is being carried out in this folder; none where nobody ordered it.
///
/// # Errors
///
/// Fails when the file is there and cannot be read.
pub fn order(folder: &Path) -> io::Result<Option<WipeOrder>> {
    match fs::read(folder.join(WIPE_FILE)) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The order was confirmed: nothing is left, and the folder can be used anew.
///
/// # Errors
///
/// Fails when the mark cannot be removed.
pub fn end(folder: &Path) -> io::Result<()> {
    let removed = fs::remove_file(folder.join(WIPE_FILE));
    points::reach("device.wipe.mark_gone");
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Destroys the key of the replica in `folder`, then its files; `folder` itself if nothing else is in
/// it. Close the replica first. Nothing to wipe is no error. An [`order`] stays until [`end`].
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
    let mark = folder.join(WIPE_FILE);
    if is_there {
        set_mark(&mark).map_err(file_error(&mark))?;
    }
    points::reach("device.wipe.marked");
    let mut wiped = Wiped::default();
    let destroyed = keys.destroy();
    points::reach("device.wipe.key_destroyed");
    if is_there {
        for path in files_of(folder).map_err(file_error(folder))? {
            wiped.bytes += remove(&path).map_err(file_error(&path))?;
            points::reach("device.wipe.file");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            wiped.files.push(name.into_owned());
        }
        sync_folder(folder).map_err(file_error(folder))?;
    }
    points::reach("device.wipe.files_gone");
    match destroyed {
        Ok(was_there) => wiped.key = was_there,
        Err(source) => return Err(WipeError::Key { wiped, source }),
    }
    if is_there && order(folder).map_err(file_error(&mark))?.is_none() {
        fs::remove_file(&mark).map_err(file_error(&mark))?;
        // It fails for a folder in which something else is, and that stays.
        wiped.folder = fs::remove_dir(folder).is_ok();
    }
    Ok(wiped)
}

/// A replica that is being wiped does not open.
pub(super) fn check_not_begun(folder: &Path) -> Result<(), ReplicaError> {
    if !folder.join(WIPE_FILE).exists() {
        return Ok(());
    }
    match order(folder) {
        Ok(Some(_)) => Err(ReplicaError::Wiped),
        Ok(None) | Err(_) => Err(ReplicaError::BeingWiped(folder.to_owned())),
    }
}

fn set_mark(path: &Path) -> io::Result<()> {
    // What is there may be the office's order.
    OpenOptions::new().append(true).create(true).open(path)?.sync_all()?;
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
    } else if ["init.lock", "token.lock", "wiping.draft"].contains(&name) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::NoKeys,
        replica::{Options, Replica},
    };

    #[test]
    fn an_ordered_wipe_that_was_cut_off_goes_on_from_every_step() {
        for done in 0..=3 {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path();
            drop(Replica::open(home, Options::default()).unwrap());
            assert_eq!(order(home).unwrap(), None);
            let ordered = WipeOrder {
                url: "http://office".to_owned(),
                device: DeviceId(uuid::Uuid::from_u128(7)),
                receipt: "ab".to_owned(),
                ca: None,
            };
            begin(home, &ordered).unwrap();
            // The process dies after so many files; the next one finds the order.
            for path in files_of(home).unwrap().iter().take(done) {
                remove(path).unwrap();
            }
            let opened = Replica::open(home, Options::default()).unwrap_err();
            assert!(matches!(opened, ReplicaError::Wiped), "{opened}");
            for _ in 0..2 {
                wipe(home, &NoKeys).unwrap();
                assert_eq!(order(home).unwrap().as_ref(), Some(&ordered), "until it is confirmed");
            }
            let left: Vec<_> = fs::read_dir(home).unwrap().map(|one| one.unwrap().path()).collect();
            assert_eq!(left, [home.join(WIPE_FILE)], "after {done} files");
            end(home).unwrap();
            assert!(Replica::open(home, Options::default()).is_ok(), "the folder can be used anew");
        }
    }
}
