//! How often an address may fail to enrol before it has to wait.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use outrider_core::time::TimestampMs;

/// How long an address has to wait after as many failures as there may be.
pub(crate) const WAIT_MS: i64 = 10 * 60_000;
/// Addresses that are remembered, at most; beyond, all have to wait until some are forgotten.
pub(crate) const ADDRESSES_MAX: usize = 10_000;

/// Failures by address.
#[derive(Debug)]
pub(crate) struct Tries {
    most: u32,
    failed: Mutex<BTreeMap<IpAddr, (u32, TimestampMs)>>,
}

impl Tries {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, failed: Mutex::default() }
    }

    /// How many seconds an address has to wait; `None` if it may try.
    pub(crate) fn wait_s(&self, address: IpAddr, now_ms: TimestampMs) -> Option<u64> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, last) = failed.get(&address).filter(|(count, _)| *count >= self.most)?;
        let left = last.saturating_add(WAIT_MS).saturating_sub(now_ms);
        u64::try_from(left).ok().filter(|left| *left > 0).map(|left| left.div_ceil(1_000))
    }

    /// Counts a failure; returns whether it could be remembered.
    pub(crate) fn fail(&self, address: IpAddr, now_ms: TimestampMs) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, (_, last)| now_ms < last.saturating_add(WAIT_MS));
        if failed.len() >= ADDRESSES_MAX && !failed.contains_key(&address) {
            return false;
        }
        let (count, last) = failed.entry(address).or_default();
        (*count, *last) = (count.saturating_add(1), now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_that_failed_often_has_to_wait() {
        let tries = Tries::new(5);
        let (one, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::BROADCAST));
        for n in 0..5 {
            assert_eq!(tries.wait_s(one, 0), None, "{n}");
            assert!(tries.fail(one, 0));
        }
        assert_eq!(tries.wait_s(one, 0), Some(600));
        assert_eq!(tries.wait_s(one, WAIT_MS - 1), Some(1));
        assert_eq!(tries.wait_s(one, WAIT_MS), None);
        assert_eq!(tries.wait_s(other, 0), None);
        tries.fail(one, WAIT_MS);
        assert_eq!(tries.wait_s(one, WAIT_MS), None, "counted anew");
    }

    #[test]
    fn addresses_that_are_remembered_have_a_limit() {
        let tries = Tries::new(1);
        let address = |n: usize| IpAddr::V4(Ipv4Addr::from(u32::try_from(n).unwrap()));
        for n in 0..ADDRESSES_MAX {
            assert!(tries.fail(address(n), 0));
        }
        assert!(!tries.fail(address(ADDRESSES_MAX), 0));
        assert!(tries.fail(address(0), 0), "one that is known");
        assert!(tries.fail(address(ADDRESSES_MAX), WAIT_MS));
    }
}
