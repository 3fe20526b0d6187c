//! The replica: the façade that every front end uses.
//!
//! Open it, read and write records, and let a [`session`](session::Session) talk to the server.
//! Nothing here waits for a network; every write is durable when its call returns.
//!
//! In reading order: [`writer`] edits records, [`flat`] and [`text`] keep their documents,
//! [`taps`] does what one press of a button does, [`likeness`] finds who may be the same, [`merge`] makes two
//! records one, [`read`] answers questions, [`find`] searches, [`live`] keeps lists up to date, [`history`] says who changed what,
//! [`typing`] edits long texts, [`storage`] counts, [`push`] and [`pull`] are the two halves of a conversation with the
//! server, [`undo`] takes edits back, [`session`] puts them in order, [`rebuild`] makes the rows anew,
//! [`access`] says what may be written and what must go, [`bulk`] serves imports,
//! [`copy`] the support, [`heal`] makes anew what is found damaged, [`mend`] edits that wait, [`parted`] what a copy has the number of. [`credentials`] name the device to its server, [`lease`] locks it and
//! [`wipe`](mod@wipe) empties it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use crate::{
    ids::{ActorId, ActorPrefix, RecordId},
    keys::{KeyStore, StoreKey, make_private_folder},
    points,
    schema::Schema,
    store::{
        Durability, Store, StoreError, credentials as shown, document, lease as leased, meta, rows,
    },
    sync::{key::DeviceKey, tokens::Grant},
    time::{Clock, SystemClock},
};

pub mod access;
pub mod bulk;
pub mod copy;
pub mod credentials;
pub mod each;
pub mod erase;
pub mod error;
pub mod find;
pub mod flat;
pub mod heal;
pub mod history;
pub mod identity;
pub mod lease;
pub mod likeness;
pub mod live;
pub mod mend;
pub mod merge;
pub mod parted;
pub mod pull;
pub mod push;
pub mod read;
pub mod rebuild;
pub mod recover;
pub mod session;
pub mod storage;
pub mod taps;
pub mod text;
pub mod typing;
pub mod undo;
pub mod wipe;
pub mod writer;

pub use error::ReplicaError;
pub(crate) use flat::decode_own;
pub use live::{Diff, LiveId, Signal};
pub use read::{Conflict, Links, Page, Status};
pub(crate) use rebuild::project_stored;
pub use wipe::{WipeError, Wiped, wipe};
pub use writer::Writer;

/// Name of the database in a replica's folder.
pub const DATABASE_FILE: &str = "outrider.db";
/// Name of the file that holds the instance token, outside the database and its backups.
pub const INSTANCE_FILE: &str = "instance";
/// Name of the file that holds the device's private key.
pub const KEY_FILE: &str = "device.key";
/// Who makes the replica holds the lock of this file.
const LOCK_FILE: &str = "init.lock";

/// How a replica is opened.
#[derive(Debug)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness begins; drawn from the system if none.
    pub seed: Option<u64>,
    /// What a power failure may cost.
    pub durability: Durability,
    /// Where the key of an encrypted store is kept; the store is plain if there is none.
    pub keys: Option<Arc<dyn KeyStore>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), seed: None, durability: Durability::Full, keys: None }
    }
}

/// The records of one device.
#[derive(Debug)]
pub struct Replica {
    folder: PathBuf,
    store: Store,
    schema: &'static Schema,
    clock: Arc<dyn Clock>,
    rng: StdRng,
    actor: ActorId,
    key: Arc<dyn DeviceKey>,
    live: live::Live,
    signal: Signal,
}

impl Replica {
    /// Opens the replica in `folder`, or creates it there.
    ///
    /// With a key store the database is encrypted; one that is there and plain is encrypted first.
    /// If the database was copied from another device or restored from a backup, which the token
    /// beside it tells, the replica goes on under actors that have never written.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the folder or the database cannot be used.
    pub fn open(folder: &Path, options: Options) -> Result<Self, ReplicaError> {
        Self::open_with_key(folder, options, None)
    }

