//! What may happen next, and the world after it.

use std::rc::Rc;

use crate::{
    bounds::{Bounds, Last},
    change::{DocumentName, Kind, Slot},
    device::Device,
    event::{Event, EventKind},
    rules::Broken,
    server::bit,
    session::{Ask, Said},
    world::{DeviceId, Model, ServerId, World},
};

impl Model {
    /// Everything that may happen next.
    pub fn events(&mut self, world: &World) -> Vec<Event> {
        let mut events = Vec::new();
        if world.left.operations > 0 && world.left.edits > 0 {
            self.writes(world, &mut events);
        }
        for (slot, device) in world.placed() {
            self.conversations(world, slot, device, &mut events);
        }
        if world.late.is_some() {
            events.push(Event::Arrive);
        }
        if world.backup.is_some() {
            events.extend([false, true].map(|is_marked| Event::Restore { is_marked }));
        }
        if let Some(copy) = world.snapshot {
            let slot = self.devices.get(copy).slot;
            let has_backup = world.left.happened & EventKind::BackUp.bit() != 0;
            let is_allowed = |has_token: &bool| !has_token || self.bounds.takes_both || !has_backup;
            let tokens = || [false, true].into_iter().filter(is_allowed);
            if world.device(slot).is_some_and(|now| now != copy) {
                events.extend(tokens().map(|has_token| Event::RollBack { has_token }));
            }
            if self.empty_place(world).is_some() {
                events.extend(tokens().map(|has_token| Event::Clone { has_token }));
            }
        }
        if world.left.operations > 0 {
            self.accidents(world, &mut events);
        }
        events
    }

    fn empty_place(&self, world: &World) -> Option<Slot> {
        let Bounds { devices, last, .. } = self.bounds;
        let slot = Slot::try_from(devices.checked_sub(1)?).ok()?;
        (last == Last::Empty && world.device(slot).is_none()).then_some(slot)
    }

    fn writes(&mut self, world: &World, events: &mut Vec<Event>) {
        let documents = DocumentName::try_from(self.bounds.documents).unwrap_or(0);
        let all: Vec<_> =
            world.placed().map(|(slot, device)| (slot, self.devices.get(device))).collect();
        for (slot, device) in &all {
            let slot = *slot;
            let is_begun = |document: DocumentName| {
                let mut made = all.iter().flat_map(|(_, device)| &device.made);
                made.any(|edit| self.facts.edits.get(*edit).document == document)
            };
            // Places are alike, and so are documents: the first ones are used first.
            let is_alike = |slot: Slot| {
                world.device(slot).is_some_and(|other| {
                    let other = self.devices.get(other);
                    other.is_enrolled() && other.made.is_empty()
                })
            };
            let is_early = device.is_enrolled() && device.made.is_empty() && !world.has_copies;
            if is_early && (0..slot).any(is_alike) {
                continue;
            }
            if world.ledger.revoked & bit(device.prefix) != 0 {
                continue;
            }
            for document in 0..documents {
                let is_next = document == 0 || is_begun(document - 1);
                if is_next && device.may_write(document) {
                    let kinds = self.bounds.kinds.iter();
                    events.extend(kinds.map(|kind| Event::Write { slot, document, kind: *kind }));
                }
            }
        }
        // What is typed during a pull is like what is typed before, unless the pull brings something.
        let typed: Vec<Event> = events.clone();
        for event in typed {
            let Event::Write { slot, document, kind } = event else { continue };
            if let Some((_, before, after)) = self.pull_of(world, slot)
                && before != after
                && after.may_write(document)
            {
                events.push(Event::WriteDuring { slot, document, kind });
            }
        }
    }

    /// A conversation up to its first pull: the server then, and the device before and after it.
    fn pull_of(&mut self, world: &World, slot: Slot) -> Option<(ServerId, Device, Device)> {
        let id = world.device(slot)?;
        let server = self.servers.get(world.server);
        let device = self.devices.get(id);
        if !device.is_enrolled() || !server.admits(device.prefix) {
            return None;
        }
        let talk = self.talk(id, world.server, world.is_withheld);
        let stage = talk.stages.iter().find(|stage| stage.ask == Ask::Pull)?;
        let (before, after) = (self.devices.get(stage.asking), self.devices.get(stage.device));
        Some((stage.server, (*before).clone(), (*after).clone()))
    }

    /// Somebody types after a pull was asked, and before its answer is taken.
    fn write_during(&mut self, world: &World, next: &mut World, event: (Slot, DocumentName, Kind)) {
        let (slot, document, kind) = event;
        let Some((server, mut device, _)) = self.pull_of(world, slot) else { return };
        next.server = server;
        let office = self.servers.get(server);
        let places = ((device.position, device.chain), device.pushed);
        let pulled = office.pull(&self.facts, places, device.prefix, device.reached());
        device.write(&mut self.facts, document, kind);
        match pulled {
            Some(pulled) => {
                device.take_pulled(&self.facts, &pulled);
            }
            None => device.reset_cursor(&self.facts),
        }
        next.set_device(slot, self.devices.name(device));
    }

