//! Outrider's sync server: merges what field devices send, gives each device what it may see.
//!
//! Rooms, in reading order; imports point only upwards in this list, but for the handlers'
//! errors:
//!
//! * [`config`], [`logging`]: what it is told, what it says.
//! * [`keys`]: with what it signs.
//! * [`storage`]: what it keeps, behind one trait; SQLite is built in.
//! * [`accept`], [`feed`], [`office`], [`imports`], [`enrol`], [`devices`], [`accounts`]: what it does, without any
//!   network.
//! * [`error`](mod@error), [`state`], [`auth`]: what handlers share.
//! * `handlers`, [`router`]: what devices can ask, over HTTP.
//! * [`web`]: what people see in their browser.
//! * [`serve`], [`command`]: running it.

pub mod config;
pub mod logging;

pub mod keys;

pub mod storage;

pub mod accept;
pub mod feed;

pub mod office;

pub mod imports;

pub mod accounts;
pub mod devices;
pub mod enrol;

pub mod door;
pub mod error;
pub mod state;

mod contacts;
mod guard;
pub mod live;

mod replays;
mod tries;

pub mod auth;
pub mod body;
mod stream;

mod handlers;

mod limits;
mod observe;

pub mod web;

pub mod router;

mod connection;
mod places;
pub mod serve;

pub mod command;
