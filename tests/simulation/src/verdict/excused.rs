//! What a lost disk took for good, and what is known not to hold yet.
//!
//! A change that no device can send again is gone with the server's disk: the office's own changes
//! above all, which devices have as states and not as changes. What stands on it cannot be taken
//! either. Documents of which something is gone are told here one by one, each with its reason, and
//! nothing is asked of them but that they load; of all others everything is asked.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt,
    ids::{ChangeHash, DocumentId, RecordId},
    store::{
        document,
        outbox::{self, OwnChange},
    },
};

use super::Office;
use crate::{Failure, device::Device, world::World};

/// A change went with the server's disk, and no device that is enrolled has it any more. Devices write
/// what they hold of it anew when the recovery is over, as another change: by its name it stays gone. Its
/// value is asked for ([`shown`](super::shown)).
pub(super) const NOBODY_HAS_IT: &str = "nobody_has_it";
/// A change that a device has follows one that is gone, so the server cannot take it again.
///
/// As wide as [`NOBODY_HAS_IT`].
pub(super) const FOLLOWS_WHAT_IS_GONE: &str = "follows_what_is_gone";
/// A change that had been acknowledged was refused when it was sent again, and its author was not
/// told: that happens when the recovery is over, not before.
pub(super) const REFUSED_AGAIN: &str = "refused_again_untold";
/// A passage of a long text that two devices wrote anew after a restore, because each held more than
/// one passage that the other lacked. What one actor wrote twice is not excused.
pub(super) const WRITTEN_TWICE: &str = "passage_written_twice";
/// A change waits on one of those.
pub(super) const WAITS_ON_IT: &str = "waits_on_what_is_gone";

/// The server handed an edit on to the record into which its own was merged, and does so again when the edit
/// comes back, on the record as it is then: that may be another change. Only its name is excused; the document
/// is asked for every edit.
pub(super) const GOES_ON_AGAIN: &str = "goes_on_again";

/// The entity of users.
pub(super) const USER: &str = "user";

/// Documents of which something is gone.
#[derive(Debug, Default)]
pub(crate) struct Excused {
    documents: BTreeMap<DocumentId, &'static str>,
    counts: BTreeMap<&'static str, u64>,
    /// Changes that are excused, by name.
    changes: BTreeSet<ChangeHash>,
}

impl Excused {
    pub(super) fn find(world: &World, office: &Office) -> Result<Self, Failure> {
        let mut excused = Self::default();
        if world.out.restores == 0 {
            // No disk was lost.
            return Ok(excused);
        }
        let held = held(world)?;
        let known = world.once_there.iter().chain(&world.acknowledged);
        let lost: BTreeSet<&(DocumentId, ChangeHash)> = known
            .filter(|change| !office.history.contains(change) && !world.is_erased(&change.0))
            .collect();
        let is_lost = |id: &DocumentId, hash: ChangeHash| lost.contains(&(id.clone(), hash));
        for change in lost.iter().copied() {
            let (id, hash) = change;
            let reason = if world.refused_again.contains_key(change) {
                REFUSED_AGAIN
            } else if let Some((own, group)) = held.get(hash) {
                let deps = crdt::header(&own.bytes)?.deps;
                let on_gone = deps.iter().any(|dep| is_lost(id, *dep));
                let in_group =
                    group.iter().any(|(other, name)| name != hash && is_lost(other, *name));
                if !on_gone && !in_group {
                    // Somebody has it, and nothing is in its way: it has to be there.
                    continue;
                }
                FOLLOWS_WHAT_IS_GONE
            } else if world.scene.can_lose()
                || world.held_up.contains(id)
                || is_of_user(world, office, id)?
            {
                // A change that is refused when it is sent again holds up its group, and in each document
                // what follows that: all of it is written anew when the recovery is over.
                NOBODY_HAS_IT
            } else if world.ledger.of_office.contains(hash) {
                excused.changes.insert(*hash);
                excused.count(GOES_ON_AGAIN);
                continue;
            } else {
                continue;
            };
            excused.add(id, *hash, reason);
        }
        excused.spread(world)?;
        Ok(excused)
    }

    /// What need not be the same everywhere: when the recovery is over, what is gone is written anew, and
    /// everybody agrees on that.
    pub(super) fn of_agreement(&self, is_recovering: bool) -> Self {
        let documents = if is_recovering { self.documents.clone() } else { BTreeMap::new() };
        Self { documents, ..Self::default() }
    }

    fn add(&mut self, id: &DocumentId, hash: ChangeHash, reason: &'static str) {
        self.changes.insert(hash);
        self.documents.entry(id.clone()).or_insert(reason);
        *self.counts.entry(reason).or_default() += 1;
    }

    /// What waits goes up as one with its group: none of it can go while one member cannot.
    fn spread(&mut self, world: &World) -> Result<(), Failure> {
        loop {
            let before = self.documents.len();
            for device in &world.devices {
                for group in groups(outbox::waiting(conn(device)?, 0, usize::MAX)?) {
                    if group.iter().any(|own| self.has(&own.document)) {
                        for own in group {
                            self.documents.entry(own.document).or_insert(WAITS_ON_IT);
                        }
                    }
                }
            }
            if self.documents.len() == before {
                return Ok(());
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Whether nothing is asked of a document.
    pub(super) fn has(&self, id: &DocumentId) -> bool {
        self.documents.contains_key(id)
    }

    /// Whether a change is excused.
    pub(super) fn has_change(&self, hash: ChangeHash) -> bool {
        self.changes.contains(&hash)
    }

    pub(super) fn count(&mut self, excuse: &'static str) {
        *self.counts.entry(excuse).or_default() += 1;
    }

    pub(super) fn counts(self) -> BTreeMap<&'static str, u64> {
        self.counts
    }
}

/// Whether a document is that of a user, which the server itself makes when a device is enrolled: the
/// ledger brings back the device, and nobody the user's record.
fn is_of_user(world: &World, office: &Office, id: &DocumentId) -> Result<bool, Failure> {
    if let Some(stored) = office.documents.get(id) {
        return Ok(stored.entity == USER);
    }
    for device in &world.devices {
        if document::load(conn(device)?, id)?.is_some_and(|stored| stored.entity == USER) {
            return Ok(true);
        }
        let user = device.replica()?.enrolment()?.map(|enrolment| enrolment.user);
        if user.is_some_and(|user| RecordId::external(USER, "login", &user) == id.record) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names of changes, each with its document.
type Names = Vec<(DocumentId, ChangeHash)>;

/// What devices that are enrolled could send again, each change with its group.
fn held(world: &World) -> Result<BTreeMap<ChangeHash, (OwnChange, Names)>, Failure> {
    let mut held = BTreeMap::new();
    for device in world.devices.iter().filter(|device| !device.is_revoked) {
        for group in groups(outbox::acknowledged_after(conn(device)?, 0, usize::MAX)?) {
            let names: Names = group.iter().map(|own| (own.document.clone(), own.hash)).collect();
            for own in group {
                held.insert(own.hash, (own, names.clone()));
            }
        }
    }
    Ok(held)
}

fn groups(changes: Vec<OwnChange>) -> Vec<Vec<OwnChange>> {
    let mut groups: BTreeMap<i64, Vec<OwnChange>> = BTreeMap::new();
    for own in changes {
        groups.entry(own.group_id).or_default().push(own);
    }
    groups.into_values().collect()
}

fn conn(device: &Device) -> Result<&rusqlite::Connection, Failure> {
    Ok(device.replica()?.store().conn())
}
