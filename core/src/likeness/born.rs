//! Days of birth: whole ones, or a month and a day.

use strsim::osa_distance;

use crate::writing::digits;

/// A day of birth as digits: eight with the year first, or four for month and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Born(pub String);

/// How two days compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BornAgreement {
    /// The same day of the same year.
    Same,
    /// The same day; one of them has no year.
    SameDay,
    /// One digit off, or day and month changed over.
    Near,
    /// Two digits off: says nothing.
    Unsure,
    /// Another day.
    Different,
}

impl Born {
    /// Reads a day; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = digits(text);
        matches!(digits.len(), 4 | 8).then_some(Self(digits))
    }

    /// Month and day.
    fn day(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }

    /// Compares two days.
    #[must_use]
    pub fn compare(&self, other: &Self) -> BornAgreement {
        if self.0.len() != other.0.len() {
            let is_same = self.day() == other.day();
            return if is_same { BornAgreement::SameDay } else { BornAgreement::Different };
        }
        let whole = self.0.len() == 8;
        match osa_distance(&self.0, &other.0) {
            0 if whole => BornAgreement::Same,
            0 => BornAgreement::SameDay,
            1 if whole => BornAgreement::Near,
            _ if whole && self.is_swapped(other) => BornAgreement::Near,
            2 if whole => BornAgreement::Unsure,
            _ => BornAgreement::Different,
        }
    }

    fn is_swapped(&self, other: &Self) -> bool {
        let parts = |born: &Self| {
            let text = &born.0;
            Some((text.get(..4)?.to_owned(), text.get(4..6)?.to_owned(), text.get(6..)?.to_owned()))
        };
        match (parts(self), parts(other)) {
            (Some((y, m, d)), Some((year, month, day))) => y == year && m == day && d == month,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_compare() {
        for (left, right, wanted) in [
            ("1981-04-09", "19810409", BornAgreement::Same),
            ("1981-04-09", "1981-09-04", BornAgreement::Near),
            ("1981-04-09", "1981-04-08", BornAgreement::Near),
            ("1981-04-09", "1918-04-09", BornAgreement::Near),
            ("1981-04-09", "04-09", BornAgreement::SameDay),
            ("04-09", "04-09", BornAgreement::SameDay),
            ("1981-04-09", "1981-05-19", BornAgreement::Unsure),
            ("1981-04-09", "1975-12-30", BornAgreement::Different),
        ] {
            let (a, b) = (Born::parse(left).unwrap(), Born::parse(right).unwrap());
            assert_eq!(a.compare(&b), wanted, "{left} {right}");
        }
        assert_eq!(Born::parse("spring"), None);
    }
}
