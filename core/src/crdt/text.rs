//! Long texts: documents with one Text object, kept by Automerge itself.
//!
//! A text that several people really edit needs positions between characters, so here Automerge
//! does the work, always on a copy and within a guard. Every text begins with one constant change
//! that makes the object: whoever writes first, everybody writes into the same one.

mod document;
mod edit;
mod error;
mod guard;
mod history;
mod recover;
mod replay;

mod accept;

pub use accept::{AcceptedText, TextGate, TriedText, accept};
pub use document::{TextDocument, first_change};
pub use error::TextError;
pub use guard::TEXT_STACK_BYTES;
pub use recover::{RecoveredText, recover_text};
pub use replay::replay;

/// Bytes of a text, at most.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Changes of one text, at most.
pub const TEXT_CHANGES_MAX: usize = 10_000;
/// Operations of one text, at most: every character that was ever put in or taken out.
pub const TEXT_OPS_MAX: u64 = 500_000;
/// The key of the root map under which the Text object is.
pub const TEXT_KEY: &str = "text";

/// One change of a text: its head and its bytes.
pub type TextChange = super::codec::ChangeHeader;
