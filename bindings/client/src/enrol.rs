//! Enrolment: a code from the office makes this device one of a user's, at once or when the office
//! has approved it.

use outrider_core::{
    ids::to_hex,
    replica::{Replica, ReplicaError},
    store::{credentials::PendingEnrolment, meta::Enrolment},
    sync::{
        frame::PROTOCOL_VERSION,
        sign::fingerprint,
        tokens::{EnrolAnswer, EnrolRequest, EnrolStatus},
    },
};

use crate::{
    access::{self, Http},
    error::ClientError,
    trust::Trust,
};

/// What a person typed, or a QR code said.
#[derive(Debug, Clone, Default)]
pub struct Invitation {
    /// The server's address.
    pub url: String,
    /// The code.
    pub code: String,
    /// What the device is called in the office.
    pub device_name: String,
    /// The fingerprint of the server's own authority, if it has one.
    pub ca_fingerprint: Option<String>,
    /// Whether an enrolment that there is may go.
    pub again: bool,
}

/// Shows the code; what an approved device gets is stored before anything else happens, and of one that
/// waits for the office it is stored that it does.
///
/// # Errors
///
/// Fails when the server is not reached or takes no such code, and for a device that has a server.
pub fn enrol(
    http: &Http,
    replica: &mut Replica,
    with: &Invitation,
) -> Result<EnrolAnswer, ClientError> {
    if !with.again {
        check_not_enrolled(replica)?;
    }
    let trust = match &with.ca_fingerprint {
        None => Trust::Public,
        Some(fingerprint) => Trust::learn(http, &with.url, fingerprint)?,
    };
    let server = access::as_key_holder(http, replica, &with.url, &trust)?;
    let request = EnrolRequest {
        code: with.code.trim().to_owned(),
        device_name: with.device_name.clone(),
        public_key: to_hex(&replica.public_key()),
        protocol: PROTOCOL_VERSION,
        nonce: replica.exchange_nonce()?,
    };
    let answer: EnrolAnswer =
        server.exchange("/v1/enroll", &access::to_json(&request)?).map_err(code_refused)?;
    access::take(replica, (server.url(), &trust), &answer)?;
    if answer.status == EnrolStatus::Pending {
        check_user(replica, &answer)?;
        let waits = PendingEnrolment {
            url: server.url().to_owned(),
            device: answer.device,
            user: answer.user.clone(),
            ca: trust.to_kept(),
        };
        replica.set_pending_enrolment(Some(&waits))?;
    }
    Ok(answer)
}

/// Asks whether the office has approved the device that waits for it.
///
/// # Errors
///
/// Fails when none waits, when the server is not reached, and when the office has declined: then it waits no
/// more.
pub fn claim_pending(
    http: &Http,
    replica: &mut Replica,
) -> Result<(EnrolAnswer, Option<Enrolment>), ClientError> {
    let pending = replica.pending_enrolment()?.ok_or(ClientError::NotEnrolled)?;
    let trust = Trust::of(pending.ca.as_deref())?;
    let claimed = access::claim(http, replica, (&pending.url, &trust), pending.device);
    if let Err(ClientError::Server { code, .. }) = &claimed
        && matches!(code.as_str(), "enrolment_declined" | "enrolment_unknown")
    {
        replica.set_pending_enrolment(None)?;
    }
    claimed
}

/// What the office must see, by this device's own key: not what a server says of it.
#[must_use]
pub fn own_fingerprint(replica: &Replica, answer: &EnrolAnswer) -> String {
    fingerprint(&replica.public_key()).unwrap_or_else(|| answer.fingerprint.clone())
}

/// A store is one user's: another one has a store of their own.
fn check_user(replica: &Replica, answer: &EnrolAnswer) -> Result<(), ClientError> {
    match replica.enrolment()? {
        Some(known) if known.user != answer.user => {
            Err(ReplicaError::OtherUser { user: known.user }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// An enrolment is not lost by accident, nor what waits for its server.
fn check_not_enrolled(replica: &Replica) -> Result<(), ClientError> {
    let Some(Enrolment { url, user, .. }) = replica.enrolment()? else { return Ok(()) };
    match replica.status()?.waiting {
        0 => Err(ClientError::AlreadyEnrolled { url, user }),
        waiting => Err(ClientError::StillWaiting { waiting, url }),
    }
}

/// A code that the server does not take is no matter of tokens.
fn code_refused(error: ClientError) -> ClientError {
    if let ClientError::TokenRefused(message) = error {
        return ClientError::Server { status: 401, code: "code_refused".to_owned(), message };
    }
    error
}
