//! What devices showed when a server was put back is there in the end, by its value.
//!
//! What nobody can bring back by its name is written anew as another change, so its edits cannot be asked
//! for one by one ([`excused`](super::excused)). But the devices held its values: of each document the states of all
//! devices that are still themselves are joined, and what stands there must stand at the server, unless
//! somebody whose edit they did not know wrote the same field.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{State, archive::Archived},
    ids::DocumentId,
    schema::{Entity, Kind},
    store::document,
    value::Value,
};
use outrider_sync_server::storage::Content;

use super::{Office, Verdict, excused::USER, is_recovering};
use crate::{Failure, device::Device, plan::Check, versions::newest, world::World};

/// How the key of the removal of a row ends.
const REMOVAL: &str = "/-";

/// What one device held: of each flat document its entity and its state.
type Held = BTreeMap<DocumentId, (String, State)>;

/// What devices held at the moment at which a server was put back, by their names.
#[derive(Debug, Default)]
pub(crate) struct Shown(Vec<(String, Held)>);

impl Shown {
    /// Reads what they hold now.
    pub(crate) fn read(devices: &[Device]) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for device in devices.iter().filter(|device| !device.is_revoked && !device.has_rotted) {
            let mut held = BTreeMap::new();
            document::for_each(device.replica()?.store().conn(), |id, entity, state| {
                if id.part.is_flat() {
                    held.insert(id.clone(), (entity.to_owned(), state.to_vec()));
                }
                Ok(())
            })?;
            let read = |(id, (entity, bytes)): (DocumentId, (String, Vec<u8>))| {
                Ok::<_, Failure>((id, (entity, State::from_bytes(&bytes)?)))
            };
            all.push((device.name.clone(), held.into_iter().map(read).collect::<Result<_, _>>()?));
        }
        Ok(Self(all))
    }

    /// What those know together that are still themselves.
    fn together(&self, world: &World) -> Held {
        let is_itself = |name: &str| {
            world.devices.iter().any(|one| one.name == *name && !one.is_revoked && !one.has_rotted)
        };
        let mut together = Held::new();
        for (_, held) in self.0.iter().filter(|(name, _)| is_itself(name)) {
            for (id, (entity, state)) in held {
                let known = together.entry(id.clone());
                known.or_insert_with(|| (entity.clone(), State::default())).1.join(state);
            }
        }
        together
    }
}

pub(super) fn judge(world: &World, office: &Office, verdict: &mut Verdict) -> Result<(), Failure> {
    if world.shown.is_empty() || is_recovering(world)? {
        return Ok(());
    }
    let nothing = State::default();
    for shown in &world.shown {
        for (id, (entity, known)) in shown.together(world) {
            let Some(entity) = newest().entity(&entity) else { continue };
            if entity.name == USER || world.is_erased(&id) {
                continue;
            }
            let there = match office.documents.get(&id).map(|stored| &stored.content) {
                Some(Content::Flat(state)) => state,
                Some(Content::Text(_)) | None => &nothing,
            };
            for (field, value) in gone(entity, &known, there) {
                let is_explained = world.ledger.is_refused(&id, field)
                    || world.ledger.is_written_unseen(&id, field, &known.clock);
                if !is_explained {
                    let what = format!("{id} {field}: {value:?} was shown, and is gone");
                    verdict.add(Check::Accounted, what);
                }
            }
        }
    }
    Ok(())
}

/// Values that stand in `known` and not in `there`, each with its key. Counts are sums, and asked for elsewhere; what
/// only the office may write no device may write anew.
fn gone<'a>(
    entity: &'a Entity,
    known: &'a State,
    there: &'a State,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let is_asked = |key: &str| {
        let field = key.split('/').next().and_then(|field| entity.field(field));
        field.is_none_or(|field| !matches!(field.kind, Kind::Counter | Kind::Office))
    };
    let keys = known.keys.iter().filter(move |(key, _)| is_asked(key));
    keys.flat_map(move |(key, survivors)| {
        let stands = move |value: &Value| {
            // The removal of a row names the operations that it removed.
            let is_removal = key.ends_with(REMOVAL);
            there.survivors(key).iter().any(|other| is_removal || is_same(&other.value, value))
        };
        let values = survivors.iter().map(|one| &one.value);
        values
            .filter(move |value| **value != Value::Null && !stands(value))
            .map(move |value| (key.as_str(), value))
    })
}

/// Whether two values say the same: what an archiver had seen has other names when it is written anew.
fn is_same(one: &Value, other: &Value) -> bool {
    let archived = |value| Archived::from_value(value).map(|Archived { by, at, .. }| (by, at));
    one == other || archived(one).is_some_and(|one| archived(other) == Some(one))
}
