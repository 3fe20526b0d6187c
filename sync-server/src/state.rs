//! What every handler has at hand, and how it does work that blocks.

use std::sync::Arc;

use outrider_core::{
    access::Policy,
    time::{Clock, TimestampMs},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::{Eyes, Policies},
    audit,
    config::{Config, millis},
    contacts::Contacts,
    door::Door,
    error::AppError,
    imports::Imports,
    keys::ServerKey,
    live::Live,
    storage::{Storage, StorageError},
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
    pub policies: Arc<Policies>,
    /// Who may try to sign in.
    pub(crate) door: Arc<Door>,
    /// With what the server signs.
    pub key: Arc<ServerKey>,
    /// Where what is read is noted.
    pub(crate) audit: Arc<audit::Desk>,
    /// Files that people import.
    pub imports: Arc<Imports>,
    jobs: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    pub(crate) contacts: Arc<Contacts>,
    pub(crate) live: Arc<Live>,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        config: Arc<Config>,
        key: ServerKey,
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
            key: Arc::new(key),
            audit: Arc::default(),
            storage,
            clock,
            config,
            policies: Arc::default(),
            door: Arc::default(),
        }
    }

    /// Who may do what, as it stands now.
    ///
    /// # Errors
    ///
    /// Fails when the storage does.
    pub fn policy(&self) -> Result<Arc<Policy>, StorageError> {
        self.policies.current(&*self.storage.read()?)
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

    /// Runs `job` on what somebody may see, when it is its turn.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_as<T, E>(
        &self,
        eyes: Eyes,
        job: impl FnOnce(&dyn Storage) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Send + 'static,
        E: Into<AppError> + Send + 'static,
    {
        let (policies, now_ms) = (Arc::clone(&self.policies), self.now_ms());
        self.run(move |storage| {
            let seen = policies.seen(storage, &eyes, now_ms).map_err(AppError::Storage)?;
            job(&seen).map_err(Into::into)
        })
        .await
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
