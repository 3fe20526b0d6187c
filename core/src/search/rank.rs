//! What is shown first: where in its title a record hits.

use super::{
    asked::{Asked, folded},
    hits::{Fit, Freedom, find},
    words::Text,
};
use crate::writing::is_han;

/// How well a record fits a question, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Its title is what was asked.
    Whole,
    /// Its title begins so, with whole words.
    StartWords,
    /// Its title begins so.
    Start,
    /// Its title has all of it as words.
    Words,
    /// Words of its title begin so.
    Begun,
    /// Its title begins with what sounds so.
    SoundStart,
    /// Something in its title sounds so.
    Sound,
    /// Something else of it hits.
    Elsewhere,
    /// Its title hits with a typo.
    Slip,
}

impl Class {
    /// A title as it is kept to be compared with questions.
    #[must_use]
    pub fn folded(title: &str) -> String {
        folded(title)
    }
}

/// The class of a record with this title, folded by [`Class::folded`].
#[must_use]
pub fn class(asked: &Asked, title: &str, with_slips: bool) -> Class {
    if title == asked.folded() {
        return Class::Whole;
    }
    if let Some(rest) = title.strip_prefix(asked.folded())
        && !asked.folded().is_empty()
    {
        let is_whole = rest.chars().next().is_some_and(|c| !c.is_alphanumeric() || is_han(c));
        return if is_whole { Class::StartWords } else { Class::Start };
    }
    let text = Text::of_folded(title);
    let freedom = Freedom { is_name: true, with_slips };
    let mut worst = Class::Words;
    for term in &asked.terms {
        let places = find(term, &text, freedom);
        let is_first = places.iter().any(|(chars, _)| chars.start == 0);
        let class = match places.first().map(|(_, fit)| fit) {
            Some(Fit::Whole) => Class::Words,
            Some(Fit::Begun) => Class::Begun,
            Some(Fit::Sound) if is_first => Class::SoundStart,
            Some(Fit::Sound) => Class::Sound,
            Some(Fit::Slip) => Class::Slip,
            None => return Class::Elsewhere,
        };
        worst = worst.max(class);
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_told_by_how_well_they_fit() {
        let fits =
            |typed: &str, title: &str| class(&Asked::read(typed), &Class::folded(title), true);
        assert_eq!(fits("MÜLLER  gmbh", "Muller GmbH"), Class::Whole);
        assert_eq!(fits("muller", "Müller GmbH"), Class::StartWords);
        assert_eq!(fits("三川", "三川实业"), Class::StartWords);
        assert_eq!(fits("mull", "Müller GmbH"), Class::Start);
        assert_eq!(fits("gmbh müller", "Müller GmbH"), Class::Words);
        assert_eq!(fits("gm", "Müller GmbH"), Class::Begun);
        assert_eq!(fits("sczy", "三川重业"), Class::SoundStart);
        assert_eq!(fits("czy", "三川重业"), Class::Sound);
        assert_eq!(fits("mueller", "Miller"), Class::Elsewhere);
        assert_eq!(fits("miler", "Miller"), Class::Slip);
    }
}
