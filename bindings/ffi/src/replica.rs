//! The records of one device: opening, locking, closing, wiping.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use outrider_client::access;
use outrider_core::{
    keys::{FileKeys, KeyStore, NoKeys},
    replica::{self as core, Options, ReplicaError},
    schema,
    sync::key::DeviceKey,
};

use crate::{
    error::{CrmError, Teller},
    live::Feed,
    long::Running,
    platform::{Foreign, HardwareKey, Platform},
    sync::Standing,
    words,
};

/// The language that people are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, uniffi::Enum)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 中文
    Chinese,
}

impl From<Language> for schema::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::English => Self::En,
            Language::Chinese => Self::Zh,
        }
    }
}

/// The records of one device: read, written and exchanged.
///
/// It may be used from any thread, and several processes (an app and its extension) may open the same folder.
#[derive(uniffi::Object)]
pub struct Replica {
    folder: PathBuf,
    pub(crate) language: schema::Language,
    pub(crate) platform: Platform,
    /// What screens read and write; none while locked.
    screen: Arc<Mutex<Option<core::Replica>>>,
    pub(crate) running: Running,
    pub(crate) feed: Feed,
    pub(crate) standing: Mutex<Standing>,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[uniffi::export]
impl Replica {
    /// Opens the records in `folder`, or begins with none.
    ///
    /// # Errors
    ///
    /// `WrongKey` when they are encrypted with another key, `KeyUnavailable` while the phone is locked,
    /// `Wiped` when the office had them wiped (which is done then), `StorageFull`, `Damaged`, `OutOfDate`.
    #[uniffi::constructor(default(language = None, platform = None))]
    pub fn open(
        folder: String,
        language: Option<Language>,
        platform: Option<Platform>,
    ) -> Result<Arc<Self>, CrmError> {
        let (folder, platform) = (PathBuf::from(folder), platform.unwrap_or_default());
        let language = language.unwrap_or_else(language_of_system).into();
        let screen = open_core(&folder, &platform, language)?;
        let screen = Arc::new(Mutex::new(Some(screen)));
        Ok(Arc::new(Self {
            feed: Feed::of(&screen, language),
            folder,
            language,
            platform,
            screen,
            running: Running::default(),
            standing: Mutex::default(),
        }))
    }

    /// Locks the records: nothing of them and of their key stays in memory, until [`unlock`](Self::unlock).
    /// Lists that are watched end, and calls that run are cancelled.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn lock(&self) -> Result<(), CrmError> {
        self.running.stop_all();
        self.feed.end();
        *self.screen() = None;
        Ok(())
    }

    /// Opens the records again, with the key that the platform gives now.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn unlock(&self) -> Result<(), CrmError> {
        let mut screen = self.screen();
        if screen.is_none() {
            *screen = Some(open_core(&self.folder, &self.platform, self.language)?);
        }
        Ok(())
    }

    /// Whether the records are locked.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn is_locked(&self) -> Result<bool, CrmError> {
        Ok(self.screen().is_none())
    }

    /// Removes everything from this device: first the key, then the files. What waits to be sent is lost, so
    /// ask, and say how much that is ([`status`](Self::status)).
    ///
    /// # Errors
    ///
    /// Fails while something is left: do it again.
    pub fn wipe(&self) -> Result<(), CrmError> {
        self.lock()?;
        let keys = self.keys()?.unwrap_or_else(|| Arc::new(NoKeys));
        let wiped = core::wipe(&self.folder, keys.as_ref());
        wiped.map(drop).map_err(|error| self.teller().client(error.into()))
    }
}

impl Replica {
    pub(crate) fn teller(&self) -> Teller<'static> {
        Teller { language: self.language, entity: None }
    }

    pub(crate) fn keys(&self) -> Result<Option<Arc<dyn KeyStore>>, CrmError> {
        keys_of(&self.folder, &self.platform, self.teller())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn screen(&self) -> std::sync::MutexGuard<'_, Option<core::Replica>> {
        // A panic in between left no half-done write: those are transactions.
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something short.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut core::Replica) -> Result<T, ReplicaError>,
    ) -> Result<T, CrmError> {
        self.with_of(None, work)
    }

    /// Does something short with a record of an entity.
    pub(crate) fn with_of<T>(
        &self,
        entity: Option<&str>,
        work: impl FnOnce(&mut core::Replica) -> Result<T, ReplicaError>,
    ) -> Result<T, CrmError> {
        let mut screen = self.screen();
        let replica = screen.as_mut().ok_or_else(|| self.teller().closed())?;
        work(replica).map_err(|error| Teller { language: self.language, entity }.replica(error))
    }

    /// A replica of the same records for something long: no screen waits for it.
    pub(crate) fn open_beside(&self) -> Result<core::Replica, CrmError> {
        if self.screen().is_none() {
            return Err(self.teller().closed());
        }
        open_core(&self.folder, &self.platform, self.language)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.running.stop_all();
        self.feed.end();
    }
}

fn open_core(
    folder: &Path,
    platform: &Platform,
    language: schema::Language,
) -> Result<core::Replica, CrmError> {
    let teller = Teller { language, entity: None };
    let keys = keys_of(folder, platform, teller)?;
    let signer = platform.signer.as_ref().map(HardwareKey::of).transpose();
    let signer = signer.map_err(|error| teller.replica(error.into()))?;
    let signer = signer.map(|signer| Arc::new(signer) as Arc<dyn DeviceKey>);
    let options = Options { clock: platform.clock(), keys: keys.clone(), ..Options::default() };
    match core::Replica::open_or_create(folder, options, signer) {
        Err(error @ ReplicaError::Wiped) => {
            // It was ordered while another process ran, or this one was ended before it was done.
            let keys = keys.unwrap_or_else(|| Arc::new(NoKeys));
            let wiped = access::carry_out_wipe(&platform.http(), folder, keys.as_ref());
            Err(wiped.map_or_else(|failed| teller.client(failed), |_| teller.replica(error)))
        }
        opened => opened.map_err(|error| teller.replica(error)),
    }
}

/// Where the key is: where the platform says, else where this system keeps settings. A build that cannot
/// encrypt has none.
fn keys_of(
    folder: &Path,
    platform: &Platform,
    teller: Teller<'_>,
) -> Result<Option<Arc<dyn KeyStore>>, CrmError> {
    if let Some(secrets) = &platform.secrets {
        return Ok(Some(Arc::new(Foreign(Arc::clone(secrets)))));
    }
    if !cfg!(any(feature = "sqlcipher", feature = "sqlcipher-system")) {
        return Ok(None);
    }
    let place = FileKeys::standard_place(folder, |name| env::var_os(name).map(PathBuf::from));
    match place.map_err(|error| teller.io(&error))? {
        Some(place) => Ok(Some(Arc::new(FileKeys::new(place)))),
        None => Err(teller.invalid("no_key_store", words::NO_KEY_STORE)),
    }
}

/// Chinese where the environment says so, else English.
fn language_of_system() -> Language {
    let mut said =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    match said.find(|value| !value.is_empty()) {
        Some(value) if value.starts_with("zh") => Language::Chinese,
        Some(_) | None => Language::English,
    }
}
