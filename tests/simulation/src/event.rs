//! What may happen in a step of a run, and how often.
//!
//! Each kind has a name, by which it can be left out of a run ([`crate::plan::Settings::without`]):
//! a run that fails is made smaller that way.

use crate::{dice::Dice, plan::Kind};

/// What may happen in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// Somebody in the field edits.
    Edit,
    /// Somebody at the office edits.
    OfficeEdit,
    /// A session goes on, over the weather of the network.
    Talk,
    /// A request of long ago arrives (again).
    Replay,
    /// The process of a device dies.
    RestartDevice,
    /// The process of the server dies.
    RestartServer,
    /// The server's data is copied.
    BackUpServer,
    /// The server's disk is lost, and its data put back.
    RestoreServer,
    /// A field is withheld from devices, or not any more.
    ChangePolicy,
    /// A device is backed up as a cloud does it.
    BackUpDevice,
    /// A device is replaced by its backup.
    RestoreDevice,
    /// A second device begins as a copy.
    AddTwin,
    /// A whole folder is put back, with the token that tells copies apart.
    RollBack,
    /// A device's clock jumps.
    DeviceClock,
    /// The server's clock jumps.
    ServerClock,
    /// A device is enrolled.
    Enrol,
    /// A device is away for a while.
    Away,
    /// A device is away for two years.
    Years,
    /// The disk of a device is full for a moment.
    DeviceDisk,
    /// The disk of the server is full for a moment.
    ServerDisk,
    /// The disk of a device fails for a moment, or its power.
    DeviceBreaks,
    /// The disk of the server fails for a moment, or its power.
    ServerBreaks,
    /// A stored document of a device has a bit the other way.
    DeviceRots,
    /// A stored document of the server has a bit the other way.
    ServerRots,
    /// The office turns a device away for good.
    Revoke,
    /// The office erases a person.
    Erase,
    /// Somebody merges two records, or takes it back.
    Merge,
    /// A device gets the newest app.
    UpgradeApp,
    /// The server gets the newest version.
    UpgradeServer,
}

/// Of how many parts the weights are.
const WHOLE: usize = 1_000;

/// Each kind with its name, and its weight in runs that sync and in runs that restore.
const TABLE: [(Event, &str, usize, usize); 29] = [
    (Event::Edit, "edit", 222, 196),
    (Event::OfficeEdit, "office-edit", 25, 20),
    (Event::Talk, "talk", 440, 440),
    (Event::Replay, "replay", 60, 40),
    (Event::RestartDevice, "restart-device", 80, 50),
    (Event::RestartServer, "restart-server", 8, 8),
    (Event::BackUpServer, "back-up-server", 8, 26),
    (Event::RestoreServer, "restore-server", 6, 16),
    (Event::ChangePolicy, "change-policy", 18, 14),
    (Event::BackUpDevice, "back-up-device", 8, 16),
    (Event::RestoreDevice, "restore-device", 5, 10),
    (Event::AddTwin, "add-twin", 2, 2),
    (Event::RollBack, "roll-back", 4, 6),
    (Event::DeviceClock, "device-clock", 14, 14),
    (Event::ServerClock, "server-clock", 4, 6),
    (Event::Enrol, "enrol", 5, 16),
    (Event::Away, "away", 5, 24),
    (Event::Years, "years", 2, 4),
    (Event::DeviceDisk, "device-disk", 36, 30),
    (Event::ServerDisk, "server-disk", 12, 12),
    (Event::DeviceBreaks, "device-breaks", 12, 10),
    (Event::ServerBreaks, "server-breaks", 4, 4),
    (Event::DeviceRots, "device-rots", 4, 4),
    (Event::ServerRots, "server-rots", 2, 2),
    (Event::Revoke, "revoke", 1, 8),
    (Event::Erase, "erase", 3, 12),
    (Event::Merge, "merge", 6, 4),
    (Event::UpgradeApp, "upgrade-app", 3, 4),
    (Event::UpgradeServer, "upgrade-server", 1, 2),
];

impl Event {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|(event, ..)| event)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.into_iter().find(|(event, ..)| *event == self).map_or("", |(_, name, ..)| name)
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.into_iter().find(|(_, known, ..)| *known == name).map(|(event, ..)| event)
    }

    pub(crate) fn draw(dice: &mut Dice, kind: Kind) -> Self {
        let mut roll = dice.below(WHOLE);
        for (event, _, sync, restore) in TABLE {
            let weight = match kind {
                Kind::Sync => sync,
                Kind::Restore => restore,
            };
            if roll < weight {
                return event;
            }
            roll -= weight;
        }
        Self::Talk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_make_a_whole_and_names_are_told_apart() {
        assert_eq!(TABLE.iter().map(|(_, _, sync, _)| sync).sum::<usize>(), WHOLE);
        assert_eq!(TABLE.iter().map(|(.., restore)| restore).sum::<usize>(), WHOLE);
        for event in Event::all() {
            assert_eq!(Event::from_name(event.name()), Some(event));
        }
    }
}
