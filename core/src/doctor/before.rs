//! The folder of a store, looked at before anything is opened: opening makes what is missing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Finding, Fix, Kind};
use crate::{
    ids::from_hex,
    replica::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE},
};

/// Free bytes below which writing may soon fail.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// Looks at the files of a store. Nothing is opened or written.
#[must_use]
pub fn examine_folder(folder: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    if folder.join(DATABASE_FILE).exists() {
        found.extend(key(&folder.join(KEY_FILE)));
        found.extend(instance(&folder.join(INSTANCE_FILE)));
    }
    found.extend(permissions(folder));
    found.extend(disk_space(folder));
    found
}

fn key(path: &Path) -> Option<Finding> {
    let words = match fs::read_to_string(path) {
        Ok(text) if from_hex::<32>(text.trim()).is_some() => return None,
        Ok(_) => "it is no key".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(Finding::problem(Kind::Key, None).named(words))
}

fn instance(path: &Path) -> Option<Finding> {
    match fs::read_to_string(path) {
        Ok(text) if from_hex::<16>(text.trim()).is_some() => None,
        // The store goes on as another copy of itself, which it does by itself.
        Ok(_) => Some(Finding::notice(Kind::Instance).named("it is no token")),
        Err(error) => Some(Finding::notice(Kind::Instance).named(error)),
    }
}

/// The files that nobody else may read, as far as they are here.
pub(super) fn secrets(folder: &Path) -> Vec<PathBuf> {
    let files = [KEY_FILE, INSTANCE_FILE].map(|name| folder.join(name));
    files.into_iter().filter(|path| path.exists()).collect()
}

#[cfg(unix)]
fn permissions(folder: &Path) -> Option<Finding> {
    let mut found = Finding::problem(Kind::Permissions, Some(Fix::Permissions));
    for path in secrets(folder) {
        if is_open_to_others(&path).unwrap_or(false) {
            found.add(path.display());
        }
    }
    (found.count > 0).then_some(found)
}

#[cfg(not(unix))]
fn permissions(_: &Path) -> Option<Finding> {
    None
}

/// Whether others than its owner may read a file.
#[cfg(unix)]
pub(super) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS: u32 = 0o077;
    Ok(fs::metadata(path)?.mode() & OTHERS != 0)
}

/// Takes a file away from everybody but its owner.
#[cfg(unix)]
pub(super) fn close_to_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
pub(super) fn is_open_to_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(unix))]
pub(super) fn close_to_others(_: &Path) -> io::Result<()> {
    Ok(())
}

fn disk_space(folder: &Path) -> Option<Finding> {
    let free = free_bytes(folder)?;
    let found = Finding::problem(Kind::DiskSpace, None).counted(free);
    (free < FREE_BYTES_MIN).then_some(found)
}

/// Bytes that may still be written where a folder is, if the system says.
#[cfg(unix)]
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let known = rustix::fs::statvfs(folder).ok()?;
    Some(known.f_bavail.saturating_mul(known.f_frsize))
}

/// Bytes that may still be written where a folder is, if the system says.
#[cfg(not(unix))]
#[must_use]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}
