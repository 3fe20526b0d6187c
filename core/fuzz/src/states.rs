//! States and deltas as bytes: what is read can be written, read again and joined.

use outrider_core::{
    crdt::{
        Action, Delta, Edit, Own, Stamp, State, Survivor,
        state::covers_op,
        wire::{clock_from_bytes, clock_to_bytes},
        write,
    },
    ids::ActorId,
    value::Value,
};

/// The first two bytes divide the rest into two states, or into a state and a delta.
pub fn run(data: &[u8]) {
    let [high, low, rest @ ..] = data else { return };
    let at = (usize::from(*high & 0x7f) << 8 | usize::from(*low)).min(rest.len());
    let (one, two) = rest.split_at(at);
    if let Ok(clock) = clock_from_bytes(one) {
        assert_eq!(clock_from_bytes(&clock_to_bytes(&clock)).as_ref(), Ok(&clock));
    }
    let Ok(one) = State::from_bytes(one) else { return };
    assert_eq!(State::from_bytes(&one.to_bytes()).as_ref(), Ok(&one), "written and read");
    let mut itself = one.clone();
    itself.join(&one);
    assert_eq!(itself, one, "joined with itself");
    if let Ok(delta) = Delta::from_bytes(two) {
        assert_eq!(Delta::from_bytes(&delta.to_bytes()).as_ref(), Ok(&delta));
        let mut joined = one.clone();
        joined.join_delta(&delta);
        check(&joined);
    }
    let Ok(two) = State::from_bytes(two) else { return };
    let mut forth = one.clone();
    forth.join(&two);
    check(&forth);
    let mut back = two.clone();
    back.join(&one);
    check(&back);
    if agree(&one, &two) {
        assert_eq!(forth, back, "both orders");
        for part in [&one, &two] {
            let mut again = forth.clone();
            again.join(part);
            assert_eq!(again, forth, "joined again");
        }
    }
}

/// Within the limits it can be read again; and it can be written in.
fn check(joined: &State) {
    let read = State::from_bytes(&joined.to_bytes());
    assert_eq!(read.is_ok(), joined.is_readable(), "{read:?}");
    if let Ok(read) = read {
        assert_eq!(read, *joined);
    }
    let mut state = joined.clone();
    let stamp = Stamp { actor: ActorId([0xee; 16]), time_ms: 1, message: None };
    let edit = Edit { key: "name".to_owned(), action: Action::Put("after all".into()) };
    if let Ok(change) = write(&mut state, &mut None, stamp, vec![edit]) {
        let read = outrider_core::crdt::decode(&change.bytes);
        assert_eq!(read.as_ref(), Ok(&change));
    }
}

/// Whether two states can be of one history: the same name means the same in both.
fn agree(one: &State, two: &State) -> bool {
    if one.generation != two.generation {
        return true;
    }
    let clocks = one.clock.iter().all(|(actor, mine)| {
        two.clock.get(actor).is_none_or(|their| mine.seq.cmp(&their.seq) == mine.op.cmp(&their.op))
    });
    let heads = one.heads.iter().all(|mine| {
        let same = |their: &&outrider_core::crdt::state::Head| {
            their.hash == mine.hash || (their.actor, their.seq) == (mine.actor, mine.seq)
        };
        two.heads.iter().filter(same).all(|their| their == mine)
    });
    // A head that the other has seen is one of its heads, or something there follows it.
    let covered = |state: &State, other: &State| {
        state.heads.iter().all(|head| {
            let seen = other.clock.get(&head.actor).is_some_and(|seen| seen.seq >= head.seq);
            seen && !other.heads.contains(head)
        })
    };
    let ops = |state: &State| -> Vec<(String, Survivor)> {
        let each = state.keys.iter();
        each.flat_map(|(key, ops)| ops.iter().map(move |op| (key.clone(), op.clone()))).collect()
    };
    let theirs = ops(two);
    let values = ops(one).iter().all(|(key, mine)| {
        theirs
            .iter()
            .all(|(their_key, their)| their.id != mine.id || (their == mine && their_key == key))
    });
    let is_seen = ops(one).iter().all(|(_, op)| covers_op(&one.clock, op.id));
    clocks && heads && values && is_seen && !(covered(one, two) && covered(two, one))
}

/// States of one history, small ones: a beginning, two rivals, both joined.
#[must_use]
pub fn some_states() -> Vec<Vec<u8>> {
    histories().iter().map(State::to_bytes).collect()
}

fn histories() -> Vec<State> {
    let put = |key: &str, value: Value| Edit { key: key.to_owned(), action: Action::Put(value) };
    let (mut state, mut own): (State, Option<Own>) = (State::default(), None);
    let stamp = |actor: u8| Stamp {
        actor: ActorId([actor; 16]),
        time_ms: 1_700_000_000_000,
        message: None,
    };
    let first = vec![put("company_name", "Acme".into()), put("tags/vip", true.into())];
    write(&mut state, &mut own, stamp(1), first).unwrap();
    let begin = state.clone();
    let mut rival = state.clone();
    write(&mut state, &mut own, stamp(1), vec![put("company_name", "B".into())]).unwrap();
    let both = vec![put("company_name", "C".into()), put("employees", Value::Int(7))];
    write(&mut rival, &mut None, stamp(2), both).unwrap();
    let mut joined = state.clone();
    joined.join(&rival);
    let gone = vec![Edit { key: "tags/vip".to_owned(), action: Action::Delete }];
    let mut after = joined.clone();
    write(&mut after, &mut None, stamp(3), gone).unwrap();
    vec![begin, state, rival, joined, after]
}

/// A delta between two of them.
#[must_use]
pub fn some_delta() -> Vec<u8> {
    let histories = histories();
    histories[3].delta(histories[0].clock.clone(), ["company_name", "employees"]).to_bytes()
}

/// Pairs of them.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let states = some_states();
    let pair = |one: &[u8], two: &[u8]| [&(one.len() as u16).to_be_bytes()[..], one, two].concat();
    let mut seeds = vec![
        pair(&states[0], &states[3]),
        pair(&states[1], &states[2]),
        pair(&states[4], &states[1]),
        pair(&states[0], &some_delta()),
    ];
    let clock = clock_to_bytes(&histories()[3].clock);
    seeds.push(pair(&clock, &[]));
    seeds
}
