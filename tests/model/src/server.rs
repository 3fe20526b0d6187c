//! The server: what it accepts, and what it sends.
//!
//! As `sync-server/src/accept` and `feed` do it: erasures first, remembered refusals, the gate,
//! the policy; a push is one commit and one position.

use crate::{
    change::{Actor, Change, ChangeId, DocumentName, Key, OFFICE, Op, Set, insert},
    facts::{Commit, Facts, Link, LinkId},
    rules::Broken,
    view::{Seen, View},
};

/// Keys that a record of the real schema has beside those of the model. With them it is decided
/// whether a delta is shorter than the whole.
pub const OTHER_KEYS: usize = 2;
/// Added to an erasure's number this is the generation that a restored server begins.
const REPLAYED: u8 = 10;

/// A document at the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stored {
    /// How often it was begun anew.
    pub generation: u8,
    /// Its history with the positions, ascending by change.
    pub history: Vec<(ChangeId, u8)>,
    /// Where it changed last.
    pub position: u8,
}

impl Stored {
    /// The changes of its history.
    #[must_use]
    pub fn set(&self) -> Set {
        self.history.iter().map(|(change, _)| *change).collect()
    }
}

/// An erasure that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Erasure {
    /// Its number, which is never given twice.
    pub number: u8,
    /// What was erased.
    pub document: DocumentName,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// By document what it has.
    pub documents: Vec<Option<Stored>>,
    /// Changes that it refused.
    pub refused: Set,
    /// The end of its feed's chain.
    pub chain: Option<LinkId>,
    /// The position of the last commit.
    pub position: u8,
    /// Erasures, ascending.
    pub erasures: Vec<Erasure>,
    /// Prefixes that it gave, as bits.
    pub enrolled: u8,
    /// Prefixes whose devices it turned away, as bits.
    pub revoked: u8,
    /// Whether it was told, or found out, that it was put back.
    pub is_recovering: bool,
}

/// What it says of a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It is in the history now.
    Applied,
    /// It was there.
    Duplicate,
    /// It follows these, which are not there.
    Pending(Vec<ChangeId>),
    /// These keys it will never have.
    Refused(Vec<Key>),
    /// Its number is taken.
    Forked,
    /// Its record is no more.
    Erased,
}

/// A document on its way down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which.
    pub document: DocumentName,
    /// Its generation.
    pub generation: u8,
    /// Everything in it.
    pub set: Set,
    /// For a delta what the receiver must have seen.
    pub base: Option<Vec<(Actor, u8)>>,
}

/// The answer to a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Erasures that the device has not carried out.
    pub erasures: Vec<Erasure>,
    /// Documents.
    pub frames: Vec<Frame>,
    /// The new cursor.
    pub position: u8,
    /// The chain there.
    pub chain: Option<LinkId>,
}

/// The bit of a prefix.
#[must_use]
pub fn bit(prefix: u8) -> u8 {
    1_u8.checked_shl(prefix.into()).unwrap_or(0)
}

/// A position of a feed, with the chain there.
pub type Place = (u8, Option<LinkId>);

impl Server {
    /// A server that knows some devices and nothing else.
    #[must_use]
    pub fn new(documents: usize, enrolled: u8) -> Self {
        Self {
            documents: vec![None; documents],
            refused: Set::new(),
            chain: None,
            position: 0,
            erasures: Vec::new(),
            enrolled,
            revoked: 0,
            is_recovering: false,
        }
    }

    /// What it has of a document.
    #[must_use]
    pub fn stored(&self, document: DocumentName) -> Option<&Stored> {
        self.documents.get(usize::from(document))?.as_ref()
    }

    /// Whether a device may talk to it.
    #[must_use]
    pub fn admits(&self, prefix: u8) -> bool {
        self.enrolled & bit(prefix) != 0 && self.revoked & bit(prefix) == 0
    }

    /// Whether a record is erased.
    #[must_use]
    pub fn is_erased(&self, document: DocumentName) -> bool {
        self.erasures.iter().any(|erasure| erasure.document == document)
    }

    fn advance(&mut self, facts: &mut Facts, commit: Commit) {
        self.position += 1;
        let link = Link { before: self.chain, position: self.position, commit };
        self.chain = Some(facts.links.name(link));
    }

    /// The chain at a position; none if it was never there.
    #[must_use]
    pub fn chain_at(&self, facts: &Facts, position: u8) -> Option<LinkId> {
        let mut link = self.chain?;
        loop {
            let place = facts.links.get(link);
            if place.position == position {
                return Some(link);
            }
            link = place.before?;
        }
    }

