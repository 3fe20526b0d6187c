//! Everything there is, in a few words.

use std::rc::Rc;

use crate::{
    bounds::{Bounds, DEVICES_MAX, Last},
    change::{ChangeId, DocumentName, EditId, Slot},
    device::Device,
    facts::Facts,
    pool::{Id, Pool, QuickMap},
    promise::{Clash, DeviceDigest, Holder, ServerDigest},
    rest::{Core, Rested},
    rules::Broken,
    server::{Server, bit},
    session::{Ask, Said, talk},
};

/// Names a device in a state.
pub type DeviceId = Id<Device>;
/// Names a server in a state.
pub type ServerId = Id<Server>;

/// What is written outside of databases and their backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// Prefixes that were given, as bits.
    pub enrolled: u8,
    /// Prefixes whose devices were turned away.
    pub revoked: u8,
    /// Documents that were erased.
    pub erased: u8,
    /// The number of the last erasure: a clock, and no server counts it back.
    pub number: u8,
}

impl Ledger {
    /// The documents that were erased.
    pub fn erased(self) -> impl Iterator<Item = DocumentName> {
        (0..8).filter(move |document| self.erased & bit(*document) != 0)
    }
}

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Operations.
    pub operations: u8,
    /// Edits.
    pub edits: u8,
    /// Accidents.
    pub accidents: u8,
    /// Cut conversations.
    pub cuts: u8,
    /// Kinds of accidents that happened, as bits.
    pub happened: u32,
}

/// Everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    /// By place the device there.
    pub devices: [Option<DeviceId>; DEVICES_MAX],
    /// The server.
    pub server: ServerId,
    /// Its backup.
    pub backup: Option<ServerId>,
    /// A copy of a device.
    pub snapshot: Option<DeviceId>,
    /// A push that is on its way, and the prefix of who sent it.
    pub late: Option<(u8, Id<Vec<ChangeId>>)>,
    /// The ledger.
    pub ledger: Ledger,
    /// Whether the office withholds what can be withheld.
    pub is_withheld: bool,
    /// Whether a device was copied with its token.
    pub has_twins: bool,
    /// Whether a device was copied.
    pub has_copies: bool,
    /// Edits that went with the last who had them.
    pub gone: Id<Vec<EditId>>,
    /// What may still happen.
    pub left: Left,
}

/// A request of a conversation between two that are named.
#[derive(Debug, Clone, Copy)]
pub struct NamedStage {
    /// What was asked.
    pub ask: Ask,
    /// The device as it asks.
    pub asking: DeviceId,
    /// The device with the answer.
    pub device: DeviceId,
    /// The server.
    pub server: ServerId,
    /// What was done so far.
    pub said: Said,
}

/// A conversation between two that are named.
#[derive(Debug)]
pub struct NamedTalk {
    /// Its requests.
    pub stages: Vec<NamedStage>,
    /// The device at its end.
    pub device: DeviceId,
    /// The server at its end.
    pub server: ServerId,
    /// What it did.
    pub said: Said,
    /// Whether it has an end.
    pub is_ended: bool,
}

/// Whom a conversation is between, and whether something is withheld.
type Between = (DeviceId, ServerId, bool);

/// The model: everything that was met, by name, and what was worked out of it.
#[derive(Debug)]
pub struct Model {
    /// What everybody refers to.
    pub facts: Facts,
    /// Devices.
    pub devices: Pool<Device>,
    /// Servers.
    pub servers: Pool<Server>,
    /// Batches on their way.
    pub batches: Pool<Vec<ChangeId>>,
    /// Sets of edits.
    pub gone: Pool<Vec<EditId>>,
    /// How far to go.
    pub bounds: Bounds,
    talks: QuickMap<Between, Rc<NamedTalk>>,
    pub(crate) device_digests: QuickMap<DeviceId, Rc<DeviceDigest>>,
    pub(crate) server_digests: QuickMap<ServerId, Rc<ServerDigest>>,
    pub(crate) rested: QuickMap<Core, Rc<Rested>>,
    pub(crate) clashes: QuickMap<(Holder, Holder, bool), Clash>,
}

