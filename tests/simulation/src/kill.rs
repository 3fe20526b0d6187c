//! Real processes killed with SIGKILL: the server and devices of the shell.
//!
//! What was acknowledged to whoever typed (an edit, an enrolment, a revocation, an erasure) is noted.
//! Processes are killed at random moments, and at every named point of
//! [`POINTS`], where they stop and wait for it. They are started again
//! and go on. In the end everybody syncs: all that was acknowledged must be there, and everybody must
//! hold the same.
//!
//! * `process`: a process that can be told where to stop. * `office`, `browser`, `device`: who lives
//!   and dies. * `ground`: the office that all begin with. * `promises`: what was acknowledged. * `rounds`: many deaths in one office.
//! * `clerk`: what the office does meanwhile. * `stories`: one death at each point that ordinary work
//!   does not reach, each in a copy of one small office. * `verdict`: what must hold.

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use outrider_core::points::POINTS;
use serde::Serialize;

use self::ground::Ground;
use crate::{Failure, dice::Dice};

mod browser;
mod clerk;
mod device;
mod ground;
mod office;
mod process;
mod promises;
mod rounds;
mod stories;
mod verdict;

/// Rounds in one office; then another one is opened, for its records only grow.
const ROUNDS_EACH: u64 = 40;
/// How often a point is tried before it counts as one that nobody reaches.
const TRIES_MAX: usize = 4;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Victims {
    /// The server and the devices.
    #[default]
    Both,
    /// The server alone.
    Server,
    /// The devices alone.
    Devices,
}

impl Victims {
    fn has_server(self) -> bool {
        self != Self::Devices
    }

    fn has_devices(self) -> bool {
        self != Self::Server
    }

    /// Whether a point is one of theirs.
    fn has(self, point: &str) -> bool {
        if point.starts_with("server.") { self.has_server() } else { self.has_devices() }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct KillOrder {
    /// The program `outrider`, built with debug assertions: others have no points.
    pub outrider: PathBuf,
    /// Where chance begins.
    pub seed: u64,
    /// Rounds. In each the server dies once, and two devices do.
    pub rounds: u64,
    /// Who dies.
    pub victims: Victims,
    /// Whether every point is tried, beside the rounds.
    pub with_points: bool,
    /// How often a point that ordinary work does not reach is tried: at the first time that a process
    /// gets there, at the second, and so on, until it ends before.
    pub times_max: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Killed {
    /// How often a server's process was killed.
    pub server_kills: u64,
    /// How often a device's process was killed.
    pub device_kills: u64,
    /// Points at which a process was killed.
    pub points_reached: usize,
    /// Points there are.
    pub points: usize,
    /// Of these, points that this program cannot reach, because it was built without encryption.
    pub points_skipped: usize,
    /// What was acknowledged.
    pub acknowledged: u64,
    /// What of it was not there in the end.
    pub lost: usize,
    /// Ways in which two that should hold the same did not.
    pub diverged: usize,
    /// What did not come to rest, or could not go on.
    pub stuck: usize,
    /// The seed.
    pub seed: u64,
    /// Kills in a minute.
    pub kills_per_minute: u64,
    /// What was found, in words.
    #[serde(skip)]
    pub found: Vec<String>,
    /// Points at which nobody was killed.
    #[serde(skip)]
    pub unreached: Vec<&'static str>,
}

impl Killed {
    /// Whether all that must hold held, and every point was tried that was to be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.diverged == 0 && self.stuck == 0 && self.unreached.is_empty()
    }
}

/// What is known so far.
#[derive(Debug, Default)]
struct Count {
    killed: Killed,
    reached: BTreeSet<&'static str>,
    skipped: BTreeSet<&'static str>,
}

impl Count {
    /// Notes that a process was killed, and at which point if it had stopped.
    fn note_kill(&mut self, is_server: bool, point: Option<&str>) {
        if is_server {
            self.killed.server_kills += 1;
        } else {
            self.killed.device_kills += 1;
        }
        let known = point.and_then(|point| POINTS.iter().find(|name| **name == point));
        self.reached.extend(known);
    }

    fn lost(&mut self, words: String) {
        self.killed.lost += 1;
        self.killed.found.push(format!("lost: {words}"));
    }

    fn diverged(&mut self, words: String) {
        self.killed.diverged += 1;
        self.killed.found.push(format!("diverged: {words}"));
    }

    fn stuck(&mut self, words: String) {
        self.killed.stuck += 1;
        self.killed.found.push(format!("stuck: {words}"));
    }
}

/// Tells what was found since it was told last.
fn tell_found(count: &Count, told: &mut usize, progress: &mut dyn FnMut(&str)) {
    for words in count.killed.found.iter().skip(*told) {
        progress(words);
    }
    *told = count.killed.found.len();
}

/// Kills, and looks at what is left; `progress` is told in words how far it is.
///
/// # Errors
///
/// Fails when the office cannot even be opened: what the killed do not survive is in the answer.
pub fn run_kills(order: &KillOrder, progress: &mut dyn FnMut(&str)) -> Result<Killed, Failure> {
    let begun = Instant::now();
    let mut dice = Dice::new(order.seed);
    let mut count = Count::default();
    if !order.outrider.is_file() {
        let path = order.outrider.display();
        let words = format!(
            "there is no program {path}; build it with `cargo build -p outrider-cli`, or name it with \
             --outrider"
        );
        return Err(words.into());
    }
    let ground = Ground::open(&order.outrider)?;
    if order.with_points {
        stories::tell_all(order, &ground, &mut count, progress)?;
    }
    let (mut done, mut told) = (0, count.killed.found.len());
    while done < order.rounds || is_point_left(order, &count, done) {
        // What is left of the points has its turn, although the rounds are over.
        let rounds = order.rounds.saturating_sub(done).clamp(1, ROUNDS_EACH);
        let rounds = if done >= order.rounds { ROUNDS_EACH } else { rounds };
        rounds::run(order, &ground, &mut dice, rounds, &mut count)?;
        done += rounds;
        let Killed { server_kills, device_kills, acknowledged, .. } = count.killed;
        progress(&format!(
            "{done} of {} rounds: {server_kills} kills of servers, {device_kills} of devices, \
             {acknowledged} acknowledged, {} found",
            order.rounds,
            count.killed.found.len()
        ));
        tell_found(&count, &mut told, progress);
    }
    let Count { mut killed, reached, skipped } = count;
    let wanted = POINTS.iter().filter(|point| order.with_points && order.victims.has(point));
    let wanted = wanted.filter(|point| !skipped.contains(*point));
    killed.unreached = wanted.filter(|point| !reached.contains(*point)).copied().collect();
    (killed.points, killed.points_reached) = (POINTS.len(), reached.len());
    (killed.points_skipped, killed.seed) = (skipped.len(), order.seed);
    let kills = killed.server_kills + killed.device_kills;
    killed.kills_per_minute = kills * 60_000 / u64::try_from(begun.elapsed().as_millis())?.max(1);
    Ok(killed)
}

/// Whether rounds must go on for a point that ordinary work reaches and that was not reached.
fn is_point_left(order: &KillOrder, count: &Count, done: u64) -> bool {
    let limit = order.rounds.next_multiple_of(ROUNDS_EACH) + ROUNDS_EACH * TRIES_MAX as u64;
    order.with_points
        && done < limit
        && rounds::POINTS_LIVE
            .iter()
            .any(|point| order.victims.has(point) && !count.reached.contains(point))
}