    /// Judges what a device sends, and takes over what fits, in one commit.
    pub fn push(
        &mut self,
        facts: &mut Facts,
        batch: &[ChangeId],
        prefix: u8,
        is_withheld: bool,
    ) -> Vec<Answer> {
        let mut applied = Vec::new();
        let answers = batch
            .iter()
            .map(|change| {
                let answer = self.judge(facts, *change, prefix, is_withheld);
                if answer == Answer::Applied {
                    self.take(facts, *change);
                    applied.push(*change);
                }
                answer
            })
            .collect();
        if !applied.is_empty() {
            self.advance(facts, Commit::Changes(applied));
        }
        answers
    }

    fn take(&mut self, facts: &Facts, id: ChangeId) {
        let change = facts.changes.get(id);
        let position = self.position + 1;
        let Some(place) = self.documents.get_mut(usize::from(change.document)) else { return };
        let stored = place.get_or_insert_with(|| Stored {
            generation: change.generation,
            history: Vec::new(),
            position,
        });
        stored.position = position;
        stored.history.push((id, position));
        stored.history.sort_unstable();
    }

    fn judge(&mut self, facts: &Facts, id: ChangeId, prefix: u8, is_withheld: bool) -> Answer {
        let change = facts.changes.get(id);
        let is_open = facts.broken == Broken::ErasedOpen;
        if self.is_erased(change.document) && !is_open {
            return Answer::Erased;
        }
        let stored = self.stored(change.document);
        let generation = stored.map_or(0, |stored| stored.generation);
        if change.generation != generation && !is_open {
            return Answer::Erased;
        }
        if self.refused.contains(&id) {
            return Answer::Refused(vec![Key::Withheld]);
        }
        let view = facts.view(&stored.map(Stored::set).unwrap_or_default());
        let seen = view.clock.get(&change.actor).map_or(0, |seen| seen.seq);
        if view.numbered(change.actor, change.seq) == Some(id) {
            return Answer::Duplicate;
        }
        if change.actor.prefix != prefix {
            return Answer::Refused(Vec::new());
        }
        if change.seq <= seen {
            let is_confirmed = facts.broken == Broken::ForkConfirmed;
            return if is_confirmed { Answer::Duplicate } else { Answer::Forked };
        }
        if let Some(answer) = missing(&change, stored) {
            return answer;
        }
        let is_refused = |op: &Op| op.key == Key::Withheld && is_withheld;
        if change.ops.iter().any(is_refused) {
            if facts.broken != Broken::RefusalsForgotten {
                insert(&mut self.refused, id);
            }
            return Answer::Refused(vec![Key::Withheld]);
        }
        Answer::Applied
    }

    /// Whether its feed has a place.
    #[must_use]
    pub fn knows(&self, facts: &Facts, (position, chain): Place) -> bool {
        position == 0 || self.chain_at(facts, position).is_some_and(|link| Some(link) == chain)
    }

    /// What a device is sent that holds everything up to its cursor; none if the cursor is not of
    /// this server's feed.
    #[must_use]
    pub fn pull(
        &self,
        facts: &Facts,
        (cursor, pushed): (Place, Option<Place>),
        prefix: u8,
        erased: u8,
    ) -> Option<Pulled> {
        let position = cursor.0;
        let knows = |place| self.knows(facts, place);
        let is_known = knows(cursor) && pushed.is_none_or(knows);
        if !is_known && facts.broken != Broken::CursorBelieved {
            return None;
        }
        let erasures = self.erasures.iter().filter(|erasure| erasure.number > erased);
        let documents = (0..).zip(&self.documents);
        let stored = documents.filter_map(|(name, stored)| Some((name, stored.as_ref()?)));
        let changed = stored.filter(|(_, stored)| stored.position > position);
        Some(Pulled {
            erasures: erasures.copied().collect(),
            frames: changed
                .filter_map(|(name, stored)| frame(facts, name, stored, position, prefix))
                .collect(),
            position: self.position,
            chain: self.chain,
        })
    }

    /// A document whole.
    #[must_use]
    pub fn whole(&self, document: DocumentName) -> Option<Frame> {
        let stored = self.stored(document)?;
        Some(Frame { document, generation: stored.generation, set: stored.set(), base: None })
    }

    /// Erases a record, if it can be.
    pub fn erase(&mut self, facts: &mut Facts, document: DocumentName, number: u8) {
        let generation = self.stored(document).map_or(0, |stored| stored.generation) + 1;
        self.begin_anew(facts, document, generation, number);
    }