    /// As [`Self::open_with_key`]; of several processes that begin together, one makes the replica.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_or_create(
        folder: &Path,
        options: Options,
        key: Option<Arc<dyn DeviceKey>>,
    ) -> Result<Self, ReplicaError> {
        let folder_error = |source| ReplicaError::Folder { path: folder.to_owned(), source };
        make_private_folder(folder).map_err(folder_error)?;
        let lock = File::create(folder.join(LOCK_FILE)).map_err(folder_error)?;
        lock.lock().map_err(folder_error)?;
        // Dropping the file gives the lock back.
        Self::open_with_key(folder, options, key)
    }

    /// As [`Self::open`], with a key that the host keeps (Secure Enclave, `StrongBox`) instead of the one
    /// in the folder.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with_key(
        folder: &Path,
        options: Options,
        key: Option<Arc<dyn DeviceKey>>,
    ) -> Result<Self, ReplicaError> {
        let folder_error = |source| ReplicaError::Folder { path: folder.to_owned(), source };
        make_private_folder(folder).map_err(folder_error)?;
        wipe::check_not_begun(folder)?;
        let mut rng = match options.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let database = folder.join(DATABASE_FILE);
        let mut store = match &options.keys {
            None => Store::open(&database, options.durability)?,
            Some(keys) => {
                let fresh = StoreKey::draw(&mut rng);
                Store::open_sealed(&database, options.durability, keys.as_ref(), &fresh)?
            }
        };
        let key: Arc<dyn DeviceKey> = match key {
            Some(key) => key,
            None => {
                Arc::new(identity::load_or_create_key(&folder.join(KEY_FILE), &mut rng).map_err(
                    |source| ReplicaError::Folder { path: folder.join(KEY_FILE), source },
                )?)
            }
        };
        let schema = Schema::current();
        let actor = {
            let tx = store.begin()?;
            // Looking at every table and index takes longer than all else that opening does.
            if meta::schema_version(&tx)? != Some(schema.version) {
                rows::create_tables(&tx, schema).map_err(StoreError::from)?;
            }
            let actor = identity::recognise(&tx, &folder.join(INSTANCE_FILE), &mut rng)?;
            leased::note_time(&tx, lease::server_time(&tx, options.clock.now_ms())?)?;
            points::reach("device.open.before_commit");
            tx.commit().map_err(StoreError::from)?;
            points::reach("device.open.after_commit");
            actor
        };
        let folder = folder.to_owned();
        let (live, signal) = (live::Live::default(), Signal::default());
        let mut replica =
            Self { folder, store, schema, clock: options.clock, rng, actor, key, live, signal };
        replica.follow_schema()?;
        Ok(replica)
    }

    /// The folder that holds the replica.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The definitions of all entities.
    #[must_use]
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Breaks off whatever this replica asks its database, reading or writing, as soon as `is_over` says so: it
    /// fails then, and of a transaction nothing is left. For one that was opened for something long.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub fn break_off_when(
        &mut self,
        is_over: impl FnMut() -> bool + Send + 'static,
    ) -> Result<(), ReplicaError> {
        Ok(self.store.break_off_when(is_over)?)
    }

    /// The time now, by the device's clock.
    #[must_use]
    pub fn clock_ms(&self) -> crate::time::TimestampMs {
        self.clock.now_ms()
    }

    /// The public half of the device's key (uncompressed SEC1 bytes), for enrolment.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key()
    }

    /// An id for a record that is still to be created.
    pub fn draw_id(&mut self) -> RecordId {
        RecordId::new(self.clock.now_ms().unsigned_abs(), self.rng.random())
    }

    /// Runs `write` in one transaction: all of it is durable afterwards, or none of it happened.
    ///
    /// # Errors
    ///
    /// Passes on the error of `write`, or that of the database.
    pub fn transaction<T>(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        self.check_lease()?;
        let done = self.exchange(|writer| {
            let done = write(writer)?;
            points::reach("device.edit.before_commit");
            Ok(done)
        })?;
        points::reach("device.edit.after_commit");
        Ok(done)
    }

    /// As [`Self::transaction`], also while the lease is over: for what a server answers.
    pub(crate) fn exchange<T>(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        let tx = self.store.begin()?;
        leased::note_time(&tx, lease::server_time(&tx, self.clock.now_ms())?)?;
        // Another process, or another replica of this one, may have enrolled the device since.
        self.actor = meta::actor(&tx)?.unwrap_or(self.actor);
        let mut writer =
            Writer::new(&tx, self.schema, self.clock.now_ms(), &mut self.rng, self.actor)?;
        let done = write(&mut writer)?;
        let actor = writer.finish()?;
        tx.commit().map_err(StoreError::from)?;
        self.actor = actor;
        self.signal.ring();
        Ok(done)
    }

    /// Creates a record and returns its id.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the entity or a field is unknown or a value does not fit.
    pub fn create(
        &mut self,
        entity: &str,
        fields: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<RecordId, ReplicaError> {
        self.transaction(|writer| writer.create(entity, None, fields))
    }

    /// Changes fields of a record; returns whether anything was written.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here or a value does not fit.
    pub fn update(
        &mut self,
        record: RecordId,
        fields: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<bool, ReplicaError> {
        self.transaction(|writer| writer.update(record, fields))
    }

    /// Archives a record.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here.
    pub fn archive(&mut self, record: RecordId) -> Result<(), ReplicaError> {
        self.transaction(|writer| writer.archive(record))
    }

    /// Brings an archived record back.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when the record is not here.
    pub fn restore(&mut self, record: RecordId) -> Result<(), ReplicaError> {
        self.transaction(|writer| writer.restore(record))
    }

    /// Settles a conflict by writing `value` (as JSON) under `key` in place of all values there.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when there is no such record or key, or the value does not fit.
    pub fn settle(
        &mut self,
        record: RecordId,
        key: &str,
        value: &serde_json::Value,
    ) -> Result<(), ReplicaError> {
        self.transaction(|writer| writer.settle(record, key, value))
    }

    /// Takes over what the server gave at enrolment. What was written before goes on under the
    /// actors of the new prefix.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::OtherUser`] when the store is another user's, or fails when the
    /// database does.
    pub fn enroll(&mut self, enrolment: &meta::Enrolment) -> Result<(), ReplicaError> {
        self.enroll_with(enrolment, None)
    }

    /// As [`Self::enroll`], with the tokens and the certificate that came with it.
    fn enroll_with(
        &mut self,
        enrolment: &meta::Enrolment,
        grant: Option<&Grant>,
    ) -> Result<(), ReplicaError> {
        // What waits here, and what lies here, is that user's.
        if let Some(known) = self.enrolment()?
            && known.user != enrolment.user
        {
            return Err(ReplicaError::OtherUser { user: known.user });
        }
        let actor = ActorId::new(enrolment.prefix, self.rng.random());
        let tx = self.store.begin()?;
        meta::set_enrolment(&tx, enrolment)?;
        // Perhaps another server's.
        pull::forget_feed(&tx)?;
        shown::set_tokens(&tx, grant.map(|grant| &grant.tokens))?;
        shown::set_certificate(&tx, grant.map(|grant| &grant.certificate))?;
        shown::set_nonce(&tx, None)?;
        shown::set_pending(&tx, None)?;
        meta::set_actor(&tx, actor)?;
        let mut writer = Writer::new(&tx, self.schema, self.clock.now_ms(), &mut self.rng, actor)?;
        writer.rewrite_all_waiting()?;
        let actor = writer.finish()?;
        document::forget_own_except(&tx, enrolment.prefix)?;
        points::reach("device.enroll.before_commit");
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.enroll.after_commit");
        self.actor = actor;
        self.signal.ring();
        Ok(())
    }
}

/// Draws the suffix of an actor.
fn draw_suffix(rng: &mut StdRng) -> [u8; 4] {
    rng.random()
}

/// A prefix for the time before enrolment.
fn provisional_prefix(rng: &mut StdRng) -> ActorPrefix {
    let mut prefix = [0; crate::ids::ACTOR_PREFIX_BYTES];
    rng.fill_bytes(&mut prefix);
    ActorPrefix(prefix)
}
