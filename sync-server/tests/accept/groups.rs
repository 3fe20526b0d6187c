//! Groups whose members build on one another: each is judged as if those before it were stored.

use outrider_core::{
    crdt::{self, Action, Clock, Edit, EncodedChange, Own, State},
    ids::{ActorId, ActorPrefix, ChangeHash, DocumentId, Part},
    sync::frame::{Outcome, PushChange},
};
use outrider_sync_server::storage::{Content, Storage as _};

use crate::world::{World, change, code, record, world, write_all};

/// An actor of the one device.
fn own(suffix: u8) -> ActorId {
    ActorId::new(ActorPrefix([1; 12]), [suffix; 4])
}

fn name(state: &mut State, last: &mut Option<Own>, suffix: u8, text: &str) -> EncodedChange {
    let edit = Edit { key: "company_name".to_owned(), action: Action::Put(text.into()) };
    write_all(state, last, own(suffix), vec![edit])
}

fn of_main(encoded: &EncodedChange) -> PushChange {
    change("customer", "main", encoded.bytes.clone())
}

/// A record with one change, and the state after it.
fn begun() -> (World, State) {
    let (world, mut state) = (world(), State::default());
    let first = name(&mut state, &mut None, 0, "Acme");
    assert_eq!(world.push(1, vec![vec![of_main(&first)]]), [Outcome::Applied]);
    (world, state)
}

/// Changes on top of a state: two beside each other, one that replaces the first, another one by the
/// author of the first, and a late one that has seen the first alone.
fn tap(begun: &State) -> Vec<EncodedChange> {
    let (mut state, mut last) = (begun.clone(), None);
    let first = name(&mut state, &mut last, 1, "First");
    let seen = state.clone();
    let beside = name(&mut begun.clone(), &mut None, 2, "Beside");
    let after = name(&mut state, &mut None, 3, "After");
    let again = name(&mut state, &mut last, 1, "Again");
    let late = name(&mut seen.clone(), &mut None, 4, "Late");
    vec![first, beside, after, again, late]
}

impl World {
    /// The record, and the clocks of some of its changes.
    fn stored(&self, changes: &[EncodedChange]) -> (Content, Vec<Clock>) {
        let id = DocumentId { record: record(), part: Part::Main };
        let read = self.storage.read().unwrap();
        let clock = |hash: ChangeHash| read.change(&id, hash).unwrap().unwrap().clock;
        let clocks = changes.iter().map(|encoded| clock(encoded.hash)).collect();
        (read.document(&id).unwrap().unwrap().content, clocks)
    }
}

#[test]
fn a_group_may_follow_and_replace_what_it_has_just_written() {
    let (together, state) = begun();
    let tap = tap(&state);
    let group: Vec<PushChange> = tap.iter().map(of_main).collect();
    assert_eq!(together.push(1, vec![group.clone()]), vec![Outcome::Applied; tap.len()]);
    let (apart, _) = begun();
    for one in &group {
        assert_eq!(apart.push(1, vec![vec![one.clone()]]), [Outcome::Applied]);
    }
    assert_eq!(together.stored(&tap), apart.stored(&tap));
    assert_eq!(together.push(1, vec![group]), vec![Outcome::Duplicate; tap.len()]);
}

#[test]
fn a_group_has_each_number_of_an_author_once() {
    let (world, state) = begun();
    let one = name(&mut state.clone(), &mut None, 1, "One");
    let other = name(&mut state.clone(), &mut None, 1, "Other");
    let answers = world.push(1, vec![vec![of_main(&one), of_main(&other)]]);
    assert_eq!(answers, [Outcome::Retry(0), Outcome::Forked]);
    let answers = world.push(1, vec![vec![of_main(&one), of_main(&one)]]);
    assert_eq!(answers, [Outcome::Applied, Outcome::Duplicate]);
}

/// A predecessor that a change cannot have seen makes a document that cannot be loaded where changes
/// arrive in another order.
#[test]
fn a_change_of_a_group_replaces_nothing_that_it_does_not_follow() {
    let (world, state) = begun();
    let stored = name(&mut state.clone(), &mut None, 1, "Stored");
    // What names them is later by its number, and follows this one alone.
    let (mut seen, mut last) = (state.clone(), None);
    let beside = ["Beside", "Beside it"].map(|text| name(&mut seen, &mut last, 2, text));
    for sent in beside.iter().chain([&stored]) {
        assert_eq!(world.push(1, vec![vec![of_main(sent)]]), [Outcome::Applied]);
    }
    let staged = name(&mut state.clone(), &mut None, 3, "Staged");
    let unknown = name(&mut state.clone(), &mut None, 4, "Never sent");
    let naming = |replaced: &EncodedChange, suffix: u8| {
        let mut naming = name(&mut seen.clone(), &mut None, suffix, "Naming").change;
        naming.ops[0].pred = replaced.change.ops_with_ids().map(|(id, _)| id).collect();
        let group = vec![of_main(&staged), of_main(&crdt::encode(naming))];
        let answers = world.push(1, vec![group]);
        assert_eq!(answers[0], Outcome::Retry(0), "the group is judged whole");
        code(&answers[1]).to_owned()
    };
    assert_eq!(naming(&staged, 5), "pred_outside_past");
    assert_eq!(naming(&stored, 6), "pred_outside_past");
    assert_eq!(naming(&unknown, 7), "pred_unknown");
}
