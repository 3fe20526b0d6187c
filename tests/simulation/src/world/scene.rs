//! What may happen in one run at all.
//!
//! A run in which everything happens can say less about each thing: what only the office's own disk
//! had is gone when that disk is. So some kinds of things are left out of some runs, and what remains
//! must then hold without excuse.

use crate::{
    dice::Dice,
    plan::{Kind, Settings},
    versions::Version,
};

/// Runs of the kind `sync` in which the server's disk is lost, in percent.
const DISASTERS: usize = 20;
/// Runs with apps of several versions, in percent.
const MIXED: usize = 25;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// The server's disk is lost now and then.
    pub(crate) is_restoring: bool,
    /// People at the office write.
    pub(crate) office_writes: bool,
    /// What is withheld from devices changes.
    pub(crate) policy_moves: bool,
    /// Phones are replaced by older copies of themselves.
    pub(crate) phones_fail: bool,
    /// Devices are turned away, and persons erased.
    pub(crate) things_end: bool,
    /// Apps and the server are of several versions.
    pub(crate) is_mixed: bool,
    /// The operator says that the server was restored: always, never, or now and then.
    announced: Option<bool>,
}

impl Scene {
    pub(super) fn draw(dice: &mut Dice, settings: &Settings) -> Self {
        let is_restoring = match settings.kind {
            Kind::Sync => dice.percent(DISASTERS),
            Kind::Restore => true,
        };
        // Where nothing is lost for good everything may happen.
        let chance = if is_restoring { 45 } else { 100 };
        Self {
            is_restoring,
            office_writes: dice.percent(chance),
            policy_moves: dice.percent(chance),
            phones_fail: dice.percent(chance),
            things_end: dice.percent(match settings.kind {
                Kind::Sync => 40,
                Kind::Restore => 70,
            }),
            is_mixed: dice.percent(MIXED),
            announced: dice.pick(&[Some(true), Some(false), None]).copied().flatten(),
        }
    }

    /// Whether a server's disk can take what no device has: the office's own changes, those of phones
    /// that failed or were turned away since.
    pub(crate) fn can_lose(self) -> bool {
        self.office_writes || self.phones_fail || self.things_end
    }

    /// Whether what devices hold when the server's disk is lost stays, by its values: unless phones are replaced,
    /// too, or something that they hold is withheld, or an app does not know it.
    pub(super) fn keeps_values(self) -> bool {
        !self.phones_fail && !self.policy_moves && !self.is_mixed
    }

    pub(super) fn server_version(self) -> Version {
        if self.is_mixed { Version::Second } else { Version::First }
    }

    pub(super) fn draw_version(self, dice: &mut Dice) -> Version {
        if self.is_mixed { Version::draw(dice) } else { Version::First }
    }

    pub(super) fn is_announced(self, dice: &mut Dice) -> bool {
        let drawn = dice.percent(50);
        self.announced.unwrap_or(drawn)
    }
}