    fn conversations(
        &mut self,
        world: &World,
        slot: Slot,
        device: DeviceId,
        events: &mut Vec<Event>,
    ) {
        let known = self.devices.get(device);
        let server = self.servers.get(world.server);
        if !known.is_enrolled() || !server.admits(known.prefix) {
            return;
        }
        let talk = self.talk(device, world.server, world.is_withheld);
        if talk.device != device || talk.server != world.server {
            events.push(Event::Sync { slot });
        }
        if world.left.cuts == 0 {
            return;
        }
        let mut before = (device, world.server);
        for (at, stage) in (1_u8..).zip(&talk.stages) {
            if stage.server != before.1 {
                events.push(Event::Lost { slot, at });
            }
            let is_last = usize::from(at) == talk.stages.len();
            if !is_last && before != (stage.device, stage.server) {
                events.push(Event::Cut { slot, after: at });
            }
            before = (stage.device, stage.server);
        }
    }

    fn accidents(&self, world: &World, events: &mut Vec<Event>) {
        let is_allowed = |kind: EventKind| {
            self.bounds.accidents.contains(&kind)
                && world.left.accidents > 0
                && world.left.happened & kind.bit() == 0
        };
        let has = |kind: EventKind| world.left.happened & kind.bit() != 0;
        // What was permitted is not to be refused when it is sent again: that is the office's
        // doing, and not a matter of what is modelled here.
        let has_both = world.has_twins && !self.bounds.takes_both;
        if is_allowed(EventKind::BackUp) && !has(EventKind::Toggle) && !has_both {
            events.push(Event::BackUp);
        }
        if is_allowed(EventKind::Toggle) && !has(EventKind::BackUp) {
            events.push(Event::Toggle);
        }
        for (slot, device) in world.placed() {
            let device = self.devices.get(device);
            let is_there = self.servers.get(world.server).admits(device.prefix);
            if !device.is_enrolled() {
                if is_allowed(EventKind::Enrol) {
                    events.push(Event::Enrol { slot });
                }
                continue;
            }
            if !is_there || device.made.is_empty() {
                continue;
            }
            if is_allowed(EventKind::Late)
                && world.late.is_none()
                && device.waiting().next().is_some()
            {
                events.push(Event::Late { slot });
            }
            if is_allowed(EventKind::Snapshot) {
                events.push(Event::Snapshot { slot });
            }
            if is_allowed(EventKind::Revoke) {
                events.push(Event::Revoke { slot });
            }
        }
        if is_allowed(EventKind::Erase) {
            let server = self.servers.get(world.server);
            let documents = (0..).zip(&server.documents);
            let there =
                documents.filter(|(name, stored)| stored.is_some() && !server.is_erased(*name));
            events.extend(there.map(|(document, _)| Event::Erase { document }));
        }
    }

