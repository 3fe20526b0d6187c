//! What the gate refuses, rule by rule, and the honest change beside it that it takes.

use outrider_core::{
    crdt::{
        Action, Change, Edit, EncodedChange, Op, OpId,
        archive::ARCHIVED,
        encode,
        gate::{Refusal, Verdict},
        op::OP_COUNTER_MAX,
        rows::op_ids_to_text,
    },
    ids::ChangeHash,
    value::Value,
};

use super::{
    dice::Dice,
    world::{Peer, Server, actor, archived, context, delete, put},
};

/// A server with a history of two peers: `one` wrote three changes, `two` one of its own beside
/// the last, and nobody has joined since.
struct Scene {
    server: Server,
    one: Peer,
    two: Peer,
}

fn scene() -> Scene {
    let (mut one, mut two) = (Peer::new(actor(1, 1)), Peer::new(actor(2, 1)));
    let mut server = Server::default();
    server.accept(&one.write(vec![put("name", "Ada"), put("priority", 3)]));
    server.accept(&one.write(vec![put("name", "Ada L."), put("signed_by", "ada")]));
    two.state.join(&one.state);
    server.accept(&one.write(vec![delete("priority"), put("stages/e000000001", "{}")]));
    server.accept(&two.write(vec![put("name", "Bob"), put("lines/row0000000/qty", "1")]));
    Scene { server, one, two }
}

fn refused(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Refused(refusal) => &refusal.code,
        other => panic!("{other:?} in place of a refusal"),
    }
}

/// What `two` writes next, twisted by `twist`, judged.
fn twisted(twist: impl FnOnce(&mut Change, &Scene)) -> Verdict {
    let mut scene = scene();
    let honest = scene.two.write(vec![put("name", "Bob B.")]);
    assert!(matches!(scene.server.judge(&honest), Verdict::Fits(_)));
    let mut change = honest.change;
    twist(&mut change, &scene);
    scene.server.judge(&encode(change))
}

/// What an operation of `two` on its present past is answered.
fn op(key: &str, action: Action, pred: Vec<OpId>) -> Verdict {
    twisted(|change, _| change.ops = vec![Op { key: key.to_owned(), action, pred }])
}

fn id(counter: u64, enrolment: u8) -> OpId {
    OpId { counter, actor: actor(enrolment, 1) }
}

fn text(text: &str) -> Action {
    Action::Put(text.into())
}

#[test]
fn an_invented_predecessor_is_refused() {
    // Within what the clock covers, but of an actor who never wrote.
    assert_eq!(refused(&op("name", text("x"), vec![id(1, 9)])), "pred_unknown");
    assert_eq!(refused(&op("name", Action::Delete, vec![id(2, 9)])), "pred_unknown");
}

#[test]
fn a_counter_that_its_actor_skipped_is_no_predecessor() {
    // `one` wrote operations 1 to 6 and `two` 5 and 6; `two` never wrote 1.
    assert_eq!(refused(&op("name", text("x"), vec![id(1, 2)])), "pred_unknown");
}

#[test]
fn a_predecessor_of_another_key_is_refused() {
    assert_eq!(refused(&op("name", text("x"), vec![id(2, 1)])), "pred_of_other_key");
    assert_eq!(refused(&op("amount", text("CNY 1"), vec![id(3, 1)])), "pred_of_other_key");
    assert_eq!(refused(&op("name", text("x"), vec![id(6, 2)])), "pred_of_other_key");
}

#[test]
fn a_predecessor_outside_the_past_is_refused() {
    // `one` deleted the priority and wrote a stage beside what `two` has seen.
    assert_eq!(refused(&op("stages/e000000001", text("{}"), vec![id(6, 1)])), "pred_outside_past");
    let verdict = twisted(|change, scene| {
        let survivor = scene.server.state.survivors("stages/e000000001")[0].id;
        change.ops = vec![Op { key: "name".into(), action: text("x"), pred: vec![survivor] }];
    });
    assert_eq!(refused(&verdict), "pred_outside_past");
}

