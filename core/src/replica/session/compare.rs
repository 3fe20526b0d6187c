//! What a pull ends with: digests are compared, what differs is fetched whole, and after a recovery of the server
//! what it will not get back is written anew.

use std::io::Read;

use super::{Awaited, Phase, Request, Session, answer::read_message};
use crate::{
    ids::RecordId,
    replica::{Replica, ReplicaError},
    sync::{
        codec::pack,
        frame::{CHECK_PAGE, CheckRequest, CheckResponse, End, FETCH_DOCUMENTS_MAX, FetchRequest},
    },
};

impl Session {
    pub(super) fn after_frames(
        &mut self,
        replica: &mut Replica,
        end: Option<End>,
        is_fetch: bool,
    ) -> Result<(), ReplicaError> {
        if is_fetch {
            return Ok(());
        }
        let Some(end) = end else { return Ok(()) };
        if end.is_more {
            return Ok(());
        }
        // What was found damaged here and could not be made anew.
        let awaited = replica.awaited()?;
        self.missed = awaited.iter().cloned().collect();
        self.fetch_too(awaited)?;
        // After a recovery once more: what was sent again has arrived or never will.
        let checks_max = if self.recovery.is_some() { 2 } else { 1 };
        // A server that has nothing at all names no streams.
        let is_wrong = end.is_held_right == Some(false) || !end.streams.is_empty();
        if self.checks < checks_max && is_wrong {
            self.checks += 1;
            self.to_check = replica.differing_streams(&end.streams)?.into();
        }
        let is_right = end.is_held_right == Some(true)
            || (self.to_check.is_empty() && !end.streams.is_empty());
        if let Some(number) = self.recovery.filter(|_| is_right) {
            replica.note_recovered(number)?;
            self.recovery = None;
        }
        self.phase =
            if self.to_check.is_empty() { Phase::Fetch } else { Phase::Check { after: None } };
        Ok(())
    }

    pub(super) fn check(
        &mut self,
        after: Option<RecordId>,
    ) -> Result<Option<Request>, ReplicaError> {
        let Some(stream) = self.to_check.front() else {
            self.phase = Phase::Fetch;
            return Ok(None);
        };
        self.awaited = Awaited::Check;
        let request = CheckRequest { stream: stream.clone(), after };
        Ok(Some(Request { path: "/v1/check", body: pack(&request)? }))
    }

    pub(super) fn receive_check(
        &mut self,
        replica: &mut Replica,
        body: &mut dyn Read,
    ) -> Result<(), ReplicaError> {
        let response: CheckResponse = read_message(body)?;
        let after = if let Phase::Check { after } = self.phase { after } else { None };
        let Some(stream) = self.to_check.front().cloned() else { return Ok(()) };
        // Pages go on, or a server could have the same ones compared for ever.
        let mut last = after;
        for document in &response.documents {
            if last.is_some_and(|last| last >= document.record) {
                return Err(ReplicaError::Protocol("a page of digests goes back".to_owned()));
            }
            last = Some(document.record);
        }
        if response.documents.len() > CHECK_PAGE {
            return Err(ReplicaError::Protocol("a page of digests is too long".to_owned()));
        }
        let is_last = response.documents.len() < CHECK_PAGE;
        let (differing, only_here) =
            replica.compare_page(&stream, after, &response.documents, is_last)?;
        for name in differing.iter().chain(&only_here) {
            let mut known = replica.acknowledged_of(name)?;
            known.retain(|hash| !self.was_asked.contains(hash));
            if known.is_empty() && self.recovery.is_some() {
                self.lost.insert(name.clone());
            }
            self.asked.extend(known);
        }
        if self.recovery.is_none() {
            replica.may_leave(&only_here)?;
        }
        self.fetch_too(differing)?;
        self.phase = if is_last {
            self.to_check.pop_front();
            Phase::Check { after: None }
        } else {
            Phase::Check { after: response.documents.last().map(|last| last.record) }
        };
        Ok(())
    }

    /// What comes when nothing is to be fetched any more.
    fn after_fetch(&mut self, replica: &mut Replica) -> Result<Phase, ReplicaError> {
        // What the server did not send it does not have at all.
        let lost = std::mem::take(&mut self.lost);
        self.summary.recovered += replica.recover_whole(&lost)?;
        let missed = std::mem::take(&mut self.missed);
        let told = self.hello.as_ref().and_then(|hello| hello.recovery);
        if told.is_none_or(|told| told.is_closed) {
            // Until a recovery is over somebody else may bring it.
            replica.await_no_longer(&missed)?;
        }
        if !self.asked.is_empty() {
            // What the server turned out to lack goes up once more.
            return Ok(Phase::ResendAsked);
        }
        let Some(number) = self.recovery.take().filter(|_| self.checks > 0) else {
            let told = self.hello.as_ref().and_then(|hello| hello.recovery);
            if told.is_some_and(|told| !told.is_closed) && self.checks > 0 && !self.has_tried {
                // There was nothing to send again, which the server waits to hear.
                self.has_tried = true;
                return Ok(Phase::Pull);
            }
            return Ok(Phase::Done);
        };
        replica.note_recovered(number)?;
        self.is_round_needed = true;
        // Nothing waits after the last place: the next step begins another round.
        Ok(Phase::Push { after: i64::MAX })
    }

    pub(super) fn fetch(&mut self, replica: &mut Replica) -> Result<Option<Request>, ReplicaError> {
        if self.to_fetch.is_empty() {
            self.phase = self.after_fetch(replica)?;
            return Ok(None);
        }
        let rest = self.to_fetch.split_off(self.to_fetch.len().min(FETCH_DOCUMENTS_MAX));
        let documents = std::mem::replace(&mut self.to_fetch, rest);
        self.awaited = Awaited::Fetch;
        Ok(Some(Request { path: "/v1/fetch", body: pack(&FetchRequest { documents })? }))
    }
}
