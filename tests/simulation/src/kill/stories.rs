//! One death at each point that ordinary work does not reach, each in a copy of one small office.
//!
//! A story leads a process to the point, where it is killed; does again what a person would do; and
//! looks at what is there. A point that lies in a loop is tried at its first time, its second, and so
//! on, until the work ends before: so a migration dies after every step.

use outrider_core::points::POINTS;

use super::{Count, KillOrder, ground::Ground, rounds::POINTS_LIVE, tell_found};
use crate::Failure;

mod begin;
mod keep;
mod leave;
mod mend;
mod older;

/// What came of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The process was killed at the point.
    Reached,
    /// It ended without getting there.
    Missed,
    /// This program has no such point.
    Impossible,
}

/// A story: leads to a point of a name and a number, and notes what it found.
type Story = fn(&Ground, &str, &mut Count) -> Result<Told, Failure>;

/// Which stories lead to the points that begin so; the first that fits.
const STORIES: &[(&str, &[Story])] = &[
    ("device.store", &[begin::device, older::device]),
    ("device.keep", &[leave::seal]),
    ("device.seal", &[leave::seal]),
    ("device.salvage", &[mend::device]),
    ("device.enroll", &[begin::enrolment]),
    ("device.import", &[begin::import]),
    ("device.cursor", &[keep::restored]),
    ("device.resend", &[keep::restored]),
    ("device.resent", &[keep::restored]),
    ("device.sweep", &[leave::erased]),
    ("device.review", &[leave::turned_away]),
    ("device.leave", &[leave::turned_away]),
    ("device.wipe.key_zeroed", &[leave::sealed_wipe]),
    ("device.wipe", &[leave::wiped]),
    ("device", &[begin::device]),
    ("server.salvage", &[mend::server]),
    ("server.migrate", &[begin::server, older::server]),
    ("server.ledger", &[begin::server]),
    ("server.file", &[begin::server]),
    ("server.backup_key", &[keep::backup_key]),
    ("server.backup", &[keep::backup]),
    ("server.person_keys.new_begun", &[keep::restore, keep::restore_given_up]),
    ("server.person_keys", &[keep::first_backup]),
    ("server.restore", &[keep::restore, keep::restore_given_up]),
];

/// Tells all stories that are to be told.
pub(super) fn tell_all(
    order: &KillOrder,
    ground: &Ground,
    count: &mut Count,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let (mut told, wanted) = (0, POINTS.iter().filter(|point| order.victims.has(point)));
    for point in wanted.filter(|point| !POINTS_LIVE.contains(point)) {
        let known = STORIES.iter().find(|(begin, _)| point.starts_with(begin));
        let stories = known.map(|(_, stories)| *stories).unwrap_or_default();
        for story in stories {
            tell(*story, ground, point, order.times_max, count);
        }
        progress(&format!("told of {point}"));
        tell_found(count, &mut told, progress);
    }
    Ok(())
}

fn tell(story: Story, ground: &Ground, point: &'static str, times_max: usize, count: &mut Count) {
    for time in 1..=times_max {
        let found = count.killed.found.len();
        match story(ground, &format!("{point}:{time}"), count) {
            Ok(Told::Reached) => count.note_kill(point.starts_with("server."), Some(point)),
            Ok(Told::Missed) => return,
            Ok(Told::Impossible) => {
                count.skipped.insert(point);
                return;
            }
            Err(error) => {
                count.stuck(format!("{point}:{time}: {error}"));
                return;
            }
        }
        for words in count.killed.found.iter_mut().skip(found) {
            words.push_str(&format!(" (after {point}:{time})"));
        }
    }
    // Whoever asks for more than the first asks for all.
    if times_max > 1 {
        count.stuck(format!("{point} is reached more than {times_max} times: ask for more"));
    }
}

impl From<bool> for Told {
    fn from(is_reached: bool) -> Self {
        if is_reached { Self::Reached } else { Self::Missed }
    }
}