#[test]
fn a_predecessor_that_is_a_delete_is_refused() {
    let Scene { mut server, mut one, two } = scene();
    one.state.join(&two.state);
    let honest = one.write(vec![put("priority", 4)]);
    let mut change = honest.change.clone();
    change.ops[0].pred = vec![id(5, 1)];
    assert_eq!(refused(&server.judge(&encode(change))), "pred_is_delete");
    server.accept(&honest);
}

#[test]
fn predecessors_out_of_order_or_twice_are_refused() {
    for pred in [vec![id(5, 2), id(3, 1)], vec![id(5, 2), id(5, 2)]] {
        let Scene { server, mut two, .. } = scene();
        let mut encoded = two.write(vec![put("name", "x")]);
        // The decoder refuses these already; the gate does not rely on it.
        encoded.change.ops[0].pred = pred;
        assert_eq!(refused(&server.judge(&encoded)), "pred_order");
    }
}

#[test]
fn a_replaced_value_may_be_replaced_again_by_who_saw_it() {
    let Scene { mut server, mut two, .. } = scene();
    let mut change = two.write(vec![put("name", "x")]).change;
    change.ops[0].pred.insert(0, id(1, 1));
    server.accept(&encode(change));
    server.check();
}

#[test]
fn a_gap_in_the_sequence_is_refused_or_waits() {
    assert_eq!(refused(&twisted(|change, _| change.seq = 3)), "sequence_gap");
    let Scene { mut server, mut two, .. } = scene();
    let (first, second) = (two.write(vec![put("name", "1")]), two.write(vec![put("name", "2")]));
    assert_eq!(server.judge(&second), Verdict::Pending(vec![first.hash]));
    server.accept(&first);
    server.accept(&second);
}

#[test]
fn a_new_actor_begins_with_one() {
    let mut scene = scene();
    let mut three = Peer::new(actor(3, 1));
    three.state.join(&scene.server.state);
    let mut change = three.write(vec![put("name", "x")]).change;
    change.seq = 5;
    assert_eq!(refused(&scene.server.push(&encode(change))), "sequence_gap");
}

#[test]
fn a_reused_number_is_forked_and_the_honest_change_beside_it_is_taken() {
    let Scene { mut server, mut one, mut two } = scene();
    let mut clone = two.clone();
    let (honest, other) = (two.write(vec![put("name", "a")]), clone.write(vec![put("name", "b")]));
    server.accept(&honest);
    assert_eq!(server.push(&other), Verdict::Forked);
    assert_eq!(server.push(&honest), Verdict::Duplicate);
    server.accept(&one.write(vec![put("name", "c")]));
    let successor = clone.write(vec![put("name", "d")]);
    assert_eq!(server.push(&successor), Verdict::Pending(vec![other.hash]));
    server.check();
}

#[test]
fn every_old_change_is_a_duplicate() {
    let Scene { server, .. } = scene();
    for encoded in &server.log {
        assert_eq!(server.judge(encoded), Verdict::Duplicate);
    }
}

#[test]
fn the_first_counter_follows_the_highest_of_the_past() {
    for start_op in [1, 4, 5, 6, 8, 100, OP_COUNTER_MAX, u64::from(u32::MAX) - 1] {
        let verdict = twisted(|change, _| {
            assert_eq!(change.start_op, 7);
            change.start_op = start_op;
            change.ops[0].pred.clear();
        });
        assert_eq!(refused(&verdict), "start_op", "{start_op}");
    }
}

#[test]
fn missing_dependencies_are_named_and_cost_nothing() {
    let Scene { server, two, .. } = scene();
    let mut dice = Dice::seeded(1);
    let honest = two.clone().write(vec![put("name", "x")]).change;
    let before = server.state.clone();
    let started = std::time::Instant::now();
    for _ in 0..20_000 {
        let unknown = ChangeHash(std::array::from_fn(|_| dice.next() as u8));
        let mut change = honest.clone();
        change.deps.push(unknown);
        let encoded = EncodedChange { change, hash: unknown, bytes: Vec::new() };
        assert_eq!(server.judge(&encoded), Verdict::Pending(vec![unknown]));
    }
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    assert_eq!(server.state, before);
}

