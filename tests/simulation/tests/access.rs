//! Small runs of what is asked about access, and of phones in towns where records change hands.

use outrider_sim::{ask_many, run_many_phones, run_phones};

const FIRST_SEED: u64 = 7_000;

#[test]
fn server_and_model_agree_on_who_may_do_what() {
    let asked = ask_many(FIRST_SEED, 60_000, |seed, asked| {
        assert!(asked.is_good(), "world {seed}: {:#?}", asked.found);
    });
    assert!(asked.questions >= 60_000 && asked.worlds > 1, "{asked:?}");
}

#[test]
fn phones_hold_what_their_users_may_see_and_lose_nothing() {
    let report = run_many_phones(FIRST_SEED, 12, 120, false, |outcome| {
        assert!(outcome.is_good(), "{outcome:#?}");
    });
    assert!(report.edits > 200 && report.sessions > 200 && report.faults > 50, "{report:?}");
}

#[test]
fn one_seed_makes_one_town() {
    assert_eq!(run_phones(FIRST_SEED, 60, true), run_phones(FIRST_SEED, 60, true));
}
