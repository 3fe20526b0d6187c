//! Writing records: what is written is on the disk when a call returns, and waits to be sent.

use outrider_core::{
    ids::RecordId,
    replica::{ReplicaError, Writer},
};

use crate::{
    error::{CrmError, Teller},
    records::CrmChanges,
    replica::Replica,
};

/// Edits of one tap, at most: their changes are one group, and that is sent and judged as a whole.
const EDITS_MAX: usize = 64;

/// One edit of a tap.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Edit {
    /// A new record.
    Create {
        /// Its fields.
        fields: CrmChanges,
        /// Its id, where others of the tap name it; see [`Replica::draw_id`].
        record: Option<RecordId>,
    },
    /// Fields of a record change.
    Update {
        /// The record.
        record: RecordId,
        /// Its fields.
        changes: CrmChanges,
    },
    /// A record is archived.
    Archive {
        /// The record.
        record: RecordId,
    },
    /// An archived record comes back.
    Restore {
        /// The record.
        record: RecordId,
    },
}

#[uniffi::export]
impl Replica {
    /// Creates a record; gives its id.
    ///
    /// # Errors
    ///
    /// `Invalid` when a value does not fit or a required one is missing, `NotPermitted`, `StorageFull`.
    pub fn create(&self, fields: CrmChanges) -> Result<RecordId, CrmError> {
        let entity = fields.entity();
        let fields = fields.written().at_creation();
        self.with_of(Some(entity), |replica| replica.create(entity, &fields))
    }

    /// Changes the fields that are named, and no others; returns whether anything was written.
    ///
    /// # Errors
    ///
    /// `NotFound` when the record is not here, and as [`create`](Self::create).
    pub fn update(&self, record: RecordId, changes: CrmChanges) -> Result<bool, CrmError> {
        let entity = changes.entity();
        self.with_of(Some(entity), |replica| {
            replica.transaction(|writer| update(writer, record, changes))
        })
    }

    /// Archives a record.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotPermitted`.
    pub fn archive(&self, record: RecordId) -> Result<(), CrmError> {
        self.with(|replica| replica.archive(record))
    }

    /// Brings an archived record back.
    ///
    /// # Errors
    ///
    /// As [`archive`](Self::archive).
    pub fn restore(&self, record: RecordId) -> Result<(), CrmError> {
        self.with(|replica| replica.restore(record))
    }

    /// An id for a record that is created in the same tap as others that name it.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn draw_id(&self) -> Result<RecordId, CrmError> {
        self.with(|replica| Ok(replica.draw_id()))
    }

    /// Does all edits of one tap or none; gives the records, in their order. At most 64. With `anyway` also
    /// what the user may not do, as far as this device knows: the office decides, and what it refuses comes
    /// back to the [`inbox`](Self::inbox).
    ///
    /// # Errors
    ///
    /// The first that fails, as that call alone would.
    #[uniffi::method(default(anyway = false))]
    pub fn write(&self, edits: Vec<Edit>, anyway: bool) -> Result<Vec<RecordId>, CrmError> {
        if edits.len() > EDITS_MAX {
            return Err(self.teller().replica(ReplicaError::GroupTooLarge { max: EDITS_MAX }));
        }
        let mut entity = None;
        let done = self.with(|replica| {
            Ok(replica.transaction(|writer| {
                if anyway {
                    writer.insist();
                }
                writer.group(|writer| {
                    let mut records = Vec::with_capacity(edits.len());
                    for edit in edits {
                        records.push(apply(writer, edit, &mut entity)?);
                    }
                    Ok(records)
                })
            }))
        })?;
        // What fits or not is told in the words of the entity's form.
        done.map_err(|error| Teller { language: self.language, entity }.replica(error))
    }
}

fn apply(
    writer: &mut Writer<'_>,
    edit: Edit,
    entity: &mut Option<&'static str>,
) -> Result<RecordId, ReplicaError> {
    match edit {
        Edit::Create { fields, record } => {
            let name = fields.entity();
            *entity = Some(name);
            writer.create(name, record, &fields.written().at_creation())
        }
        Edit::Update { record, changes } => {
            *entity = Some(changes.entity());
            update(writer, record, changes)?;
            Ok(record)
        }
        Edit::Archive { record } => writer.archive(record).map(|()| record),
        Edit::Restore { record } => writer.restore(record).map(|()| record),
    }
}

/// Changes of an entity are for its records alone.
fn update(
    writer: &mut Writer<'_>,
    record: RecordId,
    changes: CrmChanges,
) -> Result<bool, ReplicaError> {
    writer.check_entity(record, changes.entity())?;
    writer.update(record, &changes.written().afterwards())
}
