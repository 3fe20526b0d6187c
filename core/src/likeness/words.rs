//! Words of names and streets, and how well two lists of them agree: in any order, with slips,
//! run together or apart.

use strsim::{jaro_winkler, osa_distance};

/// Words of one text that are looked at, at most.
pub const WORDS_MAX: usize = 12;
/// Letters of one word that are looked at, at most.
pub const WORD_CHARS_MAX: usize = 40;
/// Letters of a word, from which one slip is taken for one.
const ONE_SLIP_FROM: usize = 4;
/// Letters of a word, from which two slips are.
const TWO_SLIPS_FROM: usize = 8;
/// From which Jaro-Winkler likeness on two words are near: slips near the end, as in
/// `katherine` and `kathryn`. Below it different names of five letters begin to agree.
const NEAR_FROM: f64 = 0.92;

/// The words of folded text: letters and digits; an apostrophe divides nothing.
#[must_use]
pub fn words_of(folded: &str) -> Vec<String> {
    let text: String = folded.chars().filter(|c| !matches!(c, '\'' | '’' | '`')).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let cut = |word: &str| word.chars().take(WORD_CHARS_MAX).collect();
    words.take(WORDS_MAX).map(cut).collect()
}

/// How two words compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// Nothing alike.
    Different,
    /// One is the first letter of the other.
    Initial,
    /// The same but for a slip.
    Near,
    /// The same.
    Same,
}

/// Compares two words.
#[must_use]
pub fn closeness(left: &str, right: &str) -> Closeness {
    if left == right {
        return Closeness::Same;
    }
    let (a, b) = (left.chars().count(), right.chars().count());
    let (short, long) = (a.min(b), a.max(b));
    if short == 1 {
        let begins = left.starts_with(right) || right.starts_with(left);
        return if begins { Closeness::Initial } else { Closeness::Different };
    }
    // Numbers are never near: house 12 is not house 13.
    if left.chars().chain(right.chars()).all(|c| c.is_ascii_digit()) {
        return Closeness::Different;
    }
    let slips = match long {
        _ if long >= TWO_SLIPS_FROM => 2,
        _ if long >= ONE_SLIP_FROM => 1,
        _ => 0,
    };
    let is_near = long - short <= slips && osa_distance(left, right) <= slips
        || short >= ONE_SLIP_FROM && jaro_winkler(left, right) >= NEAR_FROM;
    if is_near { Closeness::Near } else { Closeness::Different }
}

/// How two lists of words agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreement {
    /// Words that are the same.
    pub same: usize,
    /// Words that are the same but for a slip.
    pub near: usize,
    /// Words of which one is the first letter of the other.
    pub initials: usize,
    /// Words that the shorter list has alone: they contradict.
    pub against: usize,
    /// Words that only the longer list has, beyond the length of the shorter one.
    pub extra: usize,
}

impl Agreement {
    /// Whether all words of both lists are the same.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.same > 0 && self.near + self.initials + self.against + self.extra == 0
    }
}

/// Compares two lists of words in any order; words that were run together or torn apart count as
/// the words that they are on the side where there are more.
#[must_use]
pub fn agreement(left: &[String], right: &[String]) -> Agreement {
    let count = left.len().max(right.len());
    if left.is_empty() || right.is_empty() {
        return Agreement::default();
    }
    if left.len() != right.len() {
        let mut ordered = (left.to_vec(), right.to_vec());
        let joined = (left.concat(), right.concat());
        ordered.0.sort();
        ordered.1.sort();
        let sorted = (ordered.0.concat(), ordered.1.concat());
        for (a, b) in [joined, sorted] {
            match closeness(&a, &b) {
                Closeness::Same => return Agreement { same: count, ..Agreement::default() },
                Closeness::Near if osa_distance(&a, &b) == 1 => {
                    return Agreement { same: count - 1, near: 1, ..Agreement::default() };
                }
                Closeness::Near | Closeness::Initial | Closeness::Different => {}
            }
        }
    }
    pair_up(left, right)
}

/// Pairs words greedily, the closest first; lists are short.
fn pair_up(left: &[String], right: &[String]) -> Agreement {
    let mut pairs: Vec<(Closeness, usize, usize)> = Vec::new();
    for (l, a) in left.iter().enumerate() {
        for (r, b) in right.iter().enumerate() {
            let close = closeness(a, b);
            if close != Closeness::Different {
                pairs.push((close, l, r));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.abs_diff(a.2).cmp(&b.1.abs_diff(b.2))));
    let mut found = Agreement::default();
    let (mut used_left, mut used_right) = (Vec::new(), Vec::new());
    for (close, l, r) in pairs {
        if used_left.contains(&l) || used_right.contains(&r) {
            continue;
        }
        used_left.push(l);
        used_right.push(r);
        match close {
            Closeness::Same => found.same += 1,
            Closeness::Near => found.near += 1,
            Closeness::Initial => found.initials += 1,
            Closeness::Different => {}
        }
    }
    found.against = left.len().min(right.len()) - used_left.len();
    found.extra = left.len().abs_diff(right.len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(left: &str, right: &str) -> Agreement {
        agreement(&words_of(left), &words_of(right))
    }

    #[test]
    fn words_agree_in_any_order_with_slips_and_run_together() {
        let all = |same, near, initials, against, extra| Agreement {
            same,
            near,
            initials,
            against,
            extra,
        };
        for (left, right, wanted) in [
            ("john smith", "smith john", all(2, 0, 0, 0, 0)),
            ("john smith", "jon smith", all(1, 1, 0, 0, 0)),
            ("john smith", "j smith", all(1, 0, 1, 0, 0)),
            ("john smith", "mary smith", all(1, 0, 0, 1, 0)),
            ("st james", "stjames", all(2, 0, 0, 0, 0)),
            ("st james", "stjames park", all(0, 0, 0, 2, 0)),
            ("o'hara anna", "ohara anna", all(2, 0, 0, 0, 0)),
            ("anna maria bell", "anna bell", all(2, 0, 0, 0, 1)),
            ("12 high street", "13 high street", all(2, 0, 0, 1, 0)),
            ("", "anna", all(0, 0, 0, 0, 0)),
        ] {
            assert_eq!(of(left, right), wanted, "{left} / {right}");
            assert_eq!(of(right, left), wanted, "{right} / {left}");
        }
    }

    #[test]
    fn texts_of_any_length_are_read_in_bounds() {
        let words = words_of(&"a".repeat(10_000));
        assert_eq!(words, ["a".repeat(WORD_CHARS_MAX)]);
        assert_eq!(words_of(&"ab ".repeat(10_000)).len(), WORDS_MAX);
    }
}
