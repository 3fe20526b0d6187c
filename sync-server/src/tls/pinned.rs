//! The authority that devices are told to trust, and nobody else.
//!
//! It lies in the data folder while it is in use, so that a code that is made beside the running
//! server names it too. It is no secret: who has its fingerprint can tell it from any other.

use std::{fs, io, path::Path};

use outrider_core::ids::to_hex;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};

use super::TlsError;

/// Where the authority's certificate lies in the data folder.
const PINNED_FILE: &str = "pinned-ca.der";
/// Bytes of a certificate, at most.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// The certificate of an authority that devices pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedCa {
    der: Vec<u8>,
}

impl PinnedCa {
    pub(super) fn new(der: &CertificateDer<'_>) -> Self {
        Self { der: der.to_vec() }
    }

    /// Reads it from a file that people name.
    pub(super) fn read(path: &Path) -> Result<Self, TlsError> {
        let wrong = |source| TlsError::File { path: path.to_owned(), source };
        let der = CertificateDer::from_pem_file(path)
            .map_err(|error| wrong(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, "it is too large")));
        }
        Ok(Self::new(&der))
    }

    /// The one that a server with this data folder told devices last.
    ///
    /// # Errors
    ///
    /// Fails when the file is there and cannot be read.
    pub fn of_data(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(PINNED_FILE)) {
            Ok(der) => Ok(Some(Self { der })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes it in the data folder.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), TlsError> {
        let path = folder.join(PINNED_FILE);
        let draft = path.with_extension("part");
        fs::write(&draft, &self.der)
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|source| TlsError::File { path, source })
    }

    /// Its bytes (DER).
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SHA-256, in hexadecimal: what people compare and codes carry.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        to_hex(&Sha256::digest(&self.der))
    }
}

/// Notes in the data folder that there is none.
pub(super) fn forget(folder: &Path) -> Result<(), TlsError> {
    let path = folder.join(PINNED_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| TlsError::File { path, source }),
    }
}
