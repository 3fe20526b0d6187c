//! Disks that fail: every storage path of device and server, at every operation, in every way.
//!
//! Each path (`paths`, `device`, `member`, `office`, `desk`, `mend`) is walked once undisturbed, and what it asked of the disk is
//! counted. Then it is walked again for each of these operations, on a copy of the same small office
//! (`town`), with the disk failing there: once, or from there on until it is healed, or with the power cut.
//! `case` says what must hold afterwards, `dump` looks at the rows with a connection of its own.
//!
//! Devices and server are opened by the code that users' are, with `synchronous=FULL`; what fails is below
//! SQLite (`outrider_disk`). Files that do not go through SQLite (keys, ledger, marks) are in `files`.

pub(crate) mod dump;
mod town;

mod desk;
mod device;
mod member;
mod mend;
mod office;
mod paths;

mod case;
mod sweep;

#[cfg(test)]
mod files;

pub use sweep::{FaultSettings, Found, Swept, Walked, path_names, sweep};
