//! The transport of desktops: ureq with rustls, proxies as the environment says.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustls::CertificateError;
use ureq::{
    Agent,
    http::{self, HeaderName, HeaderValue, Request},
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::{
    transport::{
        ANSWER_TIMEOUT, CONNECT_TIMEOUT, HttpRequest, HttpResponse, Transport, TransportError,
        WRITE_TIMEOUT,
    },
    trust::Trust,
};

/// Whom an agent believes, and how long it waits for the next bytes.
type Manner = (Trust, Duration);

/// HTTP by ureq. Connections are used again.
#[derive(Debug, Default)]
pub struct Desktop {
    /// The agent of the last request: almost always that of the next one.
    last: Mutex<Option<(Manner, Agent)>>,
}

impl Desktop {
    fn agent(&self, trust: &Trust, silence: Duration) -> Agent {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(((known, waits), agent)) = &*last
            && known == trust
            && *waits == silence
        {
            return agent.clone();
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(config_of(trust))
            .user_agent(concat!("outrider/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_write(Some(WRITE_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(silence))
            .build();
        let agent: Agent = config.into();
        *last = Some(((trust.clone(), silence), agent.clone()));
        agent
    }
}

impl Transport for Desktop {
    fn send(&self, asked: HttpRequest) -> Result<HttpResponse, TransportError> {
        let agent = self.agent(&asked.trust, asked.silence);
        let mut request = Request::builder().method(asked.method).uri(&asked.url);
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let wrong = |error: http::Error| TransportError::Unreachable(error.to_string());
        let sent = if asked.method == "GET" {
            agent.run(request.body(()).map_err(wrong)?)
        } else {
            agent.run(request.body(asked.body.as_slice()).map_err(wrong)?)
        };
        let response = sent.map_err(|error| failed(&error))?;
        let named = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        Ok(HttpResponse {
            status: response.status().as_u16(),
            headers: response.headers().iter().filter_map(named).collect(),
            body: Box::new(response.into_body().into_reader()),
        })
    }
}

fn failed(error: &ureq::Error) -> TransportError {
    match distrust(error) {
        Some(cause) => TransportError::Untrusted(cause.to_owned()),
        None => TransportError::Unreachable(error.to_string()),
    }
}

fn config_of(trust: &Trust) -> TlsConfig {
    let config = TlsConfig::builder();
    match trust {
        Trust::Public => config.build(),
        Trust::Only(der) => {
            let authority = Certificate::from_der(der).to_owned();
            config.root_certs(RootCerts::new_with_certs(&[authority])).build()
        }
        Trust::Unproven => config.disable_verification(true).build(),
    }
}

/// What is wrong with a server's certificate, if that is what failed.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other faults are no matter of trust")]
fn distrust(error: &ureq::Error) -> Option<&'static str> {
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
