//! A storage, devices, and what they push.

use outrider_core::{
    access::Policy,
    crdt::{self, Action, Edit, EncodedChange, Own, Stamp, State},
    ids::{ActorId, ActorPrefix, DeviceId, Part, RecordId},
    sync::frame::{Outcome, PushChange, PushGroup, PushRequest},
};
use outrider_sync_server::{
    accept::push,
    storage::{
        Device, StorageError,
        sqlite::{DATABASE_FILE, SqliteStorage},
    },
};

/// A server without anything, in which everybody may do everything.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) storage: SqliteStorage,
}

pub(crate) fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
    World { folder, storage }
}

pub(crate) fn device(number: u8) -> Device {
    Device {
        id: DeviceId(uuid::Uuid::from_u128(number.into())),
        name: "test".to_owned(),
        user: "test".to_owned(),
        user_record: None,
        prefix: ActorPrefix([number; 12]),
        public_key: Vec::new(),
        token_hash: [number; 32],
        enrolled_at: 0,
        is_office: false,
    }
}

pub(crate) fn actor(number: u8) -> ActorId {
    ActorId::new(ActorPrefix([number; 12]), [0; 4])
}

pub(crate) fn record() -> RecordId {
    RecordId::new(1, [7; 10])
}

/// A change of the record.
pub(crate) fn change(entity: &str, part: &str, bytes: Vec<u8>) -> PushChange {
    let part: Part = part.parse().unwrap();
    PushChange { record: record(), part, entity: entity.to_owned(), generation: 0, bytes }
}

/// The bytes of a change that writes one field.
pub(crate) fn write(
    state: &mut State,
    own: &mut Option<Own>,
    by: u8,
    key: &str,
    text: &str,
) -> Vec<u8> {
    let stamp = Stamp { actor: actor(by), time_ms: 0, message: None };
    let edit = Edit { key: key.to_owned(), action: Action::Put(text.into()) };
    crdt::write(state, own, stamp, vec![edit]).unwrap().bytes
}

impl World {
    /// The database, as another program sees it.
    pub(crate) fn disk(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join(DATABASE_FILE)).unwrap()
    }

    pub(crate) fn push(&self, by: u8, groups: Vec<Vec<PushChange>>) -> Vec<Outcome> {
        self.try_push(by, groups).unwrap()
    }

    pub(crate) fn try_push(
        &self,
        by: u8,
        groups: Vec<Vec<PushChange>>,
    ) -> Result<Vec<Outcome>, StorageError> {
        let groups = groups.into_iter().map(|changes| PushGroup { changes }).collect();
        let request = PushRequest::new(device(by).id, groups, Vec::new());
        let response = push(&self.storage, &Policy::open(), &device(by), &request, 0)?;
        Ok(response.answers.into_iter().map(|answer| answer.outcome).collect())
    }
}

/// The code of a refusal.
pub(crate) fn code(outcome: &Outcome) -> &str {
    if let Outcome::Refused(code, _) = outcome { code } else { "" }
}

pub(crate) fn write_all(
    state: &mut State,
    own: &mut Option<Own>,
    actor: ActorId,
    edits: Vec<Edit>,
) -> EncodedChange {
    let stamp = Stamp { actor, time_ms: 0, message: None };
    crdt::write(state, own, stamp, edits).unwrap()
}
