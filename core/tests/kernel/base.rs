//! Writing anew after a refusal, against a model that knows nothing of operation ids: for each
//! edit what its author saw under the key, for each deletion and archiving what he knew of.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::crdt::{
    Action, Edit, OpId,
    archive::{ARCHIVED, Archival},
    gate::Verdict,
};

use super::{
    device::Device,
    dice::{Dice, cases},
    model::{EditId, Meant, Model},
    world::{Server, archived, delete, put},
};

const CELLS: [&str; 4] =
    ["lines/row0000000/qty", "lines/row0000000/note", "lines/row1111111/qty", "name"];

struct World {
    model: Model,
    server: Server,
    server_known: BTreeSet<EditId>,
    devices: Vec<Device>,
    visits: BTreeMap<EditId, i64>,
    /// Which edit each operation stands for.
    ops: BTreeMap<OpId, EditId>,
}

impl World {
    fn new(devices: u8) -> Self {
        Self {
            model: Model::default(),
            server: Server::default(),
            server_known: BTreeSet::new(),
            devices: (1..=devices).map(Device::new).collect(),
            visits: BTreeMap::new(),
            ops: BTreeMap::new(),
        }
    }

    /// The edits whose values stand under `key` on a device.
    fn seen(&self, device: usize, key: &str) -> BTreeSet<EditId> {
        let state = &self.devices[device].state;
        state.survivors(key).iter().map(|op| self.ops[&op.id]).collect()
    }

    /// Notes the operations that stand for the waiting edits of a device.
    fn name_ops(&mut self, device: usize) {
        for (waiting, ids) in &self.devices[device].waiting {
            for (op_id, op) in waiting.encoded.change.ops_with_ids() {
                let key = if op.key.starts_with("visits/") { "visits" } else { &op.key };
                let id = ids.iter().find(|id| self.model.0[**id].key == key).unwrap();
                self.ops.insert(op_id, *id);
            }
        }
    }

    fn meant(&self, device: usize, key: &str) -> Meant {
        let waiting = self.devices[device].waiting.iter().flat_map(|(_, ids)| ids);
        Meant {
            key: key.to_owned(),
            replaced: self.seen(device, key),
            waiting: waiting.filter(|id| self.model.0[**id].key == key).copied().collect(),
            ..Meant::default()
        }
    }

    fn write(&mut self, dice: &mut Dice, device: usize) {
        let mut edits: Vec<Edit> = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..=dice.below(3) {
            let id = self.model.0.len();
            let cell = *dice.pick(&CELLS);
            let (edit, mut meant) = match dice.below(10) {
                0 => (delete(cell), self.meant(device, cell)),
                1 | 2 => {
                    let key = format!("visits/{}", self.devices[device].actor());
                    let count = self.devices[device].state.own_count(&key);
                    let meant = self.meant(device, &key);
                    (put(key, count + 3), meant)
                }
                3 => {
                    let row = *dice.pick(&["row0000000", "row1111111"]);
                    let Some(edit) = self.devices[device].state.delete_row("lines", row) else {
                        continue;
                    };
                    let mut meant = self.meant(device, &edit.key);
                    let cells = CELLS.iter().filter(|key| key.contains(row));
                    meant.saw = cells.flat_map(|key| self.seen(device, key)).collect();
                    (edit, meant)
                }
                4 => {
                    let saw = archived(&self.devices[device].state);
                    let mut meant = self.meant(device, ARCHIVED);
                    meant.saw = self.devices[device].known.clone();
                    (Edit { key: ARCHIVED.to_owned(), action: Action::Put(saw.to_value()) }, meant)
                }
                _ => (put(cell, id.to_string()), self.meant(device, cell)),
            };
            let nothing = edit.action == Action::Delete && meant.replaced.is_empty();
            let is_cell_delete = edit.action == Action::Delete && edit.key.contains('/');
            if nothing || is_cell_delete || edits.iter().any(|known| known.key == edit.key) {
                continue;
            }
            meant.value = matches!(edit.action, Action::Put(_)).then(|| id.to_string());
            if edit.key.starts_with("visits/") {
                meant.key = "visits".to_owned();
                self.visits.insert(id, 3);
            }
            self.model.0.push(meant);
            edits.push(edit);
            ids.push(id);
        }
        // The archiver knows of what he writes beside it.
        for id in &ids {
            if self.model.0[*id].key == ARCHIVED {
                let beside = ids.clone();
                self.model.0[*id].saw.extend(beside);
            }
        }
        if !edits.is_empty() {
            self.devices[device].write(edits, ids);
            self.name_ops(device);
        }
    }

