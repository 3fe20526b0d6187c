//! Calls that may take long: they can be cancelled, tell how far they are, and hold up no screen.

use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{self, SyncSender},
};
use std::thread;

use outrider_client::converse::Stop;
use outrider_core::replica as core;

use crate::{
    error::{CrmError, Teller as Words},
    replica::Replica,
};

/// Cancels calls, from any thread. One may be given to several calls; it stays cancelled.
#[derive(Debug, Default, uniffi::Object)]
pub struct Cancel(pub(crate) Stop);

#[uniffi::export]
impl Cancel {
    /// One that nobody has cancelled yet.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Cancels.
    pub fn cancel(&self) {
        self.0.stop();
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_stopped()
    }
}

/// A replica of the same records that a long call has for itself, until it is cancelled.
#[derive(Debug)]
pub(crate) struct Beside<'a> {
    run: Run<'a>,
    pub(crate) replica: core::Replica,
}

impl Beside<'_> {
    pub(crate) fn stop(&self) -> Stop {
        self.run.stop.clone()
    }

    /// What failed, or that it was cancelled: then that is why.
    pub(crate) fn told(&self, teller: Words<'_>, error: impl FnOnce() -> CrmError) -> CrmError {
        if self.run.stop.is_stopped() { teller.cancelled() } else { error() }
    }
}

impl Replica {
    /// Begins something long.
    pub(crate) fn beside(&self, cancel: Option<&Cancel>) -> Result<Beside<'_>, CrmError> {
        let run = self.running.begin(cancel);
        if run.stop.is_stopped() {
            return Err(self.teller().cancelled());
        }
        let mut replica = self.open_beside()?;
        let stop = run.stop.clone();
        let watched = replica.break_off_when(move || stop.is_stopped());
        watched.map_err(|error| self.teller().replica(error))?;
        Ok(Beside { run, replica })
    }
}

/// The calls that run: closing ends them all.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Vec<Stop>>);

/// A call that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    of: &'a Running,
    /// Ends it.
    pub(crate) stop: Stop,
}

impl Running {
    pub(crate) fn begin(&self, cancel: Option<&Cancel>) -> Run<'_> {
        let stop = cancel.map_or_else(Stop::default, |cancel| cancel.0.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(stop.clone());
        Run { of: self, stop }
    }

    pub(crate) fn stop_all(&self) {
        for stop in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            stop.stop();
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut running = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = running.iter().position(|stop| stop.is(&self.stop)) {
            running.swap_remove(at);
        }
    }
}

/// Tells a listener the newest of what happens, in a thread of its own: whoever listens slowly, or never
/// returns, holds up nothing.
#[derive(Debug)]
pub(crate) struct Teller<T>(Option<SyncSender<T>>);

impl<T: Send + 'static> Teller<T> {
    pub(crate) fn to(listener: Option<impl Fn(T) + Send + 'static>) -> Self {
        let Some(listener) = listener else { return Self(None) };
        let (to, news) = mpsc::sync_channel(1);
        let tell = move || news.iter().for_each(listener);
        let told = thread::Builder::new().name("outrider-progress".to_owned()).spawn(tell);
        Self(told.is_ok().then_some(to))
    }

    /// Tells it, unless the one before is still being listened to.
    pub(crate) fn tell(&self, news: T) {
        if let Some(to) = &self.0 {
            let _ = to.try_send(news);
        }
    }
}
