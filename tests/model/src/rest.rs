//! What must hold when everybody has talked.
//!
//! From every state that is met, the devices that may talk do so in turn, undisturbed, until
//! nothing moves any more. That must happen soon, and then all must be well.

use std::{collections::BTreeSet, rc::Rc};

use crate::{
    bounds::DEVICES_MAX,
    change::{ChangeId, DocumentName, Key, Set, Slot},
    device::Device,
    promise::{Promise, Violation},
    server::Stored,
    world::{DeviceId, Model, ServerId, World},
};

/// Rounds in which everybody talks once, after which nothing may move any more.
pub const ROUNDS_MAX: u8 = 4;

/// Devices and server, and whether something is withheld: what rest depends on.
pub type Core = ([Option<DeviceId>; DEVICES_MAX], ServerId, bool);

/// Devices and server at rest.
#[derive(Debug, Clone)]
pub struct Rested {
    /// The devices.
    pub devices: [Option<DeviceId>; DEVICES_MAX],
    /// The server.
    pub server: ServerId,
    /// Rounds in which something moved.
    pub rounds: u8,
    /// What is wrong with them, whatever else the world is like.
    pub violation: Option<Violation>,
    /// Whether something waits for what nobody has any more.
    pub is_stranded: bool,
}

impl Model {
    /// Lets everybody talk until nothing moves.
    pub fn rest(&mut self, world: &World) -> Rc<Rested> {
        self.rest_within(world, ROUNDS_MAX)
    }

    fn rest_within(&mut self, world: &World, left: u8) -> Rc<Rested> {
        let core = (world.devices, world.server, world.is_withheld);
        if let Some(known) = self.rested.get(&core) {
            return Rc::clone(known);
        }
        let rested = Rc::new(self.come_to_rest(world, left));
        self.rested.insert(core, Rc::clone(&rested));
        rested
    }

    /// One round, and what comes of it: many worlds come to the same.
    fn come_to_rest(&mut self, world: &World, left: u8) -> Rested {
        let mut now = *world;
        let mut endless = None;
        for (slot, id) in world.placed() {
            let device = self.devices.get(id);
            if !device.is_enrolled() || !self.servers.get(now.server).admits(device.prefix) {
                continue;
            }
            let talk = self.talk(id, now.server, now.is_withheld);
            if !talk.is_ended {
                let words = format!("the conversation of device {slot} has no end");
                endless = Some(Violation { promise: Promise::Rest, words });
            }
            now.set_device(slot, talk.device);
            now.server = talk.server;
        }
        if (now.devices, now.server) == (world.devices, world.server) {
            let (violation, is_stranded) = self.judge_rest(&now);
            let (devices, server) = (now.devices, now.server);
            let violation = endless.or(violation);
            return Rested { devices, server, rounds: 0, violation, is_stranded };
        }
        if endless.is_none() && left > 0 {
            let after = self.rest_within(&now, left - 1);
            return Rested { rounds: after.rounds + 1, ..(*after).clone() };
        }
        let words = format!("after {ROUNDS_MAX} rounds something still moves");
        let violation = endless.or(Some(Violation { promise: Promise::Rest, words }));
        let (devices, server) = (now.devices, now.server);
        Rested { devices, server, rounds: 1, violation, is_stranded: false }
    }

    fn talkers(&self, world: &World) -> Vec<(Slot, Rc<Device>)> {
        let server = self.servers.get(world.server);
        let devices = world.placed().map(|(slot, id)| (slot, self.devices.get(id)));
        devices.filter(|(_, device)| server.admits(device.prefix)).collect()
    }

    /// What is wrong with devices and server at rest, and whether something waits for ever.
    fn judge_rest(&mut self, world: &World) -> (Option<Violation>, bool) {
        let talkers = self.talkers(world);
        let server = self.servers.get(world.server);
        let documents = DocumentName::try_from(server.documents.len()).unwrap_or(0);
        let mut is_stranded = false;
        for document in (0..documents).filter(|document| !server.is_erased(*document)) {
            let stored = server.stored(document).map(Stored::set).unwrap_or_default();
            let lost = self.lost(&talkers, document, &stored);
            is_stranded |= !lost.is_empty();
            for (slot, device) in &talkers {
                if let Some(violation) = self.judge_device(*slot, device, document, &stored, &lost)
                {
                    return (Some(violation), is_stranded);
                }
            }
        }
        (None, is_stranded)
    }

