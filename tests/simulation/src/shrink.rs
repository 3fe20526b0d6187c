//! A run that fails, made smaller: fewer steps, fewer kinds of events, fewer devices, as long as the
//! same check finds something.
//!
//! Every step draws from dice of its own, so what is left out shifts little of what remains. The number
//! of tries and the time are bounded; what is found is not the smallest run there is, but a small one.

use std::time::{Duration, Instant};

use crate::{
    event::Event,
    plan::{Check, Outcome, Settings, Steps},
};

/// How long is searched for a smaller run, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs that are tried.
    pub tries: usize,
    /// For how long.
    pub time: Duration,
}

/// A smaller run that fails in the same way.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// How it is made.
    pub settings: Settings,
    /// What came of it.
    pub outcome: Outcome,
    /// Runs that were tried.
    pub tries: usize,
    /// Steps that are left.
    pub steps: usize,
}

/// What is being made smaller.
struct Search<'a, R: Fn(&Settings) -> Outcome> {
    run: &'a R,
    check: Check,
    tries_max: usize,
    until: Instant,
    best: Shrunk,
    /// The steps that are left, ascending.
    steps: Vec<usize>,
}

/// Makes a failing run smaller; `run` makes the run of the same seed with other settings. None if it
/// found nothing in the first place.
pub fn shrink<R: Fn(&Settings) -> Outcome>(
    settings: &Settings,
    failed: &Outcome,
    limits: Limits,
    run: &R,
) -> Option<Shrunk> {
    let check = failed.found.keys().next().copied()?;
    let steps: Vec<usize> = (0..settings.steps).filter(|step| settings.has_step(*step)).collect();
    let best = Shrunk {
        settings: settings.clone(),
        outcome: failed.clone(),
        tries: 0,
        steps: steps.len(),
    };
    let (tries_max, until) = (limits.tries, Instant::now() + limits.time);
    let mut search = Search { run, check, tries_max, until, best, steps };
    search.cut_the_end();
    search.leave_out_events();
    search.use_fewer_devices();
    search.leave_out_steps();
    Some(search.best)
}

impl<R: Fn(&Settings) -> Outcome> Search<'_, R> {
    /// Whether a run fails in the same way; then it is the best so far.
    fn is_failing(&mut self, settings: Settings, steps: &[usize]) -> bool {
        if self.best.tries >= self.tries_max || Instant::now() >= self.until {
            return false;
        }
        self.best.tries += 1;
        let outcome = (self.run)(&settings);
        if !outcome.found.contains_key(&self.check) {
            return false;
        }
        let tries = self.best.tries;
        self.steps = steps.to_vec();
        self.best = Shrunk { settings, outcome, tries, steps: steps.len() };
        true
    }

    fn with_steps(&mut self, steps: &[usize]) -> bool {
        let mut settings = self.best.settings.clone();
        settings.steps = steps.last().map_or(0, |last| last + 1);
        let is_all = steps.len() == settings.steps;
        settings.only = (!is_all).then(|| Steps::of(steps));
        self.is_failing(settings, steps)
    }

    /// Bisects where the run may end.
    fn cut_the_end(&mut self) {
        let (mut passes, mut fails) = (0, self.steps.len());
        while fails - passes > 1 + fails / 16 {
            let middle = usize::midpoint(passes, fails);
            let steps = self.steps.get(..middle).unwrap_or_default().to_vec();
            if self.with_steps(&steps) {
                fails = middle;
            } else {
                passes = middle;
            }
        }
    }

    fn leave_out_events(&mut self) {
        for event in Event::all() {
            let mut settings = self.best.settings.clone();
            if settings.without.insert(event) {
                let steps = self.steps.clone();
                self.is_failing(settings, &steps);
            }
        }
    }

    fn use_fewer_devices(&mut self) {
        for devices in 1..4 {
            if self.best.settings.devices.is_some_and(|known| known <= devices) {
                return;
            }
            let settings = Settings { devices: Some(devices), ..self.best.settings.clone() };
            let steps = self.steps.clone();
            if self.is_failing(settings, &steps) {
                return;
            }
        }
    }

    /// Leaves out halves, quarters, and so on, wherever that still fails.
    fn leave_out_steps(&mut self) {
        let mut size = self.steps.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let mut steps = self.steps.clone();
                steps.drain(from..(from + size).min(steps.len()));
                if !self.with_steps(&steps) {
                    from += size;
                }
            }
            if self.best.tries >= self.tries_max || size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }
}
