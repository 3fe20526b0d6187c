//! A file that is there whole or not at all: written beside its place, synced, then renamed.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file that is being written.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    draft: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl WholeFile {
    /// Begins a file beside its place.
    /// # Errors
    ///
    /// Fails when the folder cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let draft = path.with_file_name(name);
        let file = Some(BufWriter::new(File::create(&draft)?));
        Ok(Self { path: path.to_owned(), draft, file, bytes: 0 })
    }

    /// Puts the file into its place; returns its bytes. What came there meanwhile stays, unless
    /// it may be written over.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] when something is there that may not be written over.
    pub fn keep(mut self, may_replace: bool) -> io::Result<u64> {
        let Some(file) = self.file.take() else { return Ok(0) };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        if may_replace {
            fs::rename(&self.draft, &self.path)?;
        } else {
            // A link fails where a file is; where there are no links, the look before has to do.
            match fs::hard_link(&self.draft, &self.path) {
                Ok(()) => fs::remove_file(&self.draft)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) => fs::rename(&self.draft, &self.path)?,
            }
        }
        Ok(self.bytes)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotConnected.into()) };
        let count = file.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // Gone already if the file is in its place.
        let _ = fs::remove_file(&self.draft);
    }
}
