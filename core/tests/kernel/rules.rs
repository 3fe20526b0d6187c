//! What keys mean, whatever the order of arrival: every order of applying, every order of joining.

use outrider_core::{
    crdt::{
        Edit, EncodedChange, State,
        archive::{ARCHIVED, Archival},
        read::{is_concurrent, settle},
    },
    schema::Settle,
    value::Value,
};

use super::world::{Peer, actor, archived, delete, put};

/// Peers that write, see each other, and remember every change.
struct Play {
    peers: Vec<Peer>,
    log: Vec<EncodedChange>,
}

impl Play {
    /// Three peers that have all seen `first`.
    fn new(first: Vec<Edit>) -> Self {
        let mut peers: Vec<Peer> = (1..=3).map(|n| Peer::new(actor(n, 0))).collect();
        let log = vec![peers[0].write(first)];
        let state = peers[0].state.clone();
        peers[1..].iter_mut().for_each(|peer| peer.state.join(&state));
        Self { peers, log }
    }

    fn write(&mut self, peer: usize, edit: Edit) -> &mut Self {
        let encoded = self.peers[peer].write(vec![edit]);
        self.log.push(encoded);
        self
    }

    fn delete_row(&mut self, peer: usize) -> &mut Self {
        let edit = self.peers[peer].state.delete_row("lines", ROW).unwrap();
        self.write(peer, edit)
    }

    fn archive(&mut self, peer: usize) -> &mut Self {
        let value = archived(&self.peers[peer].state).to_value();
        self.write(peer, put(ARCHIVED, value))
    }

    /// `to` sees what `from` has.
    fn sees(&mut self, to: usize, from: usize) -> &mut Self {
        let state = self.peers[from].state.clone();
        self.peers[to].state.join(&state);
        self
    }

    /// What `read` gives in every order of arrival, which must be the same.
    fn read<T: PartialEq + std::fmt::Debug>(&self, read: impl Fn(&State) -> T) -> T {
        let mut ends: Vec<State> = Vec::new();
        for order in permutations(self.log.len()) {
            let mut state = State::default();
            let mut known = Vec::new();
            for at in order {
                let encoded = &self.log[at];
                if encoded.change.deps.iter().all(|dep| known.contains(dep)) {
                    state.apply(encoded);
                    known.push(encoded.hash);
                }
            }
            if known.len() == self.log.len() {
                ends.push(state);
            }
        }
        for order in permutations(self.peers.len()) {
            let states: Vec<&State> = order.iter().map(|at| &self.peers[*at].state).collect();
            let (mut left, mut right) = (states[0].clone(), states[1].clone());
            left.join(states[1]);
            left.join(states[2]);
            right.join(states[2]);
            right.join(states[0]);
            ends.extend([left, right]);
        }
        assert!(ends.windows(2).all(|two| two[0] == two[1]), "all orders end alike");
        read(&ends[0])
    }
}

/// All orders of `0..count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let insert = |shorter: Vec<usize>| {
        (0..count).map(move |at| {
            let mut order = shorter.clone();
            order.insert(at, count - 1);
            order
        })
    };
    permutations(count - 1).into_iter().flat_map(insert).collect()
}

const ROW: &str = "row0000000";
const QTY: &str = "lines/row0000000/qty";
const NOTE: &str = "lines/row0000000/note";

/// A play with one row of two cells.
fn with_row() -> Play {
    Play::new(vec![put(QTY, "1"), put(NOTE, "red")])
}

/// How many cells the row has, and whether it is flagged; none if it is gone.
fn row(play: &Play) -> Option<(usize, bool)> {
    play.read(|state| state.rows("lines").first().map(|row| (row.cells.len(), row.is_revived)))
}

#[test]
fn a_row_deleted_beside_an_edit_is_whole_again_and_flagged() {
    assert_eq!(row(with_row().delete_row(1).write(2, put(QTY, "2"))), Some((2, true)));
}

#[test]
fn a_row_edited_before_its_deletion_is_gone() {
    assert_eq!(row(with_row().write(1, put(QTY, "2")).sees(2, 1).delete_row(2)), None);
}

#[test]
fn a_row_deleted_by_two_at_once_is_gone() {
    assert_eq!(row(with_row().delete_row(1).delete_row(2)), None);
    // Each saw a cell that the other did not.
    let mut play = with_row();
    play.write(1, put(QTY, "2")).delete_row(1).write(2, put(NOTE, "blue")).delete_row(2);
    assert_eq!(row(&play), None);
}

#[test]
fn a_row_edited_after_its_deletion_is_whole_again_until_it_is_deleted_again() {
    let mut play = with_row();
    play.delete_row(1).sees(2, 1).write(2, put(QTY, "3"));
    assert_eq!(row(&play), Some((2, true)));
    play.sees(0, 2).delete_row(0);
    assert_eq!(row(&play), None);
}

#[test]
fn a_row_whose_deletion_is_taken_back_is_there_and_not_flagged() {
    let mut play = with_row();
    play.delete_row(1).write(1, delete("lines/row0000000/-"));
    assert_eq!(row(&play), Some((2, false)));
}

/// Whether the record is archived (`a`), came back (`r`) or is in use (`-`).
fn archival(play: &Play) -> char {
    play.read(|state| match state.archival() {
        Archival::Active => '-',
        Archival::Archived(_) => 'a',
        Archival::Revived(_) => 'r',
    })
}

fn named() -> Play {
    Play::new(vec![put("name", "Ada")])
}

#[test]
fn archiving_beside_an_edit_brings_the_record_back() {
    assert_eq!(archival(named().archive(1).write(2, put("name", "Bob"))), 'r');
}

