//! What a push may cost.

use outrider_core::{
    crdt::{self, Action, Edit, State, TextDocument, op::CHANGE_OPS_MAX},
    ids::{ActorId, ActorPrefix, ChangeHash, RecordId},
    sync::frame::{Outcome, PushChange},
};
use outrider_sync_server::accept::{
    PAST_BYTES_MAX, TEXT_CHANGES_MAX, TEXT_OP_BYTES, WORK_BYTES_MAX, WRITE_WEIGHT,
};

use crate::world::{actor, change, code, world, write, write_all};

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

/// Forty edits of a text of 216,000 operations took the only writer twelve seconds. What is pasted in one tap
/// is one group all the same.
#[test]
fn edits_of_long_texts_cost_a_bounded_amount_of_work() {
    let world = world();
    let mut text = TextDocument::new().unwrap();
    let mut ops = 0_u64;
    let change = |bytes| change("customer", "notes", bytes);
    for typed in ["x".repeat(30_000), String::new()] {
        for step in text.edit_in_steps(actor(1), 0, &typed).unwrap() {
            ops += step.op_count as u64;
            assert_eq!(world.push(1, vec![vec![change(step.bytes)]]), [Outcome::Applied]);
        }
    }
    let mut edit =
        |number: usize| change(text.edit(actor(1), 0, &"y".repeat(number)).unwrap().unwrap().bytes);
    let apart: Vec<Vec<PushChange>> = (1..=30).map(|number| vec![edit(number)]).collect();
    let answers = world.push(1, apart.clone());
    let taken = answers.iter().filter(|answer| **answer == Outcome::Applied).count();
    assert_eq!(taken as u64, WORK_BYTES_MAX as u64 / (ops * TEXT_OP_BYTES) + 1);
    assert!(answers[taken..].iter().all(|answer| *answer == Outcome::Retry(0)));
    for part in apart[taken..].chunks(taken) {
        assert_eq!(world.push(1, part.to_vec()), vec![Outcome::Applied; part.len()]);
    }
    let pasted: Vec<PushChange> = (31..=60).map(&mut edit).collect();
    assert_eq!(world.push(1, vec![pasted]), vec![Outcome::Applied; 30]);
    let too_many: Vec<PushChange> = (61..=61 + TEXT_CHANGES_MAX as usize).map(edit).collect();
    let answers = world.push(1, vec![too_many]);
    assert_eq!(code(answers.last().unwrap()), "group_too_costly");
}

/// Tags that make a document of nearly its largest size.
fn many_tags() -> Vec<Edit> {
    let tag = |n: usize| Edit { key: format!("tags/{n:0>64}"), action: Action::Put(true.into()) };
    (0..CHANGE_OPS_MAX - 1).map(tag).collect()
}

/// Each of a thousand small changes is judged on a copy of its document: on one of 250 KB that took
/// the server's only writer several seconds.
#[test]
fn a_push_costs_a_bounded_amount_of_work_and_asks_for_the_rest_again() {
    let world = world();
    let (mut state, mut own) = (State::default(), None);
    let full = write_all(&mut state, &mut own, actor(1), many_tags());
    let first = change("customer", "main", full.bytes);
    assert_eq!(world.push(1, vec![vec![first]]), [Outcome::Applied]);
    let groups: Vec<Vec<PushChange>> = (0..1_000)
        .map(|n| {
            let bytes = write(&mut state, &mut own, 1, "company_name", &format!("Edit {n}"));
            vec![change("customer", "main", bytes)]
        })
        .collect();
    let (mut pushes, mut applied) = (0, 0);
    while applied < 1_000 {
        let answers = world.push(1, groups[applied..].to_vec());
        let taken = answers.iter().filter(|answer| **answer == Outcome::Applied).count();
        assert!(taken > 50 || applied + taken == 1_000, "each push gets on: {taken}");
        assert!(answers[taken..].iter().all(|answer| *answer == Outcome::Retry(0)));
        assert!(taken * state.size_bytes() < 2 * WORK_BYTES_MAX);
        applied += taken;
        pushes += 1;
    }
    assert!(pushes > 1, "no push costs as much as it likes");
}

