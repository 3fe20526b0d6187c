//! What guards signing in: how many passwords are hashed at once, and how often one may try.
//!
//! A hash takes 19 MiB and a core for a moment; attempts are counted by address (a layer of the
//! router) and, here, by login, whether or not it is known.

use std::num::NonZeroU32;

use governor::{
    Quota, RateLimiter, clock::DefaultClock, middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Passwords that are hashed at once.
pub const HASHES_MAX: usize = 2;
/// Attempts at once for one login.
pub const ATTEMPTS_BURST: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts per hour for one login, lasting.
pub const ATTEMPTS_PER_HOUR: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// Logins that are remembered, at most; beyond, all have to wait until some are forgotten.
pub const LOGINS_MAX: usize = 10_000;

type Attempts = RateLimiter<[u8; 32], HashMapStateStore<[u8; 32]>, DefaultClock, NoOpMiddleware>;

/// The guard, shared by all requests.
pub(crate) struct Door {
    /// Places for hashing.
    pub(crate) hashes: Semaphore,
    attempts: Attempts,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Default for Door {
    fn default() -> Self {
        let quota = Quota::per_hour(ATTEMPTS_PER_HOUR).allow_burst(ATTEMPTS_BURST);
        Self { hashes: Semaphore::new(HASHES_MAX), attempts: RateLimiter::hashmap(quota) }
    }
}

impl Door {
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
    fn logins_that_are_remembered_have_a_limit() {
        let door = Door::default();
        for n in 0..LOGINS_MAX {
            assert!(door.may_try(&n.to_string()), "{n}");
        }
        assert!(!door.may_try("one more"));
    }
}
