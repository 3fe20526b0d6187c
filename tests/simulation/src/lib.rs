//! Devices and server in one process, on a virtual clock and a hostile virtual network.
//!
//! Everything between the bytes of a request and the rows of a record is the real thing: replicas
//! on SQLite files, sessions, the server's accepting and feeding. What is made up is the network,
//! which loses, cuts, repeats, delays and replays; the clocks; the people, who edit; and the
//! accidents: processes that die, full disks, backups of phones and of the server put back, cloned
//! phones, years that pass, devices that are turned away, permissions that come and go.
//!
//! One seed makes one run, always the same. In reading order:
//!
//! * `dice`, `trace`: chance that can be repeated, and a digest of what happened.
//! * `plan`, `event`: how a run is made, what may happen in it, and what came of it.
//! * `versions`, `fresh`: apps and servers of several versions in one process, and stores in which nothing happened yet.
//! * `server`, `device`, `link`: who talks, and over what.
//! * `hand`: what people type. * `people`, `clerk`: what they do, in the field and in the office.
//! * `ledger`: what they were promised.
//! * `world`: one run. * `verdict`: what must hold at its end.
//! * `access`: questions about access, asked of the server and of a model.
//! * `shrink`: a run that fails, made smaller. * `report`: many runs, in numbers. * `output`, `command`: the program.
//! * `model`: everything that can happen within bounds, and samples of it on the real code.
//! * `faults`: disks that fail, below SQLite.
//! * `older`: data as an older version wrote them.
//! * [`kill`]: real processes that are killed; chance alone can be repeated there.

mod dice;
mod trace;

mod event;
mod plan;

mod fresh;
mod versions;

mod device;
mod link;
mod server;

mod ledger;

mod hand;

mod clerk;
mod people;

mod verdict;
mod world;

mod shrink;

mod report;

mod access;

mod faults;
pub mod kill;
mod model;

mod older;
mod output;

pub mod command;

pub use access::{Asked, ask_many, ask_town, run_many_phones, run_phones};
pub use event::Event;
pub use faults::{FaultSettings, Found, Swept, Walked, path_names, sweep};
pub use model::{ModelReport, Reach, run_model};
pub use plan::{Check, Kind, Outcome, STEPS_MAX, Sabotage, Settings, Steps};
pub use report::{Bound, Report, run_many};
pub use shrink::{Limits, Shrunk, shrink};
pub use world::{Replayed, replay, run};

/// Whatever keeps a run from going on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