/// Writing a new document costs more than judging it: its row, and what it is found by.
#[test]
fn a_push_of_new_documents_is_cut_by_what_writing_them_costs() {
    let world = world();
    let mut size_bytes = 0;
    let mut new_document = |number: u8| {
        let mut state = State::default();
        let by = ActorId::new(ActorPrefix([1; 12]), [7, 7, 7, number]);
        let bytes = write_all(&mut state, &mut None, by, many_tags()).bytes;
        size_bytes = state.size_bytes();
        vec![PushChange {
            record: RecordId::new(1, [number; 10]),
            ..change("customer", "main", bytes)
        }]
    };
    let groups: Vec<Vec<PushChange>> = (1..=40).map(&mut new_document).collect();
    let answers = world.push(1, groups.clone());
    let taken = answers.iter().filter(|answer| **answer == Outcome::Applied).count();
    // In memory a document takes up to twice as much as its bytes.
    assert!((taken - 1) * size_bytes * WRITE_WEIGHT <= WORK_BYTES_MAX, "{taken} are too many");
    assert!((taken + 1) * size_bytes * WRITE_WEIGHT > WORK_BYTES_MAX / 2, "{taken} are too few");
    assert!(taken < 39, "{taken} of 40 show nothing");
    assert!(answers[taken..].iter().all(|answer| *answer == Outcome::Retry(0)));
    for part in groups[taken..].chunks(taken) {
        assert_eq!(world.push(1, part.to_vec()), vec![Outcome::Applied; part.len()]);
    }
}

/// A group is judged whole. One that alone costs more than a push may would be sent again for ever.
#[test]
fn a_group_that_costs_too_much_is_refused() {
    let world = world();
    let mut state = State::default();
    let mut log = Vec::new();
    for number in 0..40 {
        let by = ActorId::new(ActorPrefix([1; 12]), [9, 9, 9, number]);
        log.push(write_all(&mut state, &mut None, by, many_tags()));
        let bytes = log.last().unwrap().bytes.clone();
        assert_eq!(
            world.push(1, vec![vec![change("customer", "main", bytes)]]),
            [Outcome::Applied]
        );
    }
    let last = log.last().unwrap();
    let mut deps: Vec<ChangeHash> = log.iter().map(|change| change.hash).collect();
    deps.sort_unstable();
    let follower = |number: u8| {
        let by = ActorId::new(ActorPrefix([1; 12]), [8, 8, 8, number]);
        let mut beside = State::default();
        let edit = Edit { key: "company_name".to_owned(), action: Action::Put("x".into()) };
        let mut follower = write_all(&mut beside, &mut None, by, vec![edit]).change;
        (follower.deps, follower.start_op) = (deps.clone(), last.change.max_op() + 1);
        change("customer", "main", crdt::encode(follower).bytes)
    };
    let group: Vec<PushChange> = (0..64).map(follower).collect();
    let codes = |answers: Vec<Outcome>| -> Vec<String> {
        answers.iter().map(|answer| code(answer).to_owned()).collect()
    };
    assert_eq!(codes(world.push(1, vec![group.clone()])), ["group_too_costly"; 64]);
    let apart: Vec<Vec<PushChange>> = group.into_iter().map(|one| vec![one]).collect();
    let answers = world.push(1, apart);
    assert_eq!(answers.first(), Some(&Outcome::Applied));
    assert_eq!(answers.last(), Some(&Outcome::Retry(0)));
}

/// A change can name predecessors in as many changes of the past as it likes; each was read and
/// decoded once for every one of them.
#[test]
fn a_change_reads_a_bounded_part_of_the_past() {
    let world = world();
    let mut state = State::default();
    let mut log = Vec::new();
    let mut bytes = 0;
    for number in 0..u32::MAX {
        let by = ActorId::new(ActorPrefix([1; 12]), number.to_be_bytes());
        log.push(write_all(&mut state, &mut None, by, many_tags()));
        bytes += log.last().unwrap().bytes.len();
        let sent = change("customer", "main", log.last().unwrap().bytes.clone());
        assert_eq!(world.push(1, vec![vec![sent]]), [Outcome::Applied]);
        if bytes > PAST_BYTES_MAX + PAST_BYTES_MAX / 4 {
            break;
        }
    }
    let last = log.last().unwrap();
    // One key with each of its operations, over so many keys that all of them are named.
    let naming = |count: usize| {
        let by = ActorId::new(ActorPrefix([1; 12]), [0xff; 4]);
        let mut naming = write_all(&mut State::default(), &mut None, by, many_tags()).change;
        (naming.deps, naming.start_op) = (vec![last.hash], last.change.max_op() + 1);
        for (at, known) in log.iter().take(count).enumerate() {
            // The operations of a change are in the order of its keys.
            let (id, op) = known.change.ops_with_ids().nth(at % (CHANGE_OPS_MAX - 1)).unwrap();
            let same = naming.ops.iter_mut().find(|mine| mine.key == op.key).unwrap();
            same.pred.push(id);
        }
        let bytes = crdt::encode(naming).bytes;
        world.push(1, vec![vec![change("customer", "main", bytes)]]).remove(0)
    };
    assert_eq!(code(&naming(log.len() - 1)), "past_too_large");
}