    /// The world after something happened that may; with what a conversation did.
    ///
    /// # Panics
    ///
    /// For an event that may not happen.
    pub fn step(&mut self, world: &World, event: Event) -> (World, Said) {
        let mut next = *world;
        let mut said = Said::default();
        match event {
            Event::Write { slot, document, kind } => {
                next.left.operations -= 1;
                next.left.edits -= 1;
                let mut device = (*self.device_at(world, slot)).clone();
                device.write(&mut self.facts, document, kind);
                next.set_device(slot, self.devices.name(device));
            }
            Event::WriteDuring { slot, document, kind } => {
                next.left.operations -= 1;
                next.left.edits -= 1;
                self.write_during(world, &mut next, (slot, document, kind));
            }
            Event::Sync { slot } => {
                let talk = self.talk(place(world, slot), world.server, world.is_withheld);
                next.set_device(slot, talk.device);
                next.server = talk.server;
                said = talk.said;
            }
            Event::Cut { slot, after } => {
                next.left.cuts -= 1;
                let talk = self.talk(place(world, slot), world.server, world.is_withheld);
                let at = usize::from(after).checked_sub(1);
                let stage = at.and_then(|at| talk.stages.get(at)).expect("it has so many answers");
                next.set_device(slot, stage.device);
                next.server = stage.server;
                said = stage.said;
            }
            Event::Lost { slot, at } => {
                next.left.cuts -= 1;
                let talk = self.talk(place(world, slot), world.server, world.is_withheld);
                let at = usize::from(at).checked_sub(1);
                let stage = at.and_then(|at| talk.stages.get(at)).expect("it has so many requests");
                next.set_device(slot, stage.asking);
                next.server = stage.server;
                let before = at.and_then(|at| at.checked_sub(1));
                said =
                    before.and_then(|at| talk.stages.get(at)).map(|s| s.said).unwrap_or_default();
                said.requests += 1;
            }
            Event::Late { slot } => {
                next.spend(EventKind::Late);
                let device = self.device_at(world, slot);
                let batch = device.waiting().map(|own| own.change).collect();
                next.late = Some((device.prefix, self.batches.name(batch)));
            }
            Event::Arrive => self.arrive(world, &mut next),
            Event::BackUp => {
                next.spend(EventKind::BackUp);
                next.backup = Some(world.server);
            }
            Event::Restore { is_marked } => self.restore(world, &mut next, is_marked),
            Event::Snapshot { slot } => {
                next.spend(EventKind::Snapshot);
                let mut device = (*self.device_at(world, slot)).clone();
                device.settle_standard();
                let device = self.devices.name(device);
                next.set_device(slot, device);
                next.snapshot = Some(device);
            }
            Event::RollBack { has_token } => self.roll_back(world, &mut next, has_token),
            Event::Clone { has_token } => self.clone_device(world, &mut next, has_token),
            Event::Enrol { slot } => {
                next.spend(EventKind::Enrol);
                let mut device = (*self.device_at(world, slot)).clone();
                device.enrol(&mut self.facts, slot);
                next.set_device(slot, self.devices.name(device));
                let mut server = (*self.servers.get(world.server)).clone();
                server.enrol(&mut self.facts, slot);
                next.server = self.servers.name(server);
                next.ledger.enrolled |= bit(slot);
            }
            Event::Revoke { slot } => {
                next.spend(EventKind::Revoke);
                let prefix = self.device_at(world, slot).prefix;
                let mut server = (*self.servers.get(world.server)).clone();
                server.revoked |= bit(prefix);
                next.server = self.servers.name(server);
                next.ledger.revoked |= bit(prefix);
            }
            Event::Erase { document } => {
                next.spend(EventKind::Erase);
                next.ledger.erased |= bit(document);
                next.ledger.number += 1;
                let mut server = (*self.servers.get(world.server)).clone();
                server.erase(&mut self.facts, document, next.ledger.number);
                next.server = self.servers.name(server);
            }
            Event::Toggle => {
                next.spend(EventKind::Toggle);
                next.is_withheld = !world.is_withheld;
            }
        }
        if matches!(event, Event::Restore { .. } | Event::RollBack { .. } | Event::Revoke { .. }) {
            next.gone = self.gone_now(&next);
        }
        (next, said)
    }

    fn device_at(&self, world: &World, slot: Slot) -> Rc<Device> {
        self.devices.get(place(world, slot))
    }

    fn arrive(&mut self, world: &World, next: &mut World) {
        let Some((prefix, batch)) = next.late.take() else { return };
        let mut server = (*self.servers.get(world.server)).clone();
        if server.admits(prefix) {
            let batch = self.batches.get(batch);
            server.push(&mut self.facts, &batch, prefix, world.is_withheld);
            next.server = self.servers.name(server);
        }
    }

    fn restore(&mut self, world: &World, next: &mut World, is_marked: bool) {
        let Some(backup) = next.backup.take() else { return };
        let mut server = (*self.servers.get(backup)).clone();
        if is_marked {
            server.mark(&mut self.facts);
        }
        if self.facts.broken != Broken::LedgerIgnored {
            let erased: Vec<DocumentName> = world.ledger.erased().collect();
            let ledger = (world.ledger.enrolled, world.ledger.revoked, erased.as_slice());
            let number = world.ledger.number;
            next.ledger.number = server.carry_out(&mut self.facts, ledger, number);
        }
        next.server = self.servers.name(server);
    }

    fn roll_back(&mut self, world: &World, next: &mut World, has_token: bool) {
        let Some(copy) = next.snapshot.take() else { return };
        let mut device = (*self.devices.get(copy)).clone();
        let now = self.device_at(world, device.slot);
        // What was drawn and typed since was drawn and typed.
        device.draws = now.draws;
        device.made.clone_from(&now.made);
        device.wake_as_copy(&self.facts, has_token);
        next.has_copies = true;
        next.has_twins |= has_token;
        next.set_device(device.slot, self.devices.name(device));
    }

    fn clone_device(&mut self, world: &World, next: &mut World, has_token: bool) {
        let Some(slot) = self.empty_place(world) else { return };
        let Some(copy) = next.snapshot.take() else { return };
        let mut device = (*self.devices.get(copy)).clone();
        device.slot = slot;
        device.draws = 0;
        device.made.clear();
        device.wake_as_copy(&self.facts, has_token);
        next.has_copies = true;
        next.has_twins |= has_token;
        next.set_device(slot, self.devices.name(device));
    }
}

impl World {
    fn spend(&mut self, kind: EventKind) {
        self.left.operations -= 1;
        self.left.accidents -= 1;
        self.left.happened |= kind.bit();
    }
}

fn place(world: &World, slot: Slot) -> DeviceId {
    world.device(slot).expect("an event names a device that is there")
}
