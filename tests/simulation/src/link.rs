//! The network: what becomes of a request and of its answer.

use crate::dice::Dice;

/// What becomes of a request on its way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upward {
    /// It arrives once.
    Arrives,
    /// It never arrives.
    Lost,
    /// It never arrives in time, but some day it will.
    Late,
    /// It arrives twice, and the second answer counts.
    Twice,
}

/// What becomes of an answer on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Downward {
    /// It arrives.
    Arrives,
    /// It never arrives.
    Lost,
    /// Its first so many thousandths arrive.
    Cut(usize),
}

/// A network that fails so many times in a hundred, in each way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) percent: usize,
}

impl Weather {
    pub(crate) fn upward(self, dice: &mut Dice) -> Upward {
        let roll = dice.below(100);
        match roll.checked_div(self.percent) {
            Some(0) => Upward::Lost,
            Some(1) => Upward::Late,
            Some(2) => Upward::Twice,
            Some(_) | None => Upward::Arrives,
        }
    }

    pub(crate) fn downward(self, dice: &mut Dice) -> Downward {
        let roll = dice.below(100);
        match roll.checked_div(self.percent) {
            Some(0) => Downward::Lost,
            Some(1 | 2) => Downward::Cut(dice.below(1_000)),
            Some(_) | None => Downward::Arrives,
        }
    }
}
