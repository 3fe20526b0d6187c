//! A key for each person, with which backups seal what a record of the person holds.
//!
//! A backup outlives an erasure; its key must not. The keys lie in a file beside the ledger, outside
//! of backups; each backup puts an encrypted copy of it beside itself, and takes away copies that are
//! older than a month or so. Erasing a person overwrites the key. When the last copy that still
//! had it is gone, no backup shows the person any more, whoever holds the private key.
//!
//! The file: 16 bytes that say what it is, 16 that name it, then slots of a record's id (16 bytes)
//! and its key (32 bytes); zeros where a person was erased.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead as _, KeyInit as _, Payload},
};
use outrider_core::{
    ids::{RecordId, to_hex},
    points,
};

use crate::durable::{OWNER_ONLY, sync_folder_of, with_mode, write_first};

/// What the ledger's name is followed by.
const SUFFIX: &str = ".persons";
const MAGIC: &[u8; 16] = b"OUTRIDER PERSONS";
const HEADER_BYTES: usize = 32;
const ID_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const SLOT_BYTES: usize = ID_BYTES + KEY_BYTES;
/// Bytes of a nonce, drawn for each value.
const NONCE_BYTES: usize = 24;
/// Bytes of a file of keys, at most: some five million persons.
pub const PERSON_KEYS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The keys of persons, as a file holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKeys {
    id: [u8; ID_BYTES],
    keys: BTreeMap<RecordId, [u8; KEY_BYTES]>,
}

impl fmt::Debug for PersonKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonKeys").field("id", &self.name()).finish_non_exhaustive()
    }
}

