//! What happens to the server, and what the office decides: backups and restores, fields that are
//! withheld, devices that come and go, persons who are erased.

use std::collections::BTreeSet;

use outrider_core::{
    ids::DocumentId,
    schema::{Entity, Field, Schema, sample},
    store::meta::Enrolment,
    sync::{
        frame::{Answer, Outcome},
        tokens::ErasedAnswer,
    },
};
use outrider_sync_server::{
    access::policy_of,
    devices::{review, standing::revoke},
    office::{self, EraseError},
};

use super::{World, is_full};
use crate::{
    Failure,
    device::{DAY_MS, draw_skew},
    dice::Dice,
    verdict::{history_of, shown::Shown},
};

/// Fields that the office withholds at once, at most.
const WITHHELD_MAX: usize = 3;
/// Backups of the server that are kept, at most.
const BACKUPS_MAX: usize = 3;
/// Restores of one server, at most.
const RESTORES_MAX: u64 = 4;
/// Devices that have to stay.
const STAYING: usize = 2;
/// Records that are erased in one run, at most.
const ERASED_MAX: usize = 6;
/// Pages that the server's full disk has left, at most.
const PAGES_LEFT_MAX: usize = 6;

/// A field that devices may write, and that the office withholds now and then: mostly one of those
/// that people edit often.
fn draw_withheld(dice: &mut Dice) -> Option<(&'static str, &'static str)> {
    let entities: Vec<&'static Entity> = Schema::builtin().entities().collect();
    let entity = dice.pick(&entities).copied()?;
    let fields: Vec<&'static Field> =
        entity.fields.iter().filter(|field| sample::is_by_person(field)).collect();
    let from = if dice.percent(60) { fields.get(..6).unwrap_or(&fields) } else { &fields };
    let field = dice.pick(from)?;
    Some((entity.name.as_str(), field.name.as_str()))
}

impl World {
    pub(super) fn restart_server(&mut self) -> Result<(), Failure> {
        self.out.fault("server_killed");
        self.trace.note("the server is restarted");
        self.replace_server(|server, dice| server.restart(dice))
    }

    pub(super) fn upgrade_server(&mut self) -> Result<(), Failure> {
        if !self.scene.is_mixed {
            return Ok(());
        }
        self.trace.note("the server gets the newest version");
        self.replace_server(|server, dice| server.upgrade(dice))
    }

    pub(super) fn back_up_server(&mut self) -> Result<(), Failure> {
        if !self.scene.is_restoring || self.backups.len() >= BACKUPS_MAX {
            return Ok(());
        }
        self.trace.note("the server is backed up");
        let to = self.new_folder();
        self.replace_server(|server, dice| server.back_up(&to, dice))?;
        self.backups.push(to);
        Ok(())
    }

    /// The server's disk is lost. What devices had sent since the backup they send again.
    pub(super) fn restore_server(&mut self) -> Result<(), Failure> {
        if self.backups.is_empty() || self.out.restores >= RESTORES_MAX {
            return Ok(());
        }
        // A backup can be put back more than once.
        let place = self.dice.below(usize::from(u16::MAX)) % self.backups.len();
        let Some(from) = self.backups.get(place).cloned() else { return Ok(()) };
        let is_announced = self.scene.is_announced(&mut self.dice);
        let there = history_of(self.server()?)?;
        self.once_there.extend(there);
        self.out.fault("server_restored");
        let how = if is_announced { "and marked" } else { "as if nothing had happened" };
        self.trace.note(&format!("the server is restored from backup {place}, {how}"));
        if self.scene.keeps_values() {
            self.shown.push(Shown::read(&self.devices)?);
        }
        let to = self.new_folder();
        self.replace_server(|server, dice| server.restore(&from, to, is_announced, dice))?;
        self.out.restores += 1;
        self.overtake()
    }

    /// Some devices come late, so that the others overtake what these had seen.
    fn overtake(&mut self) -> Result<(), Failure> {
        for at in 0..self.devices.len() {
            if self.dice.percent(35) {
                self.go_away(at)?;
            }
        }
        Ok(())
    }

    pub(super) fn change_policy(&mut self) -> Result<(), Failure> {
        if !self.scene.policy_moves {
            return Ok(());
        }
        let Some(field) = draw_withheld(&mut self.dice) else { return Ok(()) };
        let server = self.server_mut()?;
        let count = server.withheld.len();
        server.withheld.retain(|known| *known != field);
        let is_withheld = server.withheld.len() == count && count < WITHHELD_MAX;
        if is_withheld {
            server.withheld.push(field);
        }
        self.trace.note(&format!("{field:?} is withheld: {is_withheld}"));
        Ok(())
    }

    pub(super) fn move_clock_of_server(&mut self) -> Result<(), Failure> {
        let by_ms = draw_skew(&mut self.dice);
        let server = self.server_mut()?;
        // Never before there were records.
        server.now_ms = (server.now_ms + by_ms).max(DAY_MS);
        self.out.fault("server_clock");
        self.trace.note(&format!("the server's clock jumps by {} days", by_ms / DAY_MS));
        Ok(())
    }

    /// For the time of a few steps of a session the server's disk has no more room.
    pub(super) fn fill_disk_of_server(&mut self, at: usize) -> Result<(), Failure> {
        let left = u32::try_from(self.dice.below(PAGES_LEFT_MAX)).unwrap_or(0);
        self.server()?.limit_growth(Some(left))?;
        let done = (0..4).try_for_each(|_| self.talk(at));
        self.server()?.limit_growth(None)?;
        match done {
            Err(error) if is_full(&*error) => {
                self.out.fault("server_disk_full");
                Ok(())
            }
            done => done,
        }
    }

