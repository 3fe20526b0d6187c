//! Carries a session's requests to the server and its answers back.

use std::{
    io::{self, Read},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use outrider_core::{
    replica::{
        Replica, ReplicaError,
        session::{Request, Session, Summary},
    },
    schema::Language,
    sync::codec::CodecError,
};
use ureq::{Body, http::Response};

use crate::{
    access,
    error::CliError,
    http::{SYNC_MEDIA_TYPE, Server},
    messages,
};

/// How often a request is sent again because the server is busy.
const BUSY_MAX: u32 = 6;
/// How long to wait for a busy server that does not say.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// How long to wait for a busy server, whatever it says.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// Runs one session to its end, with a progress bar on a terminal.
pub(crate) fn run(
    replica: &mut Replica,
    language: Language,
    is_shown: bool,
) -> Result<Summary, CliError> {
    let mut server =
        access::authorised(replica).map_err(|error| access::turned_away(replica, error))?;
    let bar = if is_shown { progress_bar() } else { ProgressBar::hidden() };
    let mut session = Session::new();
    let done = converse(replica, &mut session, &mut server, &bar, language);
    bar.finish_and_clear();
    let done = done.map_err(|error| access::turned_away(replica, error));
    done.map_err(|error| told(error, session.summary(), &server, language))?;
    Ok(session.summary().clone())
}

fn converse(
    replica: &mut Replica,
    session: &mut Session,
    server: &mut Server,
    bar: &ProgressBar,
    language: Language,
) -> Result<(), CliError> {
    while let Some(request) = session.next(replica)? {
        bar.set_message(messages::progress(session.summary(), language));
        let response = match send(server, &request) {
            Err(error) if is_stale(&error) => {
                // The token ended meanwhile, or another process exchanged it.
                access::renew(replica, server.token())?;
                *server = access::authorised(replica)?;
                send(server, &request)?
            }
            sent => sent?,
        };
        if let Some(contact) = server.contact() {
            replica.note_contact(contact.server_ms, contact.lease_ms)?;
        }
        let mut body = bar.wrap_read(response.into_body().into_reader());
        session.receive(replica, &mut body as &mut dyn Read)?;
        bar.set_message(messages::progress(session.summary(), language));
    }
    Ok(())
}

/// Whether the next token may be taken where this one was not.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other failure is about tokens")]
fn is_stale(error: &CliError) -> bool {
    match error {
        CliError::TokenRefused(_) => true,
        CliError::Server { code, .. } => {
            matches!(code.as_str(), "token_expired" | "device_suspended")
        }
        _ => false,
    }
}

/// Sends a request, again and again while the server is busy.
fn send(server: &Server, request: &Request) -> Result<Response<Body>, CliError> {
    for _ in 0..BUSY_MAX {
        let response = server.post(request.path, SYNC_MEDIA_TYPE, &request.body)?;
        if !matches!(response.status().as_u16(), 429 | 503) {
            return server.accepted(response);
        }
        thread::sleep(wait_of(&response));
    }
    server.accepted(server.post(request.path, SYNC_MEDIA_TYPE, &request.body)?)
}

/// How long a busy server asks us to wait.
fn wait_of(response: &Response<Body>) -> Duration {
    let asked = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
    let seconds = asked.and_then(|text| text.trim().parse().ok());
    seconds.map_or(BUSY_WAIT, Duration::from_secs).min(BUSY_WAIT_MAX)
}

/// Says what was done before the connection ended.
fn told(error: CliError, summary: &Summary, server: &Server, language: Language) -> CliError {
    let cause = if let CliError::Replica(ReplicaError::Answer(CodecError::Io(cause))) = &error {
        short_of(cause)
    } else if let CliError::Unreachable { cause, .. } = &error
        && summary.requests > 1
    {
        cause.clone()
    } else {
        return error;
    };
    CliError::Cut { url: server.url().to_owned(), cause, kept: messages::kept(summary, language) }
}

fn short_of(cause: &io::Error) -> String {
    if cause.kind() == io::ErrorKind::UnexpectedEof {
        "the answer ended early".to_owned()
    } else {
        cause.to_string()
    }
}

/// Counts the bytes that arrive; nothing is drawn where no person watches.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg}  {bytes} ({bytes_per_sec})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    bar
}
