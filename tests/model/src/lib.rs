//! A small exhaustive model of how devices and server exchange edits.
//!
//! The simulator draws what happens by dice; this model tries everything that can happen within
//! bounds that have names. It knows actors, numbers, bases, answers, refusals, cursors, restored
//! servers, copied devices and erasures, and nothing of bytes: a change is what it says, a document
//! is the set of changes that were seen. `outrider-sim model` plays its traces on the real code and
//! compares, so that the model cannot drift away from what it stands for.
//!
//! **Why a search of its own.** `stateright` was looked at. It walks a state space, too, but its
//! actors bring a network of single messages, which is not what a session is; it keeps a
//! fingerprint of each state and no more, while the traces that are replayed here need every
//! transition and what went before it; and it would be the only user of its web server and its
//! threads. What remains is a breadth-first walk, which [`search`] does in a hundred lines. Devices
//! and servers are kept once and named by numbers ([`pool`]), so a whole world is a few words, a
//! session between the same two is worked out once, and states are compared exactly: no two are
//! taken for one because their digests agree.
//!
//! In reading order: [`pool`] keeps things once; [`change`] says what edits and changes are and
//! [`view`] what a set of them shows; [`rules`] are the rules that can be broken on
//! purpose, [`facts`] what everybody refers to;
//! [`server`] and [`device`] are the two sides, [`rewrite`] writes waiting changes anew, [`session`]
//! is their conversation; [`world`] puts them together, [`event`] is what can happen, [`step`] does
//! it; [`promise`] says what must hold, [`rest`] what must hold when everybody has talked;
//! [`search`] tries everything, [`cover`] chooses which traces are replayed.

pub mod pool;

pub mod change;
pub mod view;

pub mod facts;
pub mod rules;

pub mod device;
pub mod rewrite;
pub mod server;

pub mod session;

pub mod event;
pub mod world;

pub mod step;

pub mod promise;
pub mod rest;

pub mod bounds;
pub mod cover;
pub mod search;
pub mod show;