    pub(super) fn enrol(&mut self, at: usize) -> Result<(), Failure> {
        let number = self.take_number();
        let device = self.devices.get_mut(at).ok_or("there is no such device")?;
        if device.id.is_some() {
            return Ok(());
        }
        device.tell_time(number);
        let (name, key) = (device.name.clone(), device.replica()?.public_key());
        let server = self.server.as_mut().ok_or("the server is down")?;
        let enrolled = server.enrol(&name, key, &mut self.dice)?;
        device.take_enrolment(&Enrolment {
            url: "http://office".to_owned(),
            device: enrolled.id,
            user: enrolled.user,
            prefix: enrolled.prefix,
            token: "token".to_owned(),
            user_record: None,
            ca: None,
        })?;
        self.note(at, "is enrolled");
        self.scan(at)
    }

    /// The office turns a device away for good.
    pub(super) fn revoke(&mut self, at: usize) -> Result<(), Failure> {
        let is_active = |id| self.devices.iter().any(|one| one.id == Some(id) && !one.is_revoked);
        let active: BTreeSet<_> =
            self.devices.iter().filter_map(|one| one.id).filter(|id| is_active(*id)).collect();
        let Some(id) = self.devices.get(at).and_then(|device| device.id) else { return Ok(()) };
        if !self.scene.things_end || active.len() <= STAYING || !active.contains(&id) {
            return Ok(());
        }
        let server = self.server_mut()?;
        server.now_ms += 1;
        revoke(server.storage(), id, server.now_ms)?;
        for device in self.devices.iter_mut().filter(|device| device.id == Some(id)) {
            (device.is_revoked, device.talk) = (true, None);
        }
        self.out.fault("device_revoked");
        self.note(at, "is turned away for good");
        Ok(())
    }

    /// What a device does that was turned away: it hands in what waits, and lets go of everything
    /// when the office has it. The answers may be lost on the way. Whether all is handed in.
    pub(super) fn hand_in(&mut self, at: usize, may_be_cut: bool) -> Result<bool, Failure> {
        let number = self.take_number();
        let Self { server, devices, dice, .. } = self;
        let server = server.as_mut().ok_or("the server is down")?;
        let device = devices.get_mut(at).ok_or("there is no such device")?;
        let id = device.id.ok_or("the device is not enrolled")?;
        let (known, bar) = (server.device(id)?, server.bar(id)?);
        if bar.is_none() {
            return Err(format!("{} was turned away, and is let in again", device.name).into());
        }
        server.now_ms += 1;
        device.tell_time(number);
        let mut answers: Vec<Answer> = Vec::new();
        let mut after = 0;
        while let Some(batch) = device.replica()?.next_push(after)? {
            let kept = review::keep(server.storage(), &known, &batch.request, server.now_ms);
            match kept {
                // It is a full disk for the server, and a lost answer for the device.
                Err(error) if is_full(&error) => return Ok(false),
                kept => answers.extend(kept?.answers),
            }
            after = batch.last_id;
            if may_be_cut && dice.percent(30) {
                self.out.fault("review_cut");
                self.note(at, "is cut off while it hands in");
                return Ok(false);
            }
        }
        let is_all = !answers.iter().any(|answer| matches!(answer.outcome, Outcome::Retry(_)));
        device.replica_mut()?.take_reviewed(&answers)?;
        let gone = if is_all { device.replica_mut()?.let_go()? } else { 0 };
        let through = device.replica()?.erased_through()?;
        let erased = server.storage().read()?.erasures_after(through)?.into_iter();
        let erased: Vec<ErasedAnswer> =
            erased.map(|one| ErasedAnswer { number: one.number, record: one.record }).collect();
        device.replica_mut()?.take_erasures(&erased)?;
        let what = format!("hands in {} edits, and lets go of {gone} records", answers.len());
        self.note(at, &what);
        Ok(is_all)
    }

    /// Somebody at the office erases a person.
    pub(super) fn erase(&mut self) -> Result<(), Failure> {
        if !self.scene.things_end || self.erased.len() >= ERASED_MAX {
            return Ok(());
        }
        let record = {
            let read = self.server()?.storage().read()?;
            let mut persons = Vec::new();
            for record in &self.records {
                if let Some((entity, _)) = office::documents(&*read, *record)?
                    && office::PERSONS.contains(&entity.name.as_str())
                {
                    persons.push(*record);
                }
            }
            drop(read);
            self.dice.pick(&persons).copied()
        };
        let Some(record) = record else { return Ok(()) };
        let server = self.server_mut()?;
        server.now_ms += 1;
        let now_ms = server.now_ms;
        let author = server.author("Zhao", now_ms)?;
        let policy = policy_of(&*server.storage().read()?)?;
        match office::erase(server.storage(), &policy, &author, record, now_ms) {
            Ok(erased) => {
                let records: Vec<_> = erased.erasures.iter().map(|one| one.record).collect();
                self.trace.note(&format!("the office erases {records:?}"));
                self.erased.extend(records);
                self.out.fault("person_erased");
                Ok(())
            }
            Err(error @ EraseError::Office(_)) => Err(error.into()),
            Err(error) => {
                self.trace.note(&format!("the office does not erase: {error}"));
                Ok(())
            }
        }
    }

    /// Whether a document belongs to a record that was erased.
    pub(crate) fn is_erased(&self, id: &DocumentId) -> bool {
        self.erased.contains(&id.record)
    }
}
