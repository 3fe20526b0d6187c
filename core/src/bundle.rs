//! A file for support: what this device is, what its doctor found, and the structure of what it holds,
//! with every word replaced.
//!
//! Nobody needs to be trusted with it: ids are mapped, letters replaced by others of their script and
//! width, digits by other digits, places, links and addresses made up ([`mask`]). What is left is the
//! shape: how many records, how long, who wrote beside whom, what waits on what. The simulator loads it
//! and syncs it (`outrider-sim replay`).
//!
//! The mapping is drawn anew for each file and kept nowhere: two files cannot be compared.
//!
//! [`mask`] replaces, [`structure`] says what the file holds, `collect` reads a replica.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use serde::Serialize;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

mod collect;

pub mod mask;
pub mod structure;

pub use structure::{MaskedEdit, MaskedRecord, MaskedTap, Structure};

/// Bytes of a bundle before it is packed, at most.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a log that go into a bundle, at most: its end.
pub const LOG_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Name of the part that holds the structure.
const STRUCTURE: &str = "structure.json";

/// Why a bundle cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be used.
    #[error("the bundle cannot be written or read: {0}")]
    File(#[from] io::Error),
    /// It is no bundle, or a damaged one.
    #[error("this is no bundle, or a damaged one: {0}")]
    Form(String),
}

/// One part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Name of the file within.
    pub name: &'static str,
    /// What it holds.
    pub bytes: usize,
    #[serde(skip)]
    content: Vec<u8>,
}

/// A bundle that was put together and not yet written.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Its parts.
    pub parts: Vec<Part>,
    /// Records that were left out, for it would have become too large.
    pub left_out: u64,
}

impl Bundle {
    fn add(&mut self, name: &'static str, content: Vec<u8>) {
        self.parts.push(Part { name, bytes: content.len(), content });
    }

    /// What a part says, for showing it before anything is written.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<&[u8]> {
        self.parts.iter().find(|part| part.name == name).map(|part| part.content.as_slice())
    }

    /// Writes it into a new file.
    ///
    /// # Errors
    ///
    /// Fails when there is such a file, or it cannot be written.
    pub fn write(&self, to: &Path) -> Result<(), BundleError> {
        let failed = |error: zip::result::ZipError| BundleError::File(io::Error::other(error));
        let mut zip = ZipWriter::new(File::create_new(to)?);
        for part in &self.parts {
            zip.start_file(part.name, SimpleFileOptions::default()).map_err(failed)?;
            zip.write_all(&part.content)?;
        }
        zip.finish().map_err(failed)?.sync_all()?;
        Ok(())
    }
}

impl Structure {
    /// Reads the structure out of a bundle.
    ///
    /// # Errors
    ///
    /// Fails when the file is no bundle, or larger than one may be.
    pub fn read(from: &Path) -> Result<Self, BundleError> {
        let form = |error: &dyn std::fmt::Display| BundleError::Form(error.to_string());
        let mut zip = ZipArchive::new(File::open(from)?).map_err(|error| form(&error))?;
        let part = zip.by_name(STRUCTURE).map_err(|error| form(&error))?;
        let mut bytes = Vec::new();
        part.take(BUNDLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(form(&"it is larger than a bundle may be"));
        }
        serde_json::from_slice(&bytes).map_err(|error| form(&error))
    }
}
