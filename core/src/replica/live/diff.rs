//! From an old list to a new one: what was removed, moved, inserted, changed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::ids::RecordId;

/// Names the content of a record as it was shown.
pub(super) type Print = [u8; 16];

/// A record that another takes its place in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// Its place in the new list.
    pub index: usize,
    /// The record as JSON.
    pub record: Json,
}

/// What makes the old list the new one. Done in this order: `removed`, `moved`, `inserted`,
/// `changed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Places in the old list, the last one first: take each out.
    pub removed: Vec<usize>,
    /// One after the other: take out at the first place, put in at the second.
    pub moved: Vec<(usize, usize)>,
    /// In order of their places: put in.
    pub inserted: Vec<Placed>,
    /// Replace.
    pub changed: Vec<Placed>,
    /// Where the page after this list begins now, if there is more.
    pub next: Option<String>,
}

impl Diff {
    /// Whether the list is the same, apart from what comes after it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.moved.is_empty()
            && self.inserted.is_empty()
            && self.changed.is_empty()
    }

    /// Makes the old list the new one: what a host does with its own. A place that there is not is
    /// passed over.
    pub fn apply(&self, list: &mut Vec<Json>) {
        for at in &self.removed {
            if *at < list.len() {
                list.remove(*at);
            }
        }
        for (from, to) in &self.moved {
            if *from < list.len() {
                let record = list.remove(*from);
                list.insert((*to).min(list.len()), record);
            }
        }
        for Placed { index, record } in &self.inserted {
            list.insert((*index).min(list.len()), record.clone());
        }
        for Placed { index, record } in &self.changed {
            if let Some(place) = list.get_mut(*index) {
                place.clone_from(record);
            }
        }
    }
}

/// One record of the new list; its JSON where it may be another than in the old list.
pub(super) struct Fresh {
    pub(super) id: RecordId,
    pub(super) print: Print,
    pub(super) json: Option<Json>,
}

/// Compares a list with the one before it.
pub(super) fn between(old: &[(RecordId, Print)], new: Vec<Fresh>) -> Diff {
    let places: BTreeMap<RecordId, usize> =
        new.iter().enumerate().map(|(at, fresh)| (fresh.id, at)).collect();
    let prints: BTreeMap<RecordId, Print> = old.iter().copied().collect();
    let mut diff = Diff::default();
    let (mut kept, mut targets) = (Vec::new(), Vec::new());
    for (at, (id, _)) in old.iter().enumerate() {
        match places.get(id) {
            Some(place) => {
                kept.push(*id);
                targets.push(*place);
            }
            None => diff.removed.push(at),
        }
    }
    diff.removed.reverse();
    diff.moved = moves(kept, &targets);
    for (index, fresh) in new.into_iter().enumerate() {
        let Some(record) = fresh.json else { continue };
        match prints.get(&fresh.id) {
            None => diff.inserted.push(Placed { index, record }),
            Some(print) if *print != fresh.print => diff.changed.push(Placed { index, record }),
            Some(_) => {}
        }
    }
    diff
}

/// The fewest moves that bring `list` into the order of `targets`, its places in the new list.
fn moves(mut list: Vec<RecordId>, targets: &[usize]) -> Vec<(usize, usize)> {
    let stays = longest_ascending(targets);
    if stays.len() == list.len() {
        return Vec::new();
    }
    let mut wanted: Vec<(usize, RecordId, bool)> = Vec::with_capacity(list.len());
    for (at, (target, id)) in targets.iter().zip(&list).enumerate() {
        wanted.push((*target, *id, stays.binary_search(&at).is_ok()));
    }
    wanted.sort_unstable_by_key(|(target, _, _)| *target);
    let mut moved = Vec::new();
    let mut before: Option<RecordId> = None;
    for (_, id, is_staying) in wanted {
        if !is_staying && let Some(from) = list.iter().position(|other| *other == id) {
            list.remove(from);
            let after = |before: RecordId| list.iter().position(|other| *other == before);
            let to = before.and_then(after).map_or(0, |place| place + 1);
            list.insert(to, id);
            moved.push((from, to));
        }
        before = Some(id);
    }
    moved
}

/// Places of a longest ascending run within `values` (not next to each other), ascending.
fn longest_ascending(values: &[usize]) -> Vec<usize> {
    // The place of the least value that ends a run of each length, and what comes before each.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(values.len());
    let value = |at: usize| values.get(at).copied().unwrap_or_default();
    for at in 0..values.len() {
        let length = ends.partition_point(|end| value(*end) < value(at));
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        run.push(at);
        next = before.get(at).copied().flatten();
    }
    run.reverse();
    run
}
