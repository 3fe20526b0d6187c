//! Exchanges with the server, and shows how far it is.

use std::{io, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use outrider_client::{
    ClientError,
    converse::{self, Limits},
};
use outrider_core::{
    replica::{Replica, ReplicaError, session::Summary},
    schema::Language,
    sync::codec::CodecError,
};

use crate::{error::CliError, http, messages};

/// Between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// Runs one session to its end, with a progress bar on a terminal.
pub(crate) fn run(
    replica: &mut Replica,
    language: Language,
    is_shown: bool,
) -> Result<Summary, CliError> {
    let bar = if is_shown { progress_bar() } else { ProgressBar::hidden() };
    let mut before = 0;
    let mut told_at = u64::MAX;
    let observe = &mut |summary: &Summary, bytes: u64| {
        if bytes == 0 || told_at != summary.requests {
            bar.set_message(messages::progress(summary, language));
            told_at = summary.requests;
            before = summary.bytes_down;
        }
        bar.set_position(before + bytes);
    };
    let (summary, done) = converse::run(&http::desktop(), replica, &Limits::default(), observe);
    bar.finish_and_clear();
    match done {
        Ok(_) => Ok(summary),
        Err(error) => Err(told(replica, error, &summary, language)),
    }
}

/// Says what was done before the connection ended.
fn told(replica: &Replica, error: ClientError, summary: &Summary, language: Language) -> CliError {
    let cause = if let ClientError::Replica(ReplicaError::Answer(CodecError::Io(cause))) = &error {
        short_of(cause)
    } else if let ClientError::Unreachable { cause, .. } = &error
        && summary.requests > 1
    {
        cause.clone()
    } else {
        return error.into();
    };
    let url = replica.enrolment().ok().flatten().map(|known| known.url).unwrap_or_default();
    CliError::Cut { url, cause, kept: messages::kept(summary, language) }
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
