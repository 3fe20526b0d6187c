//! People whose password was right and whose code is awaited: in memory, for minutes, for few tries.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use outrider_core::time::TimestampMs;
use uuid::Uuid;

/// Milliseconds that a code is awaited.
pub(crate) const PENDING_MS: TimestampMs = 5 * 60_000;
/// Codes that may be tried before the password is asked for again.
pub(crate) const PENDING_TRIES: u32 = 5;
/// People who are awaited at once, at most; beyond, the one who has waited longest starts anew.
pub(crate) const PENDING_MAX: usize = 1_000;

/// What the form of the code carries.
pub(crate) type Ticket = [u8; 16];

#[derive(Debug, Clone, Copy)]
struct Waiting {
    account: Uuid,
    since: TimestampMs,
    tries: u32,
}

/// Who is awaited.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<BTreeMap<Ticket, Waiting>>);

impl Pending {
    /// Awaits the code of an account.
    pub(crate) fn begin(&self, ticket: Ticket, account: Uuid, now_ms: TimestampMs) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| now_ms - one.since < PENDING_MS);
        if waiting.len() >= PENDING_MAX {
            let oldest = waiting.iter().min_by_key(|(_, one)| one.since).map(|(key, _)| *key);
            waiting.retain(|key, _| Some(*key) != oldest);
        }
        waiting.insert(ticket, Waiting { account, since: now_ms, tries: 0 });
    }

    /// Counts a try; whose code it must be, if one is awaited still.
    pub(crate) fn try_code(&self, ticket: &Ticket, now_ms: TimestampMs) -> Option<Uuid> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = waiting.get_mut(ticket)?;
        one.tries += 1;
        if one.tries > PENDING_TRIES || now_ms - one.since >= PENDING_MS {
            waiting.remove(ticket);
            return None;
        }
        Some(one.account)
    }

    /// Awaits it no longer.
    pub(crate) fn end(&self, ticket: &Ticket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_awaited_for_a_while_and_for_few_tries() {
        let pending = Pending::default();
        let who = Uuid::from_u128(7);
        pending.begin([1; 16], who, 0);
        for _ in 0..PENDING_TRIES {
            assert_eq!(pending.try_code(&[1; 16], 1), Some(who));
        }
        assert_eq!(pending.try_code(&[1; 16], 1), None);
        assert_eq!(pending.try_code(&[2; 16], 1), None);
        pending.begin([3; 16], who, 0);
        assert_eq!(pending.try_code(&[3; 16], PENDING_MS), None);
        for n in 0..=PENDING_MAX as u128 {
            pending.begin(n.to_be_bytes(), who, n as i64);
        }
        let now = PENDING_MAX as i64;
        assert_eq!(pending.try_code(&0_u128.to_be_bytes(), now), None, "the oldest made room");
        assert_eq!(pending.try_code(&1_u128.to_be_bytes(), now), Some(who));
    }
}
