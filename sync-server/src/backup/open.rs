//! Reading a backup: every byte is checked before anything is believed.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write as _},
    path::Path,
};

use age::{DecryptError, Decryptor};
use outrider_core::ids::to_hex;
use sha2::{Digest as _, Sha256};

use super::{
    BackupError, FORMAT, Identities, Progress, failed,
    manifest::{Manifest, Sealed, beside},
    seal::{MAGIC, PIECE_BYTES, hash, pump},
};
use crate::{durable::begin_new_private, storage::sqlite::DATABASE_FILE};

/// Bytes of a manifest, at most.
const MANIFEST_BYTES_MAX: u32 = 64 * 1024;
/// The window that a zstd frame may ask for: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Compares a backup with what lies beside it, for which no key is needed; `None` if nothing does.
///
/// # Errors
///
/// [`BackupError::Damaged`] for another file than was written.
pub fn check_file(path: &Path, progress: &mut Progress<'_>) -> Result<Option<Sealed>, BackupError> {
    let known = beside(path);
    let text = match fs::read(&known) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&known)(error)),
    };
    let sealed: Sealed = serde_json::from_slice(&text)
        .map_err(|_| BackupError::Damaged(format!("{} cannot be read", known.display())))?;
    let (bytes, sha256) = hash(path, progress)?;
    if bytes != sealed.file_bytes {
        let words = format!("it has {bytes} bytes of {}", sealed.file_bytes);
        return Err(BackupError::Damaged(words));
    }
    if to_hex(&sha256) != sealed.file_sha256 {
        return Err(BackupError::Damaged("its SHA-256 is not the one beside it".to_owned()));
    }
    Ok(Some(sealed))
}

/// Decrypts a backup and writes its database into `folder`.
///
/// # Errors
///
/// [`BackupError`] for a key that does not fit and for bytes that are not those that were written;
/// what is in the folder then is of no use.
pub fn open_into(
    path: &Path,
    identities: &Identities,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<Manifest, BackupError> {
    check_file(path, progress)?;
    let file = File::open(path).map_err(failed(path))?;
    let reader = BufReader::with_capacity(PIECE_BYTES, file);
    let decryptor = Decryptor::new_buffered(reader).map_err(refused)?;
    let mut opened = decryptor.decrypt(identities.all()).map_err(refused)?;
    let manifest = read_manifest(&mut opened)?;
    let copy = folder.join(DATABASE_FILE);
    let sha256 = unpack(opened, &copy, manifest.database_bytes, progress)?;
    if to_hex(&sha256) != manifest.database_sha256 {
        return Err(damaged("the database's SHA-256 is another one"));
    }
    Ok(manifest)
}

fn read_manifest(from: &mut impl Read) -> Result<Manifest, BackupError> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic).map_err(broken)?;
    if magic != *MAGIC {
        return Err(damaged("it is no backup of this server"));
    }
    let mut length = [0; 4];
    from.read_exact(&mut length).map_err(broken)?;
    let length = u32::from_be_bytes(length);
    if length > MANIFEST_BYTES_MAX {
        return Err(damaged("its description is too long"));
    }
    let mut json = Vec::new();
    from.take(length.into()).read_to_end(&mut json).map_err(broken)?;
    let format = serde_json::from_slice::<serde_json::Value>(&json)
        .ok()
        .and_then(|json| json.get("format")?.as_u64());
    match format {
        Some(format) if format > FORMAT.into() => {
            Err(BackupError::TooNew(u32::try_from(format).unwrap_or(u32::MAX)))
        }
        Some(_) | None => {
            serde_json::from_slice(&json).map_err(|_| damaged("its description cannot be read"))
        }
    }
}

/// Unpacks the database; exactly as many bytes as there should be.
fn unpack(
    from: impl Read,
    copy: &Path,
    bytes: u64,
    progress: &mut Progress<'_>,
) -> Result<[u8; 32], BackupError> {
    let failed = failed(copy);
    let file = begin_new_private(copy).map_err(&failed)?;
    let file = BufWriter::with_capacity(PIECE_BYTES, file);
    let mut unpacked = zstd::Decoder::new(from).map_err(broken)?;
    unpacked.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
    let mut to = Both { file, hash: Sha256::new(), failure: None };
    let copied = pump((&mut unpacked).take(bytes), &mut to, "decrypting", bytes, progress);
    if let Some(failure) = to.failure.take() {
        return Err(failed(failure));
    }
    let length = copied.map_err(broken)?;
    // To the very end: only there age says whether the file was cut short.
    let mut rest = [0; 1];
    if length != bytes || unpacked.read(&mut rest).map_err(broken)? != 0 {
        return Err(damaged("the database has another length"));
    }
    to.file.flush().and_then(|()| to.file.get_ref().sync_all()).map_err(&failed)?;
    Ok(to.hash.finalize().into())
}

/// Writes and hashes; remembers whether it was the writing that failed.
struct Both {
    file: BufWriter<File>,
    hash: Sha256,
    failure: Option<io::Error>,
}

impl io::Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.hash.update(bytes);
                Ok(bytes.len())
            }
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn damaged(words: &str) -> BackupError {
    BackupError::Damaged(words.to_owned())
}

fn broken(error: io::Error) -> BackupError {
    BackupError::Damaged(error.to_string())
}

pub(super) fn refused(error: DecryptError) -> BackupError {
    if matches!(error, DecryptError::NoMatchingKeys) {
        BackupError::WrongKey
    } else {
        BackupError::Damaged(error.to_string())
    }
}
