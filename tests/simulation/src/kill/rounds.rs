//! Many deaths in one office: everybody works, somebody dies, everybody goes on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use super::{
    Count, KillOrder, clerk,
    clerk::{Clerk, word},
    device::{Device, Talk},
    ground::{Ground, USERS, word_of},
    office::Office,
    process::{Process, Said},
    promises::{Deed, Promises},
    verdict,
};
use crate::{Failure, dice::Dice};

/// Points that ordinary work reaches.
pub(super) const POINTS_LIVE: &[&str] = &[
    "device.nonce.after_commit",
    "device.tokens.before_commit",
    "device.tokens.after_commit",
    "device.edit.before_commit",
    "device.edit.after_commit",
    "device.answers.before_commit",
    "device.answers.after_commit",
    "device.pull.before_purge",
    "device.pull.before_commit",
    "device.pull.after_commit",
    "server.write.before_commit",
    "server.write.after_commit",
    "server.ledger.before_append",
    "server.ledger.before_sync",
    "server.ledger.after_sync",
    "server.ledger.before_forget",
    "server.push.before_commit",
    "server.push.after_commit",
    "server.push.before_answer",
    "server.office.before_commit",
    "server.office.after_commit",
    "server.merge.before_commit",
    "server.merge.after_commit",
    "server.enrol.before_commit",
    "server.enrol.after_commit",
    "server.tokens.before_commit",
    "server.tokens.after_commit",
    "server.revoke.before_commit",
    "server.revoke.after_commit",
    "server.review.before_commit",
    "server.review.after_commit",
    "server.erase.before_commit",
    "server.erase.before_sweep",
    "server.erase.after_sweep",
];
/// Longest life of those who die by chance, in milliseconds.
const LIFE_MS_MAX: usize = 160;
/// How long they are given to come to a point.
const POINT_PATIENCE: Duration = Duration::from_secs(4);
/// Commands of one life, at most.
const COMMANDS_MAX: usize = 100_000;
/// Devices that live in a round.
const ALIVE: usize = 2;
/// How often, in a hundred, a round looks for a point rather than for chance.
const POINT_PERCENT: usize = 50;
/// Rounds between two looks at what is there.
const LOOK_EVERY: u64 = 20;
/// Between two looks at who has stopped.
const PAUSE: Duration = Duration::from_millis(1);

/// One office at work.
struct World<'a> {
    ground: &'a Ground,
    office: Office,
    devices: Vec<Device>,
    clerk: Clerk,
    promises: Promises,
}

/// Lets so many rounds happen in an office of its own, and looks at what is left.
pub(super) fn run(
    order: &KillOrder,
    ground: &Ground,
    dice: &mut Dice,
    rounds: u64,
    count: &mut Count,
) -> Result<(), Failure> {
    let (_folder, mut office) = ground.copy()?;
    office.start(None)?;
    let browser = office.browser()?;
    let away = Office::closed(&office.program, &office.folder, &office.url);
    let clerk = Clerk::new(away, browser)?;
    let devices = USERS.map(|user| office.device(user)).to_vec();
    let mut world = World { ground, office, devices, clerk, promises: Promises::default() };
    for round in 1..=rounds {
        world.round(order, dice, count)?;
        if round % LOOK_EVERY == 0 || round == rounds {
            world.look(count)?;
        }
    }
    count.killed.acknowledged += world.promises.count;
    Ok(())
}

impl World<'_> {
    fn round(
        &mut self,
        order: &KillOrder,
        dice: &mut Dice,
        count: &mut Count,
    ) -> Result<(), Failure> {
        let point = draw_point(order, dice, count);
        let at = point.map(|point| {
            // A point that nobody saw yet is looked for where it comes first.
            let time = if count.reached.contains(point) { 1 + dice.below(3) } else { 1 };
            format!("{point}:{time}")
        });
        let (of_server, of_device) = match (&at, point) {
            (Some(at), Some(point)) if point.starts_with("server.") => (Some(at.as_str()), None),
            (at, _) => (None, at.as_deref()),
        };
        let dies = order.victims.has_server();
        if dies || self.office.process.is_none() {
            self.office.kill()?;
            if !self.office.start(of_server)? {
                count.note_kill(true, point);
                self.office.start(None)?;
            }
        }
        let mut alive = Vec::new();
        let from = dice.below(self.devices.len());
        for n in (0..self.devices.len()).cycle().skip(from).take(ALIVE) {
            let Some(device) = self.devices.get(n) else { continue };
            // The first of them stops.
            let stop_at = of_device.filter(|_| alive.is_empty());
            let (process, talk) = device.start_batch(stop_at)?;
            alive.push((n, process, talk));
        }
        let is_over = AtomicBool::new(false);
        let lead = point.and_then(clerk::leading_to);
        let (shared, own) = (&self.ground.shared, &self.ground.own);
        let clerk = &mut self.clerk;
        let office = &mut self.office;
        let life = if point.is_some() {
            POINT_PATIENCE
        } else {
            Duration::from_millis(5 + dice.below(LIFE_MS_MAX) as u64)
        };
        let lingers = Duration::from_millis(dice.below(8) as u64);
        let is_server_first = dice.percent(50);
        let mut seeds = Dice::new(dice.next());
        let (mut processes, mut talks) = (Vec::new(), Vec::new());
        for (n, process, talk) in alive {
            processes.push(process);
            talks.push((n, talk, Dice::new(seeds.next())));
        }
        let deeds = thread::scope(|scope| -> Result<Vec<(Deed, bool)>, Failure> {
            let is_over = &is_over;
            let workers: Vec<_> = talks
                .into_iter()
                .map(|(n, talk, mut dice)| {
                    let own = own.get(n).map(String::as_str).unwrap_or_default();
                    let syncs = point.is_some();
                    scope.spawn(move || live(talk, (shared, own), syncs, &mut dice, is_over))
                })
                .collect();
            let works = scope.spawn(move || clerk.work(lead, &mut seeds, is_over));
            wait_for_point(office.process.as_mut(), &mut processes, life);
            thread::sleep(lingers);
            if dies && is_server_first {
                let (was_alive, at) = office.kill()?;
                note(count, (true, was_alive), at.as_deref());
            }
            is_over.store(!order.victims.has_devices(), Ordering::Relaxed);
            if order.victims.has_devices() {
                for process in processes.drain(..) {
                    let (was_alive, at) = process.kill()?;
                    note(count, (false, was_alive), at.as_deref());
                }
            }
            if dies && !is_server_first {
                let (was_alive, at) = office.kill()?;
                note(count, (true, was_alive), at.as_deref());
            }
            is_over.store(true, Ordering::Relaxed);
            let mut deeds = Vec::new();
            for worker in workers {
                deeds.extend(worker.join().map_err(|_| "a hand broke")??);
            }
            works.join().map_err(|_| "the clerk broke")?;
            Ok(deeds)
        })?;
        for mut process in processes {
            process.ends()?;
        }
        for (deed, is_sure) in deeds.into_iter().chain(self.clerk.deeds.drain(..)) {
            self.promises.note(deed, is_sure);
        }
        for odd in self.clerk.odd.drain(..) {
            count.stuck(format!("the office was answered oddly: {odd}"));
        }
        Ok(())
    }

    /// Starts the server again and lets everybody sync: all that was promised must be there.
    fn look(&mut self, count: &mut Count) -> Result<(), Failure> {
        self.office.kill()?;
        if let Err(error) = self.office.start(None) {
            count.stuck(error.to_string());
            return Err(error);
        }
        verdict::look(&self.office, &self.devices, &mut self.promises, &self.ground.shared, count)
    }
}

