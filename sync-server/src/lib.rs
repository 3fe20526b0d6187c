//! Outrider's sync server: merges what field devices send, gives each device what it may see.
//!
//! Rooms, in reading order; imports point only upwards in this list, but for the handlers'
//! errors:
//!
//! * [`config`], [`logging`]: what it is told, what it says.
//! * [`keys`]: with what it signs; [`tls`]: who it is to those who connect.
//! * [`person_keys`], [`ledger`]: what outlives a backup, and what a backup must not outlive.
//! * [`storage`]: what it keeps, behind one trait; SQLite is built in.
//! * [`audit`]: who did and saw what, and how it is known that nobody rewrote it.
//! * [`lock`]: one server for each folder.
//! * [`access`], [`accept`], [`feed`], [`office`], [`imports`], [`enrol`], [`devices`], [`accounts`]:
//!   what it does, without any network.
//! * [`backup`]: copies of all of it, and putting them back.
//! * [`error`](mod@error), [`state`], [`auth`]: what handlers share.
//! * `handlers`, [`router`]: what devices can ask, over HTTP.
//! * [`web`]: what people see in their browser.
//! * [`tenants`]: several companies on one server.
//! * [`serve`], [`command`]: running it.

pub mod config;
pub mod logging;

mod durable;
pub mod keys;

pub mod person_keys;

pub mod ledger;
pub mod tls;

pub mod storage;

pub mod access;
pub mod audit;
pub mod lock;

pub mod accept;
pub mod feed;
pub mod recovery;

pub mod office;

pub mod backup;

pub mod imports;

pub mod accounts;
pub mod devices;
pub mod enrol;
pub mod erasure;

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

#[cfg(test)]
mod documented_limits;
mod limits;
mod observe;

pub mod web;

pub mod router;

pub mod tenants;

mod connection;
mod places;
pub mod serve;

pub mod command;
