//! Enrolment: a code from the office makes this device one of a user's, at once or when the office
//! has approved it.

use std::{thread, time::Duration};

use indicatif::ProgressBar;
use outrider_client::{
    ClientError,
    enrol::{Invitation, claim_pending, enrol, own_fingerprint},
};
use outrider_core::{
    replica::Replica,
    sync::tokens::{EnrolAnswer, EnrolStatus},
};
use serde_json::json;

use crate::{
    cli::EnrollArgs,
    context::Context,
    error::CliError,
    http,
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
    let (url, answer) = match (&args.url, &args.code, pending) {
        (Some(url), Some(code), _) => {
            let with = Invitation {
                url: url.clone(),
                code: code.clone(),
                device_name: args.name.clone().unwrap_or_else(device_name),
                ca_fingerprint: args.ca_fingerprint.clone(),
                again: args.again,
            };
            let answer = enrol(&http::desktop(), &mut replica, &with)?;
            (url.trim().trim_end_matches('/').to_owned(), answer)
        }
        (_, _, Some(pending)) => (pending.url, claim_pending(&http::desktop(), &mut replica)?.0),
        _ => return Err(CliError::NotEnrolled),
    };
    if answer.status == EnrolStatus::Pending {
        if args.no_wait {
            return tell_pending(context, &answer, output);
        }
        wait(context, &mut replica, &answer, output)?;
    }
    let told = json!({
        "status": "active", "url": url, "user": answer.user, "device": answer.device,
        "fingerprint": answer.fingerprint,
    });
    let text = format!("{} {}", word(Word::Enrolled, context.language), answer.user);
    output.answer(&told, &text)
}

/// Asks again and again until the office has decided. Whoever does not want to wait ends the
/// process; the next `enroll` or `sync` goes on.
fn wait(
    context: &Context,
    replica: &mut Replica,
    answer: &EnrolAnswer,
    output: &Output,
) -> Result<(), CliError> {
    let fingerprint = own_fingerprint(replica, answer);
    output.note(&devices::waits(&answer.user, &fingerprint, context.language));
    let spinner = if output.is_json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.enable_steady_tick(TICK);
    loop {
        thread::sleep(ASK_EVERY);
        match claim_pending(&http::desktop(), replica) {
            Ok((_, Some(_))) => break,
            // A connection that is gone for a moment changes nothing.
            Ok((_, None)) | Err(ClientError::Unreachable { .. }) => {}
            Err(error) => return Err(error.into()),
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

/// What the system calls itself, as far as std knows.
fn device_name() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let known = named.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    known
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("outrider on {}", std::env::consts::OS))
}
