//! The live channel: tells that there is news, and at which position. What the news is, everybody
//! fetches as always, with the rights that everybody has.
//!
//! Server-sent events: `event: position`, `data: 1234`. The first one comes at once and says where
//! the server is, so that nothing between two channels is missed. Each channel looks at one value
//! that every commit replaces: a reader that is slow or asleep gets the newest position alone, and
//! costs the server nothing meanwhile. Comments between keep proxies from closing the channel and
//! tell the reader that it still stands. A channel ends when the server stops, and after a time
//! that is set, so that who may listen is asked again.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use outrider_core::ids::DeviceId;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    config::{LiveConfig, millis},
    error::AppError,
    places::{Place, Places},
    state::AppState,
};

/// The name of the events.
pub const EVENT: &str = "position";
/// Tells nginx, and proxies that follow it, to pass each event on at once.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
/// How long browsers wait before they open a channel that ended again: at least.
const RETRY_MIN: Duration = Duration::from_millis(1_000);
/// Over how many steps browsers are spread beyond that, so that a server that was started again
/// is not asked by all at once.
const RETRY_STEPS: u64 = 16;
/// The length of such a step.
const RETRY_STEP: Duration = Duration::from_millis(250);

/// Who listens; channels are counted by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// A device.
    Device(DeviceId),
    /// Somebody at the office, by what identifies them there: all open pages together.
    Person(String),
}

/// All channels.
#[derive(Debug)]
pub(crate) struct Live {
    places: Arc<Places<Listener>>,
    stopping: watch::Sender<bool>,
    opened: AtomicU64,
}

impl Live {
    pub(crate) fn new(config: &LiveConfig) -> Self {
        Self {
            places: Arc::new(Places::new(config.live_max, config.live_each_max)),
            stopping: watch::Sender::new(false),
            opened: AtomicU64::new(0),
        }
    }

    /// Ends all channels; those that are opened later end at once.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// One open channel.
struct Channel {
    news: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    ends_at: Instant,
    /// Where the server is, and when a browser may come again; told first.
    first: Option<(u64, Duration)>,
    _place: Place<Listener>,
}

impl Channel {
    /// The next event; `None` ends the channel.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if let Some((position, retry)) = self.first.take() {
            return Some((Ok(event(position).retry(retry)), self));
        }
        let position = tokio::select! {
            biased;
            _ = self.stopping.wait_for(|is_stopping| *is_stopping) => None,
            () = sleep_until(self.ends_at) => None,
            changed = self.news.changed() => changed.ok().map(|()| *self.news.borrow_and_update()),
        };
        position.map(|position| (Ok(event(position)), self))
    }
}

fn event(position: u64) -> Event {
    Event::default().event(EVENT).data(position.to_string())
}

/// Opens a channel for `listener`, who was let in by the caller.
///
/// # Errors
///
/// Returns [`AppError::Busy`] when there are as many channels as there may be, and what reading
/// the position may return.
pub async fn events(state: &AppState, listener: Listener) -> Result<Response, AppError> {
    let live = &state.live;
    let place = live.places.take(listener).ok_or(AppError::Busy)?;
    let news = state.storage.news();
    // Asked after listening began, so that no commit falls between; and of the storage itself:
    // another process may have written.
    let position = state.run(|storage| storage.read()?.position()).await?;
    let config = &state.config.live;
    let steps = live.opened.fetch_add(1, Ordering::Relaxed) % RETRY_STEPS;
    let steps = u32::try_from(steps).unwrap_or_default();
    let channel = Channel {
        news,
        stopping: live.stopping.subscribe(),
        ends_at: Instant::now() + millis(config.live_duration_ms),
        first: Some((position, RETRY_MIN + RETRY_STEP * steps)),
        _place: place,
    };
    let heartbeat = KeepAlive::new().interval(millis(config.live_heartbeat_ms)).text("");
    let events = Sse::new(stream::unfold(channel, Channel::next)).keep_alive(heartbeat);
    Ok(([UNBUFFERED], events).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(news: &watch::Sender<u64>, stopping: &watch::Sender<bool>) -> Channel {
        let places = Arc::new(Places::new(1, 1));
        Channel {
            news: news.subscribe(),
            stopping: stopping.subscribe(),
            ends_at: Instant::now() + Duration::from_secs(3_600),
            first: Some((*news.borrow(), RETRY_MIN)),
            _place: places.take(Listener::Person("Wang".to_owned())).unwrap(),
        }
    }

    fn data(event: &Event) -> String {
        format!("{event:?}")
    }

    #[tokio::test]
    async fn who_looks_late_is_told_the_newest_position_alone() {
        let (news, stopping) = (watch::Sender::new(7), watch::Sender::new(false));
        let (first, channel) = channel(&news, &stopping).next().await.unwrap();
        assert!(data(&first.unwrap()).contains("data: 7"));
        for position in 8..1_000 {
            news.send_replace(position);
        }
        let (next, channel) = channel.next().await.unwrap();
        assert!(data(&next.unwrap()).contains("data: 999"));
        stopping.send_replace(true);
        news.send_replace(1_000);
        assert!(channel.next().await.is_none(), "a server that stops tells nothing more");
    }

    #[tokio::test]
    async fn a_channel_ends_with_its_time_and_with_the_storage() {
        let (news, stopping) = (watch::Sender::new(7), watch::Sender::new(false));
        let mut late = channel(&news, &stopping);
        (late.first, late.ends_at) = (None, Instant::now());
        assert!(late.next().await.is_none());
        let mut orphan = channel(&news, &stopping);
        orphan.first = None;
        drop(news);
        assert!(orphan.next().await.is_none());
    }
}
