//! Enrolment: a code from the office makes this device one of a user's.

use std::io::Read as _;

use outrider_core::{
    ids::{ActorPrefix, DeviceId, RecordId, to_hex},
    replica::Replica,
    store::meta::Enrolment,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    cli::EnrollArgs,
    context::Context,
    error::CliError,
    http::{Server, Trust},
    messages::{Word, word},
    output::Output,
};

/// Bytes of the server's answer, at most.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// The protocol that this program speaks.
const PROTOCOL: u32 = 1;

/// What the server answers.
#[derive(Deserialize)]
struct Answer {
    device: DeviceId,
    user: String,
    prefix: ActorPrefix,
    /// The user's record, where the server has one.
    #[serde(default)]
    user_record: Option<RecordId>,
    token: String,
}

/// Enrolls this device.
pub(crate) fn enroll(
    context: &Context,
    args: &EnrollArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    if !args.again {
        check_not_enrolled(&replica)?;
    }
    let trust = match &args.ca_fingerprint {
        None => Trust::Public,
        Some(fingerprint) => Trust::learn(&args.url, fingerprint)?,
    };
    let server = Server::stranger(&args.url, &trust)?;
    let request = json!({
        "code": args.code.trim(),
        "device_name": args.name.clone().unwrap_or_else(device_name),
        "public_key": to_hex(&replica.public_key()),
        "protocol": PROTOCOL,
    });
    let response = server.post("/v1/enroll", "application/json", request.to_string().as_bytes())?;
    let mut response = server.accepted(response).map_err(code_refused)?;
    let mut text = String::new();
    response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_string(&mut text).map_err(
        |error| CliError::Unreachable { url: server.url().to_owned(), cause: error.to_string() },
    )?;
    let answer: Answer = serde_json::from_str(&text).map_err(|error| CliError::Json {
        what: "the server's answer".to_owned(),
        cause: error.to_string(),
    })?;
    let enrolment = Enrolment {
        url: server.url().to_owned(),
        device: answer.device,
        user: answer.user,
        prefix: answer.prefix,
        token: answer.token,
        user_record: answer.user_record,
        ca: trust.to_kept(),
    };
    replica.enroll(&enrolment)?;
    let told = json!({ "url": enrolment.url, "user": enrolment.user, "device": enrolment.device });
    let text = format!("{} {}", word(Word::Enrolled, context.language), enrolment.user);
    output.answer(&told, &text)
}

/// An enrolment is not lost by accident, nor what waits for its server.
fn check_not_enrolled(replica: &Replica) -> Result<(), CliError> {
    let Some(Enrolment { url, user, .. }) = replica.enrolment()? else { return Ok(()) };
    match replica.status()?.waiting {
        0 => Err(CliError::AlreadyEnrolled { url, user }),
        waiting => Err(CliError::StillWaiting { waiting, url }),
    }
}

/// A code that the server does not take is no matter of tokens.
fn code_refused(error: CliError) -> CliError {
    if let CliError::TokenRefused(message) = error {
        return CliError::Server { status: 401, code: "code_refused".to_owned(), message };
    }
    error
}

/// What the system calls itself, as far as std knows.
fn device_name() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let known = named.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    known
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("outrider on {}", std::env::consts::OS))
}
