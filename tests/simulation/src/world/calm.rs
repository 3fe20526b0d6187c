//! The network heals: nothing is lost any more, and everybody syncs until nothing moves.

use outrider_core::replica::session::{Session, Summary};

use super::{CALM, World};
use crate::{Failure, dice::Dice};

/// Rounds of undisturbed sessions after which nothing may move any more.
pub(crate) const QUIET_ROUNDS_MAX: usize = 12;
/// Requests of one undisturbed session, at most.
const CALM_REQUESTS_MAX: usize = 400;

impl World {
    /// Everybody syncs until nothing moves any more; whether something still does.
    pub(super) fn calm(&mut self) -> Result<bool, Failure> {
        self.dice = Dice::of_part(self.out.seed, CALM);
        self.trace.note("the network heals");
        for device in &mut self.devices {
            (device.talk, device.away_until) = (None, 0);
        }
        for at in 0..self.devices.len() {
            self.enrol(at)?;
        }
        for round in 0..QUIET_ROUNDS_MAX {
            let mut is_quiet = round > 0;
            for at in 0..self.devices.len() {
                let budget_bytes = if self.dice.percent(50) { 1 } else { 1 << 30 };
                if self.device(at)?.is_revoked {
                    is_quiet &= self.hand_in(at, false)?;
                    continue;
                }
                let summary = self.sync(at, budget_bytes)?;
                let what = format!("syncs: {summary:?}");
                self.note(at, &what);
                is_quiet &= summary.requests == 1 && summary.pulled == 0 && summary.pushed == 0;
                if round == 0 {
                    // What has rotted is found when it is read: everybody looks at everything.
                    self.device(at)?.replica_mut()?.rebuild_rows()?;
                }
            }
            if is_quiet {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One undisturbed session.
    pub(crate) fn sync(&mut self, at: usize, budget_bytes: u64) -> Result<Summary, Failure> {
        let mut session = Session::with_budget(budget_bytes);
        self.out.sessions += 1;
        for _ in 0..CALM_REQUESTS_MAX {
            let device = self.device(at)?;
            let id = device.id.ok_or("the device is not enrolled")?;
            let Some(request) = session.next(device.replica_mut()?)? else {
                return Ok(session.summary().clone());
            };
            self.out.requests += 1;
            let answer = self.ask(id, request.path, &request.body)?;
            let answer = answer.ok_or("the server has no answer")?;
            let named = self.look_at_answer(at, request.path, &request.body, Some(&answer))?;
            let number = self.take_number();
            let server_ms = self.server()?.now_ms;
            let device = self.device(at)?;
            device.tell_time(number);
            device.note_contact(server_ms)?;
            session.receive(device.replica_mut()?, &mut answer.as_slice())?;
            self.acknowledged.extend(named);
            self.scan(at)?;
        }
        Err(format!("one session has more than {CALM_REQUESTS_MAX} requests").into())
    }
}
