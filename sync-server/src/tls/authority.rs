//! A certificate authority for one server, in its data folder.
//!
//! Its key is the one secret that is kept. Certificates of the server are made of it at each start and
//! before they end, and lie nowhere: they last a season, the authority as long as the server.
//! Its name has a part of its key, so that two authorities are never taken for each other.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use outrider_core::ids::to_hex;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};

use super::{TlsError, files::Chain};
use crate::{
    config::Config,
    durable::{OWNER_ONLY, read_or_create},
};

/// Folder of the authority within the data folder.
const FOLDER: &str = "tls";
/// Its certificate.
const CERTIFICATE_FILE: &str = "ca.pem";
/// Its key, readable by its owner alone.
const KEY_FILE: &str = "ca.key";
/// The mode of what everybody may read.
const FOR_ALL: u32 = 0o644;
/// From when and until when the authority is good: no clock decides.
const YEARS: (i32, i32) = (2025, 2065);
/// How long a certificate of the server is good.
pub(super) const CERTIFICATE_DURATION: Duration = Duration::from_secs(90 * 86_400);
/// How far the clock of a device may be behind.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(7 * 86_400);

/// The authority of this server.
pub(super) struct Authority {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Reads the authority of a data folder, or makes one there.
    pub(super) fn load_or_create(data: &Path) -> Result<Self, TlsError> {
        let folder = data.join(FOLDER);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { path, source }
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(at(&folder))?;

        // The key first: a certificate that is missing is made of it again.
        let path = folder.join(KEY_FILE);
        let make = || Ok(KeyPair::generate()?.serialize_pem());
        let pem = read_or_create(&path, OWNER_ONLY, make, at(&path))?;
        let key = KeyPair::from_pem(&pem)?;
        let path = folder.join(CERTIFICATE_FILE);
        let make = || Ok(params_of(&key).self_signed(&key)?.pem());
        let pem = read_or_create(&path, FOR_ALL, make, at(&path))?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| at(&path)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok(Self { key, certificate })
    }

    /// Its certificate.
    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A certificate for the server under these names, with a key of its own.
    pub(super) fn issue(&self, names: &[String], now: SystemTime) -> Result<Chain, TlsError> {
        let wrong = |_| TlsError::Name(names.join(", "));
        let mut params = CertificateParams::new(names).map_err(wrong)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Outrider server");
        params.not_before = (now - CLOCKS_DIFFER_MAX).into();
        params.not_after = (now + CERTIFICATE_DURATION).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(params_of(&self.key), &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key))
    }
}

/// What the authority's certificate says: it follows from the key alone.
fn params_of(key: &KeyPair) -> CertificateParams {
    let digest = to_hex(&Sha256::digest(key.public_key_raw()));
    let name = ["Outrider authority ", digest.get(..16).unwrap_or(&digest)].concat();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(YEARS.0, 1, 1);
    params.not_after = date_time_ymd(YEARS.1, 1, 1);
    params
}

/// The names that devices and browsers may reach the server by.
pub(super) fn names_for(config: &Config, address: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names.extend(config.network.public_url.as_deref().and_then(host_of));
    names.extend(config.tls.tls_names.iter().map(|name| name.trim().to_owned()));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.to_lowercase()));
    if names.len() == 3 && address.ip().is_unspecified() {
        tracing::warn!(
            "the certificate is good on this machine alone; name the server with --tls-name"
        );
    }
    names
}

/// The host of an address on the web.
fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    if let Some(bracketed) = rest.strip_prefix('[') {
        return bracketed.split(']').next().map(str::to_owned);
    }
    rest.split([':', '/']).next().filter(|host| !host.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_stays_who_it_is_and_differs_from_others() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = Authority::load_or_create(one.path()).unwrap();
        let again = Authority::load_or_create(one.path()).unwrap();
        let other = Authority::load_or_create(two.path()).unwrap();
        assert_eq!(made.der(), again.der());
        assert_ne!(
            params_of(&made.key).distinguished_name,
            params_of(&other.key).distinguished_name
        );
        // A certificate that is lost is made of the key again, and devices still trust it.
        fs::remove_file(one.path().join(FOLDER).join(CERTIFICATE_FILE)).unwrap();
        let remade = Authority::load_or_create(one.path()).unwrap();
        assert_eq!(made.key.public_key_raw(), remade.key.public_key_raw());
        fs::write(two.path().join(FOLDER).join(KEY_FILE), "no key").unwrap();
        assert!(Authority::load_or_create(two.path()).is_err());
    }

    #[test]
    fn names_are_those_by_which_the_server_is_reached() {
        let names = |flags: &[&str], address: &str| {
            let config = Config::from_flags(flags.iter().copied()).unwrap();
            names_for(&config, address.parse().unwrap())[3..].join(" ")
        };
        assert_eq!(names(&[], "127.0.0.1:80"), "");
        assert_eq!(names(&[], "192.0.2.1:80"), "192.0.2.1");
        let flags = ["--tls-name", "Crm.test,192.0.2.7", "--tls-name", "crm.test"];
        assert_eq!(names(&flags, "0.0.0.0:80"), "Crm.test 192.0.2.7");
        for (url, host) in [
            ("https://crm.test:8443", "crm.test"),
            ("https://[2001:db8::1]:8443", "2001:db8::1"),
            ("https://192.0.2.9", "192.0.2.9"),
        ] {
            assert_eq!(names(&["--public-url", url], "0.0.0.0:80"), host);
        }
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(folder.path()).unwrap();
        let many: Vec<String> =
            ["a.test", "2001:db8::1", "xn--fiq228c.test"].map(String::from).into();
        assert_eq!(authority.issue(&many, SystemTime::now()).unwrap().0.len(), 2);
        let wrong = authority.issue(&["中文.test".to_owned()], SystemTime::now());
        assert!(matches!(wrong, Err(TlsError::Name(_))));
    }
}
