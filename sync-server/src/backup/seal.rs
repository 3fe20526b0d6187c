//! Making a backup: copy, hash, compress, encrypt, and only then a name.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use age::{Encryptor, x25519::Recipient};
use outrider_core::{
    ids::{RecordId, to_hex},
    points,
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{
    BackupError, Progress, failed,
    manifest::{Manifest, Sealed, beside},
    persons,
};
use crate::{
    durable::{begin_private, sync_folder_of},
    ledger::LEDGER_FILE,
    office::PERSONS,
    person_keys::{self, PersonKeys},
    storage::sqlite::{
        DATABASE_FILE,
        persons::{persons_in, seal_persons},
        snapshot::{self, take_snapshot},
    },
};

/// What the decrypted bytes begin with; the manifest's length follows as four bytes, the highest
/// first, then the manifest, then the database in one zstd frame.
pub(super) const MAGIC: &[u8; 18] = b"OUTRIDER BACKUP 1\n";
/// Fast, and most of what a higher level would save.
const ZSTD_LEVEL: i32 = 3;
/// Bytes that are read at once.
pub(super) const PIECE_BYTES: usize = 256 * 1024;
/// What the names of folders begin with in which a copy lies while it is worked on.
pub(super) const WORK_PREFIX: &str = ".backup-";

/// What to make a backup of, and where to.
#[derive(Debug, Clone, Copy)]
pub struct BackupOrder<'a> {
    /// The data folder; a server may be using it.
    pub data: &'a Path,
    /// The folder of backups; created when it is not there.
    pub to: &'a Path,
    /// To whom it is encrypted: each of their private keys opens it.
    pub recipients: &'a [Recipient],
    /// The ledger, if it lies elsewhere than in the data folder: beside it lie the persons' keys.
    pub ledger: Option<&'a Path>,
    /// Days after which copies of the persons' keys are removed from the folder of backups.
    pub person_keys_days: u32,
    /// Name of the tenant; empty for the only one.
    pub tenant: &'a str,
    /// The time now.
    pub now_ms: TimestampMs,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its file.
    pub path: PathBuf,
    /// What is known of it.
    pub sealed: Sealed,
    /// The copy of the persons' keys beside it.
    pub person_keys: PathBuf,
    /// Older copies that were removed.
    pub expired: u64,
}

/// Makes a backup. The file gets its name when all of it is on disk.
///
/// # Errors
///
/// [`BackupError`]; then there is no backup, and none that looks like one.
pub fn create(
    order: &BackupOrder<'_>,
    progress: &mut Progress<'_>,
) -> Result<Created, BackupError> {
    if order.recipients.is_empty() {
        return Err(BackupError::NoRecipient);
    }
    fs::create_dir_all(order.to).map_err(failed(order.to))?;
    // In the data folder, which only its owner may read: the copy is not encrypted yet.
    let work = work_folder(order.data)?;
    let copy = work.path().join(DATABASE_FILE);
    progress("copying", 0, 1);
    let snapshot = take_snapshot(order.data, &copy)?;
    progress("copying", 1, 1);
    points::reach("server.backup.copied");
    let persons = persons_in(&copy, PERSONS)?;
    let keys = keys_of(order, &persons)?;
    seal_persons(&copy, &persons, &keys, &mut |done, total| progress("sealing", done, total))?;
    points::reach("server.backup.sealed");
    let keys = forget_erased(order, keys)?;
    let hashed = hash(&copy, progress)?;
    let sealed = (persons.len() as u64, &keys);
    let manifest = Manifest::new(order.tenant, &snapshot, order.now_ms, sealed, hashed);
    let path = order.to.join(manifest.file_name());
    if path.exists() {
        return Err(BackupError::Exists { path: path.display().to_string() });
    }
    // Before the backup has its name: one without keys would be no backup.
    let person_keys = persons::write_copy(&keys, &manifest, order.to, order.recipients)?;
    points::reach("server.backup.keys_copied");
    let draft = order.to.join(format!(".{}.part", manifest.file_name()));
    let tenant = manifest.tenant_name().to_owned();
    let sealed = seal(&copy, &draft, manifest, order.recipients, progress);
    points::reach("server.backup.written");
    let written = sealed.and_then(|sealed| name(&draft, &path, &sealed).map(|()| sealed));
    match written {
        Ok(sealed) => {
            let expired = persons::expire(order.to, &tenant, order.person_keys_days, order.now_ms)?;
            Ok(Created { path, sealed, person_keys, expired })
        }
        Err(error) => {
            let _ = fs::remove_file(&draft);
            Err(error)
        }
    }
}

/// The keys of all persons in the copy; who had none before gets one.
fn keys_of(order: &BackupOrder<'_>, persons: &[RecordId]) -> Result<PersonKeys, BackupError> {
    let path = keys_file(order);
    PersonKeys::with(&path, persons).map_err(failed(&path))
}

