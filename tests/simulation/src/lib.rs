//! Devices and server in one process, on a virtual clock and a hostile virtual network.
//!
//! Everything between the bytes of a request and the rows of a record is the real thing: replicas
//! on SQLite files, sessions, the server's accepting and feeding. What is made up is the network,
//! which loses, cuts, repeats, delays and replays; the clocks; the people, who edit; and the
//! accidents: restarts, backups of phones and of the server put back, cloned phones, permissions
//! that come and go.
//!
//! One seed makes one run, always the same. In reading order:
//!
//! * `dice`, `trace`: chance that can be repeated, and a digest of what happened.
//! * `server`, `device`, `link`: who talks, and over what.
//! * `hand`: what people type. * `people`, `clerk`: what they do, in the field and in the office.
//! * `ledger`: what they were promised.
//! * `world`: one run. * `verdict`: what must hold at its end.
//! * `access`: questions about access, asked of the server and of a model.
//! * `report`: many runs, in numbers. * `output`, `command`: the program.

mod dice;
mod trace;

mod device;
mod link;
mod server;

mod ledger;

mod hand;

mod clerk;
mod people;

mod verdict;
mod world;

mod report;

mod access;

mod output;

pub mod command;

pub use access::{Asked, ask_many, ask_town, run_many_phones, run_phones};
pub use report::{Report, run_many};
pub use world::{Outcome, Replayed, Settings, replay, run};

/// Whatever keeps a run from going on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
