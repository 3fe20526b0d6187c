//! What both sides hold, in the same words.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt::{self, Action, State},
    ids::{DocumentId, Part},
    store::{document, outbox},
    value::Value,
};
use outrider_model::{
    change::{ChangeId, DocumentName, EditId, Key, Set, Slot},
    device::Device as ModelDevice,
    server::Stored,
    world::{Model, World},
};
use outrider_sync_server::{devices::Bar, storage::Content};

use super::stage::{NAME, OPEN, Stage, WITHHELD, record_of, text_of};
use crate::Failure;

/// Keys of the model with their names in the schema.
const KEYS: [(Key, &str); 3] = [(Key::Name, NAME), (Key::Open, OPEN), (Key::Withheld, WITHHELD)];
/// What an inbox tells of an erasure, instead of what it took.
const TOLD_OF_ERASURE: &str = "erased_values";

/// By key the edits that stand there.
type Values = BTreeMap<&'static str, BTreeSet<String>>;

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// By document what is visible; none if it is not there.
    documents: Vec<Option<Values>>,
    /// What waits, in the order of writing.
    waiting: Vec<String>,
    /// How many changes were acknowledged.
    acknowledged: usize,
    /// What was refused.
    refused: BTreeSet<String>,
    /// Records that were erased here.
    erased: BTreeSet<DocumentName>,
    /// Whether a cut-off session has to go on to send everything again.
    is_resending: bool,
}

/// What a server holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// By document what stands; none if it is not there.
    documents: Vec<Option<Values>>,
    /// By document how many changes its history has.
    changes: Vec<usize>,
    /// Records that are closed.
    erased: BTreeSet<DocumentName>,
    /// Devices that may talk.
    admitted: BTreeSet<Slot>,
}

/// Everything that is compared after an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Observed {
    pub(super) devices: BTreeMap<Slot, Seen>,
    pub(super) server: Kept,
}

impl Observed {
    /// The first difference between what the model says and what is.
    pub(super) fn difference(&self, real: &Self) -> Option<String> {
        if self.server != real.server {
            return Some(format!(
                "the server\n  model {:?}\n  real  {:?}",
                self.server, real.server
            ));
        }
        for (slot, mine) in &self.devices {
            let theirs = real.devices.get(slot);
            if Some(mine) != theirs {
                return Some(format!("device {slot}\n  model {mine:?}\n  real  {theirs:?}"));
            }
        }
        None
    }
}

/// What the model holds.
pub(super) fn observe_model(model: &Model, world: &World) -> Observed {
    let mut observed = Observed::default();
    let server = model.servers.get(world.server);
    for (slot, id) in world.placed() {
        let device = model.devices.get(id);
        observed.devices.insert(slot, see_model(model, &device));
        if server.admits(device.prefix) {
            observed.server.admitted.insert(slot);
        }
    }
    for (name, stored) in (0..).zip(&server.documents) {
        let set = stored.as_ref().map(Stored::set);
        observed.server.changes.push(set.as_ref().map_or(0, Vec::len));
        observed.server.documents.push(set.map(|set| values(model, &set)));
        if server.is_erased(name) {
            observed.server.erased.insert(name);
        }
    }
    observed
}

fn see_model(model: &Model, device: &ModelDevice) -> Seen {
    let mut seen = Seen {
        acknowledged: device.acknowledged().count(),
        erased: device.erased.iter().map(|erasure| erasure.document).collect(),
        is_resending: device.resend.is_some(),
        ..Seen::default()
    };
    for (name, held) in (0..).zip(&device.documents) {
        let visible = held.as_ref().map(|_| values(model, &device.visible(&model.facts, name)));
        seen.documents.push(visible);
    }
    for own in device.waiting() {
        seen.waiting.push(describe(model, own.change));
    }
    for refusal in &device.inbox {
        for key in &refusal.keys {
            seen.refused.insert(format!("{}={}", name_of(*key), text(model, refusal.edit)));
        }
    }
    seen
}

fn text(model: &Model, edit: EditId) -> String {
    let edit = model.facts.edits.get(edit);
    text_of(edit.slot, edit.number)
}

fn name_of(key: Key) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == key).map_or("archived", |(_, name)| *name)
}

