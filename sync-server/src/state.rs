//! What every handler has at hand, and how it does work that blocks.

use std::sync::Arc;

use outrider_core::{
    access::{Operation, Policy},
    ids::DeviceId,
    time::{Clock, TimestampMs},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::{Eyes, Policies, Seen},
    audit,
    config::{Config, LimitsConfig, millis},
    contacts::Contacts,
    door::Door,
    error::AppError,
    guard::Barred,
    imports::Imports,
    keys::ServerKey,
    live::Live,
    places::{Place, Places},
    replays::Replays,
    storage::{Storage, StorageError},
    tls::PinnedCa,
    tries::Tries,
};

/// Bodies are counted in units of this size, because a semaphore counts in 32 bits.
const BODY_UNIT_BYTES: u32 = 1_024;

/// What all companies of a server share of the machine: each may take a part, so that a busy one
/// cannot keep the others waiting.
#[derive(Debug, Clone)]
pub struct Machine {
    jobs: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

impl Machine {
    /// What the limits allow.
    #[must_use]
    pub fn new(limits: &LimitsConfig) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            jobs: semaphore(limits.jobs_max),
            streams: semaphore(limits.streams_max),
            bodies: semaphore(limits.bodies_bytes_max / BODY_UNIT_BYTES),
        }
    }
}

/// The part of each limit that one of several companies may take: a half, and at least one.
#[must_use]
pub fn share_of(limits: &LimitsConfig) -> LimitsConfig {
    let half = |limit: u32| limit.div_ceil(2).max(1);
    LimitsConfig {
        jobs_max: half(limits.jobs_max),
        streams_max: half(limits.streams_max),
        // Whatever is left, the largest body finds room.
        bodies_bytes_max: half(limits.bodies_bytes_max).max(limits.body_bytes_max),
        ..limits.clone()
    }
}

