//! Devices against the history that they signed and the ledger that remembers them.

use std::{collections::BTreeMap, path::Path};

use outrider_core::ids::{ActorId, DeviceId};
use rusqlite::Connection;
use uuid::Uuid;

use super::{Findings, Progress, Subject};
use crate::{
    ledger::{Entry, Ledger},
    storage::{
        Device, StorageError,
        sqlite::{Doing, device, ledger},
    },
};

const DOING: &str = "checking devices";

/// Checks devices and ledger.
pub(super) fn check(
    conn: &Connection,
    ledger: Option<&Path>,
    findings: &mut Findings,
    progress: &mut Progress<'_>,
) -> Result<(), StorageError> {
    progress("devices", 0, 1);
    let devices: BTreeMap<DeviceId, Device> = device::list(conn)?
        .into_iter()
        .map(|contact| (contact.device.id, contact.device))
        .collect();
    findings.devices = devices.len() as u64;
    // Who signed under which actor; the history has an index by neither, so once through.
    let mut query = conn.prepare("SELECT DISTINCT device, actor FROM change").doing(DOING)?;
    let mut rows = query.query([]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let id = DeviceId(Uuid::from_bytes(row.get(0).doing(DOING)?));
        let actor = ActorId(row.get(1).doing(DOING)?);
        match devices.get(&id) {
            None => findings.add(Subject::Device, id, "signed changes, but is not known"),
            Some(device) if device.prefix != actor.prefix() => {
                findings.add(Subject::Device, id, "signed changes of an actor that is not its own");
            }
            Some(_) => {}
        }
    }
    if let Some(path) = ledger {
        check_ledger(conn, path, &devices, findings)?;
    }
    progress("devices", 1, 1);
    Ok(())
}

fn check_ledger(
    conn: &Connection,
    path: &Path,
    devices: &BTreeMap<DeviceId, Device>,
    findings: &mut Findings,
) -> Result<(), StorageError> {
    let name = path.display();
    let known = ledger::known(conn)?;
    let (ledger, entries) = match Ledger::open(path, false) {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            if known.is_some() {
                findings.add(Subject::Ledger, name, "is not there");
            }
            return Ok(());
        }
        Err(error) => {
            findings.add(Subject::Ledger, name, error);
            return Ok(());
        }
    };
    findings.ledger_entries = Some(entries.len() as u64);
    let Some(known) = known else { return Ok(()) };
    if known.id != ledger.reached().id {
        findings.add(Subject::Ledger, name, "belongs to another database");
        return Ok(());
    }
    let seen = known.entries.checked_sub(1).and_then(|last| usize::try_from(last).ok());
    if let Some(last) = seen
        && entries.get(last).is_none_or(|noted| noted.hash != known.hash)
    {
        findings.add(Subject::Ledger, &name, "lacks entries that the database has seen");
    }
    // A server that goes on meanwhile may have appended more.
    for noted in entries.iter().filter(|noted| noted.number <= known.entries) {
        let Entry::Enrolled(enrolled) = &noted.entry else { continue };
        let is_known = match devices.get(&enrolled.device) {
            Some(device) => device.prefix == enrolled.prefix,
            // Two were drawn for one user, and the first was never used.
            None => {
                enrolled.is_office && devices.values().any(|device| device.user == enrolled.user)
            }
        };
        if !is_known {
            let words = format!(
                "the ledger has its enrolment as entry {}, the database has not",
                noted.number
            );
            findings.add(Subject::Device, enrolled.device, words);
        }
    }
    Ok(())
}
