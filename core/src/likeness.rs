//! Who is the same: records compared as people would, without a network and without a dictionary
//! of anybody's customers.
//!
//! * [`profile`]: what of a record is compared, in one form for all ways of writing it.
//! * [`company`], [`words`], [`place`], [`born`]: names, addresses and birthdays taken apart.
//! * [`keys`]: under which numbers a record is found, so that not all are compared with all.
//! * [`inside`]: the records of one file compared with each other, in memory.
//! * [`score`]: how much speaks for the same, in bits, and what that means.
//!
//! Which fields play which part stands in the entity's definition
//! ([`schema::Likeness`](crate::schema::Likeness)); nothing here knows an entity. All weights are
//! in [`score::weights`], all thresholds in [`score`], with their reasons.

pub mod born;
pub mod company;
pub mod inside;
pub mod keys;
pub mod place;
pub mod places;
pub mod profile;
pub mod score;
pub mod words;

pub use inside::Inside;
pub use keys::{KEYS_MAX, keys_of};
pub use profile::Profile;
pub use score::{Likeness, POSSIBLE_FROM, Reason, SURE_FROM, Verdict, compare};
