//! What surrounds every answer to a device: the server's time and the lease in its header, and an
//! end to answers under way when the device is turned away.
//!
//! A request is let in once, at its beginning; a channel or a stream may go on for minutes. So who
//! is turned away is looked up every second, whoever wrote it (also a command beside the server),
//! and every answer of unknown length watches for its device.

use std::{
    collections::BTreeSet,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody as _},
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use futures_core::Stream;
use outrider_core::{
    ids::DeviceId,
    sync::proof::{LEASE_HEADER, TIME_HEADER},
};
use tokio::sync::watch;

use crate::{state::AppState, storage::Storage};

/// How often it is looked up who is turned away.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who is turned away, as it was a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Barred(watch::Sender<Arc<BTreeSet<DeviceId>>>);

impl Barred {
    /// Looks up who is turned away, for as long as the server runs.
    pub(crate) async fn follow(self: Arc<Self>, storage: Arc<dyn Storage>) {
        loop {
            let storage = Arc::clone(&storage);
            let found = tokio::task::spawn_blocking(move || storage.read()?.barred()).await;
            match found {
                Ok(Ok(barred)) => {
                    // Each look counts, also one that found nothing new.
                    self.0.send_replace(Arc::new(barred));
                }
                Ok(Err(error)) => tracing::error!(%error, "cannot look up who is turned away"),
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends when the device is turned away from now on: what the look before found may be of before
    /// it was let in again.
    async fn out(&self, device: DeviceId) {
        let mut known = self.0.subscribe();
        known.mark_unchanged();
        while known.changed().await.is_ok() {
            if known.borrow_and_update().contains(&device) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Where the device of a request is noted, once it is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeviceSlot(pub(crate) Arc<OnceLock<DeviceId>>);

/// Adds the headers, and watches over what the answer still has to say.
pub(crate) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let slot = DeviceSlot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    let numbers = [
        (HeaderName::from_static(TIME_HEADER), state.now_ms()),
        (
            HeaderName::from_static(LEASE_HEADER),
            i64::try_from(state.config.devices.lease_ms).unwrap_or(i64::MAX),
        ),
    ];
    for (name, number) in numbers {
        response.headers_mut().insert(name, HeaderValue::from(number));
    }
    let Some(device) = slot.0.get().copied() else { return response };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let barred = Arc::clone(&state.barred);
    response.map(|body| {
        let out = Box::pin(async move { barred.out(device).await });
        Body::from_stream(Guarded { data: body.into_data_stream(), out: Some(out) })
    })
}

/// A body that ends when its device is turned away.
struct Guarded {
    data: BodyDataStream,
    /// `None` when it has ended.
    out: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Stream for Guarded {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(out) = &mut self.out else { return Poll::Ready(None) };
        if out.as_mut().poll(cx).is_ready() {
            self.out = None;
            tracing::info!("ended an answer: the device was turned away");
            return Poll::Ready(Some(Err(io::Error::other("the device was turned away"))));
        }
        Pin::new(&mut self.data).poll_next(cx).map_err(io::Error::other)
    }
}
