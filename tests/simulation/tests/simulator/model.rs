//! The model within bounds that a minute allows, and its traces on the real code.

use outrider_sim::{Reach, run_model};

const SEED: u64 = 6_000;
/// One fewer than the program has by itself: the replays take most of the time.
const OPERATIONS: u8 = 5;

/// Everything that three devices, a server and its backup can come to; what is played on the real
/// code has every kind of event, every two in a row, and everything that a conversation can do.
#[test]
fn everything_within_the_bounds_keeps_its_promises() {
    let report =
        run_model(Reach::Short, (3, OPERATIONS), 12, SEED, &mut |words| eprintln!("{words}"));
    eprintln!("{}", serde_json::to_string(&report).unwrap());
    assert!(report.is_good(), "{}", report.found.join("\n\n"));
    assert!(report.states > 100_000 && report.replayed > 50 && report.kinds == 21, "{report:?}");
}
