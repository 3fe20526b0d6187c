//! Every input that was measured to hurt Automerge, sent by a device that was let in: each is refused
//! with its code or waits, and an honest device goes on in its records.
//!
//! The names say what the input did to Automerge 0.12.0 itself.

use std::io::Write as _;

use automerge::{ObjType, legacy};
use outrider_core::{
    crdt::{State, TextDocument},
    ids::{ChangeHash, Part},
    sync::frame::Outcome,
};

use crate::{
    changes::{ByHand, apart, of_customer, put, record, write},
    raw::{Raw, deflated, framed, unsigned},
    world::{Liar, Phone, Server},
};

/// A server, a liar, and a phone whose record the office has.
struct World {
    server: Server,
    liar: Liar,
    phone: Phone,
}

impl World {
    fn open() -> Self {
        let server = Server::start(&[]);
        let (liar, mut phone) = (server.liar(), server.phone());
        phone.create("Acme");
        phone.sync();
        Self { server, liar, phone }
    }

    /// Pushes these bytes as a flat change and as one of a text; what becomes of both.
    fn push(&self, number: u64, bytes: &[u8]) -> [Outcome; 2] {
        let parts = [Part::Main, Part::Text("notes".to_owned())];
        let changes = parts.map(|part| of_customer(record(number), part, bytes.to_vec()));
        self.server.push(&self.liar, apart(changes)).outcomes().try_into().unwrap()
    }

    /// Checks that these bytes are refused for this reason, as whatever they are sent.
    fn refused(&self, bytes: &[u8], code: &str) {
        for outcome in self.push(1, bytes) {
            assert_eq!(outcome, Outcome::Refused(code.to_owned(), Vec::new()));
        }
    }

    /// Checks that a flat change of these bytes is refused for this reason.
    fn refused_flat(&self, bytes: &[u8], code: &str) {
        assert_eq!(self.push(1, bytes)[0], Outcome::Refused(code.to_owned(), Vec::new()));
    }

    /// The honest device goes on: in its record, and in the one that was attacked, once it has it.
    fn end(mut self) {
        let known = self.phone.create("Acme again");
        self.phone.sync();
        self.phone.rename(known, "Acme at last");
        self.phone.sync();
        let name = self.phone.replica.get(known).unwrap().unwrap()["company_name"].clone();
        assert_eq!(name, "Acme at last");
        if self.phone.replica.get(record(1)).unwrap().is_some() {
            self.phone.rename(record(1), "Repaired");
            self.phone.sync();
        }
        let (mut state, mut own) = (State::default(), None);
        let fresh =
            write(&mut state, &mut own, self.liar.actor(99), vec![put("company_name", "B")]);
        let fresh = of_customer(record(2), Part::Main, fresh.bytes);
        let answers = self.server.push(&self.liar, apart([fresh])).outcomes();
        assert_eq!(answers, [Outcome::Applied], "even who lied may tell the truth");
    }

    /// A customer in which the liar's actor 1 wrote a name, known to the server and to the phone.
    fn begun(&mut self) -> (State, outrider_core::crdt::EncodedChange) {
        let mut state = State::default();
        let edits = vec![put("company_name", "Attacked")];
        let first = write(&mut state, &mut None, self.liar.actor(1), edits);
        assert_eq!(self.push(1, &first.bytes)[0], Outcome::Applied);
        self.phone.sync();
        (state, first)
    }

    /// A change by hand that goes on from the first one.
    fn after(&self, first: &outrider_core::crdt::EncodedChange) -> ByHand {
        let by_hand = ByHand::named(self.liar.actor(1), "Next");
        ByHand { seq: 2, start_op: 2, deps: vec![first.hash], ..by_hand }
    }
}

fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..mebibytes {
        deflate.write_all(&vec![0; 1 << 20]).unwrap();
    }
    framed(2, &[0; 4], &deflate.finish().unwrap())
}

/// 65 KB cost 260 MB and 0.6 s.
#[test]
fn row_1_a_compressed_change_of_64_mebibytes() {
    let world = World::open();
    world.refused(&bomb(64), "change_too_large");
    world.end();
}

/// 261 KB cost 1 GB and 2.6 s.
#[test]
fn row_2_a_compressed_change_of_256_mebibytes() {
    let world = World::open();
    world.refused(&bomb(256), "change_too_large");
    world.end();
}

/// 64 bytes cost 385 MB and 1.7 s.
#[test]
fn row_3_a_million_operations_in_64_bytes() {
    let world = World::open();
    world.refused(&Raw::put("name").rows(1_000_000).bytes(), "too_many_ops");
    world.end();
}

