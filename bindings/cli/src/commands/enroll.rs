//! Enrolment: a code from the office makes this device one of a user's, at once or when the office
//! has approved it.

use std::{thread, time::Duration};

use indicatif::ProgressBar;
use outrider_core::{
    ids::to_hex,
    replica::Replica,
    store::{credentials::PendingEnrolment, meta::Enrolment},
    sync::{
        frame::PROTOCOL_VERSION,
        sign::fingerprint,
        tokens::{EnrolAnswer, EnrolRequest, EnrolStatus},
    },
};
use serde_json::json;

use crate::{
    access,
    cli::EnrollArgs,
    context::Context,
    error::CliError,
    http::Trust,
    messages::{Word, devices, word},
    output::Output,
};

/// How often the office is asked whether it has approved the device.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(120);

/// Enrolls this device.
pub(crate) fn enroll(
    context: &Context,
    args: &EnrollArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let pending = replica.pending_enrolment()?;
    let ca;
    let (url, answer) = match (&args.url, &args.code, pending) {
        (Some(url), Some(code), _) => {
            if !args.again {
                check_not_enrolled(&replica)?;
            }
            let name = args.name.clone().unwrap_or_else(device_name);
            let trust = match &args.ca_fingerprint {
                None => Trust::Public,
                Some(fingerprint) => Trust::learn(url, fingerprint)?,
            };
            ca = trust.to_kept();
            ask(&mut replica, (url, &trust), (code, name))?
        }
        (_, _, Some(pending)) => {
            let (answer, _) = claim(&mut replica, &pending)?;
            ca = pending.ca;
            (pending.url, answer)
        }
        _ => return Err(CliError::NotEnrolled),
    };
    if answer.status == EnrolStatus::Pending {
        check_user(&replica, &answer)?;
        let waits = PendingEnrolment {
            url: url.clone(),
            device: answer.device,
            user: answer.user.clone(),
            ca,
        };
        replica.set_pending_enrolment(Some(&waits))?;
        if args.no_wait {
            return tell_pending(context, &answer, output);
        }
        wait(context, &mut replica, &waits, &answer, output)?;
    }
    let told = json!({
        "status": "active", "url": url, "user": answer.user, "device": answer.device,
        "fingerprint": answer.fingerprint,
    });
    let text = format!("{} {}", word(Word::Enrolled, context.language), answer.user);
    output.answer(&told, &text)
}

/// Shows the code; what an approved device gets is stored before anything else happens.
fn ask(
    replica: &mut Replica,
    (url, trust): (&str, &Trust),
    (code, device_name): (&str, String),
) -> Result<(String, EnrolAnswer), CliError> {
    let server = access::as_key_holder(replica, url, trust)?;
    let request = EnrolRequest {
        code: code.trim().to_owned(),
        device_name,
        public_key: to_hex(&replica.public_key()),
        protocol: PROTOCOL_VERSION,
        nonce: replica.exchange_nonce()?,
    };
    let answer: EnrolAnswer =
        server.exchange("/v1/enroll", &access::to_json(&request)?).map_err(code_refused)?;
    access::take(replica, (server.url(), trust), &answer)?;
    Ok((server.url().to_owned(), answer))
}

/// Asks whether the office has approved the device.
fn claim(
    replica: &mut Replica,
    pending: &PendingEnrolment,
) -> Result<(EnrolAnswer, Option<Enrolment>), CliError> {
    let claimed =
        access::claim(replica, (&pending.url, &Trust::of(pending.ca.as_deref())?), pending.device);
    if let Err(CliError::Server { code, .. }) = &claimed
        && matches!(code.as_str(), "enrolment_declined" | "enrolment_unknown")
    {
        replica.set_pending_enrolment(None)?;
    }
    claimed
}

/// Asks again and again until the office has decided. Whoever does not want to wait ends the
/// process; the next `enroll` or `sync` goes on.
fn wait(
    context: &Context,
    replica: &mut Replica,
    pending: &PendingEnrolment,
    answer: &EnrolAnswer,
    output: &Output,
) -> Result<(), CliError> {
    let fingerprint = own_fingerprint(replica, answer);
    output.note(&devices::waits(&answer.user, &fingerprint, context.language));
    let spinner = if output.is_json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.enable_steady_tick(TICK);
    loop {
        thread::sleep(ASK_EVERY);
        match claim(replica, pending) {
            Ok((_, Some(_))) => break,
            // A connection that is gone for a moment changes nothing.
            Ok((_, None)) | Err(CliError::Unreachable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    spinner.finish_and_clear();
    Ok(())
}

fn tell_pending(
    context: &Context,
    answer: &EnrolAnswer,
    output: &mut Output,
) -> Result<(), CliError> {
    let told = json!({
        "status": "pending", "user": answer.user, "device": answer.device,
        "fingerprint": answer.fingerprint,
    });
    let text = devices::waits(&answer.user, &answer.fingerprint, context.language);
    output.answer(&told, &text)
}

/// What the office must see, by this device's own key: not what a server says of it.
fn own_fingerprint(replica: &Replica, answer: &EnrolAnswer) -> String {
    fingerprint(&replica.public_key()).unwrap_or_else(|| answer.fingerprint.clone())
}

/// A store is one user's: another one has a store of their own.
fn check_user(replica: &Replica, answer: &EnrolAnswer) -> Result<(), CliError> {
    match replica.enrolment()? {
        Some(known) if known.user != answer.user => {
            Err(outrider_core::replica::ReplicaError::OtherUser { user: known.user }.into())
        }
        Some(_) | None => Ok(()),
    }
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
