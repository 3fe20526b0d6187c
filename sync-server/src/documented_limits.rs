//! The limits that the protocol's page tells are those of the program.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt::{
        gate::PAST_OPS_MAX,
        op,
        state::{ACTORS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_KEYS_MAX, HEADS_MAX, SURVIVORS_MAX},
        text::{TEXT_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OPS_MAX, TEXT_STACK_BYTES},
        wire::STATE_BYTES_MAX,
    },
    replica::{push::PUSH_BYTES_MAX, session},
    sync::{codec, frame, proof::PROOF_WINDOW_MS},
};

use crate::{accept, body, config, devices::review, enrol, feed, replays, tries};

/// A number as the page writes it: `12,000`.
fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().ok().expect("no limit is negative").to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// Bytes in the largest unit that leaves nothing over.
fn bytes(number: impl TryInto<u64>) -> String {
    match number.try_into().ok().expect("no limit is negative") {
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", count(bytes >> 20)),
        bytes if bytes % (1 << 10) == 0 => format!("{} KiB", count(bytes >> 10)),
        bytes => format!("{} bytes", count(bytes)),
    }
}

fn power_of_two(number: u64) -> String {
    assert!(number.is_power_of_two(), "{number} is none");
    format!("2^{}", number.ilog2())
}

/// How many of a larger unit a number is, which leaves nothing over.
fn units(number: i64, unit: i64, name: &str) -> String {
    assert_eq!(number % unit, 0, "{number} is no number of {name}");
    format!("{} {name}", number / unit)
}

/// What is limited, by its name in the table, with its value as it has to be told there.
fn limits() -> Vec<(&'static str, String)> {
    vec![
        ("sync::proof::PROOF_WINDOW_MS", units(PROOF_WINDOW_MS, 1_000, "s")),
        ("replays::NONCES_EACH_MAX", count(replays::NONCES_EACH_MAX)),
        ("NONCES_MAX", count(replays::NONCES_MAX)),
        ("config::ENROLMENT_TRIES", count(config::ENROLMENT_TRIES.get())),
        ("tries::WAIT_MS", units(tries::WAIT_MS, 60_000, "minutes")),
        ("enrol::REQUESTS_MAX", count(enrol::REQUESTS_MAX)),
        ("REQUEST_DAYS_MAX", format!("{} days", enrol::REQUEST_DAYS_MAX)),
        ("devices::review::REVIEWS_MAX", count(review::REVIEWS_MAX)),
        ("REVIEW_BYTES_MAX", bytes(review::REVIEW_BYTES_MAX)),
        ("sync::codec::MESSAGE_BYTES_MAX", bytes(codec::MESSAGE_BYTES_MAX)),
        ("body::QUESTION_BYTES_MAX", bytes(body::QUESTION_BYTES_MAX)),
        ("config::BODY_BYTES_MAX", bytes(config::BODY_BYTES_MAX)),
        ("sync::codec::FRAME_BYTES_MAX", bytes(codec::FRAME_BYTES_MAX)),
        ("sync::codec::WINDOW_LOG_MAX", bytes(1_u64 << codec::WINDOW_LOG_MAX)),
        ("sync::frame::PUSH_CHANGES_MAX", count(frame::PUSH_CHANGES_MAX)),
        ("PUSH_DECODED_MAX", count(frame::PUSH_DECODED_MAX)),
        ("sync::frame::PUSH_PLAIN_BYTES_MAX", bytes(frame::PUSH_PLAIN_BYTES_MAX)),
        ("accept::WORK_BYTES_MAX", bytes(accept::WORK_BYTES_MAX)),
        ("accept::WRITE_WEIGHT", count(accept::WRITE_WEIGHT)),
        ("TEXT_OP_BYTES", count(accept::TEXT_OP_BYTES)),
        ("accept::HELD_BYTES_MAX", bytes(accept::HELD_BYTES_MAX)),
        ("accept::TEXT_CHANGES_MAX", count(accept::TEXT_CHANGES_MAX)),
        ("crdt::gate::PAST_OPS_MAX", count(PAST_OPS_MAX)),
        ("accept::PAST_BYTES_MAX", bytes(accept::PAST_BYTES_MAX)),
        ("replica::push::PUSH_BYTES_MAX", bytes(PUSH_BYTES_MAX)),
        ("sync::frame::GROUP_CHANGES_MAX", count(frame::GROUP_CHANGES_MAX)),
        ("sync::frame::FETCH_DOCUMENTS_MAX", count(frame::FETCH_DOCUMENTS_MAX)),
        ("sync::frame::CHECK_PAGE", count(frame::CHECK_PAGE)),
        ("replica::session::TRANSACTION_BYTES_MAX", bytes(session::TRANSACTION_BYTES_MAX)),
        ("replica::session::PULL_BUDGET_BYTES", bytes(session::PULL_BUDGET_BYTES)),
        ("replica::session::OVER_BUDGET_BYTES_MAX", bytes(session::OVER_BUDGET_BYTES_MAX)),
        ("feed::BUDGET_BYTES_MIN", bytes(feed::BUDGET_BYTES_MIN)),
        ("config::PULL_BYTES_MAX", bytes(config::PULL_BYTES_MAX)),
        ("crdt::op::CHANGE_BYTES_MAX", bytes(op::CHANGE_BYTES_MAX)),
        ("CHANGE_OPS_MAX", count(op::CHANGE_OPS_MAX)),
        ("TEXT_CHANGE_OPS_MAX", count(op::TEXT_CHANGE_OPS_MAX)),
        ("CHANGE_DEPS_MAX", count(op::CHANGE_DEPS_MAX)),
        ("OP_PREDS_MAX", count(op::OP_PREDS_MAX)),
        ("KEY_BYTES_MAX", bytes(op::KEY_BYTES_MAX)),
        ("VALUE_BYTES_MAX", bytes(op::VALUE_BYTES_MAX)),
        ("OP_COUNTER_MAX", power_of_two(op::OP_COUNTER_MAX)),
        ("crdt::state::DOCUMENT_KEYS_MAX", count(DOCUMENT_KEYS_MAX)),
        ("DOCUMENT_BYTES_MAX", bytes(DOCUMENT_BYTES_MAX)),
        ("SURVIVORS_MAX", count(SURVIVORS_MAX)),
        ("HEADS_MAX", count(HEADS_MAX)),
        ("ACTORS_MAX", count(ACTORS_MAX)),
        ("crdt::wire::STATE_BYTES_MAX", bytes(STATE_BYTES_MAX)),
        ("TEXT_BYTES_MAX", bytes(TEXT_BYTES_MAX)),
        ("TEXT_CHANGES_MAX", count(TEXT_CHANGES_MAX)),
        ("TEXT_OPS_MAX", count(TEXT_OPS_MAX)),
        ("TEXT_STACK_BYTES", bytes(TEXT_STACK_BYTES)),
    ]
}