/// What a request holds while it is at work.
#[derive(Debug)]
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _machine: Option<OwnedSemaphorePermit>,
}

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
    bodies_each: Arc<Places<DeviceId>>,
    /// What is shared with other companies, if there are any.
    machine: Option<Machine>,
    pub(crate) contacts: Arc<Contacts>,
    pub(crate) live: Arc<Live>,
    pub(crate) barred: Arc<Barred>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) tries: Arc<Tries>,
    /// The authority that devices are told to trust alone, if the world does not know it.
    pub(crate) ca: Option<Arc<PinnedCa>>,
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
            bodies_each: Arc::new(Places::new(u32::MAX, limits.bodies_each_max.max(1))),
            machine: None,
            contacts: Arc::default(),
            live: Arc::new(Live::new(&config.live)),
            imports: Arc::new(Imports::new(&config.storage.data)),
            key: Arc::new(key),
            audit: Arc::default(),
            barred: Arc::default(),
            replays: Arc::new(Replays::new(clock.now_ms())),
            tries: Arc::new(Tries::new(config.devices.enrolment_tries.get())),
            storage,
            clock,
            config,
            policies: Arc::default(),
            door: Arc::default(),
            ca: None,
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

    /// Shares the machine with other companies.
    #[must_use]
    pub fn beside_others(mut self, machine: &Machine) -> Self {
        self.machine = Some(machine.clone());
        self
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
        let turn = self.turn(|of| &of.jobs, |state| &state.jobs, 1).await?;
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
        self.run_seen(eyes, |seen| seen, job).await
    }

    /// Runs `job` on what somebody may take out as a file, when it is its turn.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_to_export<T, E>(
        &self,
        eyes: Eyes,
        job: impl FnOnce(&dyn Storage) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Send + 'static,
        E: Into<AppError> + Send + 'static,
    {
        self.run_seen(eyes, |seen| seen.narrowed_to(Operation::Export), job).await
    }

    async fn run_seen<T, E>(
        &self,
        eyes: Eyes,
        narrow: fn(Seen<'_>) -> Seen<'_>,
        job: impl FnOnce(&dyn Storage) -> Result<T, E> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Send + 'static,
        E: Into<AppError> + Send + 'static,
    {
        let (policies, now_ms) = (Arc::clone(&self.policies), self.now_ms());
        self.run(move |storage| {
            let seen = policies.seen(storage, &eyes, now_ms).map_err(AppError::Storage)?;
            job(&narrow(seen)).map_err(Into::into)
        })
        .await
    }

    /// A turn for a streamed answer, held while it is being made.
    pub(crate) async fn stream_turn(&self) -> Result<Turn, AppError> {
        self.turn(|of| &of.streams, |state| &state.streams, 1).await
    }

    /// Room for a body of so many bytes, held while it is being received and used.
    pub(crate) async fn room_for_body(&self, bytes: u64) -> Result<Turn, AppError> {
        let units = bytes.div_ceil(BODY_UNIT_BYTES.into());
        let all = self.config.limits.bodies_bytes_max / BODY_UNIT_BYTES;
        // A single body always finds room in the end, however the limits are set.
        let units = u32::try_from(units).unwrap_or(u32::MAX).min(all);
        self.turn(|of| &of.bodies, |state| &state.bodies, units).await
    }

    /// A place among the bodies of one device: whoever announces bodies and does not send them takes
    /// room from nobody else.
    ///
    /// # Errors
    ///
    /// Returns [`AppError::Busy`] when the device has as many under way as it may.
    pub(crate) fn body_of(&self, device: DeviceId) -> Result<Place<DeviceId>, AppError> {
        self.bodies_each.take(device).ok_or(AppError::Busy)
    }

    /// A turn of one's own company first, then one of the machine's.
    async fn turn(
        &self,
        of_machine: fn(&Machine) -> &Arc<Semaphore>,
        own: fn(&Self) -> &Arc<Semaphore>,
        permits: u32,
    ) -> Result<Turn, AppError> {
        let own = Arc::clone(own(self)).acquire_many_owned(permits);
        let machine = self.machine.as_ref().map(|machine| Arc::clone(of_machine(machine)));
        let both = async {
            let own = own.await?;
            let machine = match machine {
                Some(machine) => Some(machine.acquire_many_owned(permits).await?),
                None => None,
            };
            Ok::<_, tokio::sync::AcquireError>(Turn { _own: own, _machine: machine })
        };
        let patience = millis(self.config.limits.turn_timeout_ms);
        match tokio::time::timeout(patience, both).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AppError::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use outrider_core::time::ManualClock;
    use tempfile::TempDir;

    use super::*;
    use crate::storage::sqlite::SqliteStorage;

    fn company(folder: &TempDir, machine: &Machine, limits: &LimitsConfig) -> AppState {
        let storage = Arc::new(SqliteStorage::open_for_test(folder.path(), true).unwrap());
        let data = folder.path().to_str().unwrap();
        let mut config = Config::from_flags(["--data", data]).unwrap();
        config.limits = share_of(limits);
        let clock = Arc::new(ManualClock::at(1));
        let key = ServerKey::from_bytes(&[7; 32]).unwrap();
        AppState::new(storage, clock, Arc::new(config), key).beside_others(machine)
    }

    #[tokio::test]
    async fn one_company_takes_its_part_and_leaves_the_rest_to_the_others() {
        let flags = ["--streams-max", "4", "--turn-timeout-ms", "20"];
        let limits = Config::from_flags(flags).unwrap().limits;
        let machine = Machine::new(&limits);
        let folders: [TempDir; 3] = std::array::from_fn(|_| TempDir::new().unwrap());
        let [busy, other, third] =
            folders.each_ref().map(|folder| company(folder, &machine, &limits));
        let held = [busy.stream_turn().await.unwrap(), busy.stream_turn().await.unwrap()];
        assert!(matches!(busy.stream_turn().await, Err(AppError::Busy)), "more than its half");
        let others = [other.stream_turn().await.unwrap(), other.stream_turn().await.unwrap()];
        assert!(matches!(third.stream_turn().await, Err(AppError::Busy)), "the machine is full");
        drop(held);
        assert!(third.stream_turn().await.is_ok());
        drop(others);
        let room = |state: &AppState| {
            let state = state.clone();
            async move { state.room_for_body(state.config.limits.body_bytes_max.into()).await }
        };
        assert!(room(&busy).await.is_ok(), "the largest body finds room");
        assert_eq!(share_of(&LimitsConfig { jobs_max: 1, ..limits }).jobs_max, 1);
    }
}
