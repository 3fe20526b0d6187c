//! Small runs of the simulator, and that one seed makes one run.

use outrider_sim::{Settings, run, run_many};

const FIRST_SEED: u64 = 4_000;

fn check(seed: u64, settings: &Settings) {
    let outcome = run(seed, settings);
    let found = [&outcome.diverged, &outcome.lost, &outcome.stuck];
    assert!(outcome.is_good(), "seed {seed}: {found:#?}");
}

#[test]
fn nothing_is_lost_in_small_runs() {
    let settings = Settings { steps: 150, ..Settings::default() };
    let report = run_many(FIRST_SEED, 10, &settings, |outcome| {
        assert!(outcome.is_good(), "{outcome:#?}");
    });
    assert_eq!(report.runs, 10);
    assert!(report.edits > 100 && report.faults > 50 && report.sessions > 100, "{report:?}");
}

#[test]
fn one_seed_makes_one_run() {
    let settings = Settings { steps: 150, keeps_trace: true, ..Settings::default() };
    let first = run(FIRST_SEED, &settings);
    let second = run(FIRST_SEED, &settings);
    assert_eq!(first, second);
    assert_ne!(first.trace, run(FIRST_SEED + 1, &settings).trace);
}

/// Records created alike in one transaction began with changes of one hash.
#[test]
fn records_that_begin_alike() {
    check(2, &Settings::default());
}

/// A refusal of one part deleted the whole row, and used numbers were used again.
#[test]
fn refusals_of_whole_parts() {
    check(6, &Settings::default());
}

/// An archiving that was written anew claimed operations of an actor that was gone.
#[test]
fn an_archiving_after_a_restore() {
    check(26, &Settings::default());
}

/// Both copies of a phone wrote the rows of an order anew.
#[test]
fn rows_that_two_copies_of_a_phone_wrote() {
    check(131, &Settings::default());
}
