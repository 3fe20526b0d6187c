//! Small runs of the simulator, that one seed makes one run, and that the verdict finds what is wrong.

use std::time::Duration;

use outrider_sim::{
    Bound, Check, Event, Kind, Limits, Outcome, Report, Sabotage, Settings, run, run_many, shrink,
};

const FIRST_SEED: u64 = 4_000;

fn short(kind: Kind) -> Settings {
    Settings { steps: 150, ..Settings::of(kind) }
}

fn all_is_well(seed: u64, runs: u64, settings: &Settings) -> Report {
    let report = run_many(seed, Bound::Runs(runs), settings, |outcome| {
        assert!(outcome.is_good(), "{outcome:#?}");
    });
    assert_eq!(report.runs, runs);
    report
}

#[test]
fn nothing_is_lost_in_small_runs() {
    let report = all_is_well(FIRST_SEED, 10, &short(Kind::Sync));
    assert!(report.edits > 100 && report.faults > 50 && report.sessions > 100, "{report:?}");
}

/// Whole runs. What such runs found has tests of its own where the fault was.
#[test]
fn nothing_is_lost_in_whole_runs() {
    let report = all_is_well(FIRST_SEED + 100, 3, &Settings::of(Kind::Sync));
    assert!(report.edits > 800, "{report:?}");
}

/// Every run restores its server, announced or not, while devices are enrolled and turned away, persons
/// erased, and phones put back.
#[test]
fn nothing_is_lost_when_servers_are_restored() {
    let report =
        all_is_well(FIRST_SEED + 200, 8, &Settings { steps: 250, ..Settings::of(Kind::Restore) });
    assert!(report.restores >= 5, "{report:?}");
    for fault in ["server_restored", "person_erased", "device_revoked"] {
        assert!(report.faults_by.contains_key(fault), "no {fault}: {report:?}");
    }
}

#[test]
fn one_seed_makes_one_run() {
    for (kind, seed) in [(Kind::Sync, FIRST_SEED), (Kind::Restore, FIRST_SEED + 1)] {
        let settings = Settings { keeps_trace: true, ..short(kind) };
        for seed in seed..seed + 3 {
            let first = run(seed, &settings);
            assert_eq!(first, run(seed, &settings));
            assert_ne!(first.trace, run(seed + 1_000, &settings).trace);
        }
    }
}

/// What is left out of a run shifts nothing of what remains.
#[test]
fn steps_draw_by_themselves() {
    let settings = Settings { keeps_trace: true, ..short(Kind::Sync) };
    let of_step = |outcome: &Outcome, step: &str| -> Vec<String> {
        outcome.lines.iter().filter(|line| line.trim_start().starts_with(step)).cloned().collect()
    };
    let whole = run(FIRST_SEED, &settings);
    let without = [Event::Replay, Event::Years, Event::DeviceClock].into();
    let part = run(FIRST_SEED, &Settings { without, ..settings });
    let first: Vec<String> = of_step(&whole, "0 ");
    assert!(!first.is_empty() && of_step(&part, "0 ") == first);
}

fn finds(sabotage: Sabotage, check: Check) -> Outcome {
    let settings = Settings { sabotage: Some(sabotage), ..short(Kind::Sync) };
    let found = (FIRST_SEED..FIRST_SEED + 20).map(|seed| run(seed, &settings));
    let found: Vec<Outcome> =
        found.filter(|outcome| outcome.found.contains_key(&check)).take(1).collect();
    found.into_iter().next().unwrap_or_else(|| panic!("{sabotage:?} is not found"))
}

#[test]
fn what_is_lost_is_found() {
    finds(Sabotage::LosePushes, Check::Durable);
}

#[test]
fn what_is_taken_against_the_rules_is_found() {
    finds(Sabotage::IgnorePolicy, Check::Authorised);
}

#[test]
fn what_is_damaged_is_made_good() {
    let settings = Settings { sabotage: Some(Sabotage::DamageDocument), ..short(Kind::Sync) };
    for seed in FIRST_SEED..FIRST_SEED + 3 {
        let outcome = run(seed, &settings);
        assert!(outcome.is_good(), "{outcome:#?}");
    }
}

#[test]
fn a_row_that_is_changed_is_found() {
    finds(Sabotage::ChangeRow, Check::Sound);
}

#[test]
fn a_changed_audit_is_found() {
    finds(Sabotage::ChangeAudit, Check::Audited);
}

#[test]
fn a_device_that_lacks_a_document_is_found() {
    finds(Sabotage::LoseDocument, Check::Convergent);
}

#[test]
fn a_device_that_never_comes_to_rest_is_found() {
    finds(Sabotage::ForgetCursor, Check::Alive);
}

#[test]
fn a_refusal_that_nobody_is_told_is_found() {
    finds(Sabotage::EmptyInbox, Check::Accounted);
}

#[test]
fn an_edit_that_is_never_sent_is_found() {
    finds(Sabotage::KeepEdit, Check::NoDeadQueue);
}

#[test]
fn an_edit_that_waits_on_what_nobody_sends_is_found() {
    finds(Sabotage::LoseFirstEdit, Check::Fair);
}

fn is_told_after_a_restore(sabotage: Sabotage, words: &str) -> bool {
    let settings = Settings { sabotage: Some(sabotage), steps: 120, ..Settings::of(Kind::Restore) };
    let mut found = (FIRST_SEED..FIRST_SEED + 40).map(|seed| run(seed, &settings));
    found
        .any(|outcome| outcome.restores > 0 && outcome.lost.iter().any(|told| told.contains(words)))
}

/// What is written anew after a restore has other names: it is asked for by its value.
#[test]
fn a_value_that_is_gone_after_a_restore_is_found() {
    assert!(is_told_after_a_restore(Sabotage::Overwrite, "was shown, and is gone"));
}

/// That two wrote a passage anew is excused where a server was put back; that one did so twice is not.
#[test]
fn what_one_device_writes_twice_is_found_also_after_a_restore() {
    assert!(is_told_after_a_restore(Sabotage::WriteTwice, "¤ is there 2 times"));
}

#[test]
fn a_failing_run_is_made_smaller() {
    let failed = finds(Sabotage::LosePushes, Check::Durable);
    let settings = Settings { sabotage: Some(Sabotage::LosePushes), ..short(Kind::Sync) };
    let is_lost = |outcome: &Outcome| outcome.found.contains_key(&Check::Durable);
    let limits = Limits { tries: 50, time: Duration::from_secs(600) };
    let smaller = shrink(&settings, &failed, limits, &|tried| run(failed.seed, tried)).unwrap();
    assert!(smaller.steps < 75, "{} of 150 steps are left", smaller.steps);
    assert!(!smaller.settings.without.is_empty());
    let again = run(failed.seed, &smaller.settings);
    assert!(is_lost(&again), "{again:#?}");
}
