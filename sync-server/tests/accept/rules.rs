//! What is taken and what is refused, change by change.

use outrider_core::{
    crdt::{self, State, TextDocument, text::TEXT_BYTES_MAX},
    ids::{DocumentId, RecordId},
    schema::{Schema, Type},
    sync::frame::{Outcome, PushChange},
};
use outrider_sync_server::{
    accept::DAMAGED_RETRY_MS,
    storage::{Content, Storage as _},
};

use crate::world::{World, actor, change, code, record, world, write};

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

/// Notes of so many characters more than their field may have, in groups of one change.
fn notes_beyond(more: usize) -> Vec<Vec<PushChange>> {
    let notes = Schema::builtin().entity("customer").unwrap().field("notes").unwrap();
    let Type::Text { max } = notes.ty else { panic!("notes are {:?}", notes.ty) };
    let mut text = TextDocument::new().unwrap();
    let steps = text.edit_in_steps(actor(1), 0, &"x".repeat(max + more)).unwrap();
    steps.into_iter().map(|step| vec![change("customer", "notes", step.bytes)]).collect()
}

#[test]
fn a_text_beyond_the_limit_of_its_field_is_refused_and_remembered() {
    let world = world();
    let groups = notes_beyond(1);
    let answers = world.push(1, groups.clone());
    assert_eq!(code(answers.last().unwrap()), "too_long");
    let again = world.push(1, vec![groups.last().unwrap().clone()]);
    assert_eq!(code(again.first().unwrap()), "too_long");
    assert_eq!(world.storage.read().unwrap().counts().unwrap().documents, 1);
}

#[test]
fn a_text_of_the_limit_of_its_field_is_taken() {
    let answers = world().push(1, notes_beyond(0));
    assert!(answers.iter().all(|answer| *answer == Outcome::Applied), "{answers:?}");
}

/// Each by itself is within the limit.
#[test]
fn a_text_that_two_make_longer_than_it_may_be_is_refused_and_remembered() {
    let world = world();
    let mut text = TextDocument::new().unwrap();
    let full = text.edit_in_steps(actor(1), 0, &"🛠".repeat(TEXT_BYTES_MAX / 4)).unwrap();
    let full = full.into_iter().map(|step| vec![change("customer", "notes", step.bytes)]);
    for outcome in world.push(1, full.collect()) {
        assert_eq!(outcome, Outcome::Applied);
    }
    let more = TextDocument::new().unwrap().edit(actor(2), 0, "x").unwrap().unwrap().bytes;
    for _ in 0..2 {
        let answers = world.push(2, vec![vec![change("customer", "notes", more.clone())]]);
        assert_eq!(code(answers.first().unwrap()), "text_too_long");
    }
}

/// A restored server may not know how often a record began anew: its devices ask again later.
#[test]
fn a_change_of_a_later_generation_is_refused_and_not_held_against_it() {
    let world = world();
    let main = write(&mut State::default(), &mut None, 1, "company_name", "Acme");
    let notes = TextDocument::new().unwrap().edit(actor(1), 0, "typed").unwrap().unwrap().bytes;
    for (part, bytes) in [("main", main), ("notes", notes)] {
        let now = change("customer", part, bytes);
        let later = PushChange { generation: 1, ..now.clone() };
        let answers = world.push(1, vec![vec![later]]);
        assert_eq!(code(answers.first().unwrap()), "unknown_generation", "{part}");
        assert_eq!(world.push(1, vec![vec![now]]), [Outcome::Applied], "{part}");
    }
}

#[test]
fn a_change_of_a_generation_that_is_gone_is_answered_as_erased() {
    let world = world();
    let mut state = State { generation: 1, ..State::default() };
    write(&mut state, &mut None, 2, "company_name", "Anew");
    let id = DocumentId { record: record(), part: "main".parse().unwrap() };
    let mut storage = world.storage.write().unwrap();
    storage.put_document(&id, "customer", record(), &Content::Flat(state.clone())).unwrap();
    storage.commit().unwrap();
    let old = write(&mut State::default(), &mut None, 1, "company_name", "Acme");
    assert_eq!(world.push(1, vec![vec![change("customer", "main", old)]]), [Outcome::Erased]);
    assert_eq!(world.content("main"), Some(Content::Flat(state.clone())), "it stays");
    let next = write(&mut state, &mut None, 1, "industry", "energy");
    let next = PushChange { generation: 1, ..change("customer", "main", next) };
    assert_eq!(world.push(1, vec![vec![next]]), [Outcome::Applied]);
}

