//! What must hold in every state.

use std::rc::Rc;

use crate::{
    change::{Actor, ChangeId, DocumentName, EditId, Key},
    device::Device,
    facts::Facts,
    pool::Id,
    server::{Server, Stored},
    world::{DeviceId, Model, ServerId, World},
};

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// A (document, actor, number) has one hash in the world.
    OneHash,
    /// Every edit is at the server, with a device that will send it, or in an inbox.
    Accounted,
    /// Nothing is replaced by somebody who had not seen it.
    Seen,
    /// What was refused is not applied as well.
    RefusedOnce,
    /// What was erased is erased on every server, and everywhere when everybody has talked.
    Erased,
    /// Who was let in or turned away is, on a restored server too.
    Ledger,
    /// Conversations end, and come to rest.
    Rest,
    /// Devices and server agree when everybody has talked.
    Agreement,
    /// A restored server has everything back that somebody still has, when everybody has talked.
    Return,
    /// Nothing waits when everybody has talked, but for what nobody has any more.
    Ended,
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// What was found.
    pub words: String,
}

/// Somebody who holds changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A device.
    Device(DeviceId),
    /// A server.
    Server(ServerId),
    /// What is on its way.
    Batch(Id<Vec<ChangeId>>),
}

/// Two changes of one number.
pub type Clash = Option<(ChangeId, ChangeId)>;

/// A change and its number.
type Number = (DocumentName, Actor, u8, ChangeId);

/// What the promises ask of a device.
#[derive(Debug)]
pub struct DeviceDigest {
    /// What waits, ascending.
    waiting: Vec<(EditId, Key)>,
    /// What was acknowledged.
    acknowledged: Vec<(EditId, Key)>,
    /// What was refused.
    refused: Vec<(EditId, Key)>,
    /// All changes that are here.
    numbers: Vec<Number>,
    /// Those that a server took.
    accepted: Vec<Number>,
    blind: Option<ChangeId>,
}

/// What the promises ask of a server.
#[derive(Debug)]
pub struct ServerDigest {
    /// What it has, ascending.
    applied: Vec<(EditId, Key)>,
    numbers: Vec<Number>,
    accepted: Vec<Number>,
    blind: Option<ChangeId>,
}