fn keys_file(order: &BackupOrder<'_>) -> PathBuf {
    let ledger = order.ledger.map_or_else(|| order.data.join(LEDGER_FILE), Path::to_owned);
    person_keys::beside_ledger(&ledger)
}

/// The keys without those of persons who were erased meanwhile, or whose erasure ended before it
/// reached the file of keys.
fn forget_erased(order: &BackupOrder<'_>, keys: PersonKeys) -> Result<PersonKeys, BackupError> {
    let path = keys_file(order);
    let erased = snapshot::erased(order.data)?;
    for record in erased.iter().filter(|record| keys.has(**record)) {
        PersonKeys::forget(&path, *record).map_err(failed(&path))?;
    }
    Ok(keys.without(&erased))
}

/// A folder within the data folder that goes when it is dropped; takes away what a process that
/// was killed left.
pub(super) fn work_folder(data: &Path) -> Result<TempDir, BackupError> {
    const LEFT_FOR_S: u64 = 24 * 60 * 60;
    let failed = failed(data);
    for entry in fs::read_dir(data).map_err(&failed)?.flatten() {
        let is_work = entry.file_name().to_string_lossy().starts_with(WORK_PREFIX);
        let age = entry.metadata().and_then(|known| known.modified()).map(|at| at.elapsed());
        if is_work && matches!(age, Ok(Ok(age)) if age.as_secs() > LEFT_FOR_S) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    // Its owner alone may enter it.
    tempfile::Builder::new().prefix(WORK_PREFIX).tempdir_in(data).map_err(failed)
}

/// Length and SHA-256 of a file.
pub(super) fn hash(
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<(u64, [u8; 32]), BackupError> {
    let failed = failed(path);
    let file = File::open(path).map_err(&failed)?;
    let total = file.metadata().map_err(&failed)?.len();
    let mut hashing = Hashing::around(io::sink());
    pump(file, &mut hashing, "hashing", total, progress).map_err(&failed)?;
    Ok((hashing.length, hashing.hash.finalize().into()))
}

/// Copies in pieces, telling how far it is.
pub(super) fn pump(
    mut from: impl Read,
    to: &mut impl Write,
    what: &'static str,
    total: u64,
    progress: &mut Progress<'_>,
) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut done = 0;
    loop {
        progress(what, done, total);
        let length = match from.read(&mut piece) {
            Ok(0) => return Ok(done),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(piece.get(..length).unwrap_or_default())?;
        done += length as u64;
    }
}

/// Passes on what is written, and hashes it.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    length: u64,
}

impl<W> Hashing<W> {
    fn around(to: W) -> Self {
        Self { to, hash: Sha256::new(), length: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.hash.update(bytes.get(..length).unwrap_or_default());
        self.length += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn seal(
    copy: &Path,
    draft: &Path,
    manifest: Manifest,
    recipients: &[Recipient],
    progress: &mut Progress<'_>,
) -> Result<Sealed, BackupError> {
    let failed = failed(draft);
    let file = begin_private(draft).map_err(&failed)?;
    let file = BufWriter::with_capacity(PIECE_BYTES, file);
    let mut out = Hashing::around(file);
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as _))
        .map_err(|error| failed(io::Error::other(error)))?;
    let json = serde_json::to_vec(&manifest).expect("numbers and names are always JSON");
    let write = |out: &mut Hashing<BufWriter<File>>| -> io::Result<()> {
        let mut sealed = encryptor.wrap_output(out)?;
        sealed.write_all(MAGIC)?;
        sealed.write_all(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_be_bytes())?;
        sealed.write_all(&json)?;
        let mut packed = zstd::Encoder::new(sealed, ZSTD_LEVEL)?;
        let from = BufReader::with_capacity(PIECE_BYTES, File::open(copy)?);
        pump(from, &mut packed, "encrypting", manifest.database_bytes, progress)?;
        packed.finish()?.finish()?;
        Ok(())
    };
    write(&mut out).map_err(&failed)?;
    out.flush().and_then(|()| out.to.get_ref().sync_all()).map_err(&failed)?;
    Ok(Sealed { manifest, file_bytes: out.length, file_sha256: to_hex(&out.hash.finalize()) })
}

/// Gives the file its name, after what lies beside it has its own.
fn name(draft: &Path, path: &Path, sealed: &Sealed) -> Result<(), BackupError> {
    let known = beside(path);
    let failed = failed(&known);
    let text = serde_json::to_string_pretty(sealed).expect("numbers and names are always JSON");
    let mut file = File::create(&known).map_err(&failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(&failed)?;
    points::reach("server.backup.described");
    fs::rename(draft, path).and_then(|()| sync_folder_of(path)).map_err(&failed)?;
    points::reach("server.backup.named");
    Ok(())
}
