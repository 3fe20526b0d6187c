//! HTTP to the server: blocking, signed, with limits on time and on what errors may say.

use std::{
    io::Read as _,
    sync::{
        Mutex, PoisonError,
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
use ureq::{
    Agent, Body,
    http::{Request, Response},
};

use crate::error::CliError;

mod trust;

pub(crate) use trust::Trust;

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two writes of a request.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Until an answer begins; a push may wait for the disk of a busy server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two reads of an answer.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an error's body, at most.
const ERROR_BYTES_MAX: u64 = 64 * 1024;
/// Characters of an error's text that are shown.
const ERROR_CHARS_MAX: usize = 300;

/// The media type of the sync protocol.
pub(crate) const SYNC_MEDIA_TYPE: &str = "application/vnd.outrider.v1";

/// Bytes of an answer in JSON, at most.
const JSON_BYTES_MAX: u64 = 64 * 1024;

/// A server, and who we are to it.
#[derive(Debug)]
pub(crate) struct Server {
    agent: Agent,
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
pub(crate) struct Contact {
    /// The server's clock.
    pub(crate) server_ms: i64,
    /// How long we may go on alone.
    pub(crate) lease_ms: i64,
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

impl Server {
    /// The server at `url`.
    pub(crate) fn new(
        url: &str,
        who: Option<Credentials>,
        trust: &Trust,
    ) -> Result<Self, CliError> {
        Self::connect(url, who, trust, READ_TIMEOUT)
    }

    /// The server of an enrolment, which may be silent for so long between two reads of an answer.
    pub(crate) fn listening(
        enrolment: &Enrolment,
        who: Option<Credentials>,
        silence: Duration,
    ) -> Result<Self, CliError> {
        let trust = Trust::of(enrolment.ca.as_deref())?;
        Self::connect(&enrolment.url, who, &trust, silence)
    }

    fn connect(
        url: &str,
        who: Option<Credentials>,
        trust: &Trust,
        silence: Duration,
    ) -> Result<Self, CliError> {
        let url = url.trim().trim_end_matches('/');
        trust::check_plain(url)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(trust.config())
            .user_agent(concat!("outrider/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_write(Some(WRITE_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(silence))
            .build();
        let offset_ms = AtomicI64::new(who.as_ref().map_or(0, |who| who.offset_ms));
        let (agent, url, heard) = (config.into(), url.to_owned(), Mutex::default());
        Ok(Self { agent, url, who, id: None, offset_ms, heard })
    }

    /// Named by the id of the device, where its token is not taken any more.
    pub(crate) fn by_id(self, id: DeviceId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The token that requests carry.
    pub(crate) fn token(&self) -> Option<&str> {
        self.who.as_ref().and_then(Credentials::token)
    }

    /// What the last good answer said besides.
    pub(crate) fn contact(&self) -> Option<Contact> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts a body; any status is an answer, unless it says that we are not who we say.
    pub(crate) fn post(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Response<Body>, CliError> {
        self.ask(("POST", path), &[("Content-Type", media_type)], body)
    }

    /// Gets something; any status is an answer, unless it says that we are not who we say.
    pub(crate) fn get(&self, path: &str) -> Result<Response<Body>, CliError> {
        self.ask(("GET", path), &[], b"")
    }

    /// Asks for a channel of events; any status is an answer, unless it says that we are not who
    /// we say.
    pub(crate) fn listen(&self, path: &str) -> Result<Response<Body>, CliError> {
        self.ask(("GET", path), &[("Accept", "text/event-stream")], b"")
    }

    /// Posts JSON and reads JSON.
    pub(crate) fn exchange<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &[u8],
    ) -> Result<T, CliError> {
        let response = self.accepted(self.post(path, "application/json", body)?)?;
        self.read_json(response)
    }

    /// Reads an answer that is a message of the sync protocol.
    pub(crate) fn read_message<T: for<'b> Decode<'b, ()>>(
        &self,
        response: Response<Body>,
    ) -> Result<T, CliError> {
        let body = response.into_body().into_with_config().limit(MESSAGE_BYTES_MAX as u64);
        let bytes = body.read_to_vec().map_err(|error| self.failed(&error))?;
        Ok(unpack(&bytes, MESSAGE_BYTES_MAX).map_err(ReplicaError::from)?)
    }

    /// Reads an answer in JSON.
    pub(crate) fn read_json<T: DeserializeOwned>(
        &self,
        mut response: Response<Body>,
    ) -> Result<T, CliError> {
        let mut text = String::new();
        let body = response.body_mut().as_reader().take(JSON_BYTES_MAX).read_to_string(&mut text);
        body.map_err(|error| CliError::Unreachable {
            url: self.url.clone(),
            cause: error.to_string(),
        })?;
        serde_json::from_str(&text).map_err(|error| CliError::Json {
            what: "the server's answer".to_owned(),
            cause: error.to_string(),
        })
    }

    /// Sends a request, signed; once more if the server's clock turned out to be another one.
    fn ask(
        &self,
        asked: (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>, CliError> {
        let response = self.send(asked, headers, body)?;
        if response.status().as_u16() != 401 {
            return Ok(response);
        }
        let refused = self.refused(response);
        if !matches!(&refused, CliError::Server { code, .. } if code == "proof_time") {
            return Err(refused);
        }
        let response = self.send(asked, headers, body)?;
        if response.status().as_u16() == 401 { Err(self.refused(response)) } else { Ok(response) }
    }

    fn send(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response<Body>, CliError> {
        let mut request = Request::builder().method(method).uri([&self.url, path].concat());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(who) = &self.who {
            let mut who = who.clone();
            who.offset_ms = self.offset_ms.load(Ordering::Relaxed);
            let proof = who
                .proof((method, path), body, SystemClock.now_ms(), rand::random())
                .map_err(ReplicaError::from)?;
            request = request.header(PROOF_HEADER, proof.to_string());
            if let Some(token) = who.token() {
                request = request.header("Authorization", ["Bearer ", token].concat());
            } else if let Some(id) = &self.id {
                request = request.header("Authorization", format!("Device {id}"));
            }
        }
        let wrong = |error: ureq::http::Error| CliError::Usage(error.to_string());
        let sent = if method == "GET" {
            self.agent.run(request.body(()).map_err(wrong)?)
        } else {
            self.agent.run(request.body(body).map_err(wrong)?)
        };
        let response = sent.map_err(|error| self.failed(&error))?;
        self.note_contact(&response);
        Ok(response)
    }

    /// Remembers what an answer says of the server's clock, and a good one of the lease.
    fn note_contact(&self, response: &Response<Body>) {
        let number = |name: &str| -> Option<i64> {
            response.headers().get(name)?.to_str().ok()?.parse().ok()
        };
        let Some(server_ms) = number(TIME_HEADER) else { return };
        let offset_ms = server_ms.saturating_sub(SystemClock.now_ms());
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        if response.status().is_success()
            && self.token().is_some()
            && let Some(lease_ms) = number(LEASE_HEADER)
        {
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Contact { server_ms, lease_ms });
        }
    }

    /// Passes an answer on if it is one, and makes an error of its body otherwise.
    pub(crate) fn accepted(&self, response: Response<Body>) -> Result<Response<Body>, CliError> {
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    fn refused(&self, mut response: Response<Body>) -> CliError {
        let status = response.status().as_u16();
        let mut text = String::new();
        // A body that cannot be read leaves the status to tell.
        let _ = response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_string(&mut text);
        let (code, message) = match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => (body.error.code, body.error.message),
            Err(_) => ("http".to_owned(), "this is not an Outrider server, or not now".to_owned()),
        };
        let message: String =
            message.chars().filter(|char| !char.is_control()).take(ERROR_CHARS_MAX).collect();
        match (status, code.as_str()) {
            (401, "proof_time" | "token_expired") => CliError::Server { status, code, message },
            (401, _) => CliError::TokenRefused(message),
            (403, "device_revoked" | "user_disabled" | "wipe_ordered") => {
                CliError::Barred { code, message, sent: None }
            }
            (500.., _) => CliError::Unreachable {
                url: self.url.clone(),
                cause: format!("HTTP {status}, {message}"),
            },
            _ => CliError::Server { status, code, message },
        }
    }

    fn failed(&self, error: &ureq::Error) -> CliError {
        if let Some(cause) = trust::distrust(error) {
            return CliError::Untrusted { url: self.url.clone(), cause };
        }
        CliError::Unreachable { url: self.url.clone(), cause: error.to_string() }
    }
}