    /// Changes that the server lacks and cannot get: nobody who may talk wrote them, or they follow
    /// such a one.
    fn lost(
        &self,
        talkers: &[(Slot, Rc<Device>)],
        document: DocumentName,
        stored: &Set,
    ) -> BTreeSet<ChangeId> {
        let mut lacking: BTreeSet<ChangeId> = BTreeSet::new();
        let mut sendable: BTreeSet<ChangeId> = BTreeSet::new();
        for (_, device) in talkers {
            let held = device.held(document).map(|held| held.confirmed.clone()).unwrap_or_default();
            let own = device.own.iter().filter(|own| own.document == document);
            let own: Vec<ChangeId> = own.map(|own| own.change).collect();
            lacking.extend(held.iter().chain(&own).filter(|change| !stored.contains(change)));
            sendable.extend(own);
        }
        let mut lost: BTreeSet<ChangeId> = lacking.difference(&sendable).copied().collect();
        loop {
            let follows = |change: &&ChangeId| {
                let change = self.facts.changes.get(**change);
                // What nobody holds at all is lost, too.
                let is_there = |dep: &ChangeId| stored.contains(dep) || lacking.contains(dep);
                change.deps.iter().any(|dep| lost.contains(dep) || !is_there(dep))
            };
            let more: Vec<ChangeId> = lacking
                .iter()
                .filter(|change| !lost.contains(change))
                .filter(follows)
                .copied()
                .collect();
            if more.is_empty() {
                return lost;
            }
            lost.extend(more);
        }
    }

    fn judge_device(
        &self,
        slot: Slot,
        device: &Device,
        document: DocumentName,
        stored: &Set,
        lost: &BTreeSet<ChangeId>,
    ) -> Option<Violation> {
        let say = |promise, change: ChangeId, what: &str| {
            let words = format!("device {slot}: {} {what}", self.show_change(change));
            Some(Violation { promise, words })
        };
        for own in device.own.iter().filter(|own| own.document == document) {
            if lost.contains(&own.change) {
                continue;
            }
            if own.base.is_some() {
                return say(Promise::Ended, own.change, "waits, and nothing is missing");
            }
            if !stored.contains(&own.change) {
                return say(Promise::Return, own.change, "did not come back to the server");
            }
        }
        let held = device.held(document).map(|held| held.confirmed.clone()).unwrap_or_default();
        if let Some(change) = stored.iter().find(|change| !held.contains(change)) {
            return say(Promise::Agreement, *change, "is at the server alone");
        }
        let mut more = held.iter().filter(|change| !stored.contains(change));
        if let Some(change) = more.find(|change| !lost.contains(change)) {
            return say(Promise::Agreement, *change, "is not at the server");
        }
        if lost.is_empty() {
            let visible = device.visible(&self.facts, document);
            let (mine, theirs) = (self.facts.view(&visible), self.facts.view(stored));
            let keys = [Key::Name, Key::Open, Key::Withheld];
            if keys.iter().any(|key| mine.standing(*key) != theirs.standing(*key)) {
                let words = format!("device {slot} shows another document {document}");
                return Some(Violation { promise: Promise::Agreement, words });
            }
        }
        None
    }

    /// What does not hold when everybody has talked, from a state.
    pub fn check_rest(&mut self, world: &World) -> Option<Violation> {
        let Violation { promise, words } = self.find_at_rest(world)?;
        Some(Violation { promise, words: format!("when everybody has talked: {words}") })
    }

    fn find_at_rest(&mut self, world: &World) -> Option<Violation> {
        let rested = self.rest(world);
        if rested.violation.is_some() {
            return rested.violation.clone();
        }
        let at_rest = World { devices: rested.devices, server: rested.server, ..*world };
        for document in world.ledger.erased() {
            for (_, id) in at_rest.placed() {
                let device = self.devices.get(id);
                if self.is_live(world, &device) && self.holds_typed(&device, document) {
                    let words =
                        format!("device {} holds the erased document {document}", device.slot);
                    return Some(Violation { promise: Promise::Erased, words });
                }
            }
        }
        self.check(&at_rest)
    }

    /// Whether something that was typed into a document is on a device.
    fn holds_typed(&self, device: &Device, document: DocumentName) -> bool {
        let confirmed =
            device.held(document).map(|held| held.confirmed.clone()).unwrap_or_default();
        let is_typed = |change: &ChangeId| {
            self.facts.changes.get(*change).ops.iter().any(|op| op.edit.is_some())
        };
        let is_of = |refused: &crate::device::Refusal| {
            self.facts.edits.get(refused.edit).document == document
        };
        confirmed.iter().any(is_typed)
            || device.own.iter().any(|own| own.document == document)
            || device.inbox.iter().any(is_of)
    }
}