/// 69 bytes cost 1.9 GB and 9 s; a longer run never ended.
#[test]
fn row_4_five_million_operations_in_69_bytes() {
    let world = World::open();
    for rows in [5_000_000, i64::MAX] {
        world.refused(&Raw::put("name").rows(rows).bytes(), "too_many_ops");
    }
    world.end();
}

/// It panicked.
#[test]
fn row_5_an_actor_that_begins_with_its_fifth_change() {
    let world = World::open();
    let by_hand = ByHand::named(world.liar.actor(1), "Five");
    let [flat, text] = world.push(1, &ByHand { seq: 5, ..by_hand }.bytes());
    assert_eq!(flat, Outcome::Refused("sequence_gap".to_owned(), Vec::new()));
    assert!(!matches!(text, Outcome::Applied | Outcome::Duplicate), "{text:?}");
    world.end();
}

/// It panicked, and what was saved afterwards did not load.
#[test]
fn row_6_an_actor_that_skips_a_change() {
    let mut world = World::open();
    let (_, first) = world.begun();
    let skipped = ByHand { seq: 3, ..world.after(&first) };
    world.refused_flat(&skipped.bytes(), "sequence_gap");
    world.end();
}

/// It was accepted, and the second edit after it panicked in everybody's core.
#[test]
fn row_7_a_counter_near_its_end() {
    let mut world = World::open();
    let (_, first) = world.begun();
    for start_op in [u64::from(u32::MAX) - 1, u64::from(u32::MAX)] {
        let late = ByHand { start_op, ..world.after(&first) };
        world.refused_flat(&late.bytes(), "counter_too_high");
    }
    let early = ByHand { start_op: 1 << 30, ..world.after(&first) };
    world.refused_flat(&early.bytes(), "start_op");
    world.end();
}

/// Both were accepted and saved, and loading the result panicked.
#[test]
fn row_8_a_counter_used_twice() {
    let mut world = World::open();
    let (_, first) = world.begun();
    let again = ByHand { start_op: 1, ..world.after(&first) };
    world.refused_flat(&again.bytes(), "start_op");
    world.end();
}

/// Both were accepted.
#[test]
fn row_9_an_actor_of_no_bytes_or_of_a_million() {
    let world = World::open();
    let named = ByHand::named(world.liar.actor(1), "x");
    world.refused(&ByHand { actor: Vec::new(), ..named }.bytes(), "actor_length");
    let long = Raw { actor: vec![7; 1_000_000], ..Raw::put("name") };
    world.refused(&long.bytes(), "change_too_large");
    let long = Raw { actor: vec![7; 200_000], ..Raw::put("name") };
    world.refused(&long.bytes(), "actor_length");
    world.end();
}

/// It was accepted unchecked.
#[test]
fn row_10_a_time_at_the_end_of_numbers() {
    let world = World::open();
    for time in [i64::MAX, i64::MIN] {
        let named = ByHand::named(world.liar.actor(1), "x");
        world.refused(&ByHand { time, ..named }.bytes(), "time_out_of_range");
    }
    world.end();
}

/// It was an error with which an honest change of the same batch went down, and its successors waited
/// for ever.
#[test]
fn row_11_a_cloned_phone_writes_under_the_same_number() {
    let mut world = World::open();
    let (_, _) = world.begun();
    let clone = ByHand::named(world.liar.actor(1), "The other phone").bytes();
    let honest = ByHand::named(world.liar.actor(2), "Honest");
    let changes = [clone, honest.bytes()];
    let changes = changes.map(|bytes| of_customer(record(1), Part::Main, bytes));
    let answers = world.server.push(&world.liar, apart(changes)).outcomes();
    assert_eq!(answers, [Outcome::Forked, Outcome::Applied]);
    world.end();
}

