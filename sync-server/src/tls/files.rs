//! A certificate that somebody else gave, in files.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};

use super::TlsError;

/// The chain of a certificate, and its key.
pub(super) type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Where certificate and key are.
#[derive(Debug, Clone)]
pub(super) struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    pub(super) fn new(cert: &Path, key: &Path) -> Self {
        Self { cert: cert.to_owned(), key: key.to_owned() }
    }

    /// Reads both.
    pub(super) fn read(&self) -> Result<Chain, TlsError> {
        let wrong = |path: &Path, error: pem::Error| {
            let source = if let pem::Error::Io(error) = error {
                error
            } else {
                io::Error::new(io::ErrorKind::InvalidData, error)
            };
            TlsError::File { path: path.to_owned(), source }
        };
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(&self.cert, error))?;
        if chain.is_empty() {
            return Err(wrong(&self.cert, pem::Error::NoItemsFound));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| wrong(&self.key, error))?;
        Ok((chain, key))
    }

    /// What tells that one of them is another one: when they were written, and how long they are.
    pub(super) fn marks(&self) -> Vec<Option<(std::time::SystemTime, u64)>> {
        let mark = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        [&self.cert, &self.key].into_iter().map(mark).collect()
    }
}