impl Model {
    /// A model in which a rule is not kept, or all are.
    #[must_use]
    pub fn new(bounds: Bounds, broken: Broken) -> Self {
        Self {
            facts: Facts::new(broken),
            devices: Pool::default(),
            servers: Pool::default(),
            batches: Pool::default(),
            gone: Pool::default(),
            bounds,
            talks: QuickMap::default(),
            device_digests: QuickMap::default(),
            server_digests: QuickMap::default(),
            rested: QuickMap::default(),
            clashes: QuickMap::default(),
        }
    }

    /// The world before anything happened.
    pub fn begin(&mut self) -> World {
        let Bounds { devices, last, documents, operations, edits, accidents_max, cuts, .. } =
            self.bounds;
        // The server has a past of which nobody holds anything, and every device has heard of it.
        let mut server = Server::new(documents, 0);
        server.begin(&mut self.facts);
        let mut enrolled = 0;
        let mut places = [None; DEVICES_MAX];
        let count = devices.min(DEVICES_MAX);
        for (slot, place) in (0_u8..).zip(places.iter_mut().take(count)) {
            let is_last = usize::from(slot) + 1 == count;
            let device = match (is_last, last) {
                (true, Last::Empty) => continue,
                (true, Last::Stranger) => Device::new(slot, documents, false),
                (true, Last::Enrolled) | (false, _) => {
                    enrolled |= bit(slot);
                    let mut device = Device::new(slot, documents, true);
                    (device.position, device.chain) = (server.position, server.chain);
                    device
                }
            };
            *place = Some(self.devices.name(device));
        }
        server.enrolled = enrolled;
        World {
            devices: places,
            server: self.servers.name(server),
            backup: None,
            snapshot: None,
            late: None,
            ledger: Ledger { enrolled, revoked: 0, erased: 0, number: 0 },
            is_withheld: true,
            has_twins: false,
            has_copies: false,
            gone: self.gone.name(Vec::new()),
            left: Left { operations, edits, accidents: accidents_max, cuts, happened: 0 },
        }
    }

    /// The conversation of a device with the server.
    pub fn talk(&mut self, device: DeviceId, server: ServerId, is_withheld: bool) -> Rc<NamedTalk> {
        let between = (device, server, is_withheld);
        if let Some(known) = self.talks.get(&between) {
            return Rc::clone(known);
        }
        let (phone, office) = (self.devices.get(device), self.servers.get(server));
        let whole = talk(&mut self.facts, &phone, &office, is_withheld);
        let stages = whole.stages.into_iter().map(|stage| NamedStage {
            ask: stage.ask,
            asking: self.devices.name(stage.asking),
            device: self.devices.name(stage.device),
            server: self.servers.name(stage.server),
            said: stage.said,
        });
        let named = Rc::new(NamedTalk {
            stages: stages.collect(),
            device: self.devices.name(whole.device),
            server: self.servers.name(whole.server),
            said: whole.said,
            is_ended: whole.is_ended,
        });
        self.talks.insert(between, Rc::clone(&named));
        named
    }
}

impl World {
    /// The device in a place.
    #[must_use]
    pub fn device(&self, slot: Slot) -> Option<DeviceId> {
        self.devices.get(usize::from(slot)).copied().flatten()
    }

    /// Puts a device into a place.
    pub fn set_device(&mut self, slot: Slot, device: DeviceId) {
        if let Some(place) = self.devices.get_mut(usize::from(slot)) {
            *place = Some(device);
        }
    }

    /// The devices with their places.
    pub fn placed(&self) -> impl Iterator<Item = (Slot, DeviceId)> {
        (0..).zip(self.devices).filter_map(|(slot, device)| Some((slot, device?)))
    }
}
