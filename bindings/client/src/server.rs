//! HTTP to the server: blocking, signed, with limits on time and on what errors may say.

use std::{
    io::{self, Read as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use minicbor::Decode;
use outrider_core::{
    ids::DeviceId,
    replica::{ReplicaError, credentials::Credentials},
    store::meta::Enrolment,
    sync::{
        codec::{MESSAGE_BYTES_MAX, unpack},
        proof::{LEASE_HEADER, PROOF_HEADER, TIME_HEADER},
    },
    time::{Clock as _, SystemClock},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    error::ClientError,
    transport::{HttpRequest, HttpResponse, READ_TIMEOUT, Transport, TransportError},
    trust::{self, Trust},
};

/// Bytes of an error's body, at most.
const ERROR_BYTES_MAX: u64 = 64 * 1024;
/// Characters of an error's text that are shown.
const ERROR_CHARS_MAX: usize = 300;

/// The media type of the sync protocol.
pub const SYNC_MEDIA_TYPE: &str = "application/vnd.outrider.v1";

/// Bytes of an answer in JSON, at most.
const JSON_BYTES_MAX: u64 = 64 * 1024;

/// A server, and who we are to it.
#[derive(Debug)]
pub struct Server {
    transport: Arc<dyn Transport>,
    trust: Trust,
    silence: Duration,
    url: String,
    who: Option<Credentials>,
    /// Named by its id, where its token is not taken.
    id: Option<DeviceId>,
    /// What to add to our clock to get the server's, as the last answer said.
    offset_ms: AtomicI64,
    heard: Mutex<Option<Contact>>,
}

/// What a good answer said besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// The server's clock.
    pub server_ms: i64,
    /// How long we may go on alone.
    pub lease_ms: i64,
}

/// What a server may say beside its answer.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
    message: String,
}

#[expect(clippy::missing_errors_doc, reason = "all fail as `ClientError` says")]
impl Server {
    /// The server at `url`.
    ///
    /// # Errors
    ///
    /// Fails for an address that is none, or that is plain and not this machine's.
    pub fn new(
        transport: &Arc<dyn Transport>,
        url: &str,
        who: Option<Credentials>,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        Self::connect(transport, url, who, trust, READ_TIMEOUT)
    }

