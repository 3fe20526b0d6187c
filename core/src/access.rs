//! Who may do what: one pure function, the same on phone and server.
//!
//! A [`Policy`] is what the office decided: [roles](Role), and a [`Directory`] of users, teams and
//! territories that is read from their records. For one user at one time it gives a [`Grant`], a
//! document that the server signs and the user's devices keep. [`Grant::allows`] answers every
//! question; what it needs to know of a record is its [`Standing`]: the scopes that the record is
//! in.
//!
//! Rules, in their order: while access rules are off, everything is allowed. An explicit denial of
//! any of the user's roles beats everything. Otherwise the most permissive of the roles decides.
//! Whoever may not read a part may do nothing else with it.
//!
//! In reading order: [`level`] and [`scope`] are the words, [`role`] what a role may do, [`ready`]
//! the roles that everybody begins with, [`directory`] who is who ([`records`]: as records say), [`policy`] both together,
//! [`grant`] what one user may do, [`change`] what is wrong with a change, [`words`] how it is said.

pub mod level;
pub mod scope;

pub mod role;

pub mod ready;

pub mod directory;

pub mod records;

pub mod policy;

pub mod grant;

mod discount;

pub mod change;

pub mod words;

pub use change::{Refusal, Target};
pub use directory::Directory;
pub use grant::Grant;
pub use level::{Level, Operation, PartKind};
pub use policy::{Policy, Rules};
pub use role::Role;
pub use scope::{Scope, Standing};

#[cfg(test)]
mod tests;
