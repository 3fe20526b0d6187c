//! Who may do what, as it stands now: the policy of what is stored, and grants for devices.
//!
//! The policy follows from the rules and from the records of users, teams and territories. Reading
//! them takes a while, so it is kept until the rules or one of those records change, which each
//! look tells from two numbers.

use std::sync::{Arc, Mutex, PoisonError};

use outrider_core::{
    access::{Grant, Policy, grant::SIGNED_KIND},
    sync::frame::SignedGrant,
    time::TimestampMs,
};

use crate::{
    keys::ServerKey,
    storage::{Read, StorageError},
};

/// The number of the rules, and the position at which the directory last changed.
type Version = (u64, u64);

/// The policy of one storage, kept while it holds.
#[derive(Debug, Default)]
pub struct Policies {
    kept: Mutex<Option<(Version, Arc<Policy>)>>,
}

impl Policies {
    /// The policy as it stands.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn current(&self, read: &dyn Read) -> Result<Arc<Policy>, StorageError> {
        let rules = read.rules()?;
        let version = (rules.number, read.directory_position()?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, policy)) = &*kept
            && *known == version
        {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(Policy { rules, directory: read.directory()? });
        *kept = Some((version, Arc::clone(&policy)));
        Ok(policy)
    }
}

/// The policy of what is stored, read now.
///
/// # Errors
///
/// Fails when the storage does.
pub fn policy_of(read: &dyn Read) -> Result<Policy, StorageError> {
    Ok(Policy { rules: read.rules()?, directory: read.directory()? })
}

/// Signs a grant for a device.
#[must_use]
pub fn sign_grant(key: &ServerKey, grant: &Grant) -> SignedGrant {
    let body = grant.to_bytes();
    let signature = key.sign(SIGNED_KIND, &body);
    SignedGrant { body, signature }
}

/// With what a pull is answered beside the storage.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// Who may do what.
    pub policy: &'a Policy,
    /// With what grants are signed.
    pub key: &'a ServerKey,
    /// The time now.
    pub now_ms: TimestampMs,
}
