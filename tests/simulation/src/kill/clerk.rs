//! What the office does while processes die: forms, enrolments, people turned away.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{browser::Browser, ground::word_of, office::Office, process::finish, promises::Deed};
use crate::{Failure, dice::Dice};

/// What is sent in one round, at most.
const ACTS_MAX: usize = 200;

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create,
    Edit,
    Merge,
    Erase,
    Enrol,
    Revoke,
}

/// What is done first so that the server gets to a point.
pub(super) fn leading_to(point: &str) -> Option<Act> {
    let work = point.split('.').nth(1).unwrap_or_default();
    match work {
        "office" => Some(Act::Edit),
        "merge" => Some(Act::Merge),
        "erase" => Some(Act::Erase),
        "enrol" => Some(Act::Enrol),
        "revoke" | "review" => Some(Act::Revoke),
        "ledger" if point.ends_with("forget") => Some(Act::Erase),
        "ledger" => Some(Act::Enrol),
        _ => None,
    }
}

/// Somebody at the office.
#[derive(Debug)]
pub(super) struct Clerk {
    /// Whose process nobody here holds.
    pub(super) office: Office,
    pub(super) browser: Browser,
    /// The record in which nobody else writes.
    pub(super) record: String,
    /// Devices that were let in by the clerk and not turned away yet.
    pub(super) extras: Vec<String>,
    pub(super) deeds: Vec<(Deed, bool)>,
    /// Answers that no server that lives may give.
    pub(super) odd: Vec<String>,
}

impl Clerk {
    /// A clerk with a record.
    pub(super) fn new(office: Office, mut browser: Browser) -> Result<Self, Failure> {
        let location = browser
            .submit("/records/customer/new", &[("f.company_name", "clerk"), ("anyway", "1")])?;
        let record = id_in(&location);
        let (extras, deeds, odd) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { office, browser, record, extras, deeds, odd })
    }

    /// Works until the server does not answer, or it is told to stop.
    pub(super) fn work(&mut self, first: Option<Act>, dice: &mut Dice, is_over: &AtomicBool) {
        let mut next = first;
        for _ in 0..ACTS_MAX {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let act = next.take().unwrap_or_else(|| draw(dice));
            if let Err(error) = self.act(act, dice) {
                let words = error.to_string();
                // Too busy, because somebody stopped in the middle of writing.
                if words.contains("was answered with 503") {
                    continue;
                }
                if words.contains("was answered with") {
                    self.odd.push(format!("{act:?}: {words}"));
                }
                return;
            }
        }
    }

    fn act(&mut self, act: Act, dice: &mut Dice) -> Result<(), Failure> {
        match act {
            Act::Create => self.create(dice).map(drop),
            Act::Edit => {
                let value = word(dice);
                let path = format!("/records/customer/{}/edit", self.record);
                let done = self.browser.submit(&path, &[("f.short_name", &value)]);
                self.note(Deed::Value(self.record.clone(), value), done).map(drop)
            }
            Act::Merge => {
                let (loser, survivor) = (self.create(dice)?, self.create(dice)?);
                let path = format!("/records/customer/{loser}/merge/{survivor}");
                let done = self.browser.submit(&path, &[]);
                self.note(Deed::Merge(loser, survivor), done).map(drop)
            }
            Act::Erase => {
                let name = word(dice);
                let form = [("f.company_name", name.as_str()), ("f.notes", &name), ("anyway", "1")];
                let id = id_in(&self.browser.submit("/records/customer/new", &form)?);
                let path = format!("/records/customer/{id}/erase");
                let done = self.browser.submit(&path, &[("confirm", &id)]);
                self.note(Deed::Erase(name), done).map(drop)
            }
            Act::Enrol => self.enrol(dice),
            Act::Revoke => self.revoke(dice),
        }
    }

    fn create(&mut self, dice: &mut Dice) -> Result<String, Failure> {
        let name = word(dice);
        let form = [("f.company_name", name.as_str()), ("anyway", "1")];
        let done = self.browser.submit("/records/customer/new", &form);
        Ok(id_in(&self.note(Deed::Word(name), done)?))
    }

    fn enrol(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        let name = word(dice);
        let device = self.office.device(&name);
        device.run(&["init"])?;
        let code = self.office.code(&name)?;
        let order = ["enroll", &self.office.url, &code, "--name", &name];
        let done = finish(&mut device.command(&order))?;
        let done = if done.status.success() { Ok(()) } else { Err("not enrolled".into()) };
        self.note(Deed::Enrol(name.clone(), code), done)?;
        self.extras.push(name);
        Ok(())
    }

    /// Turns a device away on which something waits; then it hands that in.
    fn revoke(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        if self.extras.is_empty() {
            self.enrol(dice)?;
        }
        let Some(name) = self.extras.first().cloned() else { return Ok(()) };
        let device = self.office.device(&name);
        let fields = json!({"company_name": "handed in"});
        device.batch(&[json!({"do": "create", "entity": "customer", "fields": fields})])?;
        let id = word_of(&self.office.standing(&name)?, "device");
        let done = self.browser.submit(&format!("/devices/{id}/revoke"), &[]);
        self.note(Deed::Revoke(name), done)?;
        self.extras.remove(0);
        finish(&mut device.command(&["sync"]))?;
        Ok(())
    }

    fn note<T>(&mut self, deed: Deed, done: Result<T, Failure>) -> Result<T, Failure> {
        self.deeds.push((deed, done.is_ok()));
        done
    }
}

fn draw(dice: &mut Dice) -> Act {
    match dice.below(100) {
        0..=39 => Act::Create,
        40..=79 => Act::Edit,
        80..=87 => Act::Merge,
        88..=93 => Act::Erase,
        94..=97 => Act::Enrol,
        _ => Act::Revoke,
    }
}

/// A word that nobody else writes.
pub(super) fn word(dice: &mut Dice) -> String {
    format!("w{:016x}", dice.next())
}

/// The record that an address names.
fn id_in(location: &str) -> String {
    let path = location.split('?').next().unwrap_or_default();
    path.split('/').nth(3).unwrap_or_default().to_owned()
}
