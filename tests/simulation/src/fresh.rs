//! Stores in which nothing happened yet: made once for each version, then copied.
//!
//! Making the tables of all entities takes as long as half of what happens in a world afterwards. Who a device
//! is, is not copied: it draws that when it opens the store.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use outrider_core::replica::{DATABASE_FILE, Options, Replica};
use outrider_sync_server::{
    ledger::LEDGER_FILE,
    storage::sqlite::{self, SqliteStorage},
};
use rusqlite::Connection;

use crate::{Failure, versions::Version};

/// What a store knows of itself, but for the version of its tables.
const FORGET: &str = "DELETE FROM meta WHERE key <> 'schema_version'";

/// The files of one side: their names, and what is in them for each version that was asked for.
struct Fresh {
    names: &'static [&'static str],
    made: Mutex<BTreeMap<Version, Vec<Vec<u8>>>>,
}

static DEVICE: Fresh = Fresh { names: &[DATABASE_FILE], made: Mutex::new(BTreeMap::new()) };
static SERVER: Fresh =
    Fresh { names: &[sqlite::DATABASE_FILE, LEDGER_FILE], made: Mutex::new(BTreeMap::new()) };

/// Puts the store of a device of this version into a folder that is not there yet.
pub(crate) fn device(folder: &Path, version: Version) -> Result<(), Failure> {
    DEVICE.put(folder, version, |home| {
        drop(Replica::open(home, Options { seed: Some(0), ..Options::default() })?);
        Ok(Connection::open(home.join(DATABASE_FILE))?.execute(FORGET, []).map(drop)?)
    })
}

/// Puts the data of a server of this version into a folder that is not there yet.
pub(crate) fn server(folder: &Path, version: Version) -> Result<(), Failure> {
    SERVER.put(folder, version, |home| Ok(SqliteStorage::open_for_test(home, true).map(drop)?))
}

impl Fresh {
    fn put(
        &self,
        folder: &Path,
        version: Version,
        make: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if folder.exists() {
            return Ok(());
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match made.entry(version) {
            Entry::Occupied(files) => files.into_mut(),
            Entry::Vacant(place) => {
                version.enter();
                let home = tempfile::tempdir()?;
                make(home.path())?;
                let files = self.names.iter().map(|name| fs::read(home.path().join(name)));
                place.insert(files.collect::<Result<_, _>>()?)
            }
        };
        fs::create_dir_all(folder)?;
        for (name, bytes) in self.names.iter().zip(files) {
            fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::dump::Dump;

    const VERSIONS: [Version; 3] = [Version::First, Version::Second, Version::Third];

    /// What begins with a copy holds what is held by what begins with nothing: the same rows in the same
    /// tables, also of who it is.
    #[test]
    fn a_device_that_begins_with_a_copy_is_as_one_that_begins_with_nothing() {
        for version in VERSIONS {
            let home = tempfile::tempdir().unwrap();
            let (copied, made) = (home.path().join("copied"), home.path().join("made"));
            device(&copied, version).unwrap();
            version.enter();
            for folder in [&copied, &made] {
                let options = Options { seed: Some(7), ..Options::default() };
                drop(Replica::open(folder, options).unwrap());
            }
            let [copied, made] =
                [copied, made].map(|folder| Dump::read(&folder.join(DATABASE_FILE)).unwrap());
            assert!(copied.rows() > 1, "{version:?}");
            assert_eq!(copied.difference(&made), [""; 0], "{version:?}");
        }
        Version::First.enter();
    }
}