#[test]
fn the_protocols_page_tells_the_limits_of_the_program() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("## 11. Limits").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let limits: BTreeMap<_, _> = limits().into_iter().collect();
    let mut told = BTreeSet::new();
    for row in section.lines().filter(|row| row.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [_, mut cell, names] = cells[..] else { panic!("{row} has other cells") };
        for name in names.split(", ").map(|name| name.trim_matches('`')) {
            let value =
                limits.get(name).unwrap_or_else(|| panic!("{name} is compared with nothing"));
            // Values stand in the order of the names, each by itself: `32,000` is not 32.
            let rest = after(cell, value);
            cell = rest.unwrap_or_else(|| panic!("{name} is {value}; the page says: {row}"));
            told.insert(name);
        }
    }
    let untold: Vec<_> = limits.keys().filter(|name| !told.contains(*name)).collect();
    assert!(untold.is_empty(), "not in the table: {untold:?}");
}

/// What follows a value in a cell that tells it.
fn after<'a>(cell: &'a str, value: &str) -> Option<&'a str> {
    let is_of_number = |found: char| found.is_ascii_digit() || found == '^';
    cell.match_indices(value).find_map(|(at, _)| {
        let (before, rest) = (cell.get(..at)?, cell.get(at + value.len()..)?);
        let mut next = rest.chars();
        let goes_on = match next.next() {
            Some(',' | '.') => next.next().is_some_and(is_of_number),
            found => found.is_some_and(is_of_number),
        };
        let is_begun = before.chars().next_back().is_none_or(|last| last == ' ');
        (is_begun && !goes_on).then_some(rest)
    })
}
