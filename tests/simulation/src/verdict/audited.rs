//! The audit is whole, fits what devices were told of it, and names every change that was taken.

use std::collections::BTreeSet;

use outrider_sync_server::{audit::verify::verify, storage::Read};

use super::{Office, Verdict};
use crate::{Failure, plan::Check, server, world::World};

/// Lines that are read at once.
const PAGE: usize = 1_000;

pub(super) fn judge(
    tx: &dyn Read,
    world: &World,
    office: &Office,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let mut heads = Vec::new();
    if world.out.restores == 0 {
        // Of a restored server's audit devices know more than it does.
        for device in &world.devices {
            heads.extend(device.replica()?.audit_heads()?);
        }
    }
    let report = verify(tx, &server::key()?.public_key(), &heads)?;
    let wrong = report.problems.iter().map(|one| format!("{} at line {}", one.code, one.number));
    verdict.extend(Check::Audited, wrong);
    let mut named: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut after = 0;
    loop {
        let page = tx.audit_lines(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.number;
        named.extend(page.into_iter().filter_map(|line| line.hash));
    }
    for (id, hash) in world.acknowledged.intersection(&office.history) {
        if !world.is_erased(id) && !named.contains(hash.0.as_slice()) {
            let words = format!("{id}: change {hash} was taken, and no line says so");
            verdict.add(Check::Audited, words);
        }
    }
    Ok(())
}
