//! Being let in: tokens that are good now, and what to do when the office turns this device away.
//!
//! Several processes use one device. Tokens are exchanged under the lock of a file beside the store,
//! and whoever waited for it looks again: a token is never used twice.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use outrider_core::{
    keys::KeyStore,
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
    error::ClientError,
    server::{SYNC_MEDIA_TYPE, Server},
    transport::{READ_TIMEOUT, Transport},
    trust::Trust,
};

/// How requests are sent.
pub type Http = Arc<dyn Transport>;

/// The media type of enrolment and tokens.
const JSON_TYPE: &str = "application/json";
/// Who exchanges tokens holds the lock of this file.
const LOCK_FILE: &str = "token.lock";

/// The server of this device, with a token that is good now.
///
/// # Errors
///
/// Fails when the device is not enrolled, or its tokens cannot be exchanged.
pub fn authorised(http: &Http, replica: &mut Replica) -> Result<Server, ClientError> {
    listening(http, replica, READ_TIMEOUT)
}

/// As [`authorised`], for a server that may be silent for so long.
///
/// # Errors
///
/// As [`authorised`].
pub fn listening(
    http: &Http,
    replica: &mut Replica,
    silence: Duration,
) -> Result<Server, ClientError> {
    let enrolment = enrolled(http, replica)?;
    // Twice, where an answer that was lost long ago comes again: it has ended meanwhile.
    for _ in 0..2 {
        if replica.is_refresh_due()? {
            renew(http, replica, None)?;
        }
    }
    Server::listening(http, &enrolment, Some(replica.credentials()?), silence)
}

/// The enrolment; one that waits for the office is asked for first.
fn enrolled(http: &Http, replica: &mut Replica) -> Result<Enrolment, ClientError> {
    if let Some(enrolment) = replica.enrolment()? {
        return Ok(enrolment);
    }
    let Some(pending) = replica.pending_enrolment()? else { return Err(ClientError::NotEnrolled) };
    let trust = Trust::of(pending.ca.as_deref())?;
    match claim(http, replica, (&pending.url, &trust), pending.device)? {
        (_, Some(enrolment)) => Ok(enrolment),
        (answer, None) => Err(ClientError::WaitsForApproval { fingerprint: answer.fingerprint }),
    }
}

