//! A device: what it holds, what it wrote, and what answers do (`core/src/replica`).

use crate::{
    change::{
        Actor, Change, ChangeId, DocumentName, Edit, EditId, Key, Kind, Op, PROVISIONAL, Set, Slot,
        insert, unite,
    },
    facts::{Facts, LinkId},
    rewrite::{Pending, rewrite},
    rules::Broken,
    server::{Answer, Erasure, Frame, Pulled, Server},
};

/// The last change that a device wrote in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Last {
    /// Under which actor.
    pub actor: Actor,
    /// Its number.
    pub seq: u8,
    /// The change.
    pub change: ChangeId,
}

/// A document on a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// How often it was begun anew.
    pub generation: u8,
    /// What the server is known to have.
    pub confirmed: Set,
    /// The last change that was written here, if that is known.
    pub last: Option<Last>,
    /// Whether it waits for the server's copy: another has a number that was acknowledged here.
    pub is_awaited: bool,
}

/// A change of this device's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnChange {
    /// The change.
    pub change: ChangeId,
    /// Of which document.
    pub document: DocumentName,
    /// While it waits: what was confirmed when it was written. None once it is acknowledged.
    pub base: Option<Set>,
}

/// What was refused, until a person dismisses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refusal {
    /// The edit.
    pub edit: EditId,
    /// Its keys that were refused.
    pub keys: Vec<Key>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Its place.
    pub slot: Slot,
    /// What the server gave it, or what it drew before.
    pub prefix: u8,
    /// How many suffixes it drew.
    pub draws: u8,
    /// The actor under which documents are gone on with that it never wrote in; none while it was
    /// drawn and never used.
    pub standard: Option<Actor>,
    /// Edits that were ever typed on it: a backup that is put back does not undo that.
    pub made: Vec<EditId>,
    /// By document what it holds.
    pub documents: Vec<Option<Held>>,
    /// Its changes in the order of writing.
    pub own: Vec<OwnChange>,
    /// What was refused, ascending.
    pub inbox: Vec<Refusal>,
    /// Its cursor.
    pub position: u8,
    /// The chain there.
    pub chain: Option<LinkId>,
    /// Where the server stood when it last answered a push.
    pub pushed: Option<(u8, Option<LinkId>)>,
    /// Whether a server did not know its place, and none has told of a recovery since.
    pub is_cursor_lost: bool,
    /// After how many of its changes it goes on to send acknowledged ones again.
    pub resend: Option<u8>,
    /// Erasures that it carried out.
    pub erased: Vec<Erasure>,
}

/// What answers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Effect {
    /// Changes that are in the history now.
    pub applied: u8,
    /// Changes that were there.
    pub duplicates: u8,
    /// Changes that were refused, or whose record is no more.
    pub refused: u8,
    /// Changes whose number was taken.
    pub forked: u8,
    /// Changes that wait on.
    pub waiting: u8,
    /// Whether sending again at once may do more.
    pub is_round_needed: bool,
}

impl Device {
    /// A device that holds nothing.
    #[must_use]
    pub fn new(slot: Slot, documents: usize, is_enrolled: bool) -> Self {
        Self {
            slot,
            prefix: if is_enrolled { slot } else { PROVISIONAL + slot },
            draws: 0,
            standard: None,
            made: Vec::new(),
            documents: vec![None; documents],
            own: Vec::new(),
            inbox: Vec::new(),
            position: 0,
            chain: None,
            pushed: None,
            is_cursor_lost: false,
            resend: None,
            erased: Vec::new(),
        }
    }

