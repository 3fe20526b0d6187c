//! TLS: whom devices and browsers talk to, and that nobody listens.
//!
//! The certificate comes from files (`files`) or from an authority that the server makes for itself
//! (`authority`). An authority that the world does not know is told to devices when they are
//! enrolled (`pinned`): they trust it alone from then on. `renew` keeps certificates fresh.
//!
//! Plain HTTP is spoken on this machine's own addresses alone, or behind a proxy that speaks TLS.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::config::{Config, TlsMode};

mod authority;
mod files;
mod pinned;
mod renew;

pub use pinned::PinnedCa;
pub(crate) use renew::keep_fresh;

/// Why the server cannot be reached safely.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Everybody on the way could read along.
    #[error(
        "{0} is not an address of this machine alone, and without TLS everybody on the way reads \
         along; give --tls auto, or --tls-cert and --tls-key, or --behind-proxy if a proxy in front \
         speaks TLS"
    )]
    Plain(SocketAddr),
    /// A file of a certificate or a key cannot be used.
    #[error("cannot use {path}; name a file with PEM that this server may read")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// A name that no certificate can have.
    #[error("`{0}` is no name or address of a server; correct --tls-name")]
    Name(String),
    /// The certificate cannot be made.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// Certificate and key do not fit each other, or are of a kind that is not used.
    #[error("certificate and key do not work together; check --tls-cert and --tls-key")]
    Unfit(#[from] rustls::Error),
}

/// A server's certificates in use.
pub(crate) struct Tls {
    /// What connections are made with.
    pub(crate) rustls: RustlsConfig,
    /// What devices pin.
    pub(crate) ca: Option<Arc<PinnedCa>>,
    source: Source,
}

/// Where certificates come from.
enum Source {
    Files(files::Files),
    Own { authority: Box<authority::Authority>, names: Vec<String> },
}

/// Checks that nobody on the way can read along, and makes certificates ready.
///
/// # Errors
///
/// Returns [`TlsError`] when plain HTTP would leave this machine, or there is no good certificate.
pub(crate) fn prepare(config: &Config, address: SocketAddr) -> Result<Option<Tls>, TlsError> {
    let tls = &config.tls;
    let folder = &config.storage.data;
    if !tls.is_on() {
        if !address.ip().is_loopback() && !tls.behind_proxy {
            return Err(TlsError::Plain(address));
        }
        pinned::forget(folder)?;
        return Ok(None);
    }
    let (source, ca) = match (&tls.tls_cert, &tls.tls_key) {
        (Some(cert), Some(key)) => {
            let ca = tls.tls_ca.as_deref().map(PinnedCa::read).transpose()?;
            (Source::Files(files::Files::new(cert, key)), ca)
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => {
            debug_assert!(tls.tls == TlsMode::Auto);
            let authority = Box::new(authority::Authority::load_or_create(folder)?);
            let names = authority::names_for(config, address);
            let ca = PinnedCa::new(authority.der());
            (Source::Own { authority, names }, Some(ca))
        }
    };
    match &ca {
        Some(ca) => ca.keep(folder)?,
        None => pinned::forget(folder)?,
    }
    let rustls = RustlsConfig::from_config(source.load()?);
    Ok(Some(Tls { rustls, ca: ca.map(Arc::new), source }))
}

impl Source {
    /// A configuration with the certificate as it is now.
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = match self {
            Self::Files(files) => files.read()?,
            Self::Own { authority, names } => {
                authority.issue(names, std::time::SystemTime::now())?
            }
        };
        server_config(chain, key)
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    // Named, so that no other provider that some library brings is ever chosen.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
