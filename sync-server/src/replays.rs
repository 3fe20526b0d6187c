//! Nonces of requests that were answered: none is taken twice.
//!
//! A nonce is remembered as long as a proof with its time may still be shown. There are as many as
//! fit: beyond, requests are refused until old ones are forgotten, and never taken unremembered.
//! A process that begins knows none, so it takes no proof from before its beginning.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use outrider_core::{
    ids::DeviceId,
    sync::proof::{NONCE_BYTES, PROOF_WINDOW_MS},
    time::TimestampMs,
};

/// Nonces of one device that are remembered, at most: a hundred requests a second, for as long as
/// they count.
pub(crate) const NONCES_EACH_MAX: usize = 12_000;
/// Nonces that are remembered in all, at most; some 16 MiB.
pub(crate) const NONCES_MAX: usize = 250_000;

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is new.
    Taken,
    /// It was shown before.
    Replayed,
    /// Too many are remembered.
    Full,
}

/// The nonces.
#[derive(Debug)]
pub(crate) struct Replays {
    began_at: TimestampMs,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the time of their proof, so that the oldest are forgotten first.
    by_time: BTreeSet<(TimestampMs, DeviceId, [u8; NONCE_BYTES])>,
    by_device: BTreeMap<DeviceId, BTreeSet<[u8; NONCE_BYTES]>>,
}

impl Replays {
    pub(crate) fn new(began_at: TimestampMs) -> Self {
        Self { began_at, known: Mutex::default() }
    }

    /// Whether a proof of this time may be shown now.
    pub(crate) fn is_timely(&self, time_ms: TimestampMs, now_ms: TimestampMs) -> bool {
        time_ms >= self.began_at
            && time_ms.saturating_sub(now_ms).saturating_abs() <= PROOF_WINDOW_MS
    }

    /// Takes the nonce of a proof whose time and signature are good.
    pub(crate) fn claim(
        &self,
        device: DeviceId,
        time_ms: TimestampMs,
        nonce: [u8; NONCE_BYTES],
        now_ms: TimestampMs,
    ) -> Claim {
        // The sets are whole at every moment, whatever a holder of the lock died of.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget(now_ms.saturating_sub(PROOF_WINDOW_MS));
        if known.by_device.get(&device).is_some_and(|nonces| nonces.contains(&nonce)) {
            return Claim::Replayed;
        }
        let each = known.by_device.get(&device).map_or(0, BTreeSet::len);
        if known.by_time.len() >= NONCES_MAX || each >= NONCES_EACH_MAX {
            return Claim::Full;
        }
        known.by_time.insert((time_ms, device, nonce));
        known.by_device.entry(device).or_default().insert(nonce);
        Claim::Taken
    }
}

impl Known {
    /// Forgets nonces of proofs from before a time.
    fn forget(&mut self, before: TimestampMs) {
        while let Some(&(time_ms, device, nonce)) = self.by_time.first() {
            if time_ms >= before {
                return;
            }
            self.by_time.pop_first();
            if let Some(nonces) = self.by_device.get_mut(&device) {
                nonces.remove(&nonce);
                if nonces.is_empty() {
                    self.by_device.remove(&device);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> DeviceId {
        DeviceId(uuid::Uuid::from_u128(n))
    }

    fn nonce(n: usize) -> [u8; NONCE_BYTES] {
        (n as u128).to_be_bytes()
    }

    #[test]
    fn a_nonce_is_taken_once_as_long_as_its_proof_counts() {
        let replays = Replays::new(0);
        assert_eq!(replays.claim(id(1), 1_000, nonce(1), 1_000), Claim::Taken);
        assert_eq!(replays.claim(id(1), 1_000, nonce(1), 1_000), Claim::Replayed);
        assert_eq!(replays.claim(id(2), 1_000, nonce(1), 1_000), Claim::Taken, "another device");
        let last = 1_000 + PROOF_WINDOW_MS;
        assert!(replays.is_timely(1_000, last));
        assert_eq!(replays.claim(id(1), 1_000, nonce(1), last), Claim::Replayed);
        assert!(!replays.is_timely(1_000, last + 1), "what is forgotten is too old");
        assert!(!replays.is_timely(1_000 + PROOF_WINDOW_MS + 1, 1_000), "from the future");
    }

    #[test]
    fn there_are_as_many_as_fit_and_none_is_forgotten_early() {
        let replays = Replays::new(0);
        for n in 0..NONCES_EACH_MAX {
            assert_eq!(replays.claim(id(1), 5, nonce(n), 5), Claim::Taken);
        }
        assert_eq!(replays.claim(id(1), 5, nonce(NONCES_EACH_MAX), 5), Claim::Full);
        assert_eq!(replays.claim(id(1), 5, nonce(0), 5), Claim::Replayed);
        assert_eq!(replays.claim(id(2), 5, nonce(0), 5), Claim::Taken, "others have their room");
        let later = 6 + PROOF_WINDOW_MS;
        assert_eq!(replays.claim(id(1), later, nonce(0), later), Claim::Taken);
        assert_eq!(replays.known.lock().unwrap().by_time.len(), 1);
    }

    #[test]
    fn a_process_takes_no_proof_from_before_its_beginning() {
        let replays = Replays::new(10_000);
        assert!(!replays.is_timely(9_999, 10_005));
        assert!(replays.is_timely(10_000, 10_005));
    }
}
