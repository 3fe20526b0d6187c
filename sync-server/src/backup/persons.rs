//! The copies of persons' keys that lie beside backups, for a short time each.
//!
//! Keys of persons are drawn once and stay the same, so the newest copy opens all backups; it has no
//! key of who was erased before it was made. Older copies are removed by the next backup.

use std::{
    cmp::Reverse,
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use age::{Decryptor, Encryptor, x25519::Recipient};
use chrono::NaiveDateTime;
use outrider_core::time::{DAY_MS, TimestampMs};

use super::{BackupError, Identities, Manifest, failed};
use crate::{
    durable::{begin_private, sync_folder_of},
    person_keys::{self, PERSON_KEYS_BYTES_MAX, PersonKeys},
    storage::sqlite::persons::{Persons, count_sealed, open_persons},
};

/// What the names of copies end in.
const SUFFIX: &str = ".keys.age";
/// Days after which a copy of the keys is removed, unless it is told otherwise: the deadline that
/// GDPR (article 12) and China's PIPL (article 50, "in good time") leave for an erasure.
pub const PERSON_KEYS_DAYS: u32 = 30;

/// Where the keys of persons may be found.
#[derive(Debug, Clone, Copy)]
pub struct KeySource<'a> {
    /// A copy that somebody named.
    pub named: Option<&'a Path>,
    /// The ledger beside which the keys lie that are in use.
    pub ledger: Option<&'a Path>,
    /// Whether to go on without the persons.
    pub without: bool,
}

/// Writes a copy of the keys into the folder of backups; its path.
pub(super) fn write_copy(
    keys: &PersonKeys,
    manifest: &Manifest,
    to: &Path,
    recipients: &[Recipient],
) -> Result<PathBuf, BackupError> {
    let path = to.join(copy_name(manifest));
    let draft = to.join(format!(".{}.part", copy_name(manifest)));
    let write = || -> io::Result<()> {
        let recipients = recipients.iter().map(|recipient| recipient as _);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = encryptor.wrap_output(begin_private(&draft)?)?;
        sealed.write_all(&keys.to_bytes())?;
        sealed.finish()?.sync_all()?;
        fs::rename(&draft, &path)?;
        sync_folder_of(&path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&draft);
        failed(&path)(error)
    })?;
    Ok(path)
}

/// The name of the copy that goes with a backup: tenant, time, which file of keys.
fn copy_name(manifest: &Manifest) -> String {
    let (tenant, time) = (manifest.tenant_name(), manifest.time_name());
    let keys: String = manifest.person_keys.chars().take(8).collect();
    format!("{tenant}-{time}-k{keys}{SUFFIX}")
}

/// A copy in a folder.
struct Copy {
    path: PathBuf,
    made_at: TimestampMs,
    keys: String,
}

/// The copies of a tenant's keys in a folder, the newest first.
fn copies(folder: &Path, tenant: &str) -> Result<Vec<Copy>, BackupError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(SUFFIX).and_then(|name| name.strip_prefix(tenant));
        let parts = stem.and_then(|stem| stem.strip_prefix('-')?.split_once("-k"));
        let Some((time, keys)) = parts else { continue };
        let Ok(time) = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%3fZ")
            .or_else(|_| NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ"))
        else {
            continue;
        };
        let made_at = time.and_utc().timestamp_millis();
        found.push(Copy { path: entry.path(), made_at, keys: keys.to_owned() });
    }
    found.sort_by_key(|copy| Reverse(copy.made_at));
    Ok(found)
}

/// Removes copies that are older than so many days, but for the newest of each file of keys. How
/// many were removed.
pub(super) fn expire(
    folder: &Path,
    tenant: &str,
    days: u32,
    now_ms: TimestampMs,
) -> Result<u64, BackupError> {
    let mut newest = Vec::new();
    let mut removed = 0;
    for copy in copies(folder, tenant)? {
        let is_newest = !newest.contains(&copy.keys);
        if is_newest {
            newest.push(copy.keys);
        } else if copy.made_at < now_ms - i64::from(days) * DAY_MS {
            fs::remove_file(&copy.path).map_err(failed(&copy.path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Opens the persons of a backup whose database lies in `folder`, with the keys that are found:
/// those named, those in use, or the newest copy beside the backup. Returns the keys too.
///
/// # Errors
///
/// [`BackupError::NoPersonKeys`] if there are persons and no keys, unless they may be left out.
pub fn open(
    folder: &Path,
    backup: &Path,
    manifest: &Manifest,
    identities: &Identities,
    source: &KeySource<'_>,
) -> Result<(Persons, Option<PersonKeys>), BackupError> {
    let sealed = count_sealed(folder)?;
    let keys = match find(backup, manifest, identities, source)? {
        None if sealed > 0 && !source.without => {
            let keys = manifest.person_keys.clone();
            return Err(BackupError::NoPersonKeys { persons: sealed, keys });
        }
        keys => keys,
    };
    Ok((open_persons(folder, keys.as_ref())?, keys))
}

fn find(
    backup: &Path,
    manifest: &Manifest,
    identities: &Identities,
    source: &KeySource<'_>,
) -> Result<Option<PersonKeys>, BackupError> {
    let fits = |keys: &PersonKeys| keys.name() == manifest.person_keys;
    if let Some(named) = source.named {
        let keys = read_copy(named, identities)?;
        return if fits(&keys) { Ok(Some(keys)) } else { Err(BackupError::OtherPersonKeys) };
    }
    if let Some(ledger) = source.ledger {
        let path = person_keys::beside_ledger(ledger);
        let keys = PersonKeys::read(&path).map_err(failed(&path))?;
        if let Some(keys) = keys.filter(fits) {
            return Ok(Some(keys));
        }
    }
    let folder = backup.parent().filter(|folder| !folder.as_os_str().is_empty());
    for copy in copies(folder.unwrap_or(Path::new(".")), manifest.tenant_name())? {
        if manifest.person_keys.starts_with(&copy.keys) {
            return read_copy(&copy.path, identities).map(Some);
        }
    }
    Ok(None)
}

fn read_copy(path: &Path, identities: &Identities) -> Result<PersonKeys, BackupError> {
    let file = fs::File::open(path).map_err(failed(path))?;
    let decryptor =
        Decryptor::new_buffered(io::BufReader::new(file)).map_err(super::open::refused)?;
    let opened = decryptor.decrypt(identities.all()).map_err(super::open::refused)?;
    let mut bytes = Vec::new();
    opened
        .take(PERSON_KEYS_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| BackupError::Damaged(error.to_string()))?;
    PersonKeys::parse(&bytes).map_err(|error| BackupError::Damaged(error.to_string()))
}
