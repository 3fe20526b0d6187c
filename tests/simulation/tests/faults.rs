//! A short form of the sweep: every storage path, every mode, some of the operations.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use outrider_disk::Mode;
use outrider_sim::{FaultSettings, Swept, path_names, sweep};

const SEED: u64 = 1;
/// About how many operations of each path fail: the power also fails at its end.
const POINTS: u64 = 2;

fn walk(settings: &FaultSettings) -> Swept {
    let mut found = Vec::new();
    let swept = sweep(settings, &mut |_| (), &mut |one| found.push(one.clone())).unwrap();
    assert!(found.is_empty(), "seed {}: {found:#?}", settings.seed);
    assert!(swept.faults > 0, "{swept:?}");
    swept
}

#[test]
fn nothing_is_lost_on_disks_that_fail() {
    let paths: Vec<String> = path_names().into_iter().map(str::to_owned).collect();
    let count = paths.len() as u64;
    let swept = walk(&FaultSettings { paths, points: Some(POINTS), ..FaultSettings::all(SEED) });
    assert_eq!(swept.paths, count);
}

/// A person was erased, the files could not be overwritten at once, and the office was told that the
/// erasure had failed.
#[test]
fn an_erasure_that_is_done_is_not_told_as_a_failure() {
    let paths = vec!["server-erase".to_owned()];
    let mode = Some(Mode::Full);
    walk(&FaultSettings { paths, mode, points: Some(40), ..FaultSettings::all(SEED) });
}

/// Whoever makes a store goes from one journal to another: a disk that failed there left the old one, and
/// the power took what was acknowledged, with this seed.
#[test]
fn nothing_is_lost_where_a_store_begins() {
    let paths = vec!["device-open".to_owned(), "server-open".to_owned()];
    let (mode, max_index) = (Some(Mode::SyncFails), Some(24));
    walk(&FaultSettings { paths, mode, max_index, ..FaultSettings::all(20_261_129) });
}

/// What was there before is folded into one file and set aside. Where the disk was full, or the power failed, its
/// journal stayed, and was rolled back into the backup that took its name.
#[test]
fn what_is_put_back_is_not_spoilt_by_the_journal_of_what_was_there() {
    let paths = vec!["server-restore".to_owned()];
    let (mode, min_index, max_index) = (Some(Mode::Full), Some(900), Some(1020));
    walk(&FaultSettings { paths, mode, min_index, max_index, ..FaultSettings::all(20_261_129) });
}

/// A torn file is marked when another one has its name. The journal of that mark was rolled back into the other
/// one where the disk failed, or the process ended, in between.
#[test]
fn what_takes_the_place_of_a_torn_file_is_not_spoilt_by_the_mark_on_that() {
    let paths = vec!["device-salvage".to_owned()];
    let (mode, min_index, max_index) = (Some(Mode::Power), Some(296), Some(320));
    walk(&FaultSettings { paths, mode, min_index, max_index, ..FaultSettings::all(20_261_129) });
}