/// Exchanges the tokens, unless another process did: `refused` is the token that the server did not
/// take.
///
/// # Errors
///
/// Fails when the server is not reached, or turns the device away.
pub fn renew(http: &Http, replica: &mut Replica, refused: Option<&str>) -> Result<(), ClientError> {
    let path = replica.folder().join(LOCK_FILE);
    let file_error = |source| ClientError::File { path: path.clone(), source };
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
    let enrolment = replica.enrolment()?.ok_or(ClientError::NotEnrolled)?;
    let trust = Trust::of(enrolment.ca.as_deref())?;
    // A device that was never given tokens has nothing to exchange: it may claim some.
    let exchanged = match replica.token_request()? {
        Some(request) => {
            let server = as_key_holder(http, replica, &enrolment.url, &trust)?;
            server.exchange::<Tokens>("/v1/token", &to_json(&request)?)
        }
        None => Err(ClientError::NotEnrolled),
    };
    match exchanged {
        Ok(tokens) => Ok(replica.take_tokens(&tokens)?),
        Err(error) if is_claimable(&error) => {
            match claim(http, replica, (&enrolment.url, &trust), enrolment.device)? {
                (_, Some(_)) => Ok(()),
                (answer, None) => {
                    Err(ClientError::WaitsForApproval { fingerprint: answer.fingerprint })
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether the office may have approved the device again, or has to.
fn is_claimable(error: &ClientError) -> bool {
    matches!(error, ClientError::Server { code, .. }
        if matches!(code.as_str(), "device_suspended" | "token_reused" | "token_ended" | "tokens_unclaimed"))
}

/// Asks whether the office has approved a device, and takes what it gives then.
///
/// # Errors
///
/// Fails when the server is not reached, or declined the device.
pub fn claim(
    http: &Http,
    replica: &mut Replica,
    (url, trust): (&str, &Trust),
    device: outrider_core::ids::DeviceId,
) -> Result<(EnrolAnswer, Option<Enrolment>), ClientError> {
    let request = replica.claim_request(device)?;
    let server = as_key_holder(http, replica, url, trust)?;
    let answer: EnrolAnswer = server.exchange("/v1/enroll/status", &to_json(&request)?)?;
    let enrolment = take(replica, (server.url(), trust), &answer)?;
    Ok((answer, enrolment))
}

/// Takes what an answer to enrolment brings.
///
/// # Errors
///
/// Fails for an answer that says yes and gives nothing.
pub fn take(
    replica: &mut Replica,
    (url, trust): (&str, &Trust),
    answer: &EnrolAnswer,
) -> Result<Option<Enrolment>, ClientError> {
    match (answer.status, &answer.grant) {
        (EnrolStatus::Active, Some(grant)) => {
            Ok(Some(replica.take_grant((url, trust.to_kept()), answer, grant)?))
        }
        (EnrolStatus::Pending, _) => Ok(None),
        (EnrolStatus::Active, None) => Err(ClientError::Json {
            what: "the server's answer".to_owned(),
            cause: "an active device gets tokens".to_owned(),
        }),
    }
}

/// The server, asked by whoever has this device's key, with no token.
///
/// # Errors
///
/// Fails for an address that is none.
pub fn as_key_holder(
    http: &Http,
    replica: &Replica,
    url: &str,
    trust: &Trust,
) -> Result<Server, ClientError> {
    Server::new(http, url, Some(replica.credentials()?.without_token()), trust)
}

/// Posts JSON, and reads JSON.
///
/// # Errors
///
/// Fails for what JSON cannot say.
pub fn to_json(request: &impl serde::Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(request).map_err(|error| ClientError::Json {
        what: "a request".to_owned(),
        cause: error.to_string(),
    })
}

/// What a device does that the office turned away: it sends what waits for review, and wipes itself
/// if it was told to. Returns what to tell.
#[must_use]
pub fn turned_away(http: &Http, replica: &mut Replica, error: ClientError) -> ClientError {
    let ClientError::Barred { code, message, .. } = &error else { return error };
    match leave(http, replica, code) {
        Ok(Some(())) => ClientError::Wiped,
        Ok(None) => {
            ClientError::Barred { code: code.clone(), message: message.clone(), sent: None }
        }
        Err(Left::Sent(sent)) => {
            ClientError::Barred { code: code.clone(), message: message.clone(), sent: Some(sent) }
        }
        Err(Left::Failed(failed)) => failed,
    }
}

/// Why a device that was turned away is not wiped.
enum Left {
    /// It was not told to; so many changes wait for review.
    Sent(u64),
    Failed(ClientError),
}

impl<E: Into<ClientError>> From<E> for Left {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn leave(http: &Http, replica: &mut Replica, code: &str) -> Result<Option<()>, Left> {
    let Some(enrolment) = replica.enrolment()? else { return Ok(None) };
    let trust = Trust::of(enrolment.ca.as_deref())?;
    let server = as_key_holder(http, replica, &enrolment.url, &trust)?.by_id(enrolment.device);
    let answer = server.accepted(server.get("/v1/device")?)?;
    let answer: DeviceAnswer = server.read_json(answer)?;
    if answer.wipe.is_none() && code == "device_suspended" {
        erase_told(replica, &server)?;
        return Ok(None);
    }
    let answers = match send_for_review(replica, &server, &answer.seal_key) {
        // An office without a review: what waits stays here, and with it everything else.
        Err(ClientError::Server { .. }) => return Ok(None),
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
    wipe::begin(&folder, &order).map_err(|source| ClientError::File { path: folder, source })?;
    Ok(Some(()))
}

/// Carries out erasures of which a device that may not pull hears in no other way.
fn erase_told(replica: &mut Replica, server: &Server) -> Result<(), ClientError> {
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
) -> Result<Vec<Answer>, ClientError> {
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
///
/// # Errors
///
/// Fails while something is left: call it again. The office learns of it where there is a connection.
pub fn carry_out_wipe(
    http: &Http,
    folder: &Path,
    keys: &dyn KeyStore,
) -> Result<bool, ClientError> {
    let file_error = |source| ClientError::File { path: folder.to_owned(), source };
    let Some(order) = wipe::order(folder).map_err(file_error)? else { return Ok(false) };
    wipe::wipe(folder, keys)?;
    // What is gone is gone; without a connection the office learns it at the next start.
    let server = Server::new(http, &order.url, None, &Trust::of(order.ca.as_deref())?)?;
    let request = WipedRequest { device: order.device, receipt: order.receipt };
    let response = server.post("/v1/wiped", JSON_TYPE, &to_json(&request)?)?;
    server.accepted(response)?;
    wipe::end(folder).map_err(file_error)?;
    Ok(true)
}