#[test]
fn a_text_change_that_cannot_be_read_is_refused_and_holds_back_no_other() {
    let world = world();
    let junk = b"no change".to_vec();
    let why = crdt::header(&junk).unwrap_err().code();
    let notes = TextDocument::new().unwrap().edit(actor(1), 0, "typed").unwrap().unwrap().bytes;
    let groups = [junk, notes].map(|bytes| vec![change("customer", "notes", bytes)]);
    let answers = world.push(1, groups.to_vec());
    assert_eq!(code(answers.first().unwrap()), why);
    assert_eq!(answers.last(), Some(&Outcome::Applied));
}

/// A change of a flat document does not begin as every text does.
#[test]
fn a_text_change_that_breaks_a_rule_of_texts_is_refused_and_remembered() {
    let world = world();
    let flat = write(&mut State::default(), &mut None, 1, "company_name", "Acme");
    let sent = || world.push(1, vec![vec![change("customer", "notes", flat.clone())]]);
    assert_eq!(code(sent().first().unwrap()), "previous_not_followed");
    let id = DocumentId { record: record(), part: "notes".parse().unwrap() };
    let known = world.storage.read().unwrap().refusal(&id, actor(1), 1).unwrap().unwrap();
    assert_eq!(known.hash, crdt::header(&flat).unwrap().hash);
    assert_eq!(code(sent().first().unwrap()), "previous_not_followed");
    assert_eq!(world.content("notes"), None);
}

#[test]
fn a_text_change_that_comes_twice_in_a_group_is_taken_once() {
    let world = world();
    let notes = TextDocument::new().unwrap().edit(actor(1), 0, "typed").unwrap().unwrap().bytes;
    let twice = vec![change("customer", "notes", notes); 2];
    assert_eq!(world.push(1, vec![twice]), [Outcome::Applied, Outcome::Duplicate]);
    let Some(Content::Text(text)) = world.content("notes") else { panic!("no text") };
    assert_eq!(text.text, "typed");
    assert_eq!(world.storage.read().unwrap().counts().unwrap().changes, 1);
}

/// What a disk that cannot be read says is not an answer: nobody knows what stands there.
#[test]
fn a_storage_that_fails_ends_the_push_and_damage_puts_off_its_group() {
    let world = world();
    let (mut state, mut own) = (State::default(), None);
    let mut sent = |name| {
        let bytes = write(&mut state, &mut own, 1, "company_name", name);
        vec![change("customer", "main", bytes)]
    };
    assert_eq!(world.push(1, vec![sent("Acme")]), [Outcome::Applied]);
    // Its history as well: it would be made anew.
    let damage = "UPDATE document SET content = zeroblob(length(content));
                  UPDATE change SET bytes = zeroblob(length(bytes));";
    world.disk().execute_batch(damage).unwrap();
    let second = vec![sent("Beta")];
    assert_eq!(world.push(1, second.clone()), [Outcome::Retry(DAMAGED_RETRY_MS)]);
    world.disk().execute_batch("ALTER TABLE document RENAME TO gone").unwrap();
    let error = world.try_push(1, second).unwrap_err();
    assert!(!error.is_damage(), "{error}");
}

/// A contact goes to another customer with everything that belongs to it.
#[test]
fn a_record_that_joins_another_family_takes_its_texts_along() {
    let world = world();
    let (mut state, mut own) = (State::default(), None);
    let customers = [RecordId::new(1, [1; 10]), RecordId::new(1, [2; 10])];
    let mut of =
        |customer: RecordId| write(&mut state, &mut own, 1, "customer_id", &customer.to_string());
    let notes = TextDocument::new().unwrap().edit(actor(1), 0, "typed").unwrap().unwrap().bytes;
    let begun =
        vec![change("contact", "main", of(customers[0])), change("contact", "notes", notes)];
    assert_eq!(world.push(1, vec![begun]), [Outcome::Applied, Outcome::Applied]);
    let family = |part: &str| {
        let id = DocumentId { record: record(), part: part.parse().unwrap() };
        world.storage.read().unwrap().document(&id).unwrap().unwrap().family
    };
    assert_eq!(["main", "notes"].map(family), [customers[0]; 2]);
    let moved = vec![change("contact", "main", of(customers[1]))];
    assert_eq!(world.push(1, vec![moved]), [Outcome::Applied]);
    assert_eq!(["main", "notes"].map(family), [customers[1]; 2]);
}

impl World {
    /// What is stored of a part of the record.
    fn content(&self, part: &str) -> Option<Content> {
        let id = DocumentId { record: record(), part: part.parse().unwrap() };
        Some(self.storage.read().unwrap().document(&id).unwrap()?.content)
    }
}
