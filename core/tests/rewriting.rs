//! Edits written anew, as simulated runs found them go wrong.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use outrider_core::{
    crdt::{
        Action, Edit, EncodedChange, Own, Stamp, State,
        archive::{ARCHIVED, Archived},
        base::{Base, Pending, rewrite},
        write,
    },
    ids::{ActorId, ActorPrefix},
    value::Value,
};

fn actor(suffix: u8) -> ActorId {
    ActorId::new(ActorPrefix([1; 12]), [suffix; 4])
}

/// Writes one edit of a phone of which the server has nothing yet.
fn wait(
    state: &mut State,
    own: &mut Option<Own>,
    actor: ActorId,
    key: &str,
    value: Value,
) -> Pending {
    let edit = Edit { key: key.to_owned(), action: Action::Put(value) };
    let stamp = Stamp { actor, time_ms: 1_780_000_000_000, message: None };
    let encoded: EncodedChange = write(state, own, stamp, vec![edit]).unwrap();
    let base = Base::new(&State::default(), &encoded.change);
    Pending { encoded, base, dropped: [].into() }
}

/// Found beside seed 26 of the simulator: a phone counts, its backup is put back, it
/// counts on under another actor, and all of it is written anew.
#[test]
fn what_was_counted_under_two_actors_of_one_author_is_added_up() {
    let (mut state, mut own) = (State::default(), None);
    let counted = |actor: ActorId| ["visits/", &actor.to_string()].concat();
    let first = wait(&mut state, &mut own, actor(1), &counted(actor(1)), Value::Int(2));
    own = None;
    let second = wait(&mut state, &mut own, actor(2), &counted(actor(2)), Value::Int(3));
    let third = wait(&mut state, &mut own, actor(2), &counted(actor(2)), Value::Int(4));
    assert_eq!(state.counter("visits"), 6);
    let anew = rewrite(&State::default(), &[first, second, third], actor(3)).unwrap();
    assert_eq!(anew.state.counter("visits"), 6);
}

/// Seed 26 of the simulator (400 steps): the same phone archives the record. The archiving must
/// not say that it saw operations of actors whose changes the server will never have.
#[test]
fn an_archiving_that_is_written_anew_saw_nothing_of_the_actors_that_are_gone() {
    let (mut state, mut own) = (State::default(), None);
    let first = wait(&mut state, &mut own, actor(1), "name", Value::Text("a".to_owned()));
    own = None;
    let archived = Archived::new(&state, None, 5).to_value();
    let second = wait(&mut state, &mut own, actor(2), ARCHIVED, archived);
    let anew = rewrite(&State::default(), &[first, second], actor(3)).unwrap();
    let value = &anew.state.register(ARCHIVED).unwrap().winner.value;
    let saw = Archived::from_value(value).unwrap().saw;
    assert_eq!(saw.into_iter().collect::<Vec<_>>(), [(actor(3), 1)]);
}