#[test]
fn an_actor_of_another_enrolment_is_refused() {
    let Scene { server, mut two, .. } = scene();
    let honest = two.write(vec![put("name", "x")]);
    let verdict = server.judge_as(&honest, context(actor(1, 1).prefix()));
    assert_eq!(refused(&verdict), "foreign_actor");
}

#[test]
fn the_actors_own_previous_change_must_be_followed() {
    let Scene { mut server, one, mut two } = scene();
    // `two`'s first change is covered by `three`'s; `two` follows `three` alone.
    let mut three = Peer::new(actor(3, 1));
    three.state.join(&server.state);
    let merge = three.write(vec![put("name", "x")]);
    server.accept(&merge);
    two.state.join(&three.state);
    let honest = two.write(vec![put("name", "y")]);
    let mut change = honest.change.clone();
    change.deps = vec![merge.hash];
    assert_eq!(refused(&server.judge(&encode(change))), "previous_change_not_followed");
    // Not within the past at all.
    let mut change = honest.change.clone();
    change.deps = one.state.head_hashes();
    assert_eq!(refused(&server.judge(&encode(change))), "previous_change_not_followed");
    server.accept(&honest);
    server.check();
}

/// Somebody else's change may be all that is above, with the number that one's own last one has.
#[test]
fn who_writes_on_beside_a_change_of_the_same_number_follows_their_own() {
    let (mut one, mut two) = (Peer::new(actor(1, 1)), Peer::new(actor(2, 1)));
    let mut server = Server::default();
    server.accept(&one.write(vec![put("name", "Ada")]));
    two.state.join(&one.state);
    server.accept(&two.write(vec![put("name", "Bob")]));
    let second = one.write(vec![put("name", "Ada L.")]);
    assert!(matches!(server.judge(&second), Verdict::Fits(_)));
}

#[test]
fn keys_and_values_are_those_of_the_entity() {
    let put = |key: &str, value: Value| op(key, Action::Put(value), Vec::new());
    for (key, value, code) in [
        ("unheard_of", "x".into(), "unknown_field"),
        ("lines/row0000000/price", "x".into(), "unknown_column"),
        ("lines", "x".into(), "malformed_key"),
        ("name/x", "x".into(), "malformed_key"),
        ("margin", "x".into(), "wrong_part"),
        ("tags/VIP", true.into(), "malformed_key"),
        ("order_no", "1".into(), "office_owned"),
    ] {
        let verdict = put(key, value);
        let Verdict::Refused(Refusal { code: found, keys }) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!((found.as_str(), keys), (code, vec![key.to_owned()]));
    }
    for (key, value) in [
        ("name", Value::Int(3)),
        ("priority", "3".into()),
        ("priority", 10.into()),
        ("amount", "CNY 1.5".into()),
        ("tags/vip", false.into()),
        ("tags/vip", Value::Null),
        ("stages/e000000009", "{ }".into()),
        ("lines/row0000000/-", true.into()),
    ] {
        refused(&put(key, value));
    }
}

#[test]
fn all_refused_keys_are_named() {
    let verdict = twisted(|change, _| {
        change.ops.extend(["order_no", "other"].map(|key| Op {
            key: key.into(),
            action: text("x"),
            pred: Vec::new(),
        }));
    });
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(refusal.keys, ["order_no", "other"]);
}

#[test]
fn the_office_writes_what_is_its_own() {
    let Scene { server, mut two, .. } = scene();
    let encoded = two.write(vec![put("order_no", "1")]);
    let office =
        outrider_core::crdt::gate::Context { is_office: true, ..context(two.actor.prefix()) };
    assert!(matches!(server.judge_as(&encoded, office), Verdict::Fits(_)));
}

