//! What every handler has at hand, and how it does work that blocks.

use std::sync::Arc;

use outrider_core::{
    access::Policy,
    time::{Clock, TimestampMs},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::{Config, millis},
    contacts::Contacts,
    door::Door,
    error::AppError,
    guard::Barred,
    imports::Imports,
    keys::ServerKey,
    live::Live,
    replays::Replays,
    storage::Storage,
    tries::Tries,
};

/// Bodies are counted in units of this size, because a semaphore counts in 32 bits.
const BODY_UNIT_BYTES: u32 = 1_024;

/// Shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// What is kept.
    pub storage: Arc<dyn Storage>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the server was told.
    pub config: Arc<Config>,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who may try to sign in.
    pub(crate) door: Arc<Door>,
    /// Files that people import.
    pub imports: Arc<Imports>,
    jobs: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    pub(crate) contacts: Arc<Contacts>,
    pub(crate) live: Arc<Live>,
    /// With what the server signs.
    pub keys: Arc<ServerKey>,
    pub(crate) barred: Arc<Barred>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) tries: Arc<Tries>,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        config: Arc<Config>,
        keys: ServerKey,
    ) -> Self {
        let limits = &config.limits;
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            jobs: semaphore(limits.jobs_max),
            streams: semaphore(limits.streams_max),
            bodies: semaphore(limits.bodies_bytes_max / BODY_UNIT_BYTES),
            contacts: Arc::default(),
            live: Arc::new(Live::new(&config.live)),
            imports: Arc::new(Imports::new(&config.storage.data)),
            keys: Arc::new(keys),
            barred: Arc::default(),
            replays: Arc::new(Replays::new(clock.now_ms())),
            tries: Arc::new(Tries::new(config.devices.enrolment_tries.get())),
            storage,
            clock,
            config,
            policy: Arc::new(Policy::open()),
            door: Arc::default(),
        }
    }

    /// The time now.
    #[must_use]
    pub fn now_ms(&self) -> TimestampMs {
        self.clock.now_ms()
    }

    /// Runs `job`, which may block, when it is its turn.
    ///
    /// # Errors
    ///
    /// Returns [`AppError::Busy`] when its turn does not come soon, [`AppError::Internal`] when
    /// the job panics, and the job's own errors.
    pub async fn run<T, E>(
        &self,
        job: impl FnOnce(&dyn Storage) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Send + 'static,
        E: Into<AppError> + Send + 'static,
    {
        let turn = self.turn(&self.jobs, 1).await?;
        let storage = Arc::clone(&self.storage);
        let result = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            job(storage.as_ref())
        });
        result.await.map_err(|_| AppError::Internal("a job panicked"))?.map_err(Into::into)
    }

    /// A turn for a streamed answer, held while it is being made.
    pub(crate) async fn stream_turn(&self) -> Result<OwnedSemaphorePermit, AppError> {
        self.turn(&self.streams, 1).await
    }

    /// Room for a body of so many bytes, held while it is being received and used.
    pub(crate) async fn room_for_body(&self, bytes: u64) -> Result<OwnedSemaphorePermit, AppError> {
        let units = bytes.div_ceil(BODY_UNIT_BYTES.into());
        let all = self.config.limits.bodies_bytes_max / BODY_UNIT_BYTES;
        // A single body always finds room in the end, however the limits are set.
        let units = u32::try_from(units).unwrap_or(u32::MAX).min(all);
        self.turn(&self.bodies, units).await
    }

    async fn turn(
        &self,
        semaphore: &Arc<Semaphore>,
        permits: u32,
    ) -> Result<OwnedSemaphorePermit, AppError> {
        let turn = Arc::clone(semaphore).acquire_many_owned(permits);
        let patience = millis(self.config.limits.turn_timeout_ms);
        match tokio::time::timeout(patience, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AppError::Busy),
        }
    }
}
