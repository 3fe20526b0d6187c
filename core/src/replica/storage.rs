//! How much the replica takes, and what of it.

use std::{fs, io, path::Path};

use serde::Serialize;

use super::{DATABASE_FILE, Replica, ReplicaError};
use crate::store::sizes::{self, EntitySizes};

/// What a replica takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// By entity, in order of names.
    pub entities: Vec<EntitySizes>,
    /// Bytes of the database's pages.
    pub database_bytes: u64,
    /// Of these, what nothing uses.
    pub free_bytes: u64,
    /// Bytes of the database's files on disk, its log among them.
    pub file_bytes: u64,
    /// Of these, the write-ahead log.
    pub log_bytes: u64,
}

impl Replica {
    /// Counts what takes how much. It reads every document.
    ///
    /// # Errors
    ///
    /// Fails when the store or the folder does.
    pub fn storage(&self) -> Result<Storage, ReplicaError> {
        let conn = self.conn()?;
        let (database_bytes, free_bytes) = sizes::pages(conn)?;
        let size = |suffix: &str| {
            let path = self.folder.join([DATABASE_FILE, suffix].concat());
            size_of(&path).map_err(|source| ReplicaError::Folder { path, source })
        };
        let log_bytes = size("-wal")?;
        Ok(Storage {
            entities: sizes::by_entity(conn)?,
            database_bytes,
            free_bytes,
            file_bytes: size("")? + log_bytes + size("-shm")?,
            log_bytes,
        })
    }
}

fn size_of(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}
