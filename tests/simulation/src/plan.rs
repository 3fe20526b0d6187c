//! How a run is made, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
};

use crate::event::Event;

/// Steps of one run, at most: the times of its edits are told apart by their number.
pub const STEPS_MAX: usize = 20_000;

/// What kind of world a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Devices sync with a server; some servers are restored.
    #[default]
    Sync,
    /// Every server is restored, with much going on between backup and restore.
    Restore,
}

/// What a run is made to do wrong, so that tests see that it is found.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Pushes are answered and not taken.
    LosePushes,
    /// What is withheld is taken all the same.
    IgnorePolicy,
    /// A line of the audit is changed.
    ChangeAudit,
    /// A document of a device is damaged.
    DamageDocument,
    /// A row of the server is changed.
    ChangeRow,
    /// A device loses a document and does not know it.
    LoseDocument,
    /// A device asks for everything again, every time.
    ForgetCursor,
    /// Nobody is told what was refused.
    EmptyInbox,
    /// An edit is never sent.
    KeepEdit,
    /// An edit is never sent, and the one that follows it waits.
    LoseFirstEdit,
    /// A device writes the same passage into a long text twice.
    WriteTwice,
    /// A device replaces values that nobody wanted replaced.
    Overwrite,
}

/// How a run is made.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What kind of world it has.
    pub kind: Kind,
    /// How many devices there are; drawn for each run if none is given.
    pub devices: Option<usize>,
    /// How many steps the run has.
    pub steps: usize,
    /// The only steps that are made; all if there are none.
    pub only: Option<Steps>,
    /// Events that do not happen.
    pub without: BTreeSet<Event>,
    /// Whether to keep the events as text.
    pub keeps_trace: bool,
    /// What is done wrong.
    #[doc(hidden)]
    pub sabotage: Option<Sabotage>,
}

impl Settings {
    /// Runs of a kind, of a usual length.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let steps = match kind {
            Kind::Sync => 600,
            Kind::Restore => 400,
        };
        Self { kind, steps, ..Self::default() }
    }

    /// Whether a step is made.
    pub(crate) fn has_step(&self, step: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.0.iter().any(|range| range.contains(&step)))
    }
}

/// Some steps of a run, as ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps(Vec<RangeInclusive<usize>>);

impl Steps {
    /// The steps of an ascending list.
    #[must_use]
    pub fn of(steps: &[usize]) -> Self {
        let mut ranges: Vec<RangeInclusive<usize>> = Vec::new();
        for step in steps.iter().copied() {
            match ranges.last_mut() {
                Some(last) if *last.end() + 1 == step => *last = *last.start()..=step,
                Some(_) | None => ranges.push(step..=step),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().map_err(|error| format!("{text}: {error}"));
        let range = |text: &str| match text.split_once('-') {
            Some((from, until)) => Ok(number(from)?..=number(until)?),
            None => number(text).map(|step| step..=step),
        };
        text.split(',').map(range).collect::<Result<_, String>>().map(Self)
    }
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// What was acknowledged is at the server.
    Durable,
    /// Every edit is where its author was promised it would be, and nobody replaced it unseen.
    Accounted,
    /// Replicas agree.
    Convergent,
    /// Nothing breaks, every session ends, and all comes to rest.
    Alive,
    /// Nothing is taken that its author may not write, nobody holds what they may not see.
    Authorised,
    /// Everything reloads, rows are what documents say, databases are whole.
    Sound,
    /// The chain of the audit holds and names every acknowledged push.
    Audited,
    /// No device's changes wait on what another device has not sent, or was refused.
    Fair,
    /// Every edit ends acknowledged, or refused and shown.
    NoDeadQueue,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Durable,
        Self::Accounted,
        Self::Convergent,
        Self::Alive,
        Self::Authorised,
        Self::Sound,
        Self::Audited,
        Self::Fair,
        Self::NoDeadQueue,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Accounted => "accounted",
            Self::Convergent => "convergent",
            Self::Alive => "alive",
            Self::Authorised => "authorised",
            Self::Sound => "sound",
            Self::Audited => "audited",
            Self::Fair => "fair",
            Self::NoDeadQueue => "no_dead_queue",
        }
    }
}

/// What came of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The run's seed.
    pub seed: u64,
    /// Sessions that were begun.
    pub sessions: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Things that went wrong on purpose.
    pub faults: u64,
    /// The same, by kind.
    pub faults_by: BTreeMap<&'static str, u64>,
    /// Edits that people made.
    pub edits: u64,
    /// How often the server was restored from a backup.
    pub restores: u64,
    /// Hours that passed, by the clocks of all devices together.
    pub device_hours: u64,
    /// Ways in which replicas do not agree.
    pub diverged: Vec<String>,
    /// What devices hold that their users may not see, or wrote that they may not write.
    pub leaked: Vec<String>,
    /// Edits that cannot be accounted for.
    pub lost: Vec<String>,
    /// What does not come to rest, or breaks.
    pub stuck: Vec<String>,
    /// How much each check found.
    pub found: BTreeMap<Check, u64>,
    /// What is known not to hold yet, and how often it did not.
    pub excused: BTreeMap<&'static str, u64>,
    /// Whether it came out otherwise when it was made again.
    pub is_unrepeatable: bool,
    /// A digest of all that happened.
    pub trace: u64,
    /// The events, if they were kept.
    pub lines: Vec<String>,
}

impl Outcome {
    /// Whether all that must hold holds.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Self { diverged, leaked, lost, stuck, .. } = self;
        let is_well = [diverged, leaked, lost, stuck].into_iter().all(Vec::is_empty);
        is_well && !self.is_unrepeatable
    }

    /// Takes note of what a check found.
    pub(crate) fn add(&mut self, check: Check, what: impl Into<String>) {
        *self.found.entry(check).or_default() += 1;
        let list = match check {
            Check::Durable | Check::Accounted | Check::Audited => &mut self.lost,
            Check::Convergent | Check::Sound => &mut self.diverged,
            Check::Authorised => &mut self.leaked,
            Check::Alive | Check::Fair | Check::NoDeadQueue => &mut self.stuck,
        };
        list.push([check.name(), ": ", &what.into()].concat());
    }

    pub(crate) fn fault(&mut self, kind: &'static str) {
        self.faults += 1;
        *self.faults_by.entry(kind).or_default() += 1;
    }

    pub(crate) fn excuse(&mut self, excuse: &'static str, count: u64) {
        *self.excused.entry(excuse).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_are_shown() {
        let steps = Steps::of(&[1, 2, 3, 7, 9, 10]);
        assert_eq!(steps.to_string(), "1-3,7,9-10");
        assert_eq!("1-3,7,9-10".parse(), Ok(steps.clone()));
        let settings = Settings { only: Some(steps), ..Settings::default() };
        let made: Vec<usize> = (0..12).filter(|step| settings.has_step(*step)).collect();
        assert_eq!(made, [1, 2, 3, 7, 9, 10]);
        assert!("1-x".parse::<Steps>().is_err());
    }
}