    /// Whether it has an enrolment.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.prefix < PROVISIONAL
    }

    /// What it holds of a document.
    #[must_use]
    pub fn held(&self, document: DocumentName) -> Option<&Held> {
        self.documents.get(usize::from(document))?.as_ref()
    }

    fn held_mut(&mut self, document: DocumentName) -> Option<&mut Held> {
        self.documents.get_mut(usize::from(document))?.as_mut()
    }

    fn set_held(&mut self, document: DocumentName, held: Option<Held>) {
        if let Some(place) = self.documents.get_mut(usize::from(document)) {
            *place = held;
        }
    }

    /// Its waiting changes.
    pub fn waiting(&self) -> impl Iterator<Item = &OwnChange> {
        self.own.iter().filter(|own| own.base.is_some())
    }

    /// Its acknowledged changes.
    pub fn acknowledged(&self) -> impl Iterator<Item = &OwnChange> {
        self.own.iter().filter(|own| own.base.is_none())
    }

    /// What its user sees of a document.
    #[must_use]
    pub fn visible(&self, facts: &Facts, document: DocumentName) -> Set {
        let Some(held) = self.held(document) else { return Set::new() };
        let mut set = held.confirmed.clone();
        for own in self.waiting().filter(|own| own.document == document) {
            if facts.changes.get(own.change).generation == held.generation {
                insert(&mut set, own.change);
            }
        }
        set
    }

    /// The highest number of an erasure that it carried out.
    #[must_use]
    pub fn reached(&self) -> u8 {
        self.erased.iter().map(|erasure| erasure.number).max().unwrap_or(0)
    }

    fn draw(&mut self) -> Actor {
        self.draws += 1;
        Actor { prefix: self.prefix, slot: self.slot, draw: self.draws }
    }

    /// Whether an edit of the document can be typed here.
    #[must_use]
    pub fn may_write(&self, document: DocumentName) -> bool {
        !self.erased.iter().any(|erasure| erasure.document == document)
    }

    /// The actor under which the next change of a document is written.
    fn actor_for(&mut self, facts: &Facts, document: DocumentName) -> Actor {
        let Some(held) = self.held(document) else { return self.draw() };
        let last = held.last;
        let clock = facts.view(&self.visible(facts, document)).clock;
        if let Some(last) = last
            && clock.get(&last.actor).is_some_and(|seen| seen.seq == last.seq)
        {
            return last.actor;
        }
        let standard = match self.standard {
            Some(standard) => standard,
            None => self.draw(),
        };
        self.standard = Some(standard);
        let is_used =
            clock.contains_key(&standard) || last.is_some_and(|last| last.actor == standard);
        if is_used { self.draw() } else { standard }
    }

    /// Somebody types.
    pub fn write(&mut self, facts: &mut Facts, document: DocumentName, kind: Kind) {
        let is_new = self.held(document).is_none();
        let actor = self.actor_for(facts, document);
        let set = self.visible(facts, document);
        let view = facts.view(&set);
        let begun: &[Key] = if is_new { &[Key::Name] } else { &[] };
        let keys: Vec<Key> = begun.iter().chain(kind.keys()).copied().collect();
        let number = u8::try_from(self.made.len()).unwrap_or(u8::MAX) + 1;
        let edit =
            Edit { slot: self.slot, number, document, keys: keys.clone(), seen: view.edits() };
        let edit = facts.edits.name(edit);
        let mut held = self.held(document).cloned().unwrap_or(Held {
            generation: 0,
            confirmed: Set::new(),
            last: None,
            is_awaited: false,
        });
        let seen = view.clock.get(&actor).map_or(0, |seen| seen.seq);
        let mut deps = view.heads();
        if let Some(last) = held.last.filter(|last| seen > 0 && last.actor == actor) {
            insert(&mut deps, last.change);
        }
        let op = |key: &Key| Op { key: *key, edit: Some(edit), pred: view.names(*key) };
        let change = Change {
            document,
            generation: held.generation,
            actor,
            seq: seen + 1,
            start: view.max_op() + 1,
            deps,
            ops: keys.iter().map(op).collect(),
        };
        let seq = change.seq;
        let change = facts.write(change, &view);
        held.last = Some(Last { actor, seq, change });
        let base = Some(held.confirmed.clone());
        self.own.push(OwnChange { change, document, base });
        self.made.push(edit);
        self.set_held(document, Some(held));
    }

    /// Removes own changes; how far sending again has come follows.
    fn remove_own(&mut self, is_gone: impl Fn(&OwnChange) -> bool) {
        if let Some(resend) = self.resend {
            let before = self.own.iter().take(resend.into()).filter(|own| is_gone(own)).count();
            self.resend = Some(resend.saturating_sub(u8::try_from(before).unwrap_or(0)));
        }
        self.own.retain(|own| !is_gone(own));
    }

    /// Takes what the server says of a change.
    pub fn take_answer(
        &mut self,
        facts: &mut Facts,
        change: ChangeId,
        answer: &Answer,
        effect: &mut Effect,
        asked: &mut Set,
    ) {
        let Some(own) = self.waiting().find(|own| own.change == change).cloned() else { return };
        match answer {
            Answer::Applied => {
                effect.applied += 1;
                self.confirm(&own);
            }
            Answer::Duplicate => {
                effect.duplicates += 1;
                self.confirm(&own);
            }
            Answer::Refused(keys) => {
                effect.refused += 1;
                effect.is_round_needed = true;
                self.rewrite(facts, own.document, Some((change, keys)));
            }
            Answer::Forked => {
                effect.forked += 1;
                effect.is_round_needed = true;
                self.rewrite(facts, own.document, None);
            }
            Answer::Erased => {
                effect.refused += 1;
                self.take_back(facts, own.document);
            }
            Answer::Pending(missing) => {
                effect.waiting += 1;
                let has =
                    |missing: &ChangeId| self.acknowledged().any(|own| own.change == *missing);
                if missing.iter().any(has) {
                    let of = self.acknowledged().filter(|known| known.document == own.document);
                    asked.extend(of.map(|own| own.change));
                }
                if facts.broken == Broken::PendingDropped {
                    self.remove_own(|known| known.change == change);
                }
            }
        }
    }

    /// Takes the answer to an acknowledged change that was sent again. If its number is another's at the
    /// server, it is written anew with everything that follows it, and the document waits for the
    /// server's copy. Whether that is so.
    pub fn take_resent(&mut self, facts: &mut Facts, change: ChangeId, answer: &Answer) -> bool {
        let known = self.acknowledged().find(|own| own.change == change).cloned();
        let (Some(parted), Answer::Forked) = (known, answer) else { return false };
        let document = parted.document;
        let first = facts.changes.get(change);
        let mut taken = Set::new();
        for own in self.own.iter_mut().filter(|own| own.document == document) {
            let written = facts.changes.get(own.change);
            let is_later = written.actor == first.actor && written.start >= first.start;
            if is_later || written.deps.iter().any(|dep| taken.contains(dep)) {
                insert(&mut taken, own.change);
                own.base.get_or_insert_with(|| facts.past(&written.deps));
            }
            if let Some(base) = &mut own.base {
                base.retain(|known| !taken.contains(known));
            }
        }
        let Some(held) = self.held_mut(document) else { return false };
        held.confirmed.retain(|known| !taken.contains(known));
        held.is_awaited = true;
        self.rewrite(facts, document, None);
        true
    }

    /// Documents that wait for the server's copy.
    pub fn awaited(&self) -> Vec<DocumentName> {
        let held = (0..).zip(&self.documents);
        let is_awaited = |held: &Option<Held>| held.as_ref().is_some_and(|held| held.is_awaited);
        held.filter(|(_, held)| is_awaited(held)).map(|(name, _)| name).collect()
    }

    fn confirm(&mut self, own: &OwnChange) {
        let (change, document) = (own.change, own.document);
        for known in self.own.iter_mut().filter(|known| known.document == document) {
            if known.change == change {
                known.base = None;
            } else if let Some(base) = &mut known.base {
                insert(base, change);
            }
        }
        if let Some(held) = self.held_mut(document) {
            insert(&mut held.confirmed, change);
        }
    }

    /// Writes all waiting changes of a document anew, without the refused keys of one.
    fn rewrite(
        &mut self,
        facts: &mut Facts,
        document: DocumentName,
        refused: Option<(ChangeId, &Vec<Key>)>,
    ) {
        let Some(held) = self.held(document).cloned() else { return };
        let waiting = self.waiting().filter(|own| own.document == document);
        let mut pending: Vec<Pending> = waiting
            .map(|own| {
                let base = own.base.clone().unwrap_or_default();
                Pending { change: own.change, base, dropped: Vec::new() }
            })
            .collect();
        // A refusal of all takes with it what was written on top, if nothing is confirmed.
        let mut takes_all = false;
        for one in &mut pending {
            let change = facts.changes.get(one.change);
            let all = || change.ops.iter().map(|op| op.key).collect::<Vec<Key>>();
            if let Some((culprit, keys)) = refused {
                if culprit == one.change {
                    one.dropped = if keys.is_empty() { all() } else { keys.clone() };
                    takes_all = keys.is_empty() && held.confirmed.is_empty();
                } else if takes_all {
                    one.dropped = all();
                }
            }
            self.keep_refused(facts, &change, &one.dropped);
        }
        let (actor, seq) = match (facts.broken, held.last) {
            (Broken::SuffixReused, Some(last)) => {
                let clock = facts.view(&held.confirmed).clock;
                (last.actor, clock.get(&last.actor).map_or(0, |seen| seen.seq))
            }
            _ => (self.draw(), 0),
        };
        let successors = rewrite(facts, &held.confirmed, &pending, (actor, seq));
        for (one, successor) in pending.iter().zip(&successors) {
            match successor {
                Some(successor) => {
                    for own in self.own.iter_mut().filter(|own| own.change == one.change) {
                        own.change = *successor;
                    }
                }
                None => self.remove_own(|own| own.change == one.change),
            }
        }
        self.standard = None;
        let last = successors.iter().flatten().next_back().map(|change| {
            let written = facts.changes.get(*change);
            Last { actor: written.actor, seq: written.seq, change: *change }
        });
        let is_left = last.is_some() || !held.confirmed.is_empty();
        self.set_held(document, is_left.then_some(Held { last, ..held }));
    }

    fn keep_refused(&mut self, facts: &Facts, change: &Change, keys: &[Key]) {
        if facts.broken == Broken::RefusedDropped {
            return;
        }
        let mut refused: Vec<Refusal> = Vec::new();
        for op in change.ops.iter().filter(|op| keys.contains(&op.key)) {
            let Some(edit) = op.edit else { continue };
            match refused.iter_mut().find(|known| known.edit == edit) {
                Some(known) => known.keys.push(op.key),
                None => refused.push(Refusal { edit, keys: vec![op.key] }),
            }
        }
        self.inbox.extend(refused);
        self.inbox.sort();
    }

    /// What waits of an erased document goes into the inbox.
    fn take_back(&mut self, facts: &Facts, document: DocumentName) {
        let waiting = self.waiting().filter(|own| own.document == document);
        let changes: Vec<ChangeId> = waiting.map(|own| own.change).collect();
        for change in &changes {
            let change = facts.changes.get(*change);
            let keys: Vec<Key> = change.ops.iter().map(|op| op.key).collect();
            self.keep_refused(facts, &change, &keys);
        }
        self.remove_own(|own| changes.contains(&own.change));
        self.standard = None;
        if let Some(held) = self.held_mut(document) {
            if !changes.is_empty() {
                held.last = None;
            }
            if held.confirmed.is_empty() {
                self.set_held(document, None);
            }
        }
    }

    /// The server does not know the cursor.
    pub fn reset_cursor(&mut self, facts: &Facts) {
        (self.position, self.chain) = (0, None);
        self.pushed = None;
        self.is_cursor_lost = true;
        self.resend = (facts.broken != Broken::NothingSentAgain).then_some(0);
    }

    /// Takes what a pull brought; documents that must be fetched whole.
    pub fn take_pulled(&mut self, facts: &Facts, pulled: &Pulled) -> Vec<DocumentName> {
        for erasure in &pulled.erasures {
            self.erase(facts, *erasure);
        }
        let frames = pulled.frames.iter();
        let taken: Vec<_> = frames.filter(|frame| !self.take_frame(facts, frame)).collect();
        (self.position, self.chain) = (pulled.position, pulled.chain);
        self.is_cursor_lost = false;
        taken.into_iter().map(|frame| frame.document).collect()
    }

    fn erase(&mut self, facts: &Facts, erasure: Erasure) {
        if erasure.number <= self.reached() {
            return;
        }
        let document = erasure.document;
        self.inbox.retain(|refused| facts.edits.get(refused.edit).document != document);
        self.set_held(document, None);
        self.remove_own(|own| own.document == document);
        self.erased.retain(|known| known.document != document);
        self.erased.push(erasure);
        self.erased.sort_unstable();
        self.standard = None;
    }

    /// Joins a document that arrived; whether it could be.
    pub fn take_frame(&mut self, facts: &Facts, frame: &Frame) -> bool {
        let Some(held) = self.held(frame.document).cloned() else {
            if frame.base.is_some() {
                return false;
            }
            let (generation, confirmed) = (frame.generation, frame.set.clone());
            let held = Held { generation, confirmed, last: None, is_awaited: false };
            self.set_held(frame.document, Some(held));
            return true;
        };
        if frame.generation < held.generation {
            return true;
        }
        if frame.generation > held.generation {
            if frame.base.is_some() {
                return false;
            }
            self.standard = None;
            let (generation, confirmed) = (frame.generation, frame.set.clone());
            let held = Held { generation, confirmed, last: None, is_awaited: false };
            self.set_held(frame.document, Some(held));
            return true;
        }
        if held.is_awaited {
            // Of what is confirmed nothing is sure: the server's copy takes its place.
            if frame.base.is_none() {
                let (generation, confirmed) = (frame.generation, frame.set.clone());
                let held = Held { generation, confirmed, last: held.last, is_awaited: false };
                self.set_held(frame.document, Some(held));
            }
            return frame.base.is_none();
        }
        if let Some(base) = &frame.base {
            let clock = facts.view(&held.confirmed).clock;
            let covers =
                |(actor, seq): &(Actor, u8)| clock.get(actor).map_or(0, |seen| seen.seq) >= *seq;
            if !base.iter().all(covers) {
                return false;
            }
        }
        if let Some(held) = self.held_mut(frame.document) {
            unite(&mut held.confirmed, &frame.set);
        }
        true
    }

    /// Documents of which server and device do not hold the same: those that the server has, and
    /// those that it has not.
    #[must_use]
    pub fn differing(&self, server: &Server) -> (Vec<DocumentName>, Vec<DocumentName>) {
        let (mut theirs, mut mine) = (Vec::new(), Vec::new());
        for (name, (held, stored)) in (0..).zip(self.documents.iter().zip(&server.documents)) {
            let held = held.as_ref();
            let held = held.filter(|held| !held.is_awaited && !held.confirmed.is_empty());
            match (held, stored) {
                (None, None) => {}
                (Some(_), None) => mine.push(name),
                (None, Some(_)) => theirs.push(name),
                (Some(held), Some(stored)) => {
                    let is_same =
                        held.generation == stored.generation && held.confirmed == stored.set();
                    if !is_same {
                        theirs.push(name);
                    }
                }
            }
        }
        (theirs, mine)
    }

    /// It is let in: what waits is written anew under the prefix that it is given.
    pub fn enrol(&mut self, facts: &mut Facts, prefix: u8) {
        self.prefix = prefix;
        self.standard = None;
        let documents = u8::try_from(self.documents.len()).unwrap_or(0);
        for document in 0..documents {
            if self.waiting().any(|own| own.document == document) {
                self.rewrite(facts, document, None);
            }
        }
    }

    /// It goes on as a copy in another place, or as a copy of itself as it was.
    ///
    /// `has_token` tells that the token beside the database was copied too, so that it believes to
    /// be the one that it was copied from.
    pub fn wake_as_copy(&mut self, facts: &Facts, has_token: bool) {
        if has_token || facts.broken == Broken::TokenIgnored {
            return;
        }
        self.standard = None;
        for held in self.documents.iter_mut().flatten() {
            held.last = None;
        }
    }

    /// Before it is copied: what it had drawn and not used is the same on both.
    pub fn settle_standard(&mut self) {
        if self.standard.is_none() {
            self.standard = Some(self.draw());
        }
    }
}
