//! Carries a session's requests to the server and its answers back, within limits.
//!
//! A session that is stopped is dropped: all that was received counts, and the next one goes on from there.

mod stop;

use std::{
    io::{self, Read},
    thread,
    time::{Duration, Instant},
};

use outrider_core::replica::{
    Replica,
    session::{Request, Session, Summary},
};

pub use self::stop::{Stop, Stoppable};
use crate::{
    access::{self, Http},
    error::ClientError,
    server::{SYNC_MEDIA_TYPE, Server},
    transport::HttpResponse,
};

/// How often a request is sent again because the server is busy.
const BUSY_MAX: u32 = 6;
/// How long to wait for a busy server that does not say.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// How long to wait for a busy server, whatever it says.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Where records are asked for.
const PULL_PATH: &str = "/v1/pull";

/// What one conversation may cost.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Until when.
    pub deadline: Option<Instant>,
    /// Compressed bytes, up and down.
    pub bytes_max: Option<u64>,
    /// Whether only what waits here is sent.
    pub is_push_only: bool,
    /// Ends it from another thread.
    pub stop: Stop,
}

/// How a conversation ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything is exchanged.
    Complete,
    /// Everything that waited here was sent, as was wished.
    Pushed,
    /// The time was over.
    OutOfTime,
    /// The bytes were used up.
    OutOfBytes,
    /// Somebody stopped it.
    Stopped,
}

/// Hears of every step: what was done, and how much of the answer in hand has arrived.
pub type Observe<'a> = &'a mut dyn FnMut(&Summary, u64);

/// Runs a conversation to its end or its limits; what was done is told in both cases.
pub fn run(
    http: &Http,
    replica: &mut Replica,
    limits: &Limits,
    observe: Observe<'_>,
) -> (Summary, Result<End, ClientError>) {
    let http = Stoppable::over(http, limits.stop.clone(), limits.deadline);
    let mut session = Session::new();
    let mut talk = Talk { http: &http, limits, bytes: 0 };
    let done = match talk.converse(replica, &mut session, observe) {
        // Whatever failed: it failed because it was stopped.
        Err(_) if talk.ended().is_some() => Ok(talk.ended().unwrap_or(End::Stopped)),
        Err(error) => Err(access::turned_away(&http, replica, error)),
        done => done,
    };
    (session.summary().clone(), done)
}

struct Talk<'a> {
    http: &'a Http,
    limits: &'a Limits,
    /// Bytes of the conversation so far.
    bytes: u64,
}

impl Talk<'_> {
    /// Why it must end now, if it must.
    fn ended(&self) -> Option<End> {
        if self.limits.stop.is_stopped() {
            Some(End::Stopped)
        } else if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(End::OutOfTime)
        } else if self.limits.bytes_max.is_some_and(|max| self.bytes >= max) {
            Some(End::OutOfBytes)
        } else {
            None
        }
    }

    fn converse(
        &mut self,
        replica: &mut Replica,
        session: &mut Session,
        observe: Observe<'_>,
    ) -> Result<End, ClientError> {
        let mut server = access::authorised(self.http, replica)?;
        loop {
            if let Some(end) = self.ended() {
                return Ok(end);
            }
            let Some(request) = session.next(replica)? else { return Ok(End::Complete) };
            if self.limits.is_push_only && request.path == PULL_PATH {
                return Ok(End::Pushed);
            }
            observe(session.summary(), 0);
            self.bytes += request.body.len() as u64;
            let response = match self.send(&server, &request) {
                Err(error) if is_stale(&error) => {
                    // The token ended meanwhile, or another process exchanged it.
                    access::renew(self.http, replica, server.token())?;
                    server = access::authorised(self.http, replica)?;
                    self.send(&server, &request)?
                }
                sent => sent?,
            };
            if let Some(contact) = server.contact() {
                replica.note_contact(contact.server_ms, contact.lease_ms)?;
            }
            let (before, seen) = (session.summary().clone(), session.seen());
            let mut body = Counted {
                inner: response.body,
                bytes: 0,
                bytes_max: self.limits.bytes_max.map(|max| max.saturating_sub(self.bytes)),
                observe: &mut |bytes| {
                    let (pulled, expected) = seen.documents();
                    observe(&Summary { pulled, expected, ..before.clone() }, bytes);
                },
            };
            let received = session.receive(replica, &mut body as &mut dyn Read);
            self.bytes += body.bytes;
            received?;
            observe(session.summary(), 0);
        }
    }

    /// Sends a request, again and again while the server is busy.
    fn send(&self, server: &Server, request: &Request) -> Result<HttpResponse, ClientError> {
        for _ in 0..BUSY_MAX {
            let response = server.post(request.path, SYNC_MEDIA_TYPE, &request.body)?;
            if !matches!(response.status, 429 | 503) || self.ended().is_some() {
                return server.accepted(response);
            }
            self.pause(wait_of(&response));
        }
        server.accepted(server.post(request.path, SYNC_MEDIA_TYPE, &request.body)?)
    }

    /// Waits, and no longer than it may.
    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && self.ended().is_none() {
            thread::sleep(stop::LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// How long a busy server asks us to wait.
fn wait_of(response: &HttpResponse) -> Duration {
    let asked = response.header("Retry-After");
    let seconds = asked.and_then(|text| text.trim().parse().ok());
    seconds.map_or(BUSY_WAIT, Duration::from_secs).min(BUSY_WAIT_MAX)
}

/// Whether the next token may be taken where this one was not.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other failure is about tokens")]
fn is_stale(error: &ClientError) -> bool {
    match error {
        ClientError::TokenRefused(_) => true,
        ClientError::Server { code, .. } => {
            matches!(code.as_str(), "token_expired" | "device_suspended")
        }
        _ => false,
    }
}

/// An answer, counted, of which no more is read than may be.
struct Counted<'a> {
    inner: Box<dyn Read + Send>,
    bytes: u64,
    bytes_max: Option<u64>,
    observe: &'a mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(self.bytes));
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("as many bytes as may be were used"));
        }
        let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.inner.read(buffer.get_mut(..size).unwrap_or_default())?;
        self.bytes += read as u64;
        (self.observe)(self.bytes);
        Ok(read)
    }
}