/// 4,000 cost 2.8 s, 20,000 did not end within 100 s; all were kept in the document.
#[test]
fn row_12_twenty_thousand_changes_whose_dependencies_never_come() {
    let world = World::open();
    for batch in 0..20_u64 {
        let changes = (0..1_000_u64).map(|n| {
            let number = batch * 1_000 + n;
            let mut hash = [0xdd; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            let by_hand = ByHand::named(world.liar.actor(number as u32), "Orphan");
            let orphan = ByHand { deps: vec![ChangeHash(hash)], start_op: 9, ..by_hand };
            of_customer(record(1), Part::Main, orphan.bytes())
        });
        let answers = world.server.push(&world.liar, apart(changes)).outcomes();
        let waits =
            |answer: &&Outcome| matches!(answer, Outcome::Pending(missing) if missing.len() == 1);
        assert_eq!(answers.iter().filter(waits).count(), 1_000);
    }
    world.end();
}

/// Turning it into JSON overflowed the stack and ended the process.
#[test]
fn row_13_maps_within_maps() {
    let world = World::open();
    let mut doc =
        automerge::AutoCommit::new().with_actor(automerge::ActorId::from(world.liar.actor(1).0));
    let mut inner = automerge::ROOT;
    for _ in 0..6_400 {
        use automerge::transaction::Transactable as _;
        inner = doc.put_object(&inner, "m", ObjType::Map).unwrap();
    }
    let bytes = doc.get_last_local_change().unwrap().raw_bytes().to_vec();
    for outcome in world.push(1, &bytes) {
        assert!(matches!(&outcome, Outcome::Refused(..)), "{outcome:?}");
    }
    world.end();
}

/// Of 5.7 million mutations 49,529 panicked and 8,789 left what could not be loaded.
#[test]
fn rows_14_to_17_mutations_with_a_right_checksum() {
    const PUSHES: u64 = 20;
    const EACH: u64 = 200;
    let mut world = World::open();
    let (mut state, _) = world.begun();
    let next = write(
        &mut state,
        &mut None,
        world.liar.actor(2),
        vec![put("company_name", "Second"), put("tags/vip", true), put("employees", 7)],
    );
    let mut text = TextDocument::new().unwrap();
    let typed = text.edit(world.liar.actor(2), 5, "A text 城.").unwrap().unwrap();
    let mut noise = crate::changes::noise((PUSHES * EACH * 12) as usize, 7).into_iter();
    let mut byte = || noise.next().unwrap();
    let mut taken = 0;
    for _ in 0..PUSHES {
        let changes = (0..EACH).map(|n| {
            let is_text = n % 2 == 1;
            let (part, honest) = if is_text {
                (Part::Text("notes".to_owned()), &typed.bytes)
            } else {
                (Part::Main, &next.bytes)
            };
            let mut body = body_of(honest).to_vec();
            for _ in 0..=byte() % 3 {
                let at = (usize::from(byte()) << 8 | usize::from(byte())) % body.len();
                body[at] = if byte() % 2 == 0 { body[at] ^ (1 << (byte() % 8)) } else { byte() };
            }
            of_customer(record(1), part, crate::raw::frame(1, &body))
        });
        let changes: Vec<_> = changes.collect();
        let answers = world.server.push(&world.liar, apart(changes)).outcomes();
        taken += answers.iter().filter(|answer| **answer == Outcome::Applied).count();
        assert_eq!(answers.len() as u64, EACH);
    }
    eprintln!("{taken} of {} were taken", PUSHES * EACH);
    world.phone.sync();
    world.end();
}

/// An invented predecessor made a document that did not load, one of another key one that panicked
/// on load, one outside the past one that panicked by the order of arrival.
#[test]
fn predecessors_that_are_none() {
    let mut world = World::open();
    let (_, first) = world.begun();
    let id = |counter: u64, suffix: u32| {
        legacy::OpId::new(counter, &automerge::ActorId::from(world.liar.actor(suffix).0))
    };
    let with = |key: &str, pred: legacy::OpId| {
        let mut by_hand = world.after(&first);
        by_hand.ops[0].key = legacy::Key::Map(key.into());
        by_hand.ops[0].pred = vec![pred].into();
        by_hand.bytes()
    };
    world.refused_flat(&with("company_name", id(1, 77)), "pred_unknown");
    world.refused_flat(&with("employees", id(1, 1)), "pred_of_other_key");
    let beside = ByHand::named(world.liar.actor(2), "Beside");
    assert_eq!(world.push(1, &beside.bytes())[0], Outcome::Applied);
    world.refused_flat(&with("company_name", id(1, 2)), "pred_outside_past");
    world.end();
}

/// The same content in two forms would be two changes of one name.
#[test]
fn a_change_that_is_compressed_is_the_change() {
    let world = World::open();
    let change = ByHand::named(world.liar.actor(1), "Acme").bytes();
    let packed = deflated(body_of(&change));
    assert_eq!(world.push(1, &packed)[0], Outcome::Applied);
    assert_eq!(world.push(1, &change)[0], Outcome::Duplicate);
    world.end();
}

/// What is inside a chunk.
fn body_of(bytes: &[u8]) -> &[u8] {
    let length = bytes[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    debug_assert!(unsigned(0).len() == 1);
    &bytes[9 + length..]
}
