//! One server for each data folder: it holds a file there locked while it runs.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::storage::StorageError;

/// Name of the file in the data folder that a running server holds locked.
const LOCK_FILE: &str = "server.lock";

/// Makes sure that no other server serves the same data, until the file is closed; it is closed when
/// the process ends, however it ends.
///
/// # Errors
///
/// [`StorageError::InUse`] when another one does.
pub fn lock(folder: &Path) -> Result<File, StorageError> {
    let path = folder.join(LOCK_FILE);
    let open = |source| StorageError::Open { path: path.display().to_string(), source };
    let file = File::create(&path).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StorageError::InUse { path: folder.display().to_string() })
        }
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}
