//! A new database file takes the place of a torn one, which is kept under another name.
//!
//! Wherever the power fails, there is a database under its name: the old one, whose log was folded into
//! it, or the new one, which was synced.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    keys::sync_folder,
    points,
    replica::DATABASE_FILE,
    store::{StoreError, hold, journal},
    time::{TimestampMs, to_rfc3339},
};

/// What SQLite keeps beside a database.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Files of one time that are kept, at most.
const NAMES_MAX: u32 = 100;

/// The points at which a crash is tried: the copy is whole, the old file has its second name, the copy
/// has the old one's name.
pub type ReplacePoints = [&'static str; 3];

/// Why the new file did not take the place of the old one.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The database cannot be read or written, or others have it open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An old database file that is kept from others, and a draft of the new one.
#[derive(Debug)]
pub struct Replacement {
    old: Connection,
    path: PathBuf,
    draft: PathBuf,
}

impl Replacement {
    /// Holds the database in `folder`, which `old` opened, and makes room for the draft.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] when others have it open.
    pub fn begin(folder: &Path, old: Connection) -> Result<Self, ReplaceError> {
        let path = folder.join(DATABASE_FILE);
        hold::hold(&old, &path)?;
        // It is marked at the end, when the new one has its name.
        journal::keep_in_memory(&old).map_err(StoreError::from)?;
        let draft = folder.join(format!("{DATABASE_FILE}.salvage"));
        for end in BESIDE {
            let stale = beside(&draft, end);
            match fs::remove_file(&stale) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(ReplaceError::File { path: stale, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(Self { old, path, draft })
    }

    /// The old database.
    #[must_use]
    pub fn old(&self) -> &Connection {
        &self.old
    }

    /// Where the new one is written.
    #[must_use]
    pub fn draft(&self) -> &Path {
        &self.draft
    }

    /// The draft, which nobody has open, takes the place; returns where the old file lies.
    ///
    /// # Errors
    ///
    /// [`ReplaceError::File`] when a file cannot be written or named; the old one has its place then.
    pub fn finish(
        self,
        now_ms: TimestampMs,
        [drafted, linked, named]: ReplacePoints,
    ) -> Result<PathBuf, ReplaceError> {
        let Self { old, path, draft } = self;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ReplaceError::File { path, source }
        };
        // With a log beside it the file would not stand for itself.
        if let Some(end) = BESIDE.into_iter().skip(1).find(|end| beside(&draft, end).exists()) {
            let words = format!("{end} is left beside it");
            return Err(failed(&draft)(io::Error::other(words)));
        }
        File::open(&draft).and_then(|file| file.sync_all()).map_err(failed(&draft))?;
        points::reach(drafted);
        let kept_in = keep(&path, now_ms).map_err(failed(&path))?;
        points::reach(linked);
        fs::rename(&draft, &path).map_err(failed(&path))?;
        points::reach(named);
        let folder = path.parent().unwrap_or(Path::new("."));
        sync_folder(folder).map_err(failed(folder))?;
        // Who opened the old file meanwhile waits for it still, and sees the mark. The new one has its place
        // whether or not the disk takes that.
        let _ = hold::mark_replaced(&old);
        Ok(kept_in)
    }
}

/// Gives the file a second name, so that at no moment there is no database; returns it.
fn keep(path: &Path, now_ms: TimestampMs) -> io::Result<PathBuf> {
    let time = to_rfc3339(now_ms).replace([':', '.'], "");
    for number in 0..NAMES_MAX {
        let end = if number == 0 { String::new() } else { format!("-{number}") };
        let name = path.with_file_name(format!("{DATABASE_FILE}.torn-{time}{end}"));
        let kept = match fs::hard_link(path, &name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // Not every system has links. One that was made before is never written to.
                File::create_new(&name).and_then(|mut kept| {
                    io::copy(&mut File::open(path)?, &mut kept)?;
                    kept.sync_all()
                })
            }
            linked => linked,
        };
        match kept {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            kept => return kept.map(|()| name),
        }
    }
    Err(io::Error::other("too many copies of this minute lie beside it; move them away"))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
