//! All weights, in bits. `docs/DUPLICATES.md` has the same table with their reasons.
//!
//! They are estimates from what such fields are like, not fitted to a file: a whole number or a
//! half each. Tests measure what comes of them on data that this project draws itself.

/// A telephone number, e-mail address: few records share one by chance (one in 2^13).
pub const PHONE_SAME: f64 = 13.0;
/// People have several numbers.
pub const PHONE_OTHER: f64 = -1.0;
/// See [`PHONE_SAME`].
pub const EMAIL_SAME: f64 = 13.0;
/// People have several addresses.
pub const EMAIL_OTHER: f64 = -1.0;

/// A number that is given once. Below [`SURE_FROM`](super::SURE_FROM): it may be mistyped.
pub const NUMBER_SAME: f64 = 14.0;
/// One character off.
pub const NUMBER_NEAR: f64 = 5.0;
/// Characters from which one slip is taken for one.
pub const NUMBER_SLIP_FROM: usize = 6;
/// Another number: head office and branch, or another company.
pub const NUMBER_OTHER: f64 = -4.0;

/// A whole day of birth: one in some 20,000 that are alive.
pub const BORN_SAME: f64 = 8.0;
/// Month and day: one in 365, and less told.
pub const BORN_SAME_DAY: f64 = 5.0;
/// One slip.
pub const BORN_NEAR: f64 = 5.0;
/// Another day.
pub const BORN_OTHER: f64 = -5.0;

/// The same street by at least this part of its words.
pub const STREET_SAME_FROM: f64 = 0.85;
/// The street in short, or with more in it.
pub const STREET_NEAR_FROM: f64 = 0.5;
/// The same street.
pub const STREET_SAME: f64 = 5.0;
/// Much of a street.
pub const STREET_NEAR: f64 = 3.0;
/// Another street: people move.
pub const STREET_OTHER: f64 = -2.0;
/// The same house number.
pub const HOUSE_SAME: f64 = 1.5;
/// Another house number.
pub const HOUSE_OTHER: f64 = -1.0;
/// The same postal code.
pub const POSTCODE_SAME: f64 = 3.0;
/// One digit off.
pub const POSTCODE_NEAR: f64 = 1.0;
/// Another postal code.
pub const POSTCODE_OTHER: f64 = -1.0;
/// The same town, district or province.
pub const TOWN_SAME: f64 = 1.0;
/// What a whole address says at most and at least: families and firms share one.
pub const ADDRESS_MAX: f64 = 9.0;
/// See [`ADDRESS_MAX`].
pub const ADDRESS_MIN: f64 = -3.0;

/// A person of the same company.
pub const WITHIN_SAME: f64 = 4.0;
/// Of another company: people change.
pub const WITHIN_OTHER: f64 = -1.0;

/// A name that contradicts, whatever else: people marry and companies take new names.
pub const NAME_MIN: f64 = -4.0;

/// A word of a person's name.
pub const PERSON_WORD_SAME: f64 = 4.0;
/// With a slip.
pub const PERSON_WORD_NEAR: f64 = 2.5;
/// Its first letter.
pub const PERSON_INITIAL: f64 = 0.5;
/// A word that contradicts.
pub const PERSON_WORD_OTHER: f64 = -4.0;
/// A word more on one side: a second given name.
pub const PERSON_WORD_MORE: f64 = -0.5;
/// A whole name at most: many people share one.
pub const PERSON_MAX: f64 = 8.0;
/// The family name in Han characters: a hundred names have most people.
pub const HAN_FAMILY_SAME: f64 = 2.0;
/// A character of a given name.
pub const HAN_GIVEN_SAME: f64 = 3.5;
/// The same sound in other characters or letters.
pub const HAN_SOUND_SAME: f64 = 5.0;

/// A telling word of a company's name in Latin letters.
pub const WORD_SAME: f64 = 5.0;
/// With a slip.
pub const WORD_NEAR: f64 = 3.5;
/// A word that says little, such as "group".
pub const GENERIC_WORD_SAME: f64 = 1.0;
/// A telling word that contradicts.
pub const WORD_OTHER: f64 = -5.0;
/// A word more on one side.
pub const WORD_MORE: f64 = -1.5;
/// The whole name without its legal form, nothing more and nothing less.
pub const WORDS_WHOLE: f64 = 4.0;

/// A character of a brand in Han.
pub const BRAND_CHAR_SAME: f64 = 5.0;
/// A character of a brand that is a trade's word.
pub const GENERIC_CHAR_SAME: f64 = 2.0;
/// Another character that sounds the same: how people mistype.
pub const BRAND_SOUND: f64 = -0.5;
/// Two characters changed over.
pub const BRAND_SWAPPED: f64 = -3.0;
/// Another character, one missing or one more: how different companies differ, too.
pub const BRAND_CHAR_OTHER: f64 = -5.0;
/// What a brand says at most.
pub const BRAND_MAX: f64 = 15.0;
/// A slip outside the brand, which then could not be taken apart.
pub const OUTSIDE_SLIP: f64 = -1.0;
/// A long name in which two neighbours are changed over.
pub const NEIGHBOURS: f64 = 12.0;
/// Place, brand and trade all the same: for names of everyday words, which have no brand.
pub const WHOLE_SAME: f64 = 3.0;
/// The same place.
pub const PLACE_SAME: f64 = 3.0;
/// A province and one of its cities.
pub const PLACE_WITHIN: f64 = 1.0;
/// Another place: brands are given again in every city.
pub const PLACE_OTHER: f64 = -8.0;
/// The same trade.
pub const TRADE_SAME: f64 = 4.0;
/// A trade in other words.
pub const TRADE_NEAR: f64 = 2.0;
/// Another trade.
pub const TRADE_OTHER: f64 = -5.0;
/// A branch and its company, or two branches.
pub const BRANCH_OTHER: f64 = -12.0;
/// What a company's name says at most.
pub const COMPANY_MAX: f64 = 17.0;