fn numbers(facts: &Facts, changes: impl IntoIterator<Item = ChangeId>) -> Vec<Number> {
    let numbered = |id: ChangeId| {
        let change = facts.changes.get(id);
        (change.document, change.actor, change.seq, id)
    };
    let mut numbers: Vec<Number> = changes.into_iter().map(numbered).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn written(facts: &Facts, changes: impl IntoIterator<Item = ChangeId>) -> Vec<(EditId, Key)> {
    let mut written = Vec::new();
    for id in changes {
        let change = facts.changes.get(id);
        written.extend(change.ops.iter().filter_map(|op| Some((op.edit?, op.key))));
    }
    written.sort_unstable();
    written.dedup();
    written
}

fn blind(facts: &Facts, numbers: &[Number]) -> Option<ChangeId> {
    numbers.iter().map(|(_, _, _, id)| *id).find(|id| facts.blind.contains(id))
}

impl DeviceDigest {
    fn of(facts: &Facts, device: &Device) -> Self {
        let own = || device.own.iter().map(|own| own.change);
        let confirmed =
            || device.documents.iter().flatten().flat_map(|held| held.confirmed.iter().copied());
        let mut refused: Vec<(EditId, Key)> = Vec::new();
        for one in &device.inbox {
            refused.extend(one.keys.iter().map(|key| (one.edit, *key)));
        }
        refused.sort_unstable();
        let all = numbers(facts, own().chain(confirmed()));
        Self {
            waiting: written(facts, device.waiting().map(|own| own.change)),
            acknowledged: written(facts, device.acknowledged().map(|own| own.change)),
            refused,
            blind: blind(facts, &all),
            numbers: all,
            accepted: numbers(facts, confirmed()),
        }
    }
}

impl ServerDigest {
    fn of(facts: &Facts, server: &Server) -> Self {
        let history = || server.documents.iter().flatten().flat_map(Stored::set);
        let accepted = numbers(facts, history());
        let numbers = numbers(facts, history().chain(server.refused.iter().copied()));
        let applied = written(facts, history());
        Self { applied, blind: blind(facts, &numbers), numbers, accepted }
    }
}

impl Model {
    pub(crate) fn device_digest(&mut self, id: DeviceId) -> Rc<DeviceDigest> {
        if let Some(known) = self.device_digests.get(&id) {
            return Rc::clone(known);
        }
        let digest = Rc::new(DeviceDigest::of(&self.facts, &self.devices.get(id)));
        self.device_digests.insert(id, Rc::clone(&digest));
        digest
    }

    pub(crate) fn server_digest(&mut self, id: ServerId) -> Rc<ServerDigest> {
        if let Some(known) = self.server_digests.get(&id) {
            return Rc::clone(known);
        }
        let digest = Rc::new(ServerDigest::of(&self.facts, &self.servers.get(id)));
        self.server_digests.insert(id, Rc::clone(&digest));
        digest
    }

    /// Whether the office lets a device talk to its server, whichever server that is.
    #[must_use]
    pub fn is_live(&self, world: &World, device: &Device) -> bool {
        let bit = crate::server::bit(device.prefix);
        world.ledger.enrolled & bit != 0 && world.ledger.revoked & bit == 0
    }

    /// Edits that nobody has as a change any more, and that are in no inbox; those that were gone
    /// before are still gone.
    pub(crate) fn gone_now(&mut self, world: &World) -> Id<Vec<EditId>> {
        let mut gone: Vec<EditId> = (*self.gone.get(world.gone)).clone();
        gone.extend(self.unaccounted(world).into_iter().map(|(edit, _)| edit));
        gone.sort_unstable();
        gone.dedup();
        self.gone.name(gone)
    }

    /// What was typed and is nowhere, but for erased records and what is known to be gone.
    fn unaccounted(&mut self, world: &World) -> Vec<(EditId, Key)> {
        let server = self.server_digest(world.server);
        let mut carried: Vec<Rc<DeviceDigest>> = Vec::new();
        let mut sendable: Vec<Rc<DeviceDigest>> = Vec::new();
        let mut made: Vec<EditId> = Vec::new();
        for (_, id) in world.placed() {
            let device = self.devices.get(id);
            made.extend(&device.made);
            let digest = self.device_digest(id);
            if self.is_live(world, &device) {
                sendable.push(Rc::clone(&digest));
            }
            carried.push(digest);
        }
        let gone = self.gone.get(world.gone);
        let mut missing = Vec::new();
        for edit in made {
            if gone.binary_search(&edit).is_ok() {
                continue;
            }
            let typed = self.facts.edits.get(edit);
            if world.ledger.erased & crate::server::bit(typed.document) != 0 {
                continue;
            }
            for key in &typed.keys {
                let sought = (edit, *key);
                let is_there = |list: &Vec<(EditId, Key)>| list.binary_search(&sought).is_ok();
                let is_accounted = is_there(&server.applied)
                    || carried.iter().any(|one| is_there(&one.waiting) || is_there(&one.refused))
                    || sendable.iter().any(|one| is_there(&one.acknowledged));
                if !is_accounted {
                    missing.push(sought);
                }
            }
        }
        missing
    }

    /// What does not hold in a state.
    pub fn check(&mut self, world: &World) -> Option<Violation> {
        if let Some((edit, key)) = self.unaccounted(world).first() {
            let words = format!("{} is nowhere under {key:?}", self.name_of(*edit));
            return Some(Violation { promise: Promise::Accounted, words });
        }
        self.check_changes(world)
            .or_else(|| self.check_refused(world))
            .or_else(|| self.check_ledger(world))
    }

    fn check_changes(&mut self, world: &World) -> Option<Violation> {
        let devices = world.devices.iter().flatten().copied().chain(world.snapshot);
        let servers = [Some(world.server), world.backup].into_iter().flatten();
        let batch = world.late.filter(|_| !world.has_twins).map(|(_, batch)| Holder::Batch(batch));
        let holders: Vec<Holder> =
            devices.map(Holder::Device).chain(servers.map(Holder::Server)).chain(batch).collect();
        for (at, one) in holders.iter().enumerate() {
            if let Some(change) = self.blind_of(*one) {
                let change = self.show_change(change);
                let words = format!("{change} replaces what its author had not seen");
                return Some(Violation { promise: Promise::Seen, words });
            }
            // Whoever holds two of one number contradicts itself.
            for other in holders.iter().skip(at) {
                if let Some((one, other)) = self.clash(*one, *other, world.has_twins) {
                    let (one, other) = (self.show_change(one), self.show_change(other));
                    let words = format!("{one} and {other}");
                    return Some(Violation { promise: Promise::OneHash, words });
                }
            }
        }
        None
    }

    fn blind_of(&mut self, holder: Holder) -> Option<ChangeId> {
        match holder {
            Holder::Device(id) => self.device_digest(id).blind,
            Holder::Server(id) => self.server_digest(id).blind,
            Holder::Batch(_) => None,
        }
    }

    fn numbers_of(&mut self, holder: Holder, is_accepted_only: bool) -> Vec<Number> {
        match holder {
            Holder::Device(id) => {
                let digest = self.device_digest(id);
                if is_accepted_only { digest.accepted.clone() } else { digest.numbers.clone() }
            }
            Holder::Server(id) => {
                let digest = self.server_digest(id);
                if is_accepted_only { digest.accepted.clone() } else { digest.numbers.clone() }
            }
            Holder::Batch(id) => numbers(&self.facts, self.batches.get(id).iter().copied()),
        }
    }

    /// Two changes of one number; once a device was copied with its token, among those that a
    /// server took.
    fn clash(&mut self, one: Holder, other: Holder, is_accepted_only: bool) -> Clash {
        let pair = (one, other, is_accepted_only);
        if let Some(known) = self.clashes.get(&pair) {
            return *known;
        }
        let mut all = self.numbers_of(one, is_accepted_only);
        all.extend(self.numbers_of(other, is_accepted_only));
        all.sort_unstable();
        all.dedup();
        let mut pairs = all.iter().zip(all.iter().skip(1));
        let twice = pairs
            .find(|(one, other)| (one.0, one.1, one.2) == (other.0, other.1, other.2))
            .map(|(one, other)| (one.3, other.3));
        self.clashes.insert(pair, twice);
        twice
    }

    fn check_refused(&mut self, world: &World) -> Option<Violation> {
        if world.has_copies {
            // What becomes of one copy's edit need not become of the other's.
            return None;
        }
        let server = self.server_digest(world.server);
        for (_, id) in world.placed() {
            let digest = self.device_digest(id);
            let mut refused = digest.refused.iter();
            if let Some((edit, key)) = refused.find(|one| server.applied.binary_search(one).is_ok())
            {
                let words = format!("{} under {key:?}", self.name_of(*edit));
                return Some(Violation { promise: Promise::RefusedOnce, words });
            }
        }
        None
    }

    fn check_ledger(&mut self, world: &World) -> Option<Violation> {
        let server = self.servers.get(world.server);
        let ledger = world.ledger;
        if server.enrolled & ledger.enrolled != ledger.enrolled {
            let words = "a device that was enrolled is not known".to_owned();
            return Some(Violation { promise: Promise::Ledger, words });
        }
        if server.revoked & ledger.revoked != ledger.revoked {
            let words = "a device that was turned away is let in".to_owned();
            return Some(Violation { promise: Promise::Ledger, words });
        }
        let applied = self.server_digest(world.server);
        for document in ledger.erased() {
            let mut edits = applied.applied.iter();
            let is_left = edits.any(|(edit, _)| self.facts.edits.get(*edit).document == document);
            if is_left || !server.is_erased(document) {
                let words = format!("document {document} is at the server again");
                return Some(Violation { promise: Promise::Erased, words });
            }
        }
        None
    }
}
