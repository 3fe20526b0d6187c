//! Whom this device believes to be its server.
//!
//! With an authority from enrolment nothing else counts, not the certificates that everybody knows
//! either. At first contact there is only its fingerprint, which came by another way: the authority's
//! certificate is fetched from whoever answers, and believed if it has that fingerprint. Nothing
//! secret is said before.

use std::{io::Read as _, net::IpAddr, sync::Arc};

use http::Uri;
use outrider_core::ids::{bytes_from_hex, to_hex};
use sha2::{Digest as _, Sha256};

use crate::{error::ClientError, server::Server, transport::Transport};

/// Bytes of an authority's certificate, at most.
const AUTHORITY_BYTES_MAX: u64 = 16 * 1024;

/// Who may say who the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that everybody knows.
    Public,
    /// This one alone (DER).
    Only(Vec<u8>),
    /// Whoever answers: for what is checked in another way, and never with a secret.
    Unproven,
}

impl Trust {
    /// What an enrolment says, or what waits to be one: the authority that it keeps.
    ///
    /// # Errors
    ///
    /// [`ClientError::Authority`] when that cannot be read.
    pub fn of(ca: Option<&str>) -> Result<Self, ClientError> {
        let Some(ca) = ca else { return Ok(Self::Public) };
        bytes_of(ca).map(Self::Only).ok_or(ClientError::Authority)
    }

    /// Fetches the authority of the server at `url` and compares its fingerprint.
    ///
    /// # Errors
    ///
    /// [`ClientError::Fingerprint`] when it is another one.
    pub fn learn(
        transport: &Arc<dyn Transport>,
        url: &str,
        fingerprint: &str,
    ) -> Result<Self, ClientError> {
        let expected: String =
            fingerprint.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
        if expected.len() != 64 {
            return Err(ClientError::FingerprintForm);
        }
        let server = Server::new(transport, url, None, &Self::Unproven)?;
        let response = server.accepted(server.get("/v1/ca")?)?;
        let mut der = Vec::new();
        let read = response.body.take(AUTHORITY_BYTES_MAX).read_to_end(&mut der);
        read.map_err(|error| server.broke_off(&error))?;
        let found = to_hex(&Sha256::digest(&der));
        if found != expected {
            return Err(ClientError::Fingerprint { url: server.url().to_owned(), found, expected });
        }
        Ok(Self::Only(der))
    }

    /// The authority as an enrolment keeps it.
    pub fn to_kept(&self) -> Option<String> {
        match self {
            Self::Only(der) => Some(to_hex(der)),
            Self::Public | Self::Unproven => None,
        }
    }
}

/// Refuses to speak plainly to another machine.
pub(crate) fn check_plain(url: &str) -> Result<(), ClientError> {
    let is_local = |host: &str| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let uri: Uri = url.parse().map_err(|_| no_address(url))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(()),
        (Some("http"), Some(host)) if is_local(host) => Ok(()),
        (Some("http"), Some(_)) => Err(ClientError::Plain(url.to_owned())),
        _ => Err(no_address(url)),
    }
}

fn no_address(url: &str) -> ClientError {
    ClientError::Address(url.to_owned())
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    bytes_from_hex(hex).filter(|bytes| !bytes.is_empty())
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
            assert!(matches!(check_plain(url), Err(ClientError::Plain(_))), "{url}");
        }
        for url in ["ftp://localhost", "localhost:80", "http://", "crm.example.com", ""] {
            assert!(matches!(check_plain(url), Err(ClientError::Address(_))), "{url}");
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