    fn begin_anew(
        &mut self,
        facts: &mut Facts,
        document: DocumentName,
        generation: u8,
        number: u8,
    ) {
        self.erasures.push(Erasure { number, document });
        self.erasures.sort_unstable();
        self.refused.retain(|refused| facts.changes.get(*refused).document != document);
        let position = self.position + 1;
        let mut added = Vec::new();
        if let Some(Some(stored)) = self.documents.get_mut(usize::from(document)) {
            let actor = Actor { prefix: OFFICE, slot: OFFICE, draw: number };
            let ops = vec![Op { key: Key::Archived, edit: None, pred: Vec::new() }];
            let deps = Vec::new();
            let change = Change { document, generation, actor, seq: 1, start: 1, deps, ops };
            let id = facts.write(change, &View::default());
            *stored = Stored { generation, history: vec![(id, position)], position };
            added.push(id);
        }
        let commit = if added.is_empty() { Commit::Bare } else { Commit::Changes(added) };
        self.advance(facts, commit);
    }

    /// Something happened before that nobody holds.
    pub fn begin(&mut self, facts: &mut Facts) {
        self.advance(facts, Commit::Bare);
    }

    /// Lets a device in.
    pub fn enrol(&mut self, facts: &mut Facts, prefix: u8) {
        self.enrolled |= bit(prefix);
        self.advance(facts, Commit::Bare);
    }

    /// Notes that it was put back.
    pub fn mark(&mut self, facts: &mut Facts) {
        self.is_recovering = true;
        self.advance(facts, Commit::Mark);
    }

    /// Carries out what outlived the backup; returns the number of the last erasure.
    pub fn carry_out(
        &mut self,
        facts: &mut Facts,
        (enrolled, revoked, erased): (u8, u8, &[DocumentName]),
        mut number: u8,
    ) -> u8 {
        if enrolled & !self.enrolled != 0 {
            self.enrol(facts, 0);
            self.enrolled |= enrolled;
        }
        self.revoked |= revoked;
        for document in erased {
            if !self.is_erased(*document) {
                number += 1;
                self.begin_anew(facts, *document, REPLAYED + number, number);
            }
        }
        number
    }
}

/// Whether a change follows what is not there.
fn missing(change: &Change, stored: Option<&Stored>) -> Option<Answer> {
    let has = |dep: &ChangeId| {
        stored.is_some_and(|stored| stored.history.iter().any(|(known, _)| known == dep))
    };
    let missing: Vec<ChangeId> = change.deps.iter().filter(|dep| !has(dep)).copied().collect();
    (!missing.is_empty()).then_some(Answer::Pending(missing))
}

/// What is sent of a document: nothing of what the device wrote itself, a delta if that is shorter.
fn frame(
    facts: &Facts,
    document: DocumentName,
    stored: &Stored,
    position: u8,
    prefix: u8,
) -> Option<Frame> {
    let set = stored.set();
    let view = facts.view(&set);
    if view.is_all_of(prefix) {
        return None;
    }
    let whole = Frame { document, generation: stored.generation, set, base: None };
    if position == 0 {
        return Some(whole);
    }
    let since: Vec<ChangeId> =
        stored.history.iter().filter(|(_, at)| *at > position).map(|(id, _)| *id).collect();
    if since.is_empty() {
        return Some(whole);
    }
    let news = facts.view(&since);
    if news.is_all_of(prefix) {
        return None;
    }
    let changes = since.iter().map(|id| facts.changes.get(*id));
    let mut keys: Vec<Key> = Vec::new();
    let mut is_new = false;
    let mut clock = view.clock.clone();
    for change in changes {
        // Whoever begins a record writes its other keys too.
        is_new |= change.ops.iter().any(|op| op.key == Key::Name);
        keys.extend(change.ops.iter().map(|op| op.key));
        let before = Seen { seq: change.seq - 1, op: 0 };
        let seen = clock.entry(change.actor).or_default();
        if seen.seq > before.seq {
            *seen = before;
        }
    }
    keys.sort_unstable();
    keys.dedup();
    let count = keys.len() + if is_new { OTHER_KEYS } else { 0 };
    // Of an erased record nothing else is left.
    let others = if stored.generation == 0 { OTHER_KEYS } else { 0 };
    if count * 2 >= view.keys() + others {
        return Some(whole);
    }
    let base = clock.into_iter().map(|(actor, seen)| (actor, seen.seq)).collect();
    Some(Frame { base: Some(base), ..whole })
}
