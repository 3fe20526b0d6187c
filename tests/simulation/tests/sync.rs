//! Small runs of the simulator, and that one seed makes one run.

use outrider_sim::{Settings, run, run_many};

const FIRST_SEED: u64 = 4_000;

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

/// Whole runs. What such runs found has tests of its own where the fault was.
#[test]
fn nothing_is_lost_in_whole_runs() {
    let report = run_many(FIRST_SEED + 100, 4, &Settings::default(), |outcome| {
        assert!(outcome.is_good(), "{outcome:#?}");
    });
    assert!(report.edits > 1_000, "{report:?}");
}

/// Among runs of a few hundred steps are some in which the server's disk is lost.
#[test]
fn servers_are_restored_in_some_runs() {
    let report = run_many(
        FIRST_SEED + 200,
        40,
        &Settings { steps: 150, ..Settings::default() },
        |outcome| {
            assert!(outcome.is_good(), "{outcome:#?}");
        },
    );
    assert!(report.restores > 0, "{report:?}");
}

/// A device was restarted while it sent everything again to a restored server, and never went on
/// with it; and of a stream of which that server had nothing left, nothing was compared. What a
/// seed draws changes with the schema: this one restores a server.
#[test]
fn a_restart_while_a_restored_server_gets_everything_back() {
    let settings = Settings { steps: 120, ..Settings::default() };
    let outcome = run(100_069, &settings);
    assert!(outcome.is_good(), "{outcome:#?}");
    assert!(outcome.restores > 0);
}

/// A device settled what two people in the office wrote, and had it refused.
#[test]
fn what_the_office_owns_a_device_does_not_settle() {
    let outcome = run(200_120, &Settings { steps: 120, ..Settings::default() });
    assert!(outcome.is_good(), "{outcome:#?}");
}
