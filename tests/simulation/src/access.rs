//! Questions about access, asked twice: of the server, and of a model written separately.
//!
//! A town is drawn by dice: users with ready and odd roles, teams and territories within one
//! another, people who stand in for others, customers with families, visits that are shared, heads
//! that come late. For each user everything is asked that the policy decides, and everything that
//! leaves the server is looked through for words that its reader may not see. Then things move,
//! and it is asked again.
//!
//! `model` has the answers, `town` the world, `roles` odd roles, `ask` the questions; `phones` lets
//! real devices work in a town, and looks at what each holds in the end.

use std::{collections::BTreeMap, num::NonZero, sync::mpsc, thread};

use serde::Serialize;

use crate::{
    Failure, Outcome, Report,
    report::{Bound, run_each},
};

pub use phones::run_phones;

mod ask;
mod ends;
mod model;
mod phones;
mod roles;
mod town;

/// Times that a town is asked, with things that move between.
const ROUNDS: usize = 3;
/// Things that move between two rounds.
const MOVES: usize = 14;

/// What came of the questions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// Questions that were asked.
    pub questions: u64,
    /// Answers of the server that differ from the model's.
    pub differences: u64,
    /// Words that reached somebody who may not see them.
    pub canary_hits: u64,
    /// Towns.
    pub worlds: u64,
    /// The seed of the first.
    pub seed: u64,
    /// What was found, in words; the first of each town.
    #[serde(skip)]
    pub found: Vec<String>,
}

impl Asked {
    /// Whether server and model agree, and nothing reached anybody whom it should not.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.differences == 0 && self.canary_hits == 0 && self.questions > 0
    }

    fn add(&mut self, other: Self) {
        self.questions += other.questions;
        self.differences += other.differences;
        self.canary_hits += other.canary_hits;
        self.worlds += 1;
        self.found.extend(other.found);
    }
}

/// Asks about one town.
///
/// # Errors
///
/// Fails when the town cannot be built or the server fails.
pub fn ask_town(seed: u64) -> Result<Asked, Failure> {
    let mut town = town::Town::build(seed)?;
    let mut asked = Asked { seed, ..Asked::default() };
    for round in 0..ROUNDS {
        ask::all(&mut town, round, &mut asked)?;
        for _ in 0..MOVES {
            if town.dice.percent(30) {
                town.reorganise()?;
            } else {
                town.move_something()?;
            }
        }
    }
    Ok(asked)
}

/// Asks about town after town until there were so many questions.
pub fn ask_many(seed: u64, questions: u64, mut each: impl FnMut(u64, &Asked)) -> Asked {
    let mut all = Asked { seed, ..Asked::default() };
    let workers = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        for worker in 0..workers {
            let sender = sender.clone();
            scope.spawn(move || {
                for number in (worker..).step_by(workers as usize) {
                    let seed = seed.wrapping_add(number);
                    let asked = ask_town(seed).unwrap_or_else(|error| Asked {
                        seed,
                        differences: 1,
                        found: vec![format!("the town broke: {error}")],
                        ..Asked::default()
                    });
                    if sender.send((seed, asked)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // In the order of their seeds, so that the same questions are counted every time.
        let mut early = BTreeMap::new();
        for (at, asked) in &receiver {
            early.insert(at, asked);
            while all.questions < questions
                && let Some(asked) = early.remove(&seed.wrapping_add(all.worlds))
            {
                each(asked.seed, &asked);
                all.add(asked);
            }
            if all.questions >= questions {
                break;
            }
        }
        drop(receiver);
    });
    all
}

/// Makes runs of phones in towns from `seed` on.
pub fn run_many_phones(
    seed: u64,
    bound: Bound,
    steps: usize,
    keeps_trace: bool,
    each: impl FnMut(&Outcome),
) -> Report {
    run_each(seed, bound, |seed| run_phones(seed, steps, keeps_trace), each)
}
