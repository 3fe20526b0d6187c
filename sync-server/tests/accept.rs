//! Accepting changes, without any network: what a hostile or unlucky enrolled device can do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use outrider_core::{
    access::Policy,
    crdt::{self, Action, Edit, Own, Stamp, State, TextDocument},
    ids::{ActorId, ActorPrefix, DeviceId, Part, RecordId},
    sync::frame::{Outcome, PROTOCOL_VERSION, PushChange, PushGroup, PushRequest},
};
use outrider_sync_server::{
    accept::{TEXT_CHANGES_MAX, push},
    storage::{Device, Storage as _, sqlite::SqliteStorage},
};

struct World {
    _folder: tempfile::TempDir,
    storage: SqliteStorage,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
    World { _folder: folder, storage }
}

fn device(number: u8) -> Device {
    Device {
        id: DeviceId(uuid::Uuid::from_u128(number.into())),
        name: "test".to_owned(),
        user: "test".to_owned(),
        user_record: None,
        prefix: ActorPrefix([number; 12]),
        public_key: Vec::new(),
        token_hash: [number; 32],
        enrolled_at: 0,
        is_office: false,
    }
}

fn actor(number: u8) -> ActorId {
    ActorId::new(ActorPrefix([number; 12]), [0; 4])
}

fn record() -> RecordId {
    RecordId::new(1, [7; 10])
}

fn change(entity: &str, part: &str, bytes: Vec<u8>) -> PushChange {
    let part: Part = part.parse().unwrap();
    PushChange { record: record(), part, entity: entity.to_owned(), generation: 0, bytes }
}

fn write(state: &mut State, own: &mut Option<Own>, by: u8, key: &str, text: &str) -> Vec<u8> {
    let stamp = Stamp { actor: actor(by), time_ms: 0, message: None };
    let edit = Edit { key: key.to_owned(), action: Action::Put(text.into()) };
    crdt::write(state, own, stamp, vec![edit]).unwrap().bytes
}

impl World {
    fn push(&self, by: u8, groups: Vec<Vec<PushChange>>) -> Vec<Outcome> {
        let groups = groups.into_iter().map(|changes| PushGroup { changes }).collect();
        let request = PushRequest {
            version: PROTOCOL_VERSION,
            groups,
            device: device(by).id,
            signature: Vec::new(),
            held: None,
        };
        let response = push(&self.storage, &Policy::open(), &device(by), &request, 0).unwrap();
        response.answers.into_iter().map(|answer| answer.outcome).collect()
    }
}

fn code(outcome: &Outcome) -> &str {
    if let Outcome::Refused(code, _) = outcome { code } else { "" }
}

#[test]
fn nobody_can_have_the_change_of_another_refused_for_good() {
    let world = world();
    let bytes = write(&mut State::default(), &mut None, 1, "company_name", "Acme");
    let sent = |by| world.push(by, vec![vec![change("customer", "main", bytes.clone())]]);
    assert_eq!(code(sent(2).first().unwrap()), "foreign_actor");
    assert_eq!(sent(1), [Outcome::Applied], "the author's own change");
    assert_eq!(sent(2), [Outcome::Duplicate], "what is there is there, whoever brings it");
    assert_eq!(sent(1), [Outcome::Duplicate]);
}

#[test]
fn nobody_can_have_the_text_of_another_refused_for_good() {
    let world = world();
    let mut text = TextDocument::new().unwrap();
    let bytes = text.edit(actor(1), 0, "typed").unwrap().unwrap().bytes;
    let sent = |by| world.push(by, vec![vec![change("customer", "notes", bytes.clone())]]);
    assert_eq!(code(sent(2).first().unwrap()), "foreign_actor");
    assert_eq!(sent(1), [Outcome::Applied]);
    assert_eq!(sent(2), [Outcome::Duplicate]);
}

#[test]
fn all_parts_of_a_record_are_of_one_entity_within_a_group_too() {
    let world = world();
    let (mut state, mut own) = (State::default(), None);
    let first = write(&mut state, &mut own, 1, "company_name", "Acme");
    let second = write(&mut state, &mut own, 1, "job_title", "Boss");
    let mixed = vec![change("customer", "main", first.clone()), change("contact", "main", second)];
    let answers = world.push(1, vec![mixed]);
    assert_eq!(answers.first(), Some(&Outcome::Retry(0)));
    assert_eq!(code(answers.last().unwrap()), "other_entity");
    assert_eq!(world.push(1, vec![vec![change("customer", "main", first)]]), [Outcome::Applied]);
    let notes = TextDocument::new().unwrap().edit(actor(1), 0, "x").unwrap().unwrap().bytes;
    let answers = world.push(1, vec![vec![change("contact", "notes", notes)]]);
    assert_eq!(code(answers.first().unwrap()), "other_entity");
}

#[test]
fn a_push_tries_a_bounded_number_of_text_changes_and_asks_for_the_rest_again() {
    let world = world();
    let mut text = TextDocument::new().unwrap();
    let count = TEXT_CHANGES_MAX as usize + 3;
    let groups: Vec<Vec<PushChange>> = (0..count)
        .map(|number| {
            let at = format!("{number:03}");
            let bytes = text.edit(actor(1), 0, &at.repeat(number + 1)).unwrap().unwrap().bytes;
            vec![change("customer", "notes", bytes)]
        })
        .collect();
    let first = world.push(1, groups.clone());
    let taken = first.iter().filter(|outcome| **outcome == Outcome::Applied).count();
    assert_eq!(taken, TEXT_CHANGES_MAX as usize);
    assert_eq!(first.last(), Some(&Outcome::Retry(0)));
    let second = world.push(1, groups);
    assert_eq!(second.iter().filter(|outcome| **outcome == Outcome::Applied).count(), 3);
    assert!(!second.contains(&Outcome::Retry(0)));
}

#[test]
fn a_text_beyond_the_limit_of_its_field_is_refused_and_remembered() {
    let world = world();
    let mut text = TextDocument::new().unwrap();
    let groups: Vec<Vec<PushChange>> = text
        .edit_in_steps(actor(1), 0, &"x".repeat(80_001))
        .unwrap()
        .into_iter()
        .map(|step| vec![change("customer", "notes", step.bytes)])
        .collect();
    let answers = world.push(1, groups.clone());
    assert_eq!(code(answers.last().unwrap()), "too_long");
    let again = world.push(1, vec![groups.last().unwrap().clone()]);
    assert_eq!(code(again.first().unwrap()), "too_long");
    assert_eq!(world.storage.read().unwrap().counts().unwrap().documents, 1);
}
