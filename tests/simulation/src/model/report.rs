//! All searches and their replays, in numbers.

use std::{collections::BTreeSet, time::Instant};

use outrider_model::{
    bounds::{Bounds, Last, Reach, scopes},
    cover::Goal,
    event::{Event, EventKind},
    rules::Broken,
    search::Search,
};
use serde::Serialize;

use super::replay::{goals_of, replay};
use crate::dice::Dice;

/// Mismatches of which the words are kept.
const KEPT_MAX: usize = 5;

/// One search.
#[derive(Debug, Clone, Serialize)]
pub struct Scope {
    /// What it is about.
    pub name: &'static str,
    /// Its bounds.
    pub devices: usize,
    /// What the last device is.
    pub last: &'static str,
    /// Its bounds.
    pub documents: usize,
    /// Its bounds.
    pub operations: u8,
    /// Its bounds.
    pub accidents: u8,
    /// Its bounds.
    pub cuts: u8,
    /// States within them.
    pub states: usize,
    /// Events that were tried.
    pub transitions: u64,
    /// Events of the longest of the shortest traces.
    pub depth: u16,
    /// States from which something waits for ever for what nobody has any more.
    pub stranded: u64,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// What the model found, and what became of its traces on the real code.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ModelReport {
    /// Names this line.
    pub mode: &'static str,
    /// What the sample was drawn with.
    pub seed: u64,
    /// Devices.
    pub devices: usize,
    /// Operations of the widest search.
    pub operations: u8,
    /// States of all searches.
    pub states: usize,
    /// Events that were tried.
    pub transitions: u64,
    /// Events of the longest of the shortest traces.
    pub depth: u16,
    /// Rounds of conversations that it took at most until nothing moved.
    pub rounds: u8,
    /// Kinds of events that happened.
    pub kinds: u32,
    /// Pairs of kinds that followed one another.
    pub pairs: usize,
    /// Kinds of conversations with what they can do.
    pub deeds: usize,
    /// Traces that were played on the real code.
    pub replayed: u64,
    /// Their events.
    pub events: u64,
    /// Pairs and deeds that no trace played; there must be none.
    pub uncovered: usize,
    /// Promises that did not hold.
    pub violations: u64,
    /// Traces on which model and code differ.
    pub mismatches: u64,
    /// Searches that ended at their bound of states, and prove nothing beyond it.
    pub cut_off: usize,
    /// The searches.
    pub scopes: Vec<Scope>,
    /// Milliseconds that all took.
    pub took_ms: u64,
    /// Violations and mismatches in words.
    #[serde(skip)]
    pub found: Vec<String>,
}

impl ModelReport {
    /// Whether all that must hold held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let wrong = self.violations + self.mismatches;
        wrong == 0 && self.cut_off == 0 && self.uncovered == 0
    }
}

/// Searches, and plays a sample of traces that covers everything, with `more` drawn ones.
pub fn run_model(
    reach: Reach,
    (devices, operations): (usize, u8),
    more: u64,
    seed: u64,
    tell: &mut dyn FnMut(&str),
) -> ModelReport {
    let begun = Instant::now();
    let mut report =
        ModelReport { mode: "model", seed, devices, operations, ..ModelReport::default() };
    let mut run = Run { covered: BTreeSet::new(), met: BTreeSet::new(), dice: Dice::new(seed) };
    let all = scopes(reach, devices, operations);
    let more_each = more.div_ceil(all.len().max(1) as u64);
    for bounds in all {
        run.scope(&bounds, more_each, &mut report, tell);
    }
    let is_pair = |goal: &&Goal| matches!(goal, Goal::Pair(..));
    report.pairs = run.met.iter().filter(is_pair).count();
    report.deeds = run.met.len() - report.pairs;
    report.uncovered = run.met.difference(&run.covered).count();
    report.took_ms = milliseconds(begun);
    report
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

struct Run {
    covered: BTreeSet<Goal>,
    met: BTreeSet<Goal>,
    dice: Dice,
}

impl Run {
    fn scope(
        &mut self,
        bounds: &Bounds,
        more: u64,
        report: &mut ModelReport,
        tell: &mut dyn FnMut(&str),
    ) {
        let begun = Instant::now();
        let mut search = Search::run(bounds, Broken::Nothing, false);
        let scope = Scope {
            name: bounds.name,
            devices: bounds.devices,
            last: match bounds.last {
                Last::Enrolled => "enrolled",
                Last::Stranger => "stranger",
                Last::Empty => "empty",
            },
            documents: bounds.documents,
            operations: bounds.operations,
            accidents: bounds.accidents_max,
            cuts: bounds.cuts,
            states: search.states(),
            transitions: search.transitions,
            depth: search.depth,
            stranded: search.stranded,
            took_ms: milliseconds(begun),
        };
        tell(&format!(
            "{}: {} states, depth {}, {} ms",
            scope.name, scope.states, scope.depth, scope.took_ms
        ));
        report.states += scope.states;
        report.transitions += scope.transitions;
        report.depth = report.depth.max(scope.depth);
        report.rounds = report.rounds.max(search.rounds);
        report.violations += search.violations;
        report.cut_off += usize::from(!search.is_whole);
        report.scopes.push(scope);
        for found in search.found.clone() {
            let lines = search.show(&found.events);
            let violation = &found.violation;
            let (promise, words) = (violation.promise, &violation.words);
            report.found.push(format!("{promise:?}: {words}\n{}", lines.join("\n")));
        }
        self.play(&mut search, bounds, more, report);
        let played = report.replayed;
        tell(&format!("{}: {played} traces replayed in all", bounds.name));
        report.kinds = kinds_of(&self.met);
    }

    fn play(&mut self, search: &mut Search, bounds: &Bounds, more: u64, report: &mut ModelReport) {
        self.met.extend(search.cover.ways.keys());
        let mut traces: Vec<(Vec<Event>, Goal)> = Vec::new();
        for (goal, way) in &search.cover.ways {
            if !self.covered.contains(goal) {
                let mut events = search.trace(way.from);
                events.extend(way.events.iter().flatten());
                traces.push((events, *goal));
            }
        }
        // Long traces have much of what is sought in them.
        traces.sort_by_key(|(events, _)| std::cmp::Reverse(events.len()));
        let mut chosen: Vec<Vec<Event>> = Vec::new();
        for (events, goal) in traces {
            if !self.covered.contains(&goal) {
                self.covered.extend(goals_of(&mut search.model, &events));
                chosen.push(events);
            }
        }
        for _ in 0..more {
            let state = u32::try_from(self.dice.below(search.states())).unwrap_or(0);
            chosen.push(search.trace(state));
        }
        for events in chosen {
            let seed = self.dice.next();
            report.replayed += 1;
            report.events += events.len() as u64;
            if let Some(words) = replay(search, bounds, &events, seed) {
                report.mismatches += 1;
                if report.found.len() < KEPT_MAX {
                    report.found.push(words);
                }
            }
        }
    }
}

fn kinds_of(goals: &BTreeSet<Goal>) -> u32 {
    let bits = goals.iter().fold(0, |bits, goal| match goal {
        Goal::Pair(first, second) => bits | first.bit() | second.bit(),
        Goal::Deed(kind, _) => bits | kind.bit(),
    });
    let is_there = |kind: &&EventKind| bits & kind.bit() != 0;
    u32::try_from(EventKind::ALL.iter().filter(is_there).count()).unwrap_or(0)
}
