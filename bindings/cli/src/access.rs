//! Being let in: tokens that are good now, and what to do when the office turns this device away.
//!
//! Several processes use one device. Tokens are exchanged under the lock of a file beside the store,
//! and whoever waited for it looks again: a token is never used twice.

use std::{fs::File, time::Duration};

use outrider_core::{
    replica::{
        Replica,
        wipe::{self, WipeOrder},
    },
    store::meta::Enrolment,
    sync::{
        codec::pack,
        frame::{Answer, Outcome, PushResponse},
        sealed::SignedSealKey,
        tokens::{DeviceAnswer, EnrolAnswer, EnrolStatus, Tokens, WipedRequest},
    },
};

use crate::{
    context::Context,
    error::CliError,
    http::{READ_TIMEOUT, SYNC_MEDIA_TYPE, Server, Trust},
};

/// The media type of enrolment and tokens.
const JSON_TYPE: &str = "application/json";
/// Who exchanges tokens holds the lock of this file.
const LOCK_FILE: &str = "token.lock";

/// The server of this device, with a token that is good now.
pub(crate) fn authorised(replica: &mut Replica) -> Result<Server, CliError> {
    listening(replica, READ_TIMEOUT)
}

/// As [`authorised`], for a server that may be silent for so long.
pub(crate) fn listening(replica: &mut Replica, silence: Duration) -> Result<Server, CliError> {
    let enrolment = enrolled(replica)?;
    // Twice, where an answer that was lost long ago comes again: it has ended meanwhile.
    for _ in 0..2 {
        if replica.is_refresh_due()? {
            renew(replica, None)?;
        }
    }
    Server::listening(&enrolment, Some(replica.credentials()?), silence)
}

/// The enrolment; one that waits for the office is asked for first.
fn enrolled(replica: &mut Replica) -> Result<Enrolment, CliError> {
    if let Some(enrolment) = replica.enrolment()? {
        return Ok(enrolment);
    }
    let Some(pending) = replica.pending_enrolment()? else { return Err(CliError::NotEnrolled) };
    let trust = Trust::of(pending.ca.as_deref())?;
    match claim(replica, (&pending.url, &trust), pending.device)? {
        (_, Some(enrolment)) => Ok(enrolment),
        (answer, None) => Err(CliError::WaitsForApproval { fingerprint: answer.fingerprint }),
    }
}

