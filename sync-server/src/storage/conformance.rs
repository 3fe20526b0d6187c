//! What every storage backend must do. The contract spans methods, so the type system cannot
//! hold it; each backend runs [`check`] in its tests.

mod accounts;
mod enrolment;
mod feed;
mod history;
mod reading;
mod standing;
mod transactions;
mod world;

use super::Storage;

/// Runs every case, each on a storage of its own.
pub(super) fn check(make: impl Fn() -> Box<dyn Storage>) {
    let cases = [
        transactions::CASES,
        history::CASES,
        feed::CASES,
        enrolment::CASES,
        standing::CASES,
        accounts::CASES,
        reading::CASES,
    ];
    for (name, case) in cases.concat() {
        eprintln!("case: {name}");
        case(make().as_ref());
    }
}

/// A named case.
type Case = (&'static str, fn(&dyn Storage));
