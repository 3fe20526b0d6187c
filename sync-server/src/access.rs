//! Who may do what, as it stands now: the policy of what is stored, and grants for devices.
//!
//! The policy follows from the rules and from the records of users, teams and territories. Reading
//! them takes a while, so it is kept until the rules or one of those records change, which each
//! look tells from two numbers.

pub mod admin;

use std::sync::{Arc, Mutex, PoisonError};

use outrider_core::{
    access::{Grant, Operation, Policy, grant::SIGNED_KIND},
    ids::RecordId,
    schema::Schema,
    sync::frame::SignedGrant,
    time::TimestampMs,
};

use tokio::sync::watch;

use crate::{
    keys::ServerKey,
    storage::{Device, Read, Storage, StorageError, Write},
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

/// With whose eyes something is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eyes {
    /// Those of whoever administers the server.
    All,
    /// Those of a user.
    User {
        /// The user's record, if it is known.
        record: Option<RecordId>,
        /// The login, for users whose record is not known yet.
        login: String,
    },
}

impl Eyes {
    /// Those of a user.
    #[must_use]
    pub fn of_user(login: &str, record: Option<RecordId>) -> Self {
        Self::User { record, login: login.to_owned() }
    }

    /// Those of the user of a device.
    #[must_use]
    pub fn of_device(device: &Device) -> Self {
        Self::of_user(&device.user, device.user_record)
    }
}

impl Policies {
    /// The storage as a user sees it: what may not be read is not there.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn seen<'a>(
        &self,
        storage: &'a dyn Storage,
        eyes: &Eyes,
        now_ms: TimestampMs,
    ) -> Result<Seen<'a>, StorageError> {
        let policy = self.current(&*storage.read()?)?;
        let user = match eyes {
            Eyes::User { record, login } if policy.rules.is_on => match record {
                Some(record) => Some(*record),
                None => crate::office::find_user(&*storage.read()?, login)?,
            },
            Eyes::All | Eyes::User { .. } => return Ok(Seen { storage, grant: Grant::open() }),
        };
        Ok(Seen { storage, grant: policy.grant(user, now_ms) })
    }
}

/// A storage as a user sees it.
#[derive(Debug)]
pub struct Seen<'a> {
    storage: &'a dyn Storage,
    grant: Grant,
}

impl Seen<'_> {
    /// The same storage with only that in it which the user may do something with.
    #[must_use]
    pub fn narrowed_to(self, operation: Operation) -> Self {
        Self { grant: self.grant.narrowed_to(operation, Schema::current()), ..self }
    }

    /// What the user may do.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl Storage for Seen<'_> {
    fn read(&self) -> Result<Box<dyn Read + '_>, StorageError> {
        self.storage.read_as(&self.grant)
    }

    fn read_as(&self, grant: &Grant) -> Result<Box<dyn Read + '_>, StorageError> {
        self.storage.read_as(grant)
    }

    /// Whoever writes reads everything within the transaction; what is written is judged.
    fn write(&self) -> Result<Box<dyn Write + '_>, StorageError> {
        self.storage.write()
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.storage.news()
    }
}
