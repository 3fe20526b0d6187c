//! Each rule broken on purpose is found, with a trace that says how; kept, nothing is.

use outrider_model::{
    bounds::{Bounds, Last},
    change::Kind,
    event::EventKind,
    promise::Promise,
    rules::Broken,
    search::Search,
};

const BASE: Bounds = Bounds {
    name: "broken",
    devices: 2,
    last: Last::Enrolled,
    documents: 1,
    operations: 4,
    edits: 3,
    kinds: &[Kind::Plain, Kind::Mixed],
    accidents: &[],
    accidents_max: 2,
    cuts: 1,
    takes_both: false,
    states_max: 1_000_000,
};

/// The search finds what is lost by a broken rule, and nothing when it is kept.
fn check(broken: Broken, bounds: &Bounds, expected: &[Promise]) {
    let mut search = Search::run(bounds, broken, true);
    let found = search.found.first().cloned();
    let found =
        found.unwrap_or_else(|| panic!("{broken:?}: nothing in {} states", search.states()));
    let lines = search.show(&found.events);
    eprintln!("{broken:?}: {:?}: {}", found.violation.promise, found.violation.words);
    eprintln!("{}\n", lines.join("\n"));
    assert!(expected.contains(&found.violation.promise), "{broken:?}: {:?}", found.violation);
    let kept = Search::run(bounds, Broken::Nothing, true);
    assert!(kept.found.is_empty() && kept.is_whole, "{:?}", kept.found);
}

#[test]
fn copies_that_take_themselves_for_the_original() {
    let bounds = Bounds {
        last: Last::Empty,
        accidents: &[EventKind::Snapshot],
        kinds: &[Kind::Plain],
        ..BASE
    };
    check(Broken::TokenIgnored, &bounds, &[Promise::OneHash]);
}

#[test]
fn a_suffix_that_is_used_again_after_a_refusal() {
    check(Broken::SuffixReused, &BASE, &[Promise::OneHash]);
}

#[test]
fn edits_written_anew_on_what_stands_today() {
    check(Broken::TodaysPreds, &BASE, &[Promise::Seen]);
}

#[test]
fn refused_values_that_are_dropped() {
    check(Broken::RefusedDropped, &BASE, &[Promise::Accounted]);
}

#[test]
fn refusals_that_the_server_forgets() {
    let bounds = Bounds { accidents: &[EventKind::Toggle, EventKind::Late], edits: 2, ..BASE };
    check(Broken::RefusalsForgotten, &bounds, &[Promise::RefusedOnce]);
}

#[test]
fn a_ledger_that_is_not_carried_out() {
    let bounds = Bounds { accidents: &[EventKind::BackUp, EventKind::Revoke], ..BASE };
    check(Broken::LedgerIgnored, &bounds, &[Promise::Ledger]);
    let bounds = Bounds { accidents: &[EventKind::BackUp, EventKind::Erase], ..BASE };
    check(Broken::LedgerIgnored, &bounds, &[Promise::Erased]);
    let accidents = &[EventKind::BackUp, EventKind::Enrol];
    let bounds = Bounds { accidents, last: Last::Stranger, ..BASE };
    check(Broken::LedgerIgnored, &bounds, &[Promise::Ledger]);
}

#[test]
fn an_erased_record_that_is_open() {
    let bounds = Bounds { accidents: &[EventKind::Erase], ..BASE };
    check(Broken::ErasedOpen, &bounds, &[Promise::Erased]);
}

#[test]
fn a_restored_server_that_is_sent_nothing() {
    let bounds = Bounds { accidents: &[EventKind::BackUp], kinds: &[Kind::Plain], ..BASE };
    check(Broken::NothingSentAgain, &bounds, &[Promise::Return]);
}

#[test]
fn a_taken_number_that_passes_for_a_duplicate() {
    let bounds = Bounds {
        last: Last::Empty,
        accidents: &[EventKind::Snapshot],
        kinds: &[Kind::Plain],
        ..BASE
    };
    check(Broken::ForkConfirmed, &bounds, &[Promise::Return, Promise::OneHash]);
}

#[test]
fn a_cursor_that_is_believed() {
    let bounds = Bounds { accidents: &[EventKind::BackUp], kinds: &[Kind::Plain], ..BASE };
    check(Broken::CursorBelieved, &bounds, &[Promise::Agreement, Promise::Return]);
}

#[test]
fn waiting_changes_that_are_thrown_away() {
    let bounds = Bounds { accidents: &[EventKind::BackUp], kinds: &[Kind::Plain], ..BASE };
    check(Broken::PendingDropped, &bounds, &[Promise::Accounted]);
}
