//! The search: everything that can happen within bounds, shortest ways first.

use crate::{
    bounds::Bounds,
    cover::Cover,
    event::{Event, EventKind},
    pool::QuickMap,
    promise::Violation,
    rules::Broken,
    show::show_event,
    world::{Model, World},
};

/// Violations that are kept, with their traces.
pub const VIOLATIONS_MAX: usize = 5;

/// A state that was met.
#[derive(Debug, Clone, Copy)]
struct Node {
    world: World,
    /// The state before, and what happened; none of the first.
    by: Option<(u32, Event)>,
    depth: u16,
    /// Kinds of events that can happen here, as bits, once that was looked at.
    kinds: Option<u32>,
}

/// A promise that does not hold, and how it came to that.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// What does not hold.
    pub violation: Violation,
    /// The events from the beginning.
    pub events: Vec<Event>,
}

/// What a search found.
#[derive(Debug)]
pub struct Search {
    /// What was met.
    pub model: Model,
    nodes: Vec<Node>,
    /// The goals of replays.
    pub cover: Cover,
    /// Events that were tried.
    pub transitions: u64,
    /// Events of the longest of the shortest traces.
    pub depth: u16,
    /// Whether everything within the bounds was tried.
    pub is_whole: bool,
    /// Rounds of conversations that it took at most until nothing moved.
    pub rounds: u8,
    /// States from which something waits for ever for what nobody has any more.
    pub stranded: u64,
    /// Kinds of events that happened, as bits.
    pub happened: u32,
    /// How many promises did not hold.
    pub violations: u64,
    /// The first of them.
    pub found: Vec<Counterexample>,
}

impl Search {
    /// Tries everything; with `stops` it ends at the first promise that does not hold.
    ///
    /// # Panics
    ///
    /// When there are more than four thousand million states.
    #[must_use]
    pub fn run(bounds: &Bounds, broken: Broken, stops: bool) -> Self {
        let mut search = Self {
            model: Model::new(bounds.clone(), broken),
            nodes: Vec::new(),
            cover: Cover::default(),
            transitions: 0,
            depth: 0,
            is_whole: true,
            rounds: 0,
            stranded: 0,
            happened: 0,
            violations: 0,
            found: Vec::new(),
        };
        search.walk(stops);
        search
    }

    fn walk(&mut self, stops: bool) {
        let begin = self.model.begin();
        let mut known: QuickMap<World, u32> = QuickMap::default();
        known.insert(begin, 0);
        self.nodes.push(Node { world: begin, by: None, depth: 0, kinds: None });
        let mut at = 0;
        while let Some(node) = self.nodes.get(at).copied() {
            let number = u32::try_from(at).expect("states fit into memory");
            at += 1;
            if stops && !self.found.is_empty() {
                return;
            }
            let events = self.model.events(&node.world);
            let kinds = events.iter().fold(0, |bits, event| bits | event.kind().bit());
            self.happened |= kinds;
            if let Some(node) = self.nodes.get_mut(at - 1) {
                node.kinds = Some(kinds);
            }
            for by in node.by.into_iter().chain(self.cover.take_others(number)) {
                self.cover.note_out(by, &events, kinds);
            }
            for event in events {
                self.transitions += 1;
                let (world, said) = self.model.step(&node.world, event);
                self.cover.note_deeds(number, event, &said);
                if let Some(state) = known.get(&world) {
                    self.meet_again((number, event), *state);
                    continue;
                }
                if self.nodes.len() >= self.model.bounds.states_max {
                    self.is_whole = false;
                    continue;
                }
                let state = u32::try_from(self.nodes.len()).expect("states fit into memory");
                known.insert(world, state);
                let depth = node.depth + 1;
                self.depth = self.depth.max(depth);
                self.nodes.push(Node { world, by: Some((number, event)), depth, kinds: None });
                self.judge(&world, state);
            }
        }
    }

    fn meet_again(&mut self, by: (u32, Event), state: u32) {
        let Some(node) = usize::try_from(state).ok().and_then(|at| self.nodes.get(at)).copied()
        else {
            return;
        };
        if self.cover.note_in(by, state, node.kinds) {
            let events = self.model.events(&node.world);
            self.cover.note_out(by, &events, node.kinds.unwrap_or(0));
        }
    }

    fn judge(&mut self, world: &World, state: u32) {
        let violation = self.model.check(world).or_else(|| self.model.check_rest(world));
        let rested = self.model.rest(world);
        self.rounds = self.rounds.max(rested.rounds);
        self.stranded += u64::from(rested.is_stranded);
        let Some(violation) = violation else { return };
        self.violations += 1;
        if self.found.len() < VIOLATIONS_MAX {
            let events = self.trace(state);
            self.found.push(Counterexample { violation, events });
        }
    }

    /// How many states were met.
    #[must_use]
    pub fn states(&self) -> usize {
        self.nodes.len()
    }

    /// The events that lead to a state.
    #[must_use]
    pub fn trace(&self, state: u32) -> Vec<Event> {
        let mut events = Vec::new();
        let mut at = usize::try_from(state).ok().and_then(|at| self.nodes.get(at));
        while let Some((before, event)) = at.and_then(|node| node.by) {
            events.push(event);
            at = usize::try_from(before).ok().and_then(|at| self.nodes.get(at));
        }
        events.reverse();
        events
    }

    /// Kinds of events that the bounds allow and that never happened.
    #[must_use]
    pub fn never(&self) -> Vec<EventKind> {
        EventKind::ALL.into_iter().filter(|kind| self.happened & kind.bit() == 0).collect()
    }

    /// A trace in lines that people can read.
    #[must_use]
    pub fn show(&mut self, events: &[Event]) -> Vec<String> {
        let mut world = self.model.begin();
        let mut lines = Vec::new();
        for (number, event) in (1..).zip(events) {
            let (next, _) = self.model.step(&world, *event);
            world = next;
            lines.push(format!("{number:>3}. {}", show_event(*event)));
            lines.push(format!("       {}", self.model.show_world(&world)));
        }
        lines
    }
}
