//! The doctor of a device: finds what is wrong with a store, and repairs what can be repaired.
//!
//! Findings are codes with counts and ids, never values; the front end has the sentences, in its
//! languages. A repair is named ([`Fix`]), destroys nothing (what it replaces goes into the table
//! `quarantine`, or stays as a file beside the store) and may be run again.
//!
//! [`finding`] says what there is to find, `checks` looks at an open replica, `before` at its folder,
//! `fixes` repairs, [`salvage`](mod@salvage) copies what can be read of a torn file into a new one.

mod before;
mod checks;
mod fixes;

pub mod finding;
pub mod salvage;

pub use before::{examine_folder, free_bytes};
pub use finding::{Finding, Fix, Fixed, Kind, Level, Reason};
pub use salvage::{Salvaged, salvage};
