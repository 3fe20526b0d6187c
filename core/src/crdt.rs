//! The CRDT kernel: flat Automerge documents without Automerge's memory, and long texts with it.
//!
//! No I/O: states, changes and histories are arguments. In reading order:
//!
//! * [`op`]: operations and changes. * [`codec`]: their bytes, read strictly.
//! * [`state`]: what a document is between changes. * [`write`](mod@write): edits to changes.
//! * [`join`]: states of two replicas to one. * [`wire`]: states and deltas as bytes.
//! * [`rows`], [`archive`], [`read`]: what keys mean. * [`base`]: edits written anew after a
//!   refusal. * [`recover`](mod@recover): what a server lost for good, written anew.
//! * [`history`], [`gate`]: what a server lets pass. * [`reroot`], [`export`].

pub mod op;

pub mod codec;
pub mod text;

pub mod state;

pub mod write;

pub mod join;

pub mod wire;

pub mod rows;

pub mod archive;

pub mod read;

pub mod base;

pub mod reissue;

pub mod recover;

pub mod history;

pub mod gate;

pub mod reroot;

pub mod export;

pub use codec::{ChangeError, ChangeHeader, decode, encode, header, plain_bytes};
pub use join::{Delta, DeltaOutcome};
pub use op::{Action, Change, EncodedChange, Op, OpId};
pub use recover::{Recovered, Recovering, recover};
pub use reissue::reissue;
pub use state::{Clock, Head, Own, Seen, State, Survivor};
pub use text::{AcceptedText, TextChange, TextDocument, TextError};
pub use write::{Edit, Stamp, WriteError, next_actor, write};