fn describe(model: &Model, change: ChangeId) -> String {
    let change = model.facts.changes.get(change);
    let mut ops: Vec<String> = Vec::new();
    for op in &change.ops {
        let text = op.edit.map(|edit| text(model, edit)).unwrap_or_default();
        ops.push(format!("{}={text} over {}", name_of(op.key), op.pred.len()));
    }
    ops.sort();
    format!("{} seq {} deps {}: {}", change.document, change.seq, change.deps.len(), ops.join(", "))
}

fn values(model: &Model, set: &Set) -> Values {
    let view = model.facts.view(set);
    let mut values = Values::new();
    for (key, name) in KEYS {
        let standing = view.standing(key).into_iter();
        let texts: BTreeSet<String> =
            standing.filter_map(|(_, edit)| Some(text(model, edit?))).collect();
        if !texts.is_empty() {
            values.insert(name, texts);
        }
    }
    values
}

/// What is really there.
pub(super) fn observe_real(stage: &Stage, documents: usize) -> Result<Observed, Failure> {
    let mut observed = Observed::default();
    let names: Vec<DocumentName> = (0..).take(documents).collect();
    let tx = stage.server()?.storage().read()?;
    for (slot, phone) in &stage.phones {
        let replica = phone.device.replica()?;
        let conn = replica.store().conn();
        let mut seen = Seen { is_resending: replica.resend_after()?.is_some(), ..Seen::default() };
        for name in &names {
            let id = DocumentId { record: record_of(*name), part: Part::Main };
            let state = match document::load(conn, &id)? {
                Some(stored) => Some(document::decode_state(&id, &stored.state)?),
                None => None,
            };
            seen.documents.push(state.as_ref().map(standing));
            seen.acknowledged += outbox::acknowledged_of(conn, &id)?.len();
            if outrider_core::store::erased::is_erased(conn, id.record)? {
                seen.erased.insert(*name);
            }
        }
        for own in outbox::waiting(conn, 0, usize::MAX)? {
            seen.waiting.push(describe_real(&names, &own)?);
        }
        for refused in replica.inbox(usize::MAX)? {
            for (key, value) in refused.refused.as_object().into_iter().flatten() {
                if key != TOLD_OF_ERASURE && KEYS.iter().any(|(_, name)| name == key) {
                    let text = value.as_str().unwrap_or_default();
                    seen.refused.insert(format!("{key}={text}"));
                }
            }
        }
        observed.devices.insert(*slot, seen);
        if let Some(id) = phone.device.id
            && tx.device(id)?.is_some()
            && tx.standing(id)?.is_none_or(|standing| Bar::of(&standing).is_none())
        {
            observed.server.admitted.insert(*slot);
        }
    }
    for name in names {
        let id = DocumentId { record: record_of(name), part: Part::Main };
        let stored = tx.document(&id)?.map(|stored| stored.content);
        let state = match &stored {
            Some(Content::Flat(state)) => Some(standing(state)),
            Some(Content::Text(_)) | None => None,
        };
        observed.server.documents.push(state);
        observed.server.changes.push(tx.changes_since(&id, 0, usize::MAX)?.len());
        if tx.erasure_of(id.record)?.is_some() {
            observed.server.erased.insert(name);
        }
    }
    Ok(observed)
}

fn standing(state: &State) -> Values {
    let mut values = Values::new();
    for (_, name) in KEYS {
        let survivors = state.survivors(name).iter();
        let texts: BTreeSet<String> =
            survivors.map(|one| one.value.as_text().unwrap_or_default().to_owned()).collect();
        if !texts.is_empty() {
            values.insert(name, texts);
        }
    }
    values
}

fn describe_real(names: &[DocumentName], own: &outbox::OwnChange) -> Result<String, Failure> {
    let encoded = crdt::decode(&own.bytes)?;
    let change = &encoded.change;
    let name = names.iter().find(|name| record_of(**name) == own.document.record);
    let name = name.ok_or("a change of another record waits")?;
    let mut ops: Vec<String> = Vec::new();
    for op in &change.ops {
        let is_known = KEYS.iter().any(|(_, key)| *key == op.key);
        let (true, Action::Put(value)) = (is_known, &op.action) else { continue };
        let text = match value {
            Value::Text(text) => text.as_str(),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Bytes(_) => "",
        };
        ops.push(format!("{}={text} over {}", op.key, op.pred.len()));
    }
    ops.sort();
    Ok(format!("{name} seq {} deps {}: {}", change.seq, change.deps.len(), ops.join(", ")))
}
