//! The whole store as one file, for support: what happened on a phone is looked at elsewhere.
//!
//! ```text
//! outrider-store 1\n
//! {"database_bytes": …, "sha256": …, …}\n
//! the database, compressed (zstd)
//! ```
//!
//! The file holds everything that the device holds, so it is as confidential as the device. What
//! it does not hold is what makes the device itself: the token of the enrolment, the private key,
//! the instance. Where it is imported there is a copy: it writes under actors that never wrote, and
//! is enrolled with nobody. What waited, waits there too; both may send it, if both are enrolled,
//! and then it counts twice.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{DATABASE_FILE, INSTANCE_FILE, KEY_FILE, Options, Replica, ReplicaError};
use crate::{
    ids::to_hex,
    keys::{make_private_folder, private},
    store::{
        StoreError,
        copy::{self, Holding},
    },
    time::TimestampMs,
};

/// What such a file begins with.
const MARK: &[u8] = b"outrider-store 1\n";
/// Bytes of the line that says what follows, at most.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024;
/// Bytes of a database that is imported, at most.
pub const COPY_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// How hard to compress: more takes longer than the disk.
const LEVEL: i32 = 3;

/// Why a copy cannot be written or taken.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file is there.
    #[error("{0} exists already; name another file")]
    Exists(PathBuf),
    /// The folder holds a replica, or a part of one.
    #[error("there is a replica in {0} already; name an empty folder")]
    Used(PathBuf),
    /// The file would be plain, and the store is not.
    #[error(
        "{0} would not be encrypted, as this store is: whoever has the file can read everything in it; \
         ask for a plain file by name if that is what you want"
    )]
    Plain(PathBuf),
    /// The file is none of these.
    #[error("{0} is no copy of a store, or of a newer app")]
    NotACopy(PathBuf),
    /// The file is not what was written.
    #[error("{path} is damaged ({cause}); nothing was imported. Copy the file again")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What a copy says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The app that wrote it.
    pub app: String,
    /// Version of its entities.
    pub schema_version: u32,
    /// When it was written, by the device's clock.
    pub written_at: TimestampMs,
    /// What it holds.
    #[serde(flatten)]
    pub holding: Holding,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// Whether the store that it is of was encrypted; the file is not.
    #[serde(default)]
    pub was_encrypted: bool,
}

impl Replica {
    /// Writes the whole store into a new file; others may write meanwhile.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] if there is such a file, the store is encrypted, or the disk or the
    /// store fails; no file is left then.
    pub fn export_store(&mut self, to: &Path) -> Result<Manifest, ReplicaError> {
        if self.store.is_sealed() {
            return Err(CopyError::Plain(to.to_owned()).into());
        }
        self.export_store_plain(to)
    }

    /// As [`Self::export_store`], of an encrypted store too: the file is not encrypted.
    ///
    /// # Errors
    ///
    /// As [`Self::export_store`].
    pub fn export_store_plain(&mut self, to: &Path) -> Result<Manifest, ReplicaError> {
        if to.exists() {
            return Err(CopyError::Exists(to.to_owned()).into());
        }
        let name = to_hex(&self.rng.random::<[u8; 8]>());
        let file_error = |path: &Path| {
            let path = path.to_owned();
            move |source| CopyError::File { path, source }
        };
        // What SQLite leaves beside a file that it could not write goes with the folder: a journal has
        // in it what was to be deleted from the copy.
        let folder = DraftFolder::beside(to, &[".", &name, ".part"].concat());
        make_private_folder(&folder.0).map_err(file_error(&folder.0))?;
        let database = folder.0.join("store.db");
        // SQLite writes into a file that is there and empty, whoever may read it.
        private().create_new(true).open(&database).map_err(file_error(&database))?;
        self.check_lease()?;
        let holding = copy::write(&self.store, &database)?;
        let (sha256, database_bytes) = digest(&database).map_err(file_error(&database))?;
        let manifest = Manifest {
            app: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: self.schema.version,
            written_at: self.clock.now_ms(),
            holding,
            database_bytes,
            sha256,
            was_encrypted: self.store.is_sealed(),
        };
        let draft = folder.0.join("store");
        compress(&database, &draft, &manifest).map_err(file_error(&draft))?;
        // A link refuses to take the place of a file that came meanwhile.
        match fs::hard_link(&draft, to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(CopyError::Exists(to.to_owned()).into())
            }
            Err(source) => Err(CopyError::File { path: to.to_owned(), source }.into()),
            Ok(()) => Ok(manifest),
        }
    }

    /// Makes a replica in the empty folder `home` from what [`Self::export_store`] wrote, and opens
    /// it: a copy, enrolled with nobody.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] if there is a replica in the folder, or the file is damaged or of a
    /// newer app; nothing is left in the folder then.
    pub fn import_store(
        from: &Path,
        home: &Path,
        options: Options,
    ) -> Result<(Self, Manifest), ReplicaError> {
        let used = || CopyError::Used(home.to_owned());
        let names = [DATABASE_FILE, INSTANCE_FILE, KEY_FILE];
        if names.iter().any(|name| home.join(name).exists()) {
            return Err(used().into());
        }
        let at_home = |source| CopyError::File { path: home.to_owned(), source };
        let made = (!home.exists()).then(|| MadeFolder(home.to_owned()));
        fs::create_dir_all(home).map_err(at_home)?;
        let folder = DraftFolder::beside(&home.join(DATABASE_FILE), ".part");
        make_private_folder(&folder.0).map_err(at_home)?;
        let draft = folder.0.join(DATABASE_FILE);
        let manifest = decompress(from, &draft)?;
        let holding = copy::check(&draft).map_err(|error| {
            // A disk that fails here says nothing of the file.
            if error.is_damage() || matches!(error, StoreError::Foreign(_)) {
                damaged(from, error).into()
            } else {
                ReplicaError::from(error)
            }
        })?;
        if holding != manifest.holding {
            return Err(damaged(from, "it holds something else than it says").into());
        }
        match fs::hard_link(&draft, home.join(DATABASE_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(used().into());
            }
            linked => linked.map_err(at_home)?,
        }
        drop(folder);
        if let Some(made) = made {
            made.keep();
        }
        Ok((Self::open(home, options)?, manifest))
    }
}

