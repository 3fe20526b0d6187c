//! Whom this device believes to be its server.
//!
//! With an authority from enrolment nothing else counts, not the certificates that everybody knows
//! either. At first contact there is only its fingerprint, which came by another way: the authority's
//! certificate is fetched from whoever answers, and believed if it has that fingerprint. Nothing
//! secret is said before.

use std::net::IpAddr;

use outrider_core::ids::to_hex;
use rustls::CertificateError;
use sha2::{Digest as _, Sha256};
use ureq::{
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::Server;
use crate::error::CliError;

/// Bytes of an authority's certificate, at most.
const AUTHORITY_BYTES_MAX: u64 = 16 * 1024;

/// Who may say who the server is.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// The authorities that everybody knows.
    Public,
    /// This one alone (DER).
    Only(Vec<u8>),
    /// Whoever answers: for what is checked in another way, and never with a secret.
    Unproven,
}

impl Trust {
    /// What an enrolment says, or what waits to be one: the authority that it keeps.
    pub(crate) fn of(ca: Option<&str>) -> Result<Self, CliError> {
        let Some(ca) = ca else { return Ok(Self::Public) };
        bytes_of(ca).map(Self::Only).ok_or_else(|| {
            CliError::Usage(
                "the stored authority of the server cannot be read; enroll again with \
                 `outrider enroll --again URL CODE --ca-fingerprint FINGERPRINT`"
                    .to_owned(),
            )
        })
    }

    /// Fetches the authority of the server at `url` and compares its fingerprint.
    pub(crate) fn learn(url: &str, fingerprint: &str) -> Result<Self, CliError> {
        let expected: String =
            fingerprint.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
        if expected.len() != 64 {
            return Err(CliError::Usage(
                "a fingerprint has 64 digits, 0 to 9 and a to f; copy it from beside the code"
                    .to_owned(),
            ));
        }
        let server = Server::new(url, None, &Self::Unproven)?;
        let response = server.accepted(server.get("/v1/ca")?)?;
        let body = response.into_body().into_with_config().limit(AUTHORITY_BYTES_MAX).read_to_vec();
        let der = body.map_err(|error| server.failed(&error))?;
        let found = to_hex(&Sha256::digest(&der));
        if found != expected {
            return Err(CliError::Fingerprint { url: server.url().to_owned(), found, expected });
        }
        Ok(Self::Only(der))
    }

    /// The authority as an enrolment keeps it.
    pub(crate) fn to_kept(&self) -> Option<String> {
        match self {
            Self::Only(der) => Some(to_hex(der)),
            Self::Public | Self::Unproven => None,
        }
    }

    pub(super) fn config(&self) -> TlsConfig {
        let config = TlsConfig::builder();
        match self {
            Self::Public => config.build(),
            Self::Only(der) => {
                let authority = Certificate::from_der(der).to_owned();
                config.root_certs(RootCerts::new_with_certs(&[authority])).build()
            }
            Self::Unproven => config.disable_verification(true).build(),
        }
    }
}

/// What is wrong with a server's certificate, if that is what failed.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other faults are no matter of trust")]
pub(super) fn distrust(error: &ureq::Error) -> Option<&'static str> {
    let found = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    }?;
    let rustls::Error::InvalidCertificate(why) = found else { return None };
    Some(match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has ended; check the clock of this device too"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate begins later; check the clock of this device"
        }
        _ => "its certificate comes from an authority that this device does not trust",
    })
}

/// Refuses to speak plainly to another machine.
pub(super) fn check_plain(url: &str) -> Result<(), CliError> {
    let is_local = |host: &str| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let uri: Uri = url.parse().map_err(|_| no_address(url))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(()),
        (Some("http"), Some(host)) if is_local(host) => Ok(()),
        (Some("http"), Some(_)) => Err(CliError::Plain(url.to_owned())),
        _ => Err(no_address(url)),
    }
}

fn no_address(url: &str) -> CliError {
    CliError::Usage(format!("`{url}` is no address of a server; write https://…"))
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()
        .filter(|bytes| !bytes.is_empty() && hex.len() == bytes.len() * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in
            ["http://127.0.0.1:1", "http://localhost", "http://[::1]:80", "https://a.example"]
        {
            assert!(check_plain(url).is_ok(), "{url}");
        }
        for url in [
            "http://192.168.1.2:8480",
            "http://crm.example.com",
            "http://localhost.example.com",
            "http://localhost@crm.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0:1",
        ] {
            assert!(matches!(check_plain(url), Err(CliError::Plain(_))), "{url}");
        }
        for url in ["ftp://localhost", "localhost:80", "http://", "crm.example.com", ""] {
            assert!(matches!(check_plain(url), Err(CliError::Usage(_))), "{url}");
        }
    }

    #[test]
    fn an_authority_is_kept_and_read_again() {
        let trust = Trust::Only(vec![0, 1, 254]);
        let kept = trust.to_kept().unwrap();
        assert_eq!(bytes_of(&kept), Some(vec![0, 1, 254]));
        for broken in ["", "0", "zz", "0é"] {
            assert_eq!(bytes_of(broken), None, "{broken}");
        }
        assert_eq!(Trust::Public.to_kept(), None);
    }
}
