//! Search without a database: what a record is found by, what a person asked, where it hit.
//!
//! An index of SQLite knows neither Han words nor pinyin nor fragments of phone numbers. So texts are
//! made into tokens here ([`prepare`]), on devices and on the server alike, and so is what people
//! type ([`Asked`]); the database only compares tokens. Whatever it finds is looked at once more
//! here, to rank it ([`Class`]) and to show where it hits ([`Hits`]): the index may find too much,
//! and the answer does not depend on how it is stored.
//!
//! In reading order: `words` cuts text, `sound` knows syllables, `prepare` makes tokens, `asked`
//! reads what was typed, `expression` makes an index's question of it, `slip` forgives a typo,
//! `hits` finds the places, `rank` orders.

mod sound;
mod words;

mod prepare;

mod asked;
mod expression;

mod slip;

mod hits;
mod rank;

pub use asked::{ASKED_CHARS_MAX, Asked, TERMS_MAX};
pub use expression::{Reach, expression, slip_expression};
pub use hits::{Hits, Snippet, hits, snippet};
pub use prepare::{Columns, RECORD_TOKENS_MAX, Role, is_searched, prepare, role_of};
pub use rank::{Class, class};
pub use slip::{WordRange, is_slip_of, ranges, variants};
pub use words::WORD_CHARS_MAX;
