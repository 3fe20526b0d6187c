//! Encrypted stores: what can be found on the disk, what is said when the key is not the right one,
//! what becomes of a plain store, and of one that is wiped.
//!
//! `cargo test --workspace --features outrider-core/sqlcipher --test sealed` runs all of it. Without the
//! feature the plain halves run, which show that the search finds what is there.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "sealed/disk.rs"]
mod disk;
#[path = "sealed/errors.rs"]
mod errors;
#[path = "sealed/migrate.rs"]
mod migrate;
#[path = "support/pair.rs"]
mod pair;
#[path = "sealed/wipe.rs"]
mod wipe;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    keys::{FileKeys, KeyStore, KeyStoreError, StoreKey},
    replica::{Options, Replica, ReplicaError},
    store::{SealError, StoreError, search::SearchQuery},
};
use serde_json::json;
use tempfile::TempDir;

/// Whether this build can encrypt.
const CAN_ENCRYPT: bool = cfg!(feature = "sqlcipher");
/// What is looked for on the disk: nothing else holds it.
const CANARY: &str = "Zqcanaryhuhn";

/// A replica's folder, and its key in another one.
struct Home {
    root: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("replica")
    }

    fn database(&self) -> PathBuf {
        self.folder().join("outrider.db")
    }

    fn key_file(&self) -> PathBuf {
        self.root.path().join("elsewhere/key")
    }

    fn keys(&self) -> FileKeys {
        FileKeys::new(self.key_file())
    }

    fn open(&self) -> Result<Replica, ReplicaError> {
        self.open_with(Some(Arc::new(self.keys())))
    }

    fn plain(&self) -> Replica {
        self.open_with(None).unwrap()
    }

    fn open_with(&self, keys: Option<Arc<dyn KeyStore>>) -> Result<Replica, ReplicaError> {
        Replica::open(&self.folder(), Options { keys, ..Options::default() })
    }

    fn error(&self) -> SealError {
        seal_error(self.open())
    }

    /// Contents of all files of the folder, by name.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        files_of(&self.folder())
    }
}

fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    found
}

fn seal_error(opened: Result<Replica, ReplicaError>) -> SealError {
    match opened {
        Err(ReplicaError::Store(StoreError::Seal(error))) => error,
        other => panic!("expected another failure: {other:?}"),
    }
}

/// How often a text is in some bytes, as it is and in UTF-16.
fn count(bytes: &[u8], text: &str) -> usize {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lower = text.to_lowercase();
    [text.as_bytes(), lower.as_bytes(), &wide]
        .into_iter()
        .map(|what| bytes.windows(what.len()).filter(|window| *window == what).count())
        .sum()
}

/// Records, long texts, search entries and waiting changes that name the canary.
fn write_canaries(replica: &mut Replica, count: usize) {
    for number in 0..count {
        let name = format!("{CANARY} {number}");
        let make =
            json!({ "company_name": name, "notes": format!("{CANARY} notes"), "tags": [CANARY] });
        let id = replica.create("customer", &pair::fields(make)).unwrap();
        replica.update(id, &pair::fields(json!({ "short_name": CANARY }))).unwrap();
    }
}

/// How many records a search for the canary finds.
fn found(replica: &Replica) -> usize {
    let query = SearchQuery { text: CANARY.to_owned(), limit: 100, ..SearchQuery::default() };
    replica.search(&query).unwrap().hits.len()
}

/// A key store whose key cannot be had now.
#[derive(Debug)]
struct Locked;

impl KeyStore for Locked {
    fn place(&self) -> String {
        "the Keychain".to_owned()
    }

    fn load(&self) -> Result<Option<StoreKey>, KeyStoreError> {
        Err(KeyStoreError::Locked { place: self.place() })
    }

    fn keep(&self, _key: &StoreKey) -> Result<StoreKey, KeyStoreError> {
        Err(KeyStoreError::Locked { place: self.place() })
    }

    fn destroy(&self) -> Result<bool, KeyStoreError> {
        Err(KeyStoreError::Locked { place: self.place() })
    }
}