#[test]
fn archiving_after_an_edit_archives() {
    assert_eq!(archival(named().write(1, put("name", "Bob")).sees(2, 1).archive(2)), 'a');
    assert_eq!(archival(named().archive(1).archive(2)), 'a');
}

#[test]
fn two_archivings_cover_what_either_saw() {
    let mut play = named();
    play.write(1, put("name", "Bob")).archive(1).write(2, put("priority", 1)).archive(2);
    assert_eq!(archival(&play), 'a');
}

#[test]
fn an_edit_after_archiving_brings_the_record_back_and_unarchiving_too() {
    assert_eq!(archival(named().archive(1).sees(2, 1).write(2, put("name", "Bob"))), 'r');
    assert_eq!(archival(named().archive(1).write(1, put(ARCHIVED, Value::Null))), '-');
    assert_eq!(archival(named().archive(1).write(1, delete(ARCHIVED))), '-');
}

#[test]
fn archiving_beside_unarchiving_leaves_the_record_in_use() {
    let mut play = named();
    play.archive(0).sees(1, 0).sees(2, 0);
    play.write(1, put(ARCHIVED, Value::Null)).archive(2);
    assert_eq!(archival(&play), 'r');
}

#[test]
fn archiving_covers_what_is_written_in_the_same_tap() {
    let mut peer = Peer::new(actor(1, 0));
    let value = archived(&peer.state).to_value();
    peer.write(vec![put(ARCHIVED, value), put("name", "Ada"), put("priority", 1)]);
    assert!(matches!(peer.state.archival(), Archival::Archived(_)));
}

#[test]
fn adding_to_a_set_wins_over_removing_beside_it() {
    let tagged = || Play::new(vec![put("tags/vip", true)]);
    let tags = |play: &Play| play.read(|state| state.members("tags").len());
    assert_eq!(tags(tagged().write(1, delete("tags/vip")).write(2, put("tags/vip", true))), 1);
    assert_eq!(tags(tagged().write(1, delete("tags/vip")).write(2, delete("tags/vip"))), 0);
    let mut seen = tagged();
    seen.write(2, put("tags/vip", true)).sees(1, 2).write(1, delete("tags/vip"));
    assert_eq!(tags(&seen), 0);
}

#[test]
fn of_what_is_written_once_the_lowest_operation_counts() {
    let mut play = named();
    play.write(2, put("signed_by", "late")).write(1, put("signed_by", "early"));
    assert_eq!(play.read(|state| state.once("signed_by").unwrap().value.clone()), "early".into());
    let mut longer = named();
    longer.write(1, put("name", "x")).write(1, put("signed_by", "late"));
    longer.write(2, put("signed_by", "early"));
    assert_eq!(longer.read(|state| state.once("signed_by").unwrap().value.clone()), "early".into());
}

#[test]
fn everybody_counts_for_himself() {
    let mut play = named();
    for (peer, count) in [(0, 1), (1, 1), (2, 1), (1, 5)] {
        play.write(peer, put(format!("visits/{}", actor(peer as u8 + 1, 0)), count));
    }
    assert_eq!(play.read(|state| state.counter("visits")), 7);
}

#[test]
fn entries_of_a_log_are_united_in_the_order_of_writing() {
    let mut play = named();
    play.write(1, put("stages/zzzzzzzzzz", "{}")).write(2, put("stages/aaaaaaaaaa", "{}"));
    play.sees(0, 1).sees(0, 2).write(0, put("stages/mmmmmmmmmm", "{}"));
    let entries = |state: &State| {
        state.entries("stages").into_iter().map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(play.read(entries), ["zzzzzzzzzz", "aaaaaaaaaa", "mmmmmmmmmm"]);
}

/// What shows of the concurrent values, how many stand beside it, whether a person must choose.
fn settled(rule: Settle, one: impl Into<Value>, two: impl Into<Value>) -> (Value, usize, bool) {
    let mut play = Play::new(vec![put("x", Value::Null)]);
    play.write(1, put("x", one)).write(2, put("x", two));
    let rank = |value: &Value| match value {
        Value::Text(stage) => ["new", "won"].iter().position(|s| s == stage).map(|at| at as i64),
        other => other.as_int(),
    };
    play.read(|state| {
        let reading = settle(rule, state.survivors("x"), rank).unwrap();
        (reading.shown.value.clone(), reading.beside.len(), reading.must_settle)
    })
}

#[test]
fn concurrent_values_are_settled_by_the_rule_of_their_field() {
    assert_eq!(settled(Settle::Winner, "a", "b"), ("b".into(), 1, false));
    assert_eq!(settled(Settle::Person, "a", "b"), ("b".into(), 1, true));
    assert_eq!(settled(Settle::Person, "a", "a"), ("a".into(), 0, false));
    for rule in [Settle::OptOut, Settle::Done] {
        assert_eq!(settled(rule, true, false), (true.into(), 0, false));
        assert_eq!(settled(rule, false, true), (true.into(), 0, false));
        assert_eq!(settled(rule, false, false), (false.into(), 0, false));
    }
    assert_eq!(settled(Settle::Higher, 9, 3), (9.into(), 0, false));
    assert_eq!(settled(Settle::Higher, 3, 9), (9.into(), 0, false));
    assert_eq!(settled(Settle::StageRank, "won", "new"), ("won".into(), 0, false));
    assert_eq!(settled(Settle::StageRank, "won", "unheard of"), ("won".into(), 0, false));
}

#[test]
fn equal_values_written_at_once_are_no_conflict() {
    let mut play = named();
    play.write(1, put("name", "Bob")).write(2, put("name", "Bob"));
    assert!(!play.read(|state| is_concurrent(state.survivors("name"))));
    assert_eq!(play.read(|state| state.survivors("name").len()), 2);
}
