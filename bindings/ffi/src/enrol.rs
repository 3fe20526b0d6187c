//! Enrolment: a code from the office makes this device one of a user's.

use outrider_client::enrol::{self, Invitation};
use outrider_core::{
    ids::RecordId,
    sync::{sign::fingerprint, tokens::EnrolStatus},
};

use crate::{error::CrmError, long::Cancel, replica::Replica};

use std::sync::Arc;

/// What a person typed, or a QR code said.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EnrolCode {
    /// The server's address.
    pub url: String,
    /// The code.
    pub code: String,
    /// What the device is called in the office.
    pub device_name: String,
    /// The fingerprint of the server's own authority, if it has one.
    #[uniffi(default = None)]
    pub ca_fingerprint: Option<String>,
    /// Whether an enrolment that there is may go: after the office lost the device, or for another server.
    #[uniffi(default = false)]
    pub again: bool,
}

/// Whose this device is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Enrolment {
    /// Whether the office has approved it; until then nothing is exchanged.
    pub is_active: bool,
    /// The server's address.
    pub url: String,
    /// The user's name.
    pub user: String,
    /// The user's record, once it is known.
    pub user_record: Option<RecordId>,
    /// The device's id in the office.
    pub device: String,
    /// What the office sees of the device's key: both must show the same.
    pub fingerprint: String,
}

#[uniffi::export]
impl Replica {
    /// Enrols this device with a code. What was written before goes to the office with the first sync.
    ///
    /// # Errors
    ///
    /// `Refused` for a code that is not valid (any more) and a device that is enrolled, `Offline`,
    /// `Untrusted`, `Invalid` for an address that is none.
    #[uniffi::method(default(cancel = None))]
    pub fn enrol(
        &self,
        code: EnrolCode,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Enrolment, CrmError> {
        let EnrolCode { url, code, device_name, ca_fingerprint, again } = code;
        let with = Invitation { url, code, device_name, ca_fingerprint, again };
        self.ask_office(cancel.as_deref(), |http, replica| {
            enrol::enrol(http, replica, &with).map(drop)
        })?;
        self.enrolment()?
            .ok_or_else(|| self.teller().client(outrider_client::ClientError::NotEnrolled))
    }

    /// Asks whether the office has approved the device that waits for it.
    ///
    /// # Errors
    ///
    /// `NotEnrolled` when none waits, `Refused` when the office has declined, `Offline`.
    #[uniffi::method(default(cancel = None))]
    pub fn check_enrolment(&self, cancel: Option<Arc<Cancel>>) -> Result<Enrolment, CrmError> {
        self.ask_office(cancel.as_deref(), |http, replica| {
            if replica.pending_enrolment()?.is_none() && replica.enrolment()?.is_some() {
                return Ok(());
            }
            let (answer, _) = enrol::claim_pending(http, replica)?;
            // The answer is stored; what it says is read below.
            debug_assert!(answer.status != EnrolStatus::Active || answer.grant.is_some());
            Ok(())
        })?;
        self.enrolment()?
            .ok_or_else(|| self.teller().client(outrider_client::ClientError::NotEnrolled))
    }

    /// Whose this device is; nothing before it is enrolled.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    pub fn enrolment(&self) -> Result<Option<Enrolment>, CrmError> {
        self.with(|replica| {
            let fingerprint = fingerprint(&replica.public_key()).unwrap_or_default();
            if let Some(pending) = replica.pending_enrolment()? {
                return Ok(Some(Enrolment {
                    is_active: false,
                    url: pending.url,
                    user: pending.user,
                    user_record: None,
                    device: pending.device.to_string(),
                    fingerprint,
                }));
            }
            Ok(replica.enrolment()?.map(|known| Enrolment {
                is_active: true,
                url: known.url,
                user: known.user,
                user_record: known.user_record,
                device: known.device.to_string(),
                fingerprint,
            }))
        })
    }
}
