//! What is known of a backup: inside of it, and beside it.

use outrider_core::{
    ids::to_hex,
    time::{TimestampMs, to_rfc3339},
};
use serde::{Deserialize, Serialize};

use crate::{person_keys::PersonKeys, storage::sqlite::snapshot::Snapshot};

/// Version of the form of backups.
pub const FORMAT: u32 = 2;

/// What a backup holds; its first bytes, once it is decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form.
    pub format: u32,
    /// Version of the server that made it.
    pub server: String,
    /// Name of the company's tenant; empty for the only one.
    #[serde(default)]
    pub tenant: String,
    /// Which store, in hexadecimal.
    pub instance: String,
    /// The position of its last commit.
    pub position: u64,
    /// When it was made.
    pub created_at: TimestampMs,
    /// Version of the tables.
    pub tables: u32,
    /// Entries of the ledger that the database had seen.
    pub ledger_entries: u64,
    /// Which file of persons' keys sealed what records of persons hold; empty for none.
    #[serde(default)]
    pub person_keys: String,
    /// Records that are sealed so.
    #[serde(default)]
    pub persons: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// SHA-256 of the database, in hexadecimal.
    pub database_sha256: String,
}

/// What lies beside a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What it holds.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Bytes of the encrypted file.
    pub file_bytes: u64,
    /// SHA-256 of the encrypted file, in hexadecimal.
    pub file_sha256: String,
}

impl Manifest {
    /// Describes a copy of the database.
    #[must_use]
    pub(super) fn new(
        tenant: &str,
        snapshot: &Snapshot,
        created_at: TimestampMs,
        (persons, keys): (u64, &PersonKeys),
        (bytes, sha256): (u64, [u8; 32]),
    ) -> Self {
        Self {
            format: FORMAT,
            server: env!("CARGO_PKG_VERSION").to_owned(),
            tenant: tenant.to_owned(),
            instance: to_hex(&snapshot.instance),
            position: snapshot.position,
            created_at,
            tables: snapshot.tables,
            ledger_entries: snapshot.ledger.map_or(0, |reached| reached.entries),
            person_keys: keys.name(),
            persons,
            database_bytes: bytes,
            database_sha256: to_hex(&sha256),
        }
    }

    /// The tenant, as names of files have it.
    pub(super) fn tenant_name(&self) -> &str {
        if self.tenant.is_empty() { "outrider" } else { self.tenant.as_str() }
    }

    /// The time, as names of files have it.
    pub(super) fn time_name(&self) -> String {
        let time = to_rfc3339(self.created_at);
        time.chars().filter(|c| c.is_ascii_digit() || matches!(c, 'T' | 'Z')).collect()
    }

    /// A name that sorts by time and says what it is: tenant, time, position, store.
    #[must_use]
    pub fn file_name(&self) -> String {
        let (tenant, time) = (self.tenant_name(), self.time_name());
        let store: String = self.instance.chars().take(8).collect();
        format!("{tenant}-{time}-p{}-{store}.age", self.position)
    }
}

/// The name of what lies beside the backup of a name.
pub(super) fn beside(path: &std::path::Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
