//! HTTP to the server: blocking, with limits on time and on what errors may say.

use std::{io::Read as _, time::Duration};

use outrider_core::store::meta::Enrolment;
use serde::Deserialize;
use ureq::{Agent, Body, http::Response};

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
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an error's body, at most.
const ERROR_BYTES_MAX: u64 = 64 * 1024;
/// Characters of an error's text that are shown.
const ERROR_CHARS_MAX: usize = 300;

/// The media type of the sync protocol.
pub(crate) const SYNC_MEDIA_TYPE: &str = "application/vnd.outrider.v1";

/// A server, and who we are to it.
#[derive(Debug)]
pub(crate) struct Server {
    agent: Agent,
    url: String,
    token: Option<String>,
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
    /// The server of an enrolment.
    pub(crate) fn of(enrolment: &Enrolment) -> Result<Self, CliError> {
        Self::listening(enrolment, READ_TIMEOUT)
    }

    /// The server of an enrolment, which may be silent for so long between two reads of an answer.
    pub(crate) fn listening(enrolment: &Enrolment, silence: Duration) -> Result<Self, CliError> {
        let token = Some(enrolment.token.clone());
        Self::connect(&enrolment.url, token, &Trust::of(enrolment)?, silence)
    }

    /// The server at `url`, for a device that is not enrolled yet.
    pub(crate) fn stranger(url: &str, trust: &Trust) -> Result<Self, CliError> {
        Self::connect(url, None, trust, READ_TIMEOUT)
    }

    fn connect(
        url: &str,
        token: Option<String>,
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
        Ok(Self { agent: config.into(), url: url.to_owned(), token })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Posts a body; any status is an answer.
    pub(crate) fn post(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Response<Body>, CliError> {
        let mut request =
            self.agent.post([&self.url, path].concat()).header("Content-Type", media_type);
        if let Some(token) = &self.token {
            request = request.header("Authorization", ["Bearer ", token].concat());
        }
        request.send(body).map_err(|error| self.failed(&error))
    }

    /// Gets something; any status is an answer.
    pub(crate) fn get(&self, path: &str) -> Result<Response<Body>, CliError> {
        let mut request = self.agent.get([&self.url, path].concat());
        if let Some(token) = &self.token {
            request = request.header("Authorization", ["Bearer ", token].concat());
        }
        request.call().map_err(|error| self.failed(&error))
    }

    /// Asks for a channel of events; any status is an answer.
    pub(crate) fn listen(&self, path: &str) -> Result<Response<Body>, CliError> {
        let mut request =
            self.agent.get([&self.url, path].concat()).header("Accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("Authorization", ["Bearer ", token].concat());
        }
        request.call().map_err(|error| self.failed(&error))
    }

    /// Passes an answer on if it is one, and makes an error of its body otherwise.
    pub(crate) fn accepted(
        &self,
        mut response: Response<Body>,
    ) -> Result<Response<Body>, CliError> {
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let mut text = String::new();
        // A body that cannot be read leaves the status to tell.
        let _ = response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_string(&mut text);
        let (code, message) = match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => (body.error.code, body.error.message),
            Err(_) => ("http".to_owned(), "this is not an Outrider server, or not now".to_owned()),
        };
        let message: String =
            message.chars().filter(|char| !char.is_control()).take(ERROR_CHARS_MAX).collect();
        Err(match status {
            401 => CliError::TokenRefused(message),
            500.. => CliError::Unreachable {
                url: self.url.clone(),
                cause: format!("HTTP {status}, {message}"),
            },
            _ => CliError::Server { status, code, message },
        })
    }

    fn failed(&self, error: &ureq::Error) -> CliError {
        if let Some(cause) = trust::distrust(error) {
            return CliError::Untrusted { url: self.url.clone(), cause };
        }
        CliError::Unreachable { url: self.url.clone(), cause: error.to_string() }
    }
}
