//! Where this device stands, what may be wrong with it, and what support may see.

use std::{path::Path, sync::Arc, time::SystemTime};

use outrider_core::{
    access::Operation as CoreOperation,
    bundle::BundleError,
    doctor::{Finding as CoreFinding, Fix, Level, examine_folder},
    ids::RecordId,
};

use crate::{
    error::CrmError,
    long::{Beside, Cancel},
    query::EntityCount,
    replica::Replica,
    values::moment,
    words,
};

/// What somebody may do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Operation {
    /// See it.
    Read,
    /// Create one.
    Create,
    /// Change it.
    Edit,
    /// Archive it, or bring it back.
    Archive,
    /// Write it into a file.
    Export,
    /// Take it from a file.
    Import,
    /// Give it to another owner.
    Assign,
    /// Approve it.
    Approve,
    /// Merge it with another.
    Merge,
}

impl From<Operation> for CoreOperation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Read => Self::Read,
            Operation::Create => Self::Create,
            Operation::Edit => Self::Edit,
            Operation::Archive => Self::Archive,
            Operation::Export => Self::Export,
            Operation::Import => Self::Import,
            Operation::Assign => Self::Assign,
            Operation::Approve => Self::Approve,
            Operation::Merge => Self::Merge,
        }
    }
}

/// Where this device stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceStatus {
    /// The server's address, once enrolled.
    pub server: Option<String>,
    /// The user's name, once enrolled.
    pub user: Option<String>,
    /// Records by entity.
    pub records: Vec<EntityCount>,
    /// Changes that wait to be sent.
    pub waiting: u64,
    /// Fields with several values.
    pub conflicts: u64,
    /// Refusals that nobody has dismissed.
    pub refusals: u64,
    /// When the last sync ended well.
    pub last_sync: Option<SystemTime>,
    /// Pieces that were found damaged and wait for the office's copy.
    pub damaged: u64,
}

/// What the records take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StorageUse {
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes in it that nothing uses.
    pub free_bytes: u64,
    /// Bytes of all files.
    pub file_bytes: u64,
}

/// Something that may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Finding {
    /// A stable word.
    pub code: String,
    /// Whether something is wrong; otherwise it is only worth knowing.
    pub is_problem: bool,
    /// How many.
    pub count: u64,
    /// What is concerned, by ids.
    pub names: Vec<String>,
    /// A sentence, in the user's language.
    pub sentence: String,
    /// The repair for [`repair`](Replica::repair), if there is one.
    pub fix: Option<String>,
}

/// What support gets to see.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SupportBundle {
    /// Names of the parts.
    pub parts: Vec<String>,
    /// Records that are left out because it would be too large.
    pub left_out: u64,
}

#[uniffi::export]
impl Replica {
    /// Where this device stands.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`.
    pub fn status(&self) -> Result<DeviceStatus, CrmError> {
        let status = self.with(|replica| replica.status())?;
        let count = |(entity, count)| EntityCount { entity, count };
        Ok(DeviceStatus {
            server: status.server,
            user: status.user,
            records: status.records.into_iter().map(count).collect(),
            waiting: status.waiting,
            conflicts: status.conflicts,
            refusals: status.refusals,
            last_sync: status.last_sync.map(moment),
            damaged: status.damaged.awaited,
        })
    }

    /// What the records take.
    ///
    /// # Errors
    ///
    /// `Closed`, `Damaged`, `Cancelled`.
    #[uniffi::method(default(cancel = None))]
    pub fn storage(&self, cancel: Option<Arc<Cancel>>) -> Result<StorageUse, CrmError> {
        let beside = self.beside(cancel.as_deref())?;
        let storage = beside
            .replica
            .storage()
            .map_err(|error| beside.told(self.teller(), || self.teller().replica(error)))?;
        Ok(StorageUse {
            database_bytes: storage.database_bytes,
            free_bytes: storage.free_bytes,
            file_bytes: storage.file_bytes,
        })
    }

    /// Whether the user may do something with a record, as far as this device knows: for buttons.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn may(&self, operation: Operation, record: RecordId) -> Result<bool, CrmError> {
        self.with(|replica| replica.may(operation.into(), record))
    }

    /// Looks whether something is wrong with the records. It reads them all.
    ///
    /// # Errors
    ///
    /// `Closed`, `Cancelled`.
    #[uniffi::method(default(cancel = None))]
    pub fn diagnose(&self, cancel: Option<Arc<Cancel>>) -> Result<Vec<Finding>, CrmError> {
        let found = self.examine(&self.beside(cancel.as_deref())?)?;
        Ok(found.into_iter().map(|one| self.finding(one)).collect())
    }

    /// Does a repair that a finding names; returns how much was repaired.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name of no repair, `Cancelled`: then do it again.
    #[uniffi::method(default(cancel = None))]
    pub fn repair(&self, fix: String, cancel: Option<Arc<Cancel>>) -> Result<u64, CrmError> {
        let fix: Fix = fix.parse().map_err(|_| self.teller().invalid("no_fix", words::NO_FIX))?;
        let mut beside = self.beside(cancel.as_deref())?;
        let fixed = beside.replica.repair(fix);
        let told = |error| beside.told(self.teller(), || self.teller().replica(error));
        Ok(fixed.map_err(told)?.repaired)
    }

    /// Writes a file for support: how the records hang together and what was found, with nothing that
    /// anybody typed.
    ///
    /// # Errors
    ///
    /// `Refused` when the file is there already, `StorageFull`, `Cancelled`.
    #[uniffi::method(default(log = None, cancel = None))]
    pub fn write_support_bundle(
        &self,
        file: String,
        log: Option<String>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<SupportBundle, CrmError> {
        let teller = self.teller();
        if Path::new(&file).exists() {
            return Err(teller.io(&std::io::ErrorKind::AlreadyExists.into()));
        }
        let mut beside = self.beside(cancel.as_deref())?;
        let found = self.examine(&beside)?;
        // Ids are drawn at random: two of them salt it.
        let mut salt = [0; 32];
        let drawn = [beside.replica.draw_id(), beside.replica.draw_id()];
        let bytes = drawn.iter().flat_map(|id| id.as_bytes());
        salt.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let bundle = beside.replica.bundle(salt, &found, log.as_deref());
        let bundle = bundle.map_err(|error| beside.told(teller, || teller.replica(error)))?;
        bundle.write(Path::new(&file)).map_err(|error| match error {
            BundleError::File(error) => teller.io(&error),
            other => teller.failed("bundle", other),
        })?;
        Ok(SupportBundle {
            parts: bundle.parts.iter().map(|part| part.name.to_owned()).collect(),
            left_out: bundle.left_out,
        })
    }
}

impl Replica {
    fn examine(&self, beside: &Beside<'_>) -> Result<Vec<CoreFinding>, CrmError> {
        let mut found = examine_folder(self.folder());
        let examined = beside.replica.examine();
        // What was broken off found what is not so.
        if beside.stop().is_stopped() {
            return Err(self.teller().cancelled());
        }
        found.extend(examined.map_err(|error| self.teller().replica(error))?);
        Ok(found)
    }

    fn finding(&self, found: CoreFinding) -> Finding {
        let sentence = words::finding(found.kind, found.count, self.language);
        Finding {
            code: found.kind.code().to_owned(),
            is_problem: found.level == Level::Problem,
            count: found.count,
            names: found.names,
            sentence,
            fix: found.fix.map(|fix| fix.name().to_owned()),
        }
    }
}
