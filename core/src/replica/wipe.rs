//! Wiping a device: the office ordered it, and what waited is safe.
//!
//! A file beside the store says that wiping has begun, to whom and with what to confirm it. From
//! then on the replica does not open any more. The key goes first: what is left is a database that
//! nobody's device is in. Every step can be done again, so a crash between two of them is gone on
//! from by the next start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE};
use crate::ids::DeviceId;

/// Name of the file that says that wiping has begun.
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
}

/// Notes that wiping begins. From here on there is no way back.
///
/// # Errors
///
/// Fails when the file cannot be written.
pub fn begin(folder: &Path, order: &WipeOrder) -> io::Result<()> {
    use io::Write as _;
    let path = folder.join(WIPE_FILE);
    let draft = path.with_extension("draft");
    let mut file = fs::File::create(&draft)?;
    file.write_all(&serde_json::to_vec(order)?)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    sync_folder(folder)
}

/// The order that is being carried out in this folder.
///
/// # Errors
///
/// Fails when the file is there and cannot be read.
pub fn order(folder: &Path) -> io::Result<Option<WipeOrder>> {
    match fs::read(folder.join(WIPE_FILE)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the key, then everything else, in an order in which every crash leaves less than before.
///
/// # Errors
///
/// Fails when a file cannot be removed; doing it again goes on.
pub fn wipe_folder(folder: &Path) -> io::Result<()> {
    for path in files(folder) {
        remove(&path)?;
        // What is gone must stay gone when the power fails before the next one.
        sync_folder(folder)?;
    }
    Ok(())
}

/// The order was confirmed: nothing is left.
///
/// # Errors
///
/// Fails when the file cannot be removed.
pub fn end(folder: &Path) -> io::Result<()> {
    remove(&folder.join(WIPE_FILE))
}

/// What is removed, in order.
fn files(folder: &Path) -> [PathBuf; 5] {
    let database = |ending: &str| folder.join([DATABASE_FILE, ending].concat());
    [
        folder.join(KEY_FILE),
        folder.join(INSTANCE_FILE),
        database("-wal"),
        database(""),
        database("-shm"),
    ]
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened to be synced.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::{Options, Replica, ReplicaError};

    #[test]
    fn a_wipe_that_was_cut_off_goes_on_from_every_step() {
        for done in 0..=5 {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path();
            drop(Replica::open(home, Options::default()).unwrap());
            assert_eq!(order(home).unwrap(), None);
            let ordered = WipeOrder {
                url: "http://office".to_owned(),
                device: DeviceId(uuid::Uuid::from_u128(7)),
                receipt: "ab".to_owned(),
            };
            begin(home, &ordered).unwrap();
            // The process dies after so many files; the next one finds the order.
            for path in files(home).iter().take(done) {
                remove(path).unwrap();
            }
            let opened = Replica::open(home, Options::default()).unwrap_err();
            assert!(matches!(opened, ReplicaError::Wiped), "{opened}");
            assert_eq!(order(home).unwrap(), Some(ordered));
            wipe_folder(home).unwrap();
            wipe_folder(home).unwrap();
            let left: Vec<_> = fs::read_dir(home).unwrap().map(|one| one.unwrap().path()).collect();
            assert_eq!(left, [home.join(WIPE_FILE)], "after {done} files");
            end(home).unwrap();
            assert!(Replica::open(home, Options::default()).is_ok(), "the folder can be used anew");
        }
    }
}