/// Where the keys lie that go with a ledger.
#[must_use]
pub fn beside_ledger(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

impl PersonKeys {
    /// Reads the file at `path`; `None` if there is none, or one that was begun and never used.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be read, or is no file of keys.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.lock_shared()?;
        let mut bytes = Vec::new();
        file.take(PERSON_KEYS_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() < HEADER_BYTES {
            return Ok(None);
        }
        Self::parse(&bytes).map(Some)
    }

    /// The keys at `path` with one for each of `records`; those that lacked one get it, and are on
    /// disk when this returns.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or written, or holds something else.
    pub fn with(path: &Path, records: &[RecordId]) -> io::Result<Self> {
        let mut file = open(path)?;
        points::reach("server.person_keys.begun");
        file.lock()?;
        let mut bytes = Vec::new();
        (&file).take(PERSON_KEYS_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() < HEADER_BYTES {
            // New, or begun by a process that ended before it used it.
            bytes = [&MAGIC[..], &draw::<ID_BYTES>()?].concat();
            file.set_len(0)?;
            write_at(&mut file, 0, &bytes)?;
            sync_folder_of(path)?;
        }
        let mut all = Self::parse(&bytes)?;
        let mut slots = Vec::new();
        for record in records {
            if all.keys.contains_key(record) {
                continue;
            }
            let key = draw::<KEY_BYTES>()?;
            slots.extend_from_slice(record.as_bytes());
            slots.extend_from_slice(&key);
            all.keys.insert(*record, key);
        }
        if !slots.is_empty() {
            let whole = (bytes.len() - HEADER_BYTES) / SLOT_BYTES;
            let end = HEADER_BYTES + whole * SLOT_BYTES;
            if (end + slots.len()) as u64 > PERSON_KEYS_BYTES_MAX {
                return Err(invalid("more persons than a file of keys may have"));
            }
            points::reach("server.person_keys.before_slots");
            write_at(&mut file, end as u64, &slots)?;
        }
        Ok(all)
    }

    /// These keys without those of `records`.
    #[must_use]
    pub fn without(mut self, records: &[RecordId]) -> Self {
        self.keys.retain(|record, _| !records.contains(record));
        self
    }

    /// Overwrites the key of a person in the file at `path`, if it has one.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or written.
    pub fn forget(path: &Path, record: RecordId) -> io::Result<()> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        file.lock()?;
        let mut bytes = Vec::new();
        (&file).take(PERSON_KEYS_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        let slots = bytes.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(SLOT_BYTES);
        for (n, _) in slots.enumerate().filter(|(_, slot)| slot.starts_with(record.as_bytes())) {
            write_at(&mut file, (HEADER_BYTES + n * SLOT_BYTES) as u64, &[0; SLOT_BYTES])?;
        }
        Ok(())
    }

    /// Writes these keys to a new file at `path`, if none is there.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be written.
    pub fn write_new(&self, path: &Path) -> io::Result<()> {
        if Self::read(path)?.is_some() {
            return Ok(());
        }
        points::reach("server.person_keys.new_begun");
        // What is there without a key in it was begun by a process that ended before it used it.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        write_first(path, OWNER_ONLY, &self.to_bytes()).map(drop)
    }

    /// As a file has them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &self.id].concat();
        for (record, key) in &self.keys {
            bytes.extend_from_slice(record.as_bytes());
            bytes.extend_from_slice(key);
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gives. A last slot that is cut short was never used.
    ///
    /// # Errors
    ///
    /// Fails for anything else.
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        let not_keys = || invalid("not a file of persons' keys");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(not_keys)?;
        let (id, slots) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(not_keys)?;
        if bytes.len() as u64 > PERSON_KEYS_BYTES_MAX {
            return Err(invalid("more persons than a file of keys may have"));
        }
        let slots = slots.chunks_exact(SLOT_BYTES).filter_map(|slot| {
            let (record, key) = slot.split_first_chunk::<ID_BYTES>()?;
            let key = key.try_into().ok()?;
            (*record != [0; ID_BYTES]).then(|| (RecordId::from_bytes(*record), key))
        });
        Ok(Self { id: *id, keys: slots.collect() })
    }

    /// Names the file: keys of another one open nothing that these sealed.
    #[must_use]
    pub fn name(&self) -> String {
        to_hex(&self.id)
    }

    /// How many persons have a key.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Seals a value of a person's record; `what` says which one it is.
    ///
    /// # Errors
    ///
    /// Fails for a person without a key, and when the system gives no randomness.
    pub fn seal(&self, record: RecordId, what: &str, plain: &[u8]) -> io::Result<Vec<u8>> {
        let key = self.keys.get(&record).ok_or_else(|| invalid("a person without a key"))?;
        let nonce = draw::<NONCE_BYTES>()?;
        let aad = aad(record, what);
        let payload = Payload { msg: plain, aad: &aad };
        let sealed = XChaCha20Poly1305::new(key.into())
            .encrypt(&nonce.into(), payload)
            .map_err(|_| invalid("a value too long to seal"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed; `None` without the key, or if somebody changed it.
    #[must_use]
    pub fn open(&self, record: RecordId, what: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.get(&record)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let aad = aad(record, what);
        let payload = Payload { msg: sealed, aad: &aad };
        XChaCha20Poly1305::new(key.into()).decrypt(&(*nonce).into(), payload).ok()
    }

    /// Whether a person has a key.
    #[must_use]
    pub fn has(&self, record: RecordId) -> bool {
        self.keys.contains_key(&record)
    }
}

fn aad(record: RecordId, what: &str) -> Vec<u8> {
    [b"outrider person 1\n", record.as_bytes().as_slice(), what.as_bytes()].concat()
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    with_mode(&mut options, OWNER_ONLY).open(path)
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn draw<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn invalid(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u8) -> RecordId {
        RecordId::from_bytes([n; 16])
    }

    #[test]
    fn a_person_keeps_the_key_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside_ledger(&folder.path().join("ledger"));
        assert!(PersonKeys::read(&path).unwrap().is_none());
        let first = PersonKeys::with(&path, &[person(1), person(2)]).unwrap();
        let sealed = first.seal(person(1), "content", b"Li Na").unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"Li Na"));
        let again = PersonKeys::with(&path, &[person(1), person(3)]).unwrap();
        assert_eq!((again.count(), again.name()), (3, first.name()));
        assert_eq!(again.open(person(1), "content", &sealed).unwrap(), b"Li Na");
        assert_eq!(again.open(person(2), "content", &sealed), None, "another person's");
        assert_eq!(again.open(person(1), "text", &sealed), None, "another value");
        let key = first.keys[&person(1)];
        PersonKeys::forget(&path, person(1)).unwrap();
        let rest = PersonKeys::read(&path).unwrap().unwrap();
        assert_eq!(rest.open(person(1), "content", &sealed), None);
        assert!(rest.has(person(2)) && rest.has(person(3)));
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(KEY_BYTES).any(|part| part == key), "it is overwritten");
        assert_eq!(PersonKeys::parse(&rest.to_bytes()).unwrap(), rest);
        assert_ne!(PersonKeys::with(&path, &[person(1)]).unwrap().keys[&person(1)], key);
    }

    #[test]
    fn a_slot_cut_short_was_never_used_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        PersonKeys::with(&path, &[person(1), person(2)]).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let again = PersonKeys::with(&path, &[person(3)]).unwrap();
        assert!(again.has(person(1)) && !again.has(person(2)) && again.has(person(3)));
        assert_eq!(PersonKeys::read(&path).unwrap().unwrap(), again);
        fs::write(&path, [b'x'; 100]).unwrap();
        assert_eq!(PersonKeys::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::write(&path, b"").unwrap();
        assert_eq!(PersonKeys::with(&path, &[]).unwrap().count(), 0);
        PersonKeys::forget(&folder.path().join("none"), person(1)).unwrap();
    }
}