#[test]
fn what_is_written_once_is_not_written_again() {
    assert_eq!(refused(&op("signed_by", text("eve"), vec![id(4, 1)])), "written_once");
    assert_eq!(refused(&op("signed_by", Action::Delete, vec![id(4, 1)])), "written_once");
    // Without saying what stands there, although the author saw it.
    assert_eq!(refused(&op("signed_by", text("eve"), Vec::new())), "written_once");
}

#[test]
fn an_entry_of_a_log_is_final() {
    for (action, pred) in [
        (text(r#"{"stage":"lost"}"#), vec![id(6, 1)]),
        (text(r#"{"stage":"lost"}"#), Vec::new()),
        (Action::Delete, vec![id(6, 1)]),
    ] {
        let Scene { server, mut one, .. } = scene();
        let mut change = one.write(vec![put("name", "x")]).change;
        change.ops = vec![Op { key: "stages/e000000001".into(), action, pred }];
        assert_eq!(refused(&server.judge(&encode(change))), "entry_is_final");
    }
}

#[test]
fn the_counter_of_another_actor_is_not_touched() {
    let other = format!("visits/{}", actor(1, 1));
    assert_eq!(refused(&op(&other, Action::Put(5.into()), Vec::new())), "counter_of_other_actor");
    let own = format!("visits/{}", actor(2, 1));
    assert!(matches!(op(&own, Action::Put(5.into()), Vec::new()), Verdict::Fits(_)));
}

#[test]
fn counts_and_cells_are_not_deleted() {
    let cell = op("lines/row0000000/qty", Action::Delete, vec![id(6, 2)]);
    assert_eq!(refused(&cell), "delete_not_allowed");
    let Scene { mut server, mut two, .. } = scene();
    let key = format!("visits/{}", two.actor);
    server.accept(&two.write(vec![put(key.clone(), 1)]));
    assert_eq!(refused(&server.judge(&two.write(vec![delete(&key)]))), "delete_not_allowed");
}

#[test]
fn nobody_deletes_from_a_row_what_is_still_to_be_written() {
    let gone = |ids: &[OpId]| {
        op("lines/row0000000/-", text(&op_ids_to_text(ids.iter().copied())), Vec::new())
    };
    assert!(matches!(gone(&[id(6, 2)]), Verdict::Fits(_)));
    for ids in [&[id(7, 2)][..], &[id(6, 2), id(6, 1)], &[id(1, 9)]] {
        assert_eq!(refused(&gone(ids)), "saw_outside_past");
    }
    assert_eq!(refused(&op("lines/row0000000/-", text("all"), Vec::new())), "malformed");
}

#[test]
fn nobody_archives_what_is_still_to_be_written() {
    let archive = |twist: fn(&mut outrider_core::crdt::archive::Archived)| {
        let Scene { server, mut two, .. } = scene();
        let mut value = archived(&two.state);
        twist(&mut value);
        let action = Action::Put(value.to_value());
        server.judge(&two.write(vec![Edit { key: ARCHIVED.to_owned(), action }]))
    };
    assert!(matches!(archive(|_| {}), Verdict::Fits(_)));
    let future = archive(|value| value.saw.values_mut().for_each(|seen| *seen += 1));
    assert_eq!(refused(&future), "saw_outside_past");
    let stranger = archive(|value| value.saw.extend([(actor(9, 9), 1)]));
    assert_eq!(refused(&stranger), "saw_outside_past");
    assert_eq!(refused(&op(ARCHIVED, text("yes"), Vec::new())), "malformed");
    assert!(matches!(op(ARCHIVED, Action::Put(Value::Null), Vec::new()), Verdict::Fits(_)));
}

#[test]
fn a_change_on_an_old_past_is_taken_and_equal_to_automerge() {
    let Scene { mut server, mut one, mut two } = scene();
    for step in 0..5 {
        server.accept(&one.write(vec![put("name", format!("one {step}"))]));
        server.accept(&two.write(vec![put("name", format!("two {step}")), put("amount", "CNY 1")]));
        server.check();
    }
    assert_eq!(server.state.survivors("name").len(), 2);
}
