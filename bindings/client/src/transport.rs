//! HTTP as a platform does it: proxies, pinning and background transfers are its matter.

use std::{fmt, io::Read, time::Duration};

use crate::trust::Trust;

/// Until a connection stands.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two writes of a request.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Until an answer begins; a push may wait for the disk of a busy server.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two reads of an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A request to send as it is: redirects are not followed, nothing is kept in a cache.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// What is posted; empty for `GET`.
    pub body: Vec<u8>,
    /// Who may say that the server is the server.
    pub trust: Trust,
    /// How long an answer may be silent between two reads.
    pub silence: Duration,
}

/// An answer, whatever its status, of which the body is still to be read.
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Names, in any case, and values.
    pub headers: Vec<(String, String)>,
    /// The body; dropping it ends the exchange.
    pub body: Box<dyn Read + Send>,
}

impl HttpResponse {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it says yes.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nobody answers, or the answer broke off.
    #[error("{0}")]
    Unreachable(String),
    /// Who answers cannot prove to be the server.
    #[error("{0}")]
    Untrusted(String),
}

/// Sends requests. Calls block, and may come from several threads.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request and returns as soon as the answer's head is there.
    ///
    /// # Errors
    ///
    /// Any status is an answer; it fails when there is none.
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError>;
}