fn note(count: &mut Count, (is_server, was_alive): (bool, bool), point: Option<&str>) {
    if was_alive {
        count.note_kill(is_server, point);
    } else {
        let who = if is_server { "the server" } else { "a device" };
        count.stuck(format!("{who} ended by itself"));
    }
}

/// A point that was not reached yet, or any, or none.
fn draw_point(order: &KillOrder, dice: &mut Dice, count: &Count) -> Option<&'static str> {
    let all: Vec<&'static str> =
        POINTS_LIVE.iter().filter(|point| order.victims.has(point)).copied().collect();
    let left: Vec<&'static str> =
        all.iter().filter(|point| !count.reached.contains(*point)).copied().collect();
    if order.with_points && !left.is_empty() {
        return dice.pick(&left).copied();
    }
    if dice.percent(POINT_PERCENT) { dice.pick(&all).copied() } else { None }
}

/// Waits until somebody stops at a point, but no longer than this.
fn wait_for_point(mut server: Option<&mut Process>, devices: &mut [Process], life: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < life {
        for process in server.as_deref_mut().into_iter().chain(&mut *devices) {
            if matches!(process.said_within(Duration::ZERO), Some(Said::Stopped(_))) {
                return;
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Types into a device until it dies, or it is over. What was typed, and whether it was acknowledged.
fn live(
    mut talk: Talk,
    (shared, own): (&str, &str),
    syncs_first: bool,
    dice: &mut Dice,
    is_over: &AtomicBool,
) -> Result<Vec<(Deed, bool)>, Failure> {
    let mut deeds = Vec::new();
    for n in 0..COMMANDS_MAX {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let is_sync = if syncs_first { n % 2 == 1 } else { dice.percent(20) };
        let Some((command, deed)) = draw(&mut talk, (shared, own), is_sync, dice) else { break };
        let answer = talk.ask(&command);
        let is_sure = answer.as_ref().is_some_and(is_ok);
        if let Some(answer) = answer.as_ref().filter(|answer| !is_ok(answer))
            && deed.is_some()
        {
            return Err(format!("{command} → {answer}").into());
        }
        deeds.extend(deed.map(|deed| (deed, is_sure)));
        if answer.is_none() {
            break;
        }
    }
    Ok(deeds)
}

fn is_ok(answer: &Json) -> bool {
    answer.get("ok") == Some(&Json::Bool(true))
}

/// The next command, and what it promises; nothing if the device is dead.
fn draw(
    talk: &mut Talk,
    (shared, own): (&str, &str),
    is_sync: bool,
    dice: &mut Dice,
) -> Option<(Json, Option<Deed>)> {
    if is_sync {
        return Some((json!({"do": "sync"}), None));
    }
    let word = word(dice);
    let edit =
        |record: &str, fields: Json| json!({"do": "edit", "record": record, "fields": fields});
    Some(match dice.below(10) {
        0..=3 => {
            let fields = json!({"company_name": word});
            let command = json!({"do": "create", "entity": "customer", "fields": fields});
            (command, Some(Deed::Word(word)))
        }
        4 | 5 => (edit(shared, json!({"visits": {"add": 1}})), Some(Deed::Visit)),
        6 => (edit(shared, json!({"tags": {"add": [word]}})), Some(Deed::Word(word))),
        7 | 8 => {
            let deed = Deed::Value(own.to_owned(), word.clone());
            (edit(own, json!({"short_name": word})), Some(deed))
        }
        _ => {
            let seen = talk.ask(&json!({"do": "get", "record": shared}))?;
            let text = word_of(seen.get("value")?, "notes");
            let text = format!("{text} {word}");
            (edit(shared, json!({"notes": text})), Some(Deed::Word(word)))
        }
    })
}
