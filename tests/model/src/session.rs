//! A conversation, request by request (`core/src/replica/session.rs`).
//!
//! The state after each request is kept, so that a conversation can be cut anywhere: before an
//! answer arrives, or after it. One that is cut is dropped, and the next begins from what is on
//! disk, so other devices may talk between any two requests.

use crate::{
    change::{ChangeId, DocumentName, Set, insert},
    device::{Device, Effect},
    facts::Facts,
    rules::Broken,
    server::Server,
};

/// Requests of one conversation, at most; more is a finding.
pub const REQUESTS_MAX: usize = 40;

/// What a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// What waits goes up.
    Push,
    /// What was acknowledged goes up again.
    Resend,
    /// What changed comes down.
    Pull,
    /// Digests are compared.
    Check,
    /// What differs comes down whole.
    Fetch,
}

/// What a conversation has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Said {
    /// What answers did.
    pub effect: Effect,
    /// Whether the server turned out to be restored.
    pub is_restored: bool,
    /// Erasures that were carried out.
    pub erased: u8,
    /// Documents that were compared and fetched.
    pub fetched: u8,
    /// Whether acknowledged changes went up again.
    pub is_resent: bool,
    /// Whether digests were compared.
    pub is_checked: bool,
    /// Requests.
    pub requests: u8,
}

/// Where both stand after a request.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What was asked.
    pub ask: Ask,
    /// The device as it asks.
    pub asking: Device,
    /// The device, with the answer.
    pub device: Device,
    /// The server.
    pub server: Server,
    /// What was done so far.
    pub said: Said,
}

/// A whole conversation.
#[derive(Debug, Clone)]
pub struct Talk {
    /// Its requests.
    pub stages: Vec<Stage>,
    /// The device at its end.
    pub device: Device,
    /// The server at its end.
    pub server: Server,
    /// What it did.
    pub said: Said,
    /// Whether it has an end.
    pub is_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Push,
    AfterPush,
    Resend,
    ResendAsked,
    Pull,
    Check,
    Fetch,
    Done,
}

struct Session<'f> {
    facts: &'f mut Facts,
    /// The device before it takes the answer of this step.
    asking: Device,
    device: Device,
    server: Server,
    is_withheld: bool,
    asked: Set,
    was_asked: Set,
    is_round_needed: bool,
    is_checked: bool,
    has_tried: bool,
    /// Whether the last answer to a push told that the server lacks what it had acknowledged.
    is_denied: bool,
    to_fetch: Vec<DocumentName>,
    said: Said,
}

/// Lets a device talk to the server until it has nothing more to say.
#[must_use]
pub fn talk(facts: &mut Facts, device: &Device, server: &Server, is_withheld: bool) -> Talk {
    let mut session = Session {
        facts,
        asking: device.clone(),
        device: device.clone(),
        server: server.clone(),
        is_withheld,
        asked: Set::new(),
        was_asked: Set::new(),
        is_round_needed: false,
        is_checked: false,
        has_tried: false,
        is_denied: false,
        to_fetch: Vec::new(),
        said: Said::default(),
    };
    let mut phase = if device.resend.is_some() { Phase::Resend } else { Phase::Push };
    let mut stages = Vec::new();
    while phase != Phase::Done && stages.len() < REQUESTS_MAX {
        session.asking = session.device.clone();
        let (next, ask) = session.step(phase);
        phase = next;
        if let Some(ask) = ask {
            session.said.requests += 1;
            let asking = session.asking.clone();
            let (device, server) = (session.device.clone(), session.server.clone());
            stages.push(Stage { ask, asking, device, server, said: session.said });
        }
    }
    let Session { device, server, said, .. } = session;
    Talk { stages, device, server, said, is_ended: phase == Phase::Done }
}

