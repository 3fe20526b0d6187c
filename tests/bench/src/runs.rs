//! What is measured, and the world that it is measured in.

use std::path::{Path, PathBuf};

use outrider_core::{
    ids::RecordId,
    replica::{DATABASE_FILE, Replica},
};
use tempfile::TempDir;

use crate::{
    Outcome,
    floor::{Rows, Sync},
    input::{ENTITY, customer},
    office::{Office, copy_folder, open_device},
};

pub(crate) mod import;

pub(crate) mod export;
pub(crate) mod import_file;

pub(crate) mod edit;

pub(crate) mod first_sync;

pub(crate) mod accept;

pub(crate) mod access;

pub(crate) mod handover;

pub(crate) mod likeness;

pub(crate) mod nothing_new;

pub(crate) mod size;

pub(crate) mod search;

/// Records in one transaction of an import.
pub(crate) const BATCH: usize = 1_000;
/// Milliseconds between two transactions, so that ids of later ones are higher, as they are in
/// an import that takes its time.
const STEP_MS: i64 = 50;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Records.
    pub(crate) records: usize,
    /// How often each side is measured.
    pub(crate) repetitions: usize,
}

/// The world, built when it is first asked for.
#[derive(Debug)]
pub(crate) struct World {
    setting: Setting,
    folder: TempDir,
    synced: Option<Synced>,
}

/// An office with records that one device wrote, and a second device that holds them.
#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) setting: Setting,
    folder: PathBuf,
    /// The rows of the second device.
    pub(crate) rows: Rows,
    /// Its records, in the order in which they arrived.
    pub(crate) records: Vec<RecordId>,
    /// Bytes that came over the wire when it was filled.
    pub(crate) wire_bytes: u64,
}

impl World {
    pub(crate) fn new(setting: Setting) -> Outcome<Self> {
        Ok(Self { setting, folder: TempDir::new()?, synced: None })
    }

    pub(crate) fn synced(&mut self) -> Outcome<&Synced> {
        if self.synced.is_none() {
            self.synced = Some(Synced::build(self.setting, self.folder.path())?);
        }
        Ok(self.synced.as_ref().ok_or("no world")?)
    }
}

impl Synced {
    fn build(setting: Setting, folder: &Path) -> Outcome<Self> {
        let (author, reader) = (folder.join("author"), folder.join("reader"));
        let office = Office::open(&folder.join("office"), Sync::Off)?;
        {
            let (mut replica, clock) = open_device(&author, Sync::Off, 1)?;
            office.enroll(&mut replica, 1)?;
            create(&mut replica, setting.records, || clock.advance(STEP_MS))?;
            let talk = office.sync(&mut replica)?;
            if talk.summary.applied != setting.records as u64 {
                return Err(format!("not all was applied: {:?}", talk.summary).into());
            }
        }
        let wire_bytes = {
            let (mut replica, _) = open_device(&reader, Sync::Off, 2)?;
            office.enroll(&mut replica, 2)?;
            office.sync(&mut replica)?.summary.bytes_down
        };
        let database = reader.join(DATABASE_FILE);
        let records = records(&database)?;
        let rows = Rows::read(&database)?;
        if rows.count() != setting.records {
            return Err("not all has arrived".into());
        }
        Ok(Self { setting, folder: folder.to_owned(), rows, records, wire_bytes })
    }

    /// A copy of the office.
    pub(crate) fn office(&self, to: &Path, sync: Sync) -> Outcome<Office> {
        copy_folder(&self.folder.join("office"), to)?;
        Office::open(to, sync)
    }

    /// A copy of the device that holds everything.
    pub(crate) fn reader(&self, to: &Path, sync: Sync) -> Outcome<Replica> {
        copy_folder(&self.folder.join("reader"), to)?;
        Ok(open_device(to, sync, 3)?.0)
    }
}

fn records(database: &Path) -> Outcome<Vec<RecordId>> {
    let conn = rusqlite::Connection::open(database)?;
    let mut query = conn.prepare(&format!("SELECT id FROM {ENTITY} ORDER BY rowid"))?;
    let ids = query.query_map([], |row| Ok(RecordId::from_bytes(row.get(0)?)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Creates records on a device, a batch in each transaction.
pub(crate) fn create(
    replica: &mut Replica,
    count: usize,
    mut between: impl FnMut(),
) -> Outcome<()> {
    let inputs: Vec<_> = (0..count).map(customer).collect();
    for batch in inputs.chunks(BATCH) {
        replica.transaction(|writer| {
            for fields in batch {
                writer.create(ENTITY, None, fields)?;
            }
            Ok(())
        })?;
        between();
    }
    Ok(())
}
