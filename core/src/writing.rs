//! How people write: width, capitals, accents, Traditional and Simplified, pinyin, phone numbers.
//!
//! What search and the detection of duplicates compare is folded here, once, so that both mean the
//! same by "the same". Tables come from libraries: Unicode, `any_ascii` (letters without their
//! accents), `hanconv` (`OpenCC`'s characters), `pinyin`, `rlibphonenumber` (Google's metadata).

mod fold;
mod phone;
mod pinyin;

pub use fold::{Folded, fold, fold_with_places, is_han};
pub use phone::{digits, to_e164};
pub use pinyin::{READINGS_MAX, initials, pinyin, readings};