    /// Pushes what waits, in order; the server's policy refuses some of it.
    fn push(&mut self, dice: &mut Dice, device: usize) {
        while let Some((first, ids)) = self.devices[device].waiting.first().cloned() {
            let keys: Vec<String> =
                first.encoded.change.ops.iter().map(|op| op.key.clone()).collect();
            match dice.below(10) {
                0 | 1 => {
                    let refused = dice.pick(&keys).clone();
                    self.devices[device].refuse([refused].into());
                    return self.name_ops(device);
                }
                2 => {
                    self.devices[device].refuse(keys.into_iter().collect());
                    return self.name_ops(device);
                }
                // Forked: all of it is kept.
                3 => {
                    self.devices[device].refuse(BTreeSet::new());
                    return self.name_ops(device);
                }
                4 => return,
                _ => {}
            }
            self.server.accept(&first.encoded);
            if dice.percent(10) {
                // The answer is lost; the change is sent again before anything is pulled.
                assert_eq!(self.server.push(&first.encoded), Verdict::Duplicate);
            }
            for id in ids {
                let key = &self.model.0[id].key;
                let counter = keys.iter().any(|named| named.starts_with("visits/"));
                if keys.contains(key) || (key == "visits" && counter) {
                    self.model.0[id].kept = true;
                    self.server_known.insert(id);
                }
            }
            self.devices[device].acknowledge();
        }
    }

    fn pull(&mut self, device: usize) {
        self.devices[device].pull(&self.server);
        let known = self.server_known.clone();
        self.devices[device].known.extend(known);
    }

    fn check(&self) {
        let state = &self.server.state;
        for key in CELLS {
            let ours: BTreeSet<EditId> =
                state.survivors(key).iter().map(|op| self.ops[&op.id]).collect();
            assert_eq!(ours, self.model.survivors(key), "survivors of {key}");
        }
        let visits: i64 =
            self.visits.iter().filter(|(id, _)| self.model.0[**id].kept).map(|(_, n)| n).sum();
        assert_eq!(state.counter("visits"), visits, "visits");
        for row in ["row0000000", "row1111111"] {
            let cells = CELLS.iter().filter(|key| key.contains(row));
            let cells: BTreeSet<EditId> = cells.flat_map(|key| self.model.survivors(key)).collect();
            let tombs = self.model.survivors(&format!("lines/{row}/-"));
            let gone: BTreeSet<EditId> =
                tombs.iter().flat_map(|id| self.model.0[*id].saw.clone()).collect();
            let expected = (!cells.is_subset(&gone)).then_some(!tombs.is_empty());
            let found = state.rows("lines").iter().find(|r| r.id == row).map(|r| r.is_revived);
            assert_eq!(found, expected, "{row}");
        }
        let archivings = self.model.survivors(ARCHIVED);
        let saw: BTreeSet<EditId> = archivings
            .iter()
            .flat_map(|id| self.model.0[*id].saw.clone())
            .chain(archivings.clone())
            .collect();
        let found = match state.archival() {
            Archival::Active => None,
            Archival::Archived(_) => Some(true),
            Archival::Revived(_) => Some(false),
        };
        let expected = (!archivings.is_empty()).then(|| self.server_known.is_subset(&saw));
        assert_eq!(found, expected, "archived");
    }
}

#[test]
fn four_thousand_worlds_with_refusals_end_as_everybody_meant() {
    cases(4_000, |dice| {
        let mut world = World::new(3);
        for _ in 0..10 + dice.below(40) {
            let device = dice.below(3);
            match dice.below(6) {
                0..=2 => world.write(dice, device),
                3 => world.pull(device),
                _ => world.push(dice, device),
            }
        }
        while world.devices.iter().any(|device| !device.waiting.is_empty()) {
            for device in 0..3 {
                world.push(dice, device);
            }
        }
        for device in 0..3 {
            world.pull(device);
            assert_eq!(world.devices[device].state, world.server.state, "device {device}");
            assert_eq!(world.devices[device].confirmed, world.server.state);
        }
        world.check();
        world.server.check();
        if dice.percent(25) {
            world.server.check_bytes();
        }
    });
}
