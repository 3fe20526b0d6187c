//! Nothing waits for ever: every edit ends acknowledged, or refused and shown to its author. And what
//! waits does not wait on what somebody else has not sent.

use outrider_core::{crdt, store::outbox};

use super::{
    Office, Verdict,
    excused::{Excused, WAITS_ON_IT},
};
use crate::{Failure, plan::Check, world::World};

pub(super) fn judge(
    world: &World,
    office: &Office,
    excused: &mut Excused,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    for device in &world.devices {
        let waiting = outbox::waiting(device.replica()?.store().conn(), 0, usize::MAX)?;
        for own in &waiting {
            if excused.has(&own.document) {
                excused.count(WAITS_ON_IT);
                continue;
            }
            let is_here = |hash| waiting.iter().any(|other| other.hash == hash);
            let deps = crdt::header(&own.bytes)?.deps;
            let foreign = deps.into_iter().find(|dep| {
                !is_here(*dep) && !office.history.contains(&(own.document.clone(), *dep))
            });
            let name = format!("{}: change {} of {}", device.name, own.hash, own.document);
            match foreign {
                Some(dep) => verdict.add(Check::Fair, format!("{name} waits on {dep} for ever")),
                None => verdict.add(Check::NoDeadQueue, format!("{name} waits for ever")),
            }
        }
    }
    Ok(())
}
