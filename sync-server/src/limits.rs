//! How often one address may ask.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo, http::Request, response::IntoResponse};
use governor::middleware::NoOpMiddleware;
use tower_governor::{
    GovernorError, GovernorLayer, governor::GovernorConfigBuilder, key_extractor::KeyExtractor,
};

use crate::error::AppError;

/// How often addresses that have been quiet are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The part of an address that one customer of a provider has: of IPv6 a /64.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
    }
}

/// Counts by the peer's address; headers that claim another one are not looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer;

impl KeyExtractor for Peer {
    type Key = IpAddr;

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.map(|info| network_of(info.0.ip())).ok_or(GovernorError::UnableToExtractKey)
    }
}

/// A layer that lets one address ask `burst` times at once, and once more after each `period`.
pub(crate) fn rate_limit(
    period: Duration,
    burst: NonZeroU32,
) -> GovernorLayer<Peer, NoOpMiddleware, Body> {
    let config = GovernorConfigBuilder::default()
        .key_extractor(Peer)
        .period(period.max(Duration::from_nanos(1)))
        .burst_size(burst.get())
        .finish()
        .expect("neither period nor burst is zero");
    let config = Arc::new(config);
    let limiter = Arc::downgrade(config.limiter());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            let Some(limiter) = Weak::upgrade(&limiter) else { return };
            limiter.retain_recent();
        }
    });
    GovernorLayer::new(config).error_handler(|error| {
        let answer = match error {
            GovernorError::TooManyRequests { wait_time, .. } => {
                AppError::TooMany { retry_after_s: wait_time.max(1) }
            }
            GovernorError::UnableToExtractKey | GovernorError::Other { .. } => {
                AppError::Internal("a request had no address")
            }
        };
        answer.into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_by_what_one_customer_has() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
