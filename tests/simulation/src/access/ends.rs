//! What ends: devices and users that the office turns away and lets in again, and persons who are
//! erased.

use outrider_core::{
    ids::RecordId,
    sync::{
        frame::{Answer, Outcome},
        tokens::ErasedAnswer,
    },
};
use outrider_sync_server::{
    access::policy_of,
    devices::{
        Bar, review,
        standing::{revoke, set_user_disabled},
    },
    office::{self, EraseError},
    storage::Storage as _,
};

use super::phones::World;
use crate::Failure;

/// Devices of a town that are turned away for good, at most: somebody has to stay.
const REVOKED_MAX: usize = 1;

impl World {
    /// What stands between a phone and the office.
    pub(super) fn bar(&self, at: usize) -> Result<Option<Bar>, Failure> {
        let phone = self.phones.get(at).ok_or("no such phone")?;
        let standing = self.town.storage.read()?.standing(phone.known.id)?;
        Ok(standing.and_then(|standing| Bar::of(&standing)))
    }

    /// The office turns a user away, or lets one in again; now and then a device, for good.
    pub(super) fn turn_away(&mut self, at: usize) -> Result<String, Failure> {
        self.town.now_ms += 1;
        let bar = self.bar(at)?;
        let phone = self.phones.get(at).ok_or("no such phone")?;
        let (storage, now_ms) = (&self.town.storage, self.town.now_ms);
        if bar.is_none() && self.revoked < REVOKED_MAX && self.town.dice.percent(25) {
            self.revoked += 1;
            revoke(storage, phone.known.id, now_ms)?;
            return Ok("is turned away for good".to_owned());
        }
        let is_disabled = bar != Some(Bar::UserDisabled);
        set_user_disabled(storage, &phone.known.user, is_disabled, now_ms)?;
        Ok(format!("its user is turned away: {is_disabled}"))
    }

    /// What a phone does that was turned away: it hands in what waits, and lets go of everything
    /// when the office has it. The answers may be lost on the way.
    pub(super) fn hand_in(&mut self, at: usize, may_be_cut: bool) -> Result<String, Failure> {
        let number = self.number;
        self.town.now_ms += 1;
        let phone = self.phones.get_mut(at).ok_or("no such phone")?;
        phone.device.tell_time(number);
        let mut answers: Vec<Answer> = Vec::new();
        let mut after = 0;
        while let Some(batch) = phone.device.replica()?.next_push(after)? {
            let (storage, now_ms) = (&self.town.storage, self.town.now_ms);
            answers.extend(review::keep(storage, &phone.known, &batch.request, now_ms)?.answers);
            after = batch.last_id;
            if may_be_cut && self.town.dice.percent(30) {
                self.out.faults += 1;
                return Ok("is cut off while it hands in".to_owned());
            }
        }
        let is_kept = |answer: &Answer| !matches!(answer.outcome, Outcome::Retry(_));
        let is_all = answers.iter().all(is_kept);
        phone.device.replica_mut()?.take_reviewed(&answers)?;
        let gone = if is_all { phone.device.replica_mut()?.let_go()? } else { 0 };
        let through = phone.device.replica()?.erased_through()?;
        let erased = self.town.storage.read()?.erasures_after(through)?.into_iter();
        let erased = erased.map(|one| ErasedAnswer { number: one.number, record: one.record });
        phone.device.replica_mut()?.take_erasures(&erased.collect::<Vec<_>>())?;
        Ok(format!("hands in {} edits, and lets go of {gone} records", answers.len()))
    }

    /// The administrator erases a person.
    pub(super) fn erase(&mut self) -> Result<String, Failure> {
        let persons = self.town.persons(office::PERSONS);
        let Some(record) = self.town.dice.pick(&persons).copied() else {
            return Ok("nobody to erase".to_owned());
        };
        self.town.now_ms += 1;
        let author = self.town.author(self.boss)?;
        let policy = policy_of(&*self.town.storage.read()?)?;
        let (storage, now_ms) = (&self.town.storage, self.town.now_ms);
        match office::erase(storage, &policy, &author, record, now_ms) {
            Ok(erased) => {
                let records: Vec<RecordId> = erased.erasures.iter().map(|one| one.record).collect();
                self.town.forget(&records);
                self.erased.extend(&records);
                Ok(format!("erases {records:?}"))
            }
            Err(EraseError::Office(error)) => Err(error.into()),
            Err(error) => Ok(format!("does not erase: {error}")),
        }
    }
}
