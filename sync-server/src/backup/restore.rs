//! Putting a backup back: everything that can fail is done beside the data, before anything of it
//! is touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use outrider_core::{
    points,
    time::{TimestampMs, to_rfc3339},
};

use super::{
    BackupError, Identities, KeySource, Manifest, Progress, failed, open::open_into, persons,
    seal::work_folder,
};
use crate::{
    durable::sync_folder_of,
    ledger::{LEDGER_FILE, LedgerError},
    lock::lock,
    office, person_keys,
    storage::{
        Storage as _, StorageError,
        sqlite::{DATABASE_FILE, SqliteStorage, snapshot},
    },
};

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What to put back, and where.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOrder<'a> {
    /// The backup's file.
    pub backup: &'a Path,
    /// Private keys.
    pub identities: &'a Identities,
    /// The data folder; created when it is not there.
    pub data: &'a Path,
    /// The ledger, if it lies elsewhere than in the data folder.
    pub ledger: Option<&'a Path>,
    /// A copy of the persons' keys, if another one is meant than is found.
    pub person_keys: Option<&'a Path>,
    /// Whether to go on without persons whose keys are not found.
    pub without_persons: bool,
    /// Whether data that is there may be replaced; it is kept aside.
    pub replace: bool,
    /// Whether to begin a new ledger, and forget what happened after the backup.
    pub without_ledger: bool,
    /// The time now.
    pub now_ms: TimestampMs,
}

/// A backup that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup held.
    pub manifest: Manifest,
    /// Devices that the ledger brought back.
    pub devices_from_ledger: u64,
    /// Persons whose keys are gone: they are not there any more.
    pub persons_lost: u64,
    /// Where what was there before lies now.
    pub aside: Option<PathBuf>,
}

/// Puts a backup back.
///
/// # Errors
///
/// [`BackupError`]; then the data folder is as it was.
pub fn restore(
    order: &RestoreOrder<'_>,
    progress: &mut Progress<'_>,
) -> Result<Restored, BackupError> {
    let data = order.data;
    fs::create_dir_all(data).map_err(failed(data))?;
    // Held until the end: no server may begin meanwhile.
    let _lock = lock(data)?;
    let database = data.join(DATABASE_FILE);
    let is_there = database.exists();
    if is_there && !order.replace {
        return Err(BackupError::NotEmpty { path: data.display().to_string() });
    }
    let beside = data.join(LEDGER_FILE);
    let ledger = order.ledger.unwrap_or(&beside);
    let work = work_folder(data)?;
    let manifest = open_into(order.backup, order.identities, work.path(), progress)?;
    let source = KeySource {
        named: order.person_keys,
        ledger: Some(ledger),
        without: order.without_persons,
    };
    let (persons, keys) =
        persons::open(work.path(), order.backup, &manifest, order.identities, &source)?;
    points::reach("server.restore.opened");
    let devices_from_ledger = prepare(order, ledger, work.path())?;
    points::reach("server.restore.prepared");
    let aside = set_aside(order, ledger, is_there)?;
    points::reach("server.restore.aside");
    let fresh = work.path().join(DATABASE_FILE);
    if let Some(keys) = keys {
        // Before the database has its name: a server without keys would begin others.
        let path = person_keys::beside_ledger(ledger);
        let keys = keys.without(&snapshot::erased(work.path())?);
        keys.write_new(&path).map_err(failed(&path))?;
    }
    points::reach("server.restore.keys_written");
    fs::rename(&fresh, &database)
        .and_then(|()| sync_folder_of(&database))
        .map_err(failed(&database))?;
    points::reach("server.restore.named");
    // Begins the new ledger, if there is to be one.
    drop(SqliteStorage::open_with_ledger(data, Some(ledger))?);
    Ok(Restored { manifest, devices_from_ledger, persons_lost: persons.lost, aside })
}

/// Makes the database ready where it lies; returns how many devices the ledger brought.
fn prepare(order: &RestoreOrder<'_>, ledger: &Path, folder: &Path) -> Result<u64, BackupError> {
    let copy = folder.join(DATABASE_FILE);
    snapshot::describe(&copy)?;
    snapshot::mark_restored(folder, order.now_ms)?;
    if order.without_ledger {
        snapshot::forget_ledger(folder)?;
        snapshot::fold(folder)?;
        return Ok(0);
    }
    let before = snapshot::count_devices(folder)?;
    let storage = match SqliteStorage::open_with_ledger(folder, Some(ledger)) {
        Err(StorageError::Ledger(LedgerError::Missing { path })) => {
            return Err(BackupError::NoLedger { path });
        }
        opened => opened?,
    };
    let after = storage.read()?.devices()?.len() as u64;
    office::replay_erasures(&storage, order.now_ms)?;
    drop(storage);
    // Nothing that SQLite keeps beside it follows it.
    snapshot::fold(folder)?;
    Ok(after.saturating_sub(before))
}

/// Keeps what is there aside; returns where.
fn set_aside(
    order: &RestoreOrder<'_>,
    ledger: &Path,
    is_there: bool,
) -> Result<Option<PathBuf>, BackupError> {
    let data = order.data;
    let is_ledger_old = order.without_ledger && ledger.exists();
    if !is_there && !is_ledger_old {
        return Ok(None);
    }
    if is_there {
        snapshot::retire(data)?;
    }
    let time = to_rfc3339(order.now_ms).replace([':', '.'], "");
    let aside = data.join(format!("replaced-{time}"));
    fs::create_dir(&aside).map_err(failed(&aside))?;
    if is_there {
        let database = data.join(DATABASE_FILE);
        // They are there if it is damaged alone.
        for end in BESIDE {
            let name = [DATABASE_FILE, end].concat();
            move_if_there(&data.join(&name), &aside.join(&name))?;
        }
        // A second name, so that at no moment there is no database.
        let kept = aside.join(DATABASE_FILE);
        fs::hard_link(&database, &kept)
            .or_else(|_| fs::copy(&database, &kept).map(drop))
            .map_err(failed(&kept))?;
    }
    if is_ledger_old {
        move_if_there(ledger, &aside.join(LEDGER_FILE))?;
    }
    sync_folder_of(&aside.join(DATABASE_FILE)).map_err(failed(&aside))?;
    Ok(Some(aside))
}

fn move_if_there(from: &Path, to: &Path) -> Result<(), BackupError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Another disk.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to).and_then(|_| fs::remove_file(from)).map_err(failed(from))
        }
        moved => moved.map_err(failed(from)),
    }
}
