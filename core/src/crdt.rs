//! The CRDT kernel: flat Automerge documents without Automerge's memory, and long texts with it.

pub mod op;

pub mod codec;
pub mod text;

pub use codec::{ChangeError, ChangeHeader, decode, encode, header};
pub use op::{Action, Change, EncodedChange, Op, OpId};
pub use text::{AcceptedText, TextChange, TextDocument, TextError};
