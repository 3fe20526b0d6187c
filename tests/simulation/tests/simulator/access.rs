//! Small runs of what is asked about access, and of phones in towns where records change hands.

use outrider_sim::{Bound, ask_many, run_many_phones, run_phones};

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
    let report = run_many_phones(FIRST_SEED, Bound::Runs(12), 120, false, |outcome| {
        assert!(outcome.is_good(), "{outcome:#?}");
    });
    assert!(report.edits > 200 && report.sessions > 200 && report.faults > 50, "{report:?}");
}

#[test]
fn one_seed_makes_one_town() {
    assert_eq!(run_phones(FIRST_SEED, 60, true), run_phones(FIRST_SEED, 60, true));
}

fn nothing_is_wrong(seed: u64) {
    let outcome = run_phones(seed, 150, false);
    assert!(outcome.is_good(), "{outcome:#?}");
}

/// An answer was cut off behind its first pass: the pull that went on with it moved the cursor past
/// what had changed since, and a record stayed on a phone that its user may not hold.
#[test]
fn what_left_while_a_first_pull_was_cut_off_leaves_the_phone() {
    nothing_is_wrong(38);
}

/// A record that its author may begin and not read stayed on the phone: no frame tells of it.
#[test]
fn what_was_begun_and_may_not_be_read_leaves_the_phone() {
    nothing_is_wrong(58);
}

/// A device that was turned away heard that its edits of a text had arrived before: it took the
/// answers in the order of their hashes, the third edit first.
#[test]
fn edits_of_a_text_that_had_arrived_are_confirmed_in_their_order() {
    nothing_is_wrong(3_007);
}

/// A record was declined, and the text that was typed into it later arrived without it.
#[test]
fn a_text_of_a_declined_record_does_not_stand_without_it() {
    nothing_is_wrong(100_495);
}

/// A request for approval was refused, and asked for by another one, which repeated it: that one
/// stayed when the person was erased.
#[test]
fn a_request_of_a_request_goes_with_the_person() {
    nothing_is_wrong(165);
}
