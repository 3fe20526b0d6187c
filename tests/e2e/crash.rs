//! The server and devices killed with SIGKILL, at random moments and at every named point.
//!
//! The long form is `outrider-sim kill`; this is the same code.

use outrider_sim::kill::{KillOrder, Victims, run_kills};

use crate::world::OUTRIDER;

/// Rounds of one test; more with `OUTRIDER_KILLS`.
const ROUNDS: u64 = 16;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn whoever_is_killed_at_any_moment_loses_nothing_and_all_end_equal() {
    let (seed, rounds) = (number("OUTRIDER_SEED", 1), number("OUTRIDER_KILLS", ROUNDS));
    println!("OUTRIDER_SEED={seed} OUTRIDER_KILLS={rounds}");
    let outrider = OUTRIDER.into();
    let (victims, with_points, times_max) = (Victims::Both, true, 1);
    let order = KillOrder { outrider, seed, rounds, victims, with_points, times_max };
    let killed = run_kills(&order, &mut |words| println!("{words}")).unwrap();
    println!("{killed:#?}");
    assert!(killed.is_good(), "{:#?}, nobody came to {:?}", killed.found, killed.unreached);
    assert!(killed.server_kills >= rounds && killed.device_kills >= 2 * rounds, "{killed:?}");
    assert!(killed.acknowledged > rounds, "the processes hardly lived");
}
