//! What was acknowledged is at the server, whatever happened to its disk, while a device has it.

use super::{Office, Verdict, excused::Excused};
use crate::{plan::Check, world::World};

pub(super) fn judge(world: &World, office: &Office, excused: &Excused, verdict: &mut Verdict) {
    for change in world.acknowledged.union(&world.once_there) {
        let (id, hash) = change;
        let is_well =
            office.history.contains(change) || world.is_erased(id) || excused.has_change(*hash);
        if !is_well {
            verdict.add(Check::Durable, format!("{id}: change {hash} was there, and is not"));
        }
    }
}
