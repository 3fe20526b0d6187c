//! What stands where an edit is about to write.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    crdt::{Action, Edit, State, Survivor, read::settle, rows::GONE},
    domain::{rank::rank_of, record::settled_field},
    ids::{ActorId, Part},
    schema::Entity,
    store::undo::Old,
    value::Value,
};

/// What stands under the keys of the edits; nothing where a key is missing.
pub(in crate::replica) fn olds(
    entity: &Entity,
    part: &Part,
    state: &State,
    edits: &[Edit],
) -> BTreeMap<String, Old> {
    let mut olds = BTreeMap::new();
    let mut rows: BTreeSet<&str> = BTreeSet::new();
    for Edit { key, action } in edits {
        if let Some((field, count)) = count_of(key, action) {
            olds.insert(field.to_owned(), Old::Step(count - state.own_count(key)));
            continue;
        }
        if let Some((row, column)) = key.rsplit_once('/')
            && row.contains('/')
            && column != GONE
            && rows.insert(row)
            && state.under(&[row, "/"].concat()).next().is_none()
        {
            olds.insert(row.to_owned(), Old::NewRow);
        }
        if let Some(shown) = shown(entity, part, state, key) {
            olds.insert(key.clone(), Old::from(&shown.value));
        }
    }
    olds
}

/// What a person saw under a key.
fn shown<'a>(entity: &Entity, part: &Part, state: &'a State, key: &str) -> Option<&'a Survivor> {
    let ops = state.survivors(key);
    match settled_field(entity, part, key) {
        Some(field) => {
            settle(field.settle, ops, |value| rank_of(field, value)).map(|reading| reading.shown)
        }
        None => ops.last(),
    }
}

/// The field of a counter's key, and the count that is put there.
pub(super) fn count_of<'a>(key: &'a str, action: &Action) -> Option<(&'a str, i64)> {
    let Action::Put(Value::Int(count)) = action else { return None };
    let (field, actor) = key.split_once('/')?;
    actor.parse::<ActorId>().is_ok().then_some((field, *count))
}