/// A folder that is gone when this is, with all that is in it.
struct DraftFolder(PathBuf);

impl DraftFolder {
    fn beside(path: &Path, suffix: &str) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        Self(path.with_file_name(name))
    }
}

impl Drop for DraftFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A folder that goes again if it stays empty.
struct MadeFolder(PathBuf);

impl MadeFolder {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_dir(&self.0);
        }
    }
}

fn digest(path: &Path) -> io::Result<(String, u64)> {
    let mut hash = Hashing { inner: io::sink(), hash: Sha256::new(), bytes: 0 };
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok((to_hex(&hash.hash.finalize()), hash.bytes))
}

fn compress(database: &Path, to: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut file = BufWriter::new(private().create_new(true).open(to)?);
    file.write_all(MARK)?;
    serde_json::to_writer(&mut file, manifest)?;
    file.write_all(b"\n")?;
    let mut stream = zstd::stream::write::Encoder::new(file, LEVEL)?;
    stream.include_checksum(true)?;
    io::copy(&mut File::open(database)?, &mut stream)?;
    let file = stream.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

fn decompress(from: &Path, to: &Path) -> Result<Manifest, CopyError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::File { path, source }
    };
    let not_a_copy = || CopyError::NotACopy(from.to_owned());
    let mut file = BufReader::new(File::open(from).map_err(at(from))?);
    let mut mark = vec![0; MARK.len()];
    if file.read_exact(&mut mark).is_err() || mark != MARK {
        return Err(not_a_copy());
    }
    let mut line = Vec::new();
    file.by_ref().take(MANIFEST_BYTES_MAX).read_until(b'\n', &mut line).map_err(at(from))?;
    let manifest: Manifest = serde_json::from_slice(&line).map_err(|error| damaged(from, error))?;
    if manifest.database_bytes > COPY_BYTES_MAX {
        return Err(damaged(from, "it says to hold more than may be"));
    }
    let target = private().create_new(true).open(to).map_err(at(to))?;
    let mut target = Hashing { inner: BufWriter::new(target), hash: Sha256::new(), bytes: 0 };
    let stream = zstd::stream::read::Decoder::with_buffer(file).map_err(at(from))?;
    // One byte more than it should be tells that it is more.
    let mut stream = stream.take(manifest.database_bytes + 1);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).map_err(|error| damaged(from, error))?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else { break };
        target.write_all(piece).map_err(at(to))?;
    }
    let is_whole = target.bytes == manifest.database_bytes;
    if !is_whole || to_hex(&target.hash.finalize()) != manifest.sha256 {
        return Err(damaged(from, "its content is not what was written"));
    }
    let target =
        target.inner.into_inner().map_err(io::IntoInnerError::into_error).map_err(at(to))?;
    target.sync_all().map_err(at(to))?;
    Ok(manifest)
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> CopyError {
    CopyError::Damaged { path: path.to_owned(), cause: cause.to_string() }
}

/// Hashes and counts what is written.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