    /// The server of an enrolment, which may be silent for so long between two reads of an answer.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn listening(
        transport: &Arc<dyn Transport>,
        enrolment: &Enrolment,
        who: Option<Credentials>,
        silence: Duration,
    ) -> Result<Self, ClientError> {
        let trust = Trust::of(enrolment.ca.as_deref())?;
        Self::connect(transport, &enrolment.url, who, &trust, silence)
    }

    fn connect(
        transport: &Arc<dyn Transport>,
        url: &str,
        who: Option<Credentials>,
        trust: &Trust,
        silence: Duration,
    ) -> Result<Self, ClientError> {
        let url = url.trim().trim_end_matches('/').to_owned();
        trust::check_plain(&url)?;
        let offset_ms = AtomicI64::new(who.as_ref().map_or(0, |who| who.offset_ms));
        let (transport, trust, heard) = (Arc::clone(transport), trust.clone(), Mutex::default());
        Ok(Self { transport, trust, silence, url, who, id: None, offset_ms, heard })
    }

    /// Named by the id of the device, where its token is not taken any more.
    pub fn by_id(self, id: DeviceId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token that requests carry.
    pub fn token(&self) -> Option<&str> {
        self.who.as_ref().and_then(Credentials::token)
    }

    /// What the last good answer said besides.
    pub fn contact(&self) -> Option<Contact> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts a body; any status is an answer, unless it says that we are not who we say.
    pub fn post(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<HttpResponse, ClientError> {
        self.ask(("POST", path), &[("Content-Type", media_type)], body)
    }

    /// Gets something; any status is an answer, unless it says that we are not who we say.
    pub fn get(&self, path: &str) -> Result<HttpResponse, ClientError> {
        self.ask(("GET", path), &[], b"")
    }

    /// Asks for a channel of events; any status is an answer, unless it says that we are not who
    /// we say.
    pub fn listen(&self, path: &str) -> Result<HttpResponse, ClientError> {
        self.ask(("GET", path), &[("Accept", "text/event-stream")], b"")
    }

    /// Posts JSON and reads JSON.
    pub fn exchange<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, ClientError> {
        let response = self.accepted(self.post(path, "application/json", body)?)?;
        self.read_json(response)
    }

    /// Reads an answer that is a message of the sync protocol.
    pub fn read_message<T: for<'b> Decode<'b, ()>>(
        &self,
        response: HttpResponse,
    ) -> Result<T, ClientError> {
        let (mut bytes, limit) = (Vec::new(), MESSAGE_BYTES_MAX as u64);
        let read = response.body.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| self.broke_off(&error))?;
        Ok(unpack(&bytes, MESSAGE_BYTES_MAX).map_err(ReplicaError::from)?)
    }

    /// Reads an answer in JSON.
    pub fn read_json<T: DeserializeOwned>(&self, response: HttpResponse) -> Result<T, ClientError> {
        let mut text = String::new();
        let read = response.body.take(JSON_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| self.broke_off(&error))?;
        serde_json::from_str(&text).map_err(|error| ClientError::Json {
            what: "the server's answer".to_owned(),
            cause: error.to_string(),
        })
    }

    /// Sends a request, signed; once more if the server's clock turned out to be another one.
    fn ask(
        &self,
        asked: (&'static str, &str),
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<HttpResponse, ClientError> {
        let response = self.send(asked, headers, body)?;
        if response.status != 401 {
            return Ok(response);
        }
        let refused = self.refused(response);
        if !matches!(&refused, ClientError::Server { code, .. } if code == "proof_time") {
            return Err(refused);
        }
        let response = self.send(asked, headers, body)?;
        if response.status == 401 { Err(self.refused(response)) } else { Ok(response) }
    }

    fn send(
        &self,
        (method, path): (&'static str, &str),
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<HttpResponse, ClientError> {
        let mut headers: Vec<(&'static str, String)> =
            headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(who) = &self.who {
            let mut who = who.clone();
            who.offset_ms = self.offset_ms.load(Ordering::Relaxed);
            let proof = who
                .proof((method, path), body, SystemClock.now_ms(), rand::random())
                .map_err(ReplicaError::from)?;
            headers.push((PROOF_HEADER, proof.to_string()));
            if let Some(token) = who.token() {
                headers.push(("Authorization", ["Bearer ", token].concat()));
            } else if let Some(id) = &self.id {
                headers.push(("Authorization", format!("Device {id}")));
            }
        }
        let request = HttpRequest {
            method,
            url: [&self.url, path].concat(),
            headers,
            body: body.to_vec(),
            trust: self.trust.clone(),
            silence: self.silence,
        };
        let response = self.transport.send(request).map_err(|error| self.failed(error))?;
        self.note_contact(&response);
        Ok(response)
    }

    /// Remembers what an answer says of the server's clock, and a good one of the lease.
    fn note_contact(&self, response: &HttpResponse) {
        let number = |name: &str| -> Option<i64> { response.header(name)?.parse().ok() };
        let Some(server_ms) = number(TIME_HEADER) else { return };
        let offset_ms = server_ms.saturating_sub(SystemClock.now_ms());
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        if response.is_success()
            && self.token().is_some()
            && let Some(lease_ms) = number(LEASE_HEADER)
        {
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Contact { server_ms, lease_ms });
        }
    }

    /// Passes an answer on if it is one, and makes an error of its body otherwise.
    pub fn accepted(&self, response: HttpResponse) -> Result<HttpResponse, ClientError> {
        if response.is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    fn refused(&self, response: HttpResponse) -> ClientError {
        let status = response.status;
        let mut text = String::new();
        // A body that cannot be read leaves the status to tell.
        let _ = response.body.take(ERROR_BYTES_MAX).read_to_string(&mut text);
        let (code, message) = match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => (body.error.code, body.error.message),
            Err(_) => ("http".to_owned(), "this is not an Outrider server, or not now".to_owned()),
        };
        let message: String =
            message.chars().filter(|char| !char.is_control()).take(ERROR_CHARS_MAX).collect();
        match (status, code.as_str()) {
            (401, "proof_time" | "token_expired") => ClientError::Server { status, code, message },
            (401, _) => ClientError::TokenRefused(message),
            (403, "device_revoked" | "user_disabled" | "wipe_ordered") => {
                ClientError::Barred { code, message, sent: None }
            }
            (500.., _) => ClientError::Unreachable {
                url: self.url.clone(),
                cause: format!("HTTP {status}, {message}"),
            },
            _ => ClientError::Server { status, code, message },
        }
    }

    fn failed(&self, error: TransportError) -> ClientError {
        let url = self.url.clone();
        match error {
            TransportError::Unreachable(cause) => ClientError::Unreachable { url, cause },
            TransportError::Untrusted(cause) => ClientError::Untrusted { url, cause },
        }
    }

    /// An answer that ended before its end.
    pub(crate) fn broke_off(&self, error: &io::Error) -> ClientError {
        ClientError::Unreachable { url: self.url.clone(), cause: error.to_string() }
    }
}
