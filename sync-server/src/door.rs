//! What guards signing in: how many passwords are hashed at once, and how often one may try.
//!
//! A hash takes 19 MiB and a core for a moment; attempts are counted by address (a layer of the
//! router) and, here, by login, whether or not it is known. Codes of a second factor are counted
//! more strictly: who tries them knows the password. Lines about refusals have a rate, so that
//! strangers cannot fill the disk; what they leave out, the next line counts.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{
    Quota, RateLimiter,
    clock::DefaultClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) mod pending;

use pending::Pending;

/// Passwords that are hashed at once.
pub const HASHES_MAX: usize = 2;
/// Attempts at once for one login.
pub const ATTEMPTS_BURST: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts per hour for one login, lasting.
pub const ATTEMPTS_PER_HOUR: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// Codes at once for one account.
pub const CODES_BURST: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Codes per hour for one account, lasting: a millionth of all codes is right at a time, so at this
/// rate half of them would take years.
pub const CODES_PER_HOUR: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// Refusals per minute that get a line in the audit each.
pub const REFUSALS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// Logins that are remembered, at most; beyond, all have to wait until some are forgotten.
pub const LOGINS_MAX: usize = 10_000;

type Refusals = RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>;
type Attempts = RateLimiter<[u8; 32], HashMapStateStore<[u8; 32]>, DefaultClock, NoOpMiddleware>;

/// The guard, shared by all requests.
pub(crate) struct Door {
    /// Places for hashing.
    pub(crate) hashes: Semaphore,
    attempts: Attempts,
    codes: Attempts,
    refusals: Refusals,
    /// Refusals without a line, since the last one that got one.
    unnoted: AtomicU64,
    /// Whose code is awaited.
    pub(crate) pending: Pending,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Default for Door {
    fn default() -> Self {
        let quota = Quota::per_hour(ATTEMPTS_PER_HOUR).allow_burst(ATTEMPTS_BURST);
        let codes = Quota::per_hour(CODES_PER_HOUR).allow_burst(CODES_BURST);
        Self {
            hashes: Semaphore::new(HASHES_MAX),
            attempts: RateLimiter::hashmap(quota),
            codes: RateLimiter::hashmap(codes),
            refusals: RateLimiter::direct(Quota::per_minute(REFUSALS_PER_MINUTE)),
            unnoted: AtomicU64::new(0),
            pending: Pending::default(),
        }
    }
}

impl Door {
    /// Counts a code of a second factor; whether it may be tried.
    pub(crate) fn may_try_code(&self, account: Uuid) -> bool {
        let key: [u8; 32] = Sha256::digest(account.as_bytes()).into();
        if self.codes.len() >= LOGINS_MAX {
            self.codes.retain_recent();
        }
        self.codes.check_key(&key).is_ok()
    }

    /// Counts a refusal; how many had no line since the last one, if this one gets a line.
    pub(crate) fn note_refusal(&self) -> Option<u64> {
        if self.refusals.check().is_ok() {
            return Some(self.unnoted.swap(0, Ordering::Relaxed));
        }
        self.unnoted.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Counts an attempt to sign in; whether it may go on.
    pub(crate) fn may_try(&self, login: &str) -> bool {
        if self.attempts.len() >= LOGINS_MAX {
            self.attempts.retain_recent();
            if self.attempts.len() >= LOGINS_MAX {
                return false;
            }
        }
        // The login may be of any length, and must not stay in memory as it is.
        let key: [u8; 32] = Sha256::digest(crate::accounts::fold_login(login)).into();
        self.attempts.check_key(&key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_login() {
        let door = Door::default();
        for _ in 0..ATTEMPTS_BURST.get() {
            assert!(door.may_try("admin"));
        }
        assert!(!door.may_try("admin"));
        assert!(!door.may_try(" ADMIN "));
        assert!(door.may_try("li"));
    }

    #[test]
    fn codes_and_lines_about_refusals_have_a_rate() {
        let door = Door::default();
        let who = Uuid::from_u128(1);
        assert!((0..CODES_BURST.get()).all(|_| door.may_try_code(who)));
        assert!(!door.may_try_code(who));
        assert!(door.may_try_code(Uuid::from_u128(2)));
        assert!((0..REFUSALS_PER_MINUTE.get()).all(|_| door.note_refusal() == Some(0)));
        assert_eq!(door.note_refusal(), None);
        assert_eq!(door.unnoted.load(Ordering::Relaxed), 1, "the next line counts it");
    }

    #[test]
    fn logins_that_are_remembered_have_a_limit() {
        let door = Door::default();
        for n in 0..LOGINS_MAX {
            assert!(door.may_try(&n.to_string()), "{n}");
        }
        assert!(!door.may_try("one more"));
    }
}
