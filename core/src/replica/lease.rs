//! The lease: a device that has not reached its office for too long locks itself.
//!
//! A lost device may never come online again, so nobody can take anything from it then. Every
//! answer of the server says for how long the device may go on; past that, the doors of the replica
//! answer [`ReplicaError::Locked`], and only sending what waits and renewing work. Nothing is
//! erased: one contact with a server that still knows the device opens it again.
//!
//! Time is the latest ever seen, the server's or the device's: setting the clock back does not help.
//! How far the device's clock is off is known from the last contact and taken away: a clock that is
//! years ahead does not lock a device that its server just answered.

use rusqlite::Connection;

use super::{Replica, ReplicaError};
use crate::{
    store::{
        StoreError, credentials,
        lease::{self, Lease},
    },
    time::{DAY_MS, TimestampMs},
};

/// How far the known offset of the clock may be off before it is stored anew.
const OFFSET_SLACK_MS: i64 = 1_000;

/// What time it is at the server, by the device's clock and how far that was off at the last contact.
pub(super) fn server_time(
    conn: &Connection,
    now_ms: TimestampMs,
) -> Result<TimestampMs, StoreError> {
    Ok(now_ms.saturating_add(credentials::clock_offset(conn)?))
}

impl Replica {
    /// The lease, once a server gave one.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn lease(&self) -> Result<Option<Lease>, ReplicaError> {
        Ok(lease::lease(self.store.conn())?)
    }

    /// Passes while the device may be used.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Locked`] when the lease is over, or fails when the store does.
    pub fn check_lease(&self) -> Result<(), ReplicaError> {
        let now_ms = server_time(self.store.conn(), self.clock.now_ms())?;
        match lease::lease(self.store.conn())? {
            Some(lease) if lease.is_over(now_ms) => {
                Err(ReplicaError::Locked { days: lease.alone_ms(now_ms) / DAY_MS })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The connection for reading, while the device may be used.
    pub(super) fn conn(&self) -> Result<&Connection, ReplicaError> {
        self.check_lease()?;
        Ok(self.store.conn())
    }

    /// Notes what a server's answer to this device said: that it is well with it, what time it is
    /// there, and for how long the device may go on alone (0 is for ever).
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn note_contact(
        &mut self,
        server_ms: TimestampMs,
        lease_ms: i64,
    ) -> Result<(), ReplicaError> {
        self.note_server_time(server_ms)?;
        let known = self.lease()?;
        let is_news = known.is_none_or(|known| {
            known.lease_ms != lease_ms
                || (known.contact_ms - server_ms).abs() > OFFSET_SLACK_MS
                || known.is_over(server_ms)
        });
        if is_news {
            let tx = self.store.begin()?;
            let renewed = Lease { contact_ms: server_ms, lease_ms, highest_ms: server_ms };
            lease::set_lease(&tx, &renewed)?;
            tx.commit().map_err(StoreError::from)?;
        }
        Ok(())
    }

    /// Notes what time it is at the server, so that requests are signed with its time.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn note_server_time(&mut self, server_ms: TimestampMs) -> Result<(), ReplicaError> {
        let offset_ms = server_ms.saturating_sub(self.clock.now_ms());
        let known = credentials::clock_offset(self.store.conn())?;
        if offset_ms.saturating_sub(known).saturating_abs() > OFFSET_SLACK_MS {
            let tx = self.store.begin()?;
            credentials::set_clock_offset(&tx, offset_ms)?;
            tx.commit().map_err(StoreError::from)?;
        }
        Ok(())
    }
}