impl Session<'_> {
    fn step(&mut self, phase: Phase) -> (Phase, Option<Ask>) {
        match phase {
            Phase::Push => self.push(),
            Phase::AfterPush => (self.after_push(), None),
            Phase::Resend => self.resend(),
            Phase::ResendAsked => self.resend_asked(),
            Phase::Pull => self.pull(),
            Phase::Check => self.check(),
            Phase::Fetch => self.fetch(),
            Phase::Done => (Phase::Done, None),
        }
    }

    fn send(&mut self, batch: &[ChangeId]) -> Vec<crate::server::Answer> {
        let pushed = self.device.pushed;
        let is_known = pushed.is_none_or(|pushed| self.server.knows(self.facts, pushed));
        self.is_denied = !is_known && self.facts.broken != Broken::CursorBelieved;
        let answers = self.server.push(self.facts, batch, self.device.prefix, self.is_withheld);
        self.device.pushed = Some((self.server.position, self.server.chain));
        answers
    }

    /// What comes next, unless the server turned out to be restored; once in a conversation.
    fn unless_denied(&mut self, next: Phase) -> Phase {
        if !self.is_denied || self.said.is_restored {
            return next;
        }
        self.said.is_restored = true;
        self.device.reset_cursor(self.facts);
        Phase::Resend
    }

    fn push(&mut self) -> (Phase, Option<Ask>) {
        let batch: Vec<ChangeId> = self.device.waiting().map(|own| own.change).collect();
        if batch.is_empty() {
            return (Phase::AfterPush, None);
        }
        let answers = self.send(&batch);
        let mut effect = self.said.effect;
        effect.is_round_needed = false;
        let mut asked = Set::new();
        for (change, answer) in batch.iter().zip(&answers) {
            self.device.take_answer(self.facts, *change, answer, &mut effect, &mut asked);
        }
        self.is_round_needed |= effect.is_round_needed;
        self.said.effect = effect;
        self.ask_for(&asked);
        (self.unless_denied(Phase::AfterPush), Some(Ask::Push))
    }

    fn ask_for(&mut self, changes: &[ChangeId]) {
        for change in changes {
            if !self.was_asked.contains(change) {
                insert(&mut self.asked, *change);
            }
        }
    }

    fn after_push(&mut self) -> Phase {
        if !self.asked.is_empty() {
            return Phase::ResendAsked;
        }
        if std::mem::take(&mut self.is_round_needed) { Phase::Push } else { Phase::Pull }
    }

    fn resend(&mut self) -> (Phase, Option<Ask>) {
        let after = usize::from(self.device.resend.unwrap_or(0));
        let acknowledged = self.device.own.iter().enumerate().skip(after);
        let batch: Vec<(usize, ChangeId)> = acknowledged
            .filter(|(_, own)| own.base.is_none())
            .map(|(at, own)| (at, own.change))
            .collect();
        let Some((last, _)) = batch.last() else {
            self.device.resend = None;
            return (Phase::Push, None);
        };
        let passed = u8::try_from(last + 1).ok();
        let changes: Vec<ChangeId> = batch.iter().map(|(_, change)| *change).collect();
        self.send_again(&changes);
        self.device.resend = passed;
        self.said.is_resent = true;
        (self.unless_denied(Phase::Resend), Some(Ask::Resend))
    }

    fn resend_asked(&mut self) -> (Phase, Option<Ask>) {
        let asked = std::mem::take(&mut self.asked);
        for change in &asked {
            insert(&mut self.was_asked, *change);
        }
        self.is_round_needed = true;
        self.has_tried = true;
        let known = self.device.acknowledged().map(|own| own.change);
        let batch: Vec<ChangeId> = known.filter(|change| asked.contains(change)).collect();
        if batch.is_empty() || self.facts.broken == Broken::NothingSentAgain {
            return (Phase::AfterPush, None);
        }
        self.send_again(&batch);
        self.said.is_resent = true;
        (self.unless_denied(Phase::AfterPush), Some(Ask::Resend))
    }

    fn send_again(&mut self, batch: &[ChangeId]) {
        let answers = self.send(batch);
        for (change, answer) in batch.iter().zip(&answers) {
            if self.device.take_resent(self.facts, *change, answer) {
                self.said.effect.forked += 1;
                self.is_round_needed = true;
            }
        }
    }

    fn pull(&mut self) -> (Phase, Option<Ask>) {
        let cursor = (self.device.position, self.device.chain);
        let (prefix, reached) = (self.device.prefix, self.device.reached());
        let is_believed = self.facts.broken == Broken::CursorBelieved;
        let places = (cursor, self.device.pushed);
        let Some(pulled) = self.server.pull(self.facts, places, prefix, reached) else {
            self.said.is_restored = true;
            self.server.is_recovering = true;
            self.device.reset_cursor(self.facts);
            return (Phase::Resend, Some(Ask::Pull));
        };
        // It is told of a recovery that it may know nothing of.
        self.server.is_recovering |= self.device.is_cursor_lost;
        let was_same = {
            let (theirs, mine) = self.device.differing(&self.server);
            theirs.is_empty() && mine.is_empty()
        };
        self.said.erased += u8::try_from(pulled.erasures.len()).unwrap_or(0);
        let needs_whole = self.device.take_pulled(self.facts, &pulled);
        self.to_fetch.extend(needs_whole);
        self.to_fetch.extend(self.device.awaited());
        // The last word has digests, if the device said others, or had no cursor.
        let has_digests = !was_same || cursor.0 == 0;
        if !self.is_checked && has_digests && !is_believed {
            self.is_checked = true;
            let (theirs, mine) = self.device.differing(&self.server);
            if !theirs.is_empty() || !mine.is_empty() {
                return (Phase::Check, Some(Ask::Pull));
            }
        }
        (Phase::Fetch, Some(Ask::Pull))
    }

    fn check(&mut self) -> (Phase, Option<Ask>) {
        let (theirs, mine) = self.device.differing(&self.server);
        let is_among =
            |document: DocumentName| theirs.contains(&document) || mine.contains(&document);
        let known = self.device.acknowledged().filter(|own| is_among(own.document));
        let known: Vec<ChangeId> = known.map(|own| own.change).collect();
        self.ask_for(&known);
        self.to_fetch.extend(theirs);
        self.said.is_checked = true;
        (Phase::Fetch, Some(Ask::Check))
    }

    fn fetch(&mut self) -> (Phase, Option<Ask>) {
        let documents = std::mem::take(&mut self.to_fetch);
        if documents.is_empty() {
            if !self.asked.is_empty() {
                return (Phase::ResendAsked, None);
            }
            // There was nothing to send again, which the server waits to hear.
            let is_due = self.server.is_recovering && self.is_checked && !self.has_tried;
            self.has_tried |= is_due;
            return (if is_due { Phase::Pull } else { Phase::Done }, None);
        }
        for document in documents {
            if let Some(frame) = self.server.whole(document) {
                self.device.take_frame(self.facts, &frame);
                self.said.fetched += 1;
            }
        }
        (Phase::Fetch, Some(Ask::Fetch))
    }
}
