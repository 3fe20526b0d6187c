//! A short form of the sweep: every storage path, every mode, some of the operations.

use outrider_sim::{FaultSettings, path_names, sweep};

const SEED: u64 = 1;
/// Every how many operations one fails: no divisor of a round number, so that later runs of other
/// lengths meet others.
const EVERY: u64 = 47;

#[test]
fn nothing_is_lost_on_disks_that_fail() {
    let settings = FaultSettings { every: EVERY, ..FaultSettings::all(SEED) };
    let mut found = Vec::new();
    let swept = sweep(&settings, &mut |_, _, _| (), &mut |one| found.push(one.clone())).unwrap();
    assert!(found.is_empty(), "seed {SEED}: {found:#?}");
    assert_eq!(swept.paths, path_names().len() as u64);
    assert!(swept.faults >= swept.cases / 2, "{swept:?}");
}