/// Exchanges the tokens, unless another process did: `refused` is the token that the server did not
/// take.
pub(crate) fn renew(replica: &mut Replica, refused: Option<&str>) -> Result<(), CliError> {
    let path = replica.folder().join(LOCK_FILE);
    let file_error = |source| CliError::File { path: path.clone(), source };
    let lock = File::create(&path).map_err(file_error)?;
    // Dropping the file gives the lock back.
    lock.lock().map_err(file_error)?;
    let is_renewed = match refused {
        Some(token) => replica.credentials()?.token() != Some(token),
        None => !replica.is_refresh_due()?,
    };
    if is_renewed {
        return Ok(());
    }
    let enrolment = replica.enrolment()?.ok_or(CliError::NotEnrolled)?;
    let trust = Trust::of(enrolment.ca.as_deref())?;
    // A device that was never given tokens has nothing to exchange: it may claim some.
    let exchanged = match replica.token_request()? {
        Some(request) => {
            let server = as_key_holder(replica, &enrolment.url, &trust)?;
            server.exchange::<Tokens>("/v1/token", &to_json(&request)?)
        }
        None => Err(CliError::NotEnrolled),
    };
    match exchanged {
        Ok(tokens) => Ok(replica.take_tokens(&tokens)?),
        Err(error) if is_claimable(&error) => {
            match claim(replica, (&enrolment.url, &trust), enrolment.device)? {
                (_, Some(_)) => Ok(()),
                (answer, None) => {
                    Err(CliError::WaitsForApproval { fingerprint: answer.fingerprint })
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether the office may have approved the device again, or has to.
fn is_claimable(error: &CliError) -> bool {
    matches!(error, CliError::Server { code, .. }
        if matches!(code.as_str(), "device_suspended" | "token_reused" | "token_ended" | "tokens_unclaimed"))
}

/// Asks whether the office has approved a device, and takes what it gives then.
pub(crate) fn claim(
    replica: &mut Replica,
    (url, trust): (&str, &Trust),
    device: outrider_core::ids::DeviceId,
) -> Result<(EnrolAnswer, Option<Enrolment>), CliError> {
    let request = replica.claim_request(device)?;
    let server = as_key_holder(replica, url, trust)?;
    let answer: EnrolAnswer = server.exchange("/v1/enroll/status", &to_json(&request)?)?;
    let enrolment = take(replica, (server.url(), trust), &answer)?;
    Ok((answer, enrolment))
}

/// Takes what an answer to enrolment brings.
pub(crate) fn take(
    replica: &mut Replica,
    (url, trust): (&str, &Trust),
    answer: &EnrolAnswer,
) -> Result<Option<Enrolment>, CliError> {
    match (answer.status, &answer.grant) {
        (EnrolStatus::Active, Some(grant)) => {
            Ok(Some(replica.take_grant((url, trust.to_kept()), answer, grant)?))
        }
        (EnrolStatus::Pending, _) => Ok(None),
        (EnrolStatus::Active, None) => Err(CliError::Json {
            what: "the server's answer".to_owned(),
            cause: "an active device gets tokens".to_owned(),
        }),
    }
}

/// The server, asked by whoever has this device's key, with no token.
pub(crate) fn as_key_holder(
    replica: &Replica,
    url: &str,
    trust: &Trust,
) -> Result<Server, CliError> {
    Server::new(url, Some(replica.credentials()?.without_token()), trust)
}

/// Posts JSON, and reads JSON.
pub(crate) fn to_json(request: &impl serde::Serialize) -> Result<Vec<u8>, CliError> {
    serde_json::to_vec(request)
        .map_err(|error| CliError::Json { what: "a request".to_owned(), cause: error.to_string() })
}

/// What a device does that the office turned away: it sends what waits for review, and wipes itself
/// if it was told to. Returns what to tell.
pub(crate) fn turned_away(replica: &mut Replica, error: CliError) -> CliError {
    let CliError::Barred { code, message, .. } = &error else { return error };
    match leave(replica, code) {
        Ok(Some(())) => CliError::Wiped,
        Ok(None) => CliError::Barred { code: code.clone(), message: message.clone(), sent: None },
        Err(Left::Sent(sent)) => {
            CliError::Barred { code: code.clone(), message: message.clone(), sent: Some(sent) }
        }
        Err(Left::Failed(failed)) => failed,
    }
}

/// Why a device that was turned away is not wiped.
enum Left {
    /// It was not told to; so many changes wait for review.
    Sent(u64),
    Failed(CliError),
}

impl<E: Into<CliError>> From<E> for Left {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn leave(replica: &mut Replica, code: &str) -> Result<Option<()>, Left> {
    let Some(enrolment) = replica.enrolment()? else { return Ok(None) };
    let trust = Trust::of(enrolment.ca.as_deref())?;
    let server = as_key_holder(replica, &enrolment.url, &trust)?.by_id(enrolment.device);
    let answer = server.accepted(server.get("/v1/device")?)?;
    let answer: DeviceAnswer = server.read_json(answer)?;
    if answer.wipe.is_none() && code == "device_suspended" {
        erase_told(replica, &server)?;
        return Ok(None);
    }
    let answers = match send_for_review(replica, &server, &answer.seal_key) {
        // An office without a review: what waits stays here, and with it everything else.
        Err(CliError::Server { .. }) => return Ok(None),
        answers => answers?,
    };
    let sent = answers.iter().filter(|answer| !matches!(answer.outcome, Outcome::Retry(_))).count();
    let is_all = sent == answers.len();
    // What the office has no room for stays here until somebody there has decided on the rest.
    let Some(ordered) = answer.wipe.filter(|_| is_all) else {
        replica.take_reviewed(&answers)?;
        // The office has what waited: only now what may not be held goes.
        if is_all {
            replica.let_go()?;
            server.accepted(server.post("/v1/purged", JSON_TYPE, b"")?)?;
        }
        erase_told(replica, &server)?;
        return Err(Left::Sent(sent as u64));
    };
    let order = WipeOrder {
        url: enrolment.url,
        device: enrolment.device,
        receipt: ordered.receipt,
        ca: enrolment.ca,
    };
    let folder = replica.folder().to_owned();
    wipe::begin(&folder, &order).map_err(|source| CliError::File { path: folder, source })?;
    Ok(Some(()))
}

/// Carries out erasures of which a device that may not pull hears in no other way.
fn erase_told(replica: &mut Replica, server: &Server) -> Result<(), CliError> {
    loop {
        let path = format!("/v1/device?erased={}", replica.erased_through()?);
        let answer: DeviceAnswer = server.read_json(server.accepted(server.get(&path)?)?)?;
        if answer.erased.is_empty() {
            return Ok(());
        }
        replica.take_erasures(&answer.erased)?;
        replica.sweep_erased()?;
    }
}

/// Sends everything that waits to the office's review, sealed to its key.
fn send_for_review(
    replica: &Replica,
    server: &Server,
    key: &SignedSealKey,
) -> Result<Vec<Answer>, CliError> {
    let (mut after, mut answers) = (0, Vec::new());
    while let Some(batch) = replica.next_push(after)? {
        let sealed = replica.seal_for_review(&batch, key)?;
        let body = pack(&sealed).map_err(outrider_core::replica::ReplicaError::from)?;
        let response = server.accepted(server.post("/v1/review", SYNC_MEDIA_TYPE, &body)?)?;
        let response: PushResponse = server.read_message(response)?;
        answers.extend(response.answers);
        after = batch.last_id;
    }
    Ok(answers)
}

/// Carries out a wipe that has begun, in this process or an earlier one. Whether there was one.
pub(crate) fn carry_out_wipe(context: &Context) -> Result<bool, CliError> {
    let file_error = |source| CliError::File { path: context.home.clone(), source };
    let Some(order) = wipe::order(&context.home).map_err(file_error)? else { return Ok(false) };
    wipe::wipe(&context.home, context.key_store().as_ref())?;
    // What is gone is gone; without a connection the office learns it at the next start.
    let server = Server::new(&order.url, None, &Trust::of(order.ca.as_deref())?)?;
    let request = WipedRequest { device: order.device, receipt: order.receipt };
    let response = server.post("/v1/wiped", JSON_TYPE, &to_json(&request)?)?;
    server.accepted(response)?;
    wipe::end(&context.home).map_err(file_error)?;
    Ok(true)
}
