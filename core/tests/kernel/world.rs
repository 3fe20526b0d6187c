//! An entity with every kind of field, peers that keep a state beside an Automerge document, and
//! a server that lets changes through the gate.

use automerge::{
    Automerge, ROOT, ReadDoc as _,
    transaction::{CommitOptions, Transactable as _},
};
use outrider_core::{
    crdt::{
        Action, Delta, Edit, EncodedChange, OpId, Own, Stamp, State, Survivor,
        archive::{ARCHIVED, Archived},
        gate::{Context, Verdict, judge},
        history::MemoryHistory,
        state::covers_clock,
        write,
    },
    ids::{ActorId, ActorPrefix, Part},
    schema::{Entity, Schema},
    value::Value,
};

use super::dice::Dice;

/// Tags and archiving come from what all entities have.
const THING: &str = r#"
name = "thing"
label = { en = "Thing", zh = "物" }
plural = { en = "Things", zh = "物" }
title = "name"
family = "itself"
fields = [
  { name = "name", en = "Name", zh = "名", max = 100000 },
  { name = "amount", en = "Amount", zh = "额", type = "money", settle = "person" },
  { name = "priority", en = "Priority", zh = "级", type = "integer", min = 0, max = 9, settle = "higher" },
  { name = "visits", en = "Visits", zh = "访", kind = "counter", type = "integer" },
  { name = "lines", en = "Lines", zh = "行", kind = "rows", columns = [
    { name = "qty", en = "Quantity", zh = "量" }, { name = "note", en = "Note", zh = "注" } ] },
  { name = "stages", en = "Stages", zh = "段", kind = "log", columns = [
    { name = "stage", en = "To", zh = "至" } ] },
  { name = "signed_by", en = "By", zh = "人", kind = "once" },
  { name = "order_no", en = "Number", zh = "号", kind = "office" },
  { name = "margin", en = "Margin", zh = "利", part = "restricted" },
]
"#;

/// The entity of all tests.
pub(crate) fn entity() -> &'static Entity {
    static SCHEMA: std::sync::OnceLock<Schema> = std::sync::OnceLock::new();
    let schema = SCHEMA.get_or_init(|| Schema::extended(1, &[THING]).unwrap());
    schema.entity("thing").unwrap()
}

/// The same entity as an app knows it that lacks what a newer one brought.
pub(crate) fn older_entity() -> &'static Entity {
    static SCHEMA: std::sync::OnceLock<Schema> = std::sync::OnceLock::new();
    let newer = ["name = \"visits\"", "name = \"priority\"", "name = \"note\""];
    let schema = SCHEMA.get_or_init(|| {
        let (lines, rows): (Vec<&str>, Vec<&str>) =
            THING.lines().partition(|line| !line.contains("\"lines\"") && !line.contains("qty"));
        assert_eq!(rows.len(), 2);
        let known = lines.into_iter().filter(|line| !newer.iter().any(|name| line.contains(name)));
        let known: Vec<&str> = known.collect();
        Schema::extended(1, &[&known.join("\n")]).unwrap()
    });
    schema.entity("thing").unwrap()
}

/// The actor of enrolment `enrolment` with the suffix `suffix`.
pub(crate) fn actor(enrolment: u8, suffix: u32) -> ActorId {
    ActorId::new(ActorPrefix([enrolment; 12]), suffix.to_be_bytes())
}

pub(crate) fn put(key: impl Into<String>, value: impl Into<Value>) -> Edit {
    Edit { key: key.into(), action: Action::Put(value.into()) }
}

pub(crate) fn delete(key: &str) -> Edit {
    Edit { key: key.to_owned(), action: Action::Delete }
}

pub(crate) fn stamp(actor: ActorId, time_ms: i64) -> Stamp {
    Stamp { actor, time_ms, message: None }
}

/// Edits of one to four keys of all kinds, such as a person with this state before him makes.
pub(crate) fn random_edits(dice: &mut Dice, state: &State, actor: ActorId) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for _ in 0..=dice.below(4) {
        let row = *dice.pick(&["row0000000", "row1111111"]);
        let column = *dice.pick(&["qty", "note"]);
        let tag = *dice.pick(&["tags/vip", "tags/fair", "tags/a%2Fb"]);
        let edit = match dice.below(14) {
            0 => put("name", format!("name {}", dice.below(5))),
            1 => put("amount", format!("CNY {}", dice.below(4))),
            2 => put("priority", dice.below(10) as i64),
            3 => {
                let key = format!("visits/{actor}");
                let count = state.own_count(&key) + 1;
                put(key, count)
            }
            4 | 5 => put(tag, true),
            6 => delete(tag),
            7 | 8 => put(format!("lines/{row}/{column}"), format!("{}", dice.below(5))),
            9 => state.delete_row("lines", row).unwrap_or_else(|| put("name", "no row")),
            10 => put(format!("stages/e{:09}", dice.below(1_000_000_000)), r#"{"stage":"won"}"#),
            11 if state.survivors("signed_by").is_empty() => put("signed_by", "ada"),
            11 => delete("amount"),
            12 => {
                Edit { key: ARCHIVED.to_owned(), action: Action::Put(archived(state).to_value()) }
            }
            _ => Edit { key: "name".to_owned(), action: Action::Put(Value::Null) },
        };
        let is_empty_delete =
            edit.action == Action::Delete && state.survivors(&edit.key).is_empty();
        if !is_empty_delete && edits.iter().all(|known| known.key != edit.key) {
            edits.push(edit);
        }
    }
    if edits.is_empty() { vec![put("name", "else")] } else { edits }
}

pub(crate) fn archived(state: &State) -> Archived {
    Archived::new(state, None, 5)
}

/// A replica that keeps its document twice: as a state, and in Automerge.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) actor: ActorId,
    pub(crate) state: State,
    pub(crate) own: Option<Own>,
    pub(crate) doc: Automerge,
}

impl Peer {
    pub(crate) fn new(actor: ActorId) -> Self {
        let doc = Automerge::new().with_actor(automerge::ActorId::from(actor.0));
        Self { actor, state: State::default(), own: None, doc }
    }

    /// Writes with the kernel alone.
    pub(crate) fn write(&mut self, edits: Vec<Edit>) -> EncodedChange {
        write(&mut self.state, &mut self.own, stamp(self.actor, 77), edits).unwrap()
    }

    /// Writes with the kernel and with Automerge; returns the change of each.
    ///
    /// Where the value shows already Automerge puts nothing (it only removes what stands beside
    /// it); then the kernel's change is given to it.
    pub(crate) fn write_both(&mut self, edits: Vec<Edit>) -> (EncodedChange, Option<Vec<u8>>) {
        let repeats = edits.iter().any(|edit| {
            let winner = self.state.register(&edit.key).map(|register| &register.winner.value);
            matches!(&edit.action, Action::Put(value) if winner == Some(value))
        });
        let mut sorted = edits.clone();
        sorted.sort_by_key(|edit| edit.key == ARCHIVED);
        let encoded = self.write(edits);
        if repeats {
            self.doc.apply_changes([automerge_change(&encoded)]).unwrap();
            return (encoded, None);
        }
        write_in(&mut self.doc, sorted);
        let bytes = self.doc.get_last_local_change().unwrap().raw_bytes().to_vec();
        (encoded, Some(bytes))
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.state.join(&other.state);
        self.doc.merge(&mut other.doc.clone()).unwrap();
    }

    /// Compares the state with the Automerge document: values, ids, winners, heads.
    pub(crate) fn check(&self) {
        check_against(&self.state, &self.doc);
    }
}

/// Makes edits in an Automerge document.
fn write_in(doc: &mut Automerge, edits: impl IntoIterator<Item = Edit>) {
    let mut transaction = doc.transaction();
    for edit in edits {
        match edit.action {
            Action::Put(value) => transaction.put(ROOT, edit.key, scalar(value)).unwrap(),
            Action::Delete => transaction.delete(ROOT, edit.key).unwrap(),
        }
    }
    transaction.commit_with(CommitOptions::default().with_time(77));
}

pub(crate) fn automerge_change(encoded: &EncodedChange) -> automerge::Change {
    automerge::Change::try_from(encoded.bytes.as_slice()).unwrap()
}

fn scalar(value: Value) -> automerge::ScalarValue {
    match value {
        Value::Null => automerge::ScalarValue::Null,
        Value::Bool(flag) => flag.into(),
        Value::Int(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Bytes(bytes) => bytes.into(),
    }
}

fn value(scalar: &automerge::Value<'_>) -> Value {
    match scalar.as_scalar().unwrap() {
        automerge::ScalarValue::Null => Value::Null,
        automerge::ScalarValue::Boolean(flag) => Value::Bool(*flag),
        automerge::ScalarValue::Int(number) => Value::Int(*number),
        automerge::ScalarValue::Str(text) => Value::Text(text.to_string()),
        automerge::ScalarValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
        other => panic!("{other:?} is no value of a flat document"),
    }
}

/// What Automerge holds under a key.
pub(crate) fn survivors_in(doc: &Automerge, key: &str) -> Vec<Survivor> {
    let mut found: Vec<Survivor> = doc
        .get_all(ROOT, key)
        .unwrap()
        .iter()
        .map(|(found, id)| Survivor { id: op_id(id), value: value(found) })
        .collect();
    found.sort_by_key(|op| op.id);
    found
}

fn op_id(id: &automerge::ObjId) -> OpId {
    let automerge::ObjId::Id(counter, actor, _) = id else { panic!("the root is no operation") };
    OpId { counter: *counter, actor: ActorId::try_from(actor.to_bytes()).unwrap() }
}

pub(crate) fn check_against(state: &State, doc: &Automerge) {
    let theirs: Vec<String> = doc.keys(ROOT).collect();
    let ours: Vec<&String> = state.keys.keys().collect();
    assert_eq!(ours, theirs.iter().collect::<Vec<_>>(), "keys");
    for key in &theirs {
        assert_eq!(state.survivors(key), survivors_in(doc, key), "survivors of {key}");
        let (shown, id) = doc.get(ROOT, key.as_str()).unwrap().unwrap();
        let winner = state.register(key).unwrap().winner;
        assert_eq!((&winner.value, winner.id), (&value(&shown), op_id(&id)), "winner of {key}");
    }
    let mut heads: Vec<[u8; 32]> = doc.get_heads().iter().map(|hash| hash.0).collect();
    heads.sort_unstable();
    let ours: Vec<[u8; 32]> = state.head_hashes().iter().map(|hash| hash.0).collect();
    assert_eq!(ours, heads, "heads");
    check_invariants(state);
}

/// What holds of every state, however it came about.
pub(crate) fn check_invariants(state: &State) {
    assert_eq!(state.heads.is_empty(), state.clock.is_empty());
    assert!(state.heads.is_sorted());
    assert_eq!(state.max_op, state.clock.values().map(|seen| seen.op).max().unwrap_or(0));
    assert!(state.heads.iter().all(|head| state.clock[&head.actor].seq >= head.seq));
    for ops in state.keys.values() {
        assert!(!ops.is_empty() && ops.is_sorted_by_key(|op| op.id));
        assert!(ops.iter().all(|op| state.clock[&op.id.actor].op >= op.id.counter));
    }
}

/// A server: the gate, a history, and what was let through in its order.
#[derive(Default, Clone)]
pub(crate) struct Server {
    pub(crate) state: State,
    pub(crate) history: MemoryHistory,
    pub(crate) log: Vec<EncodedChange>,
}

/// A context for `actor`'s own enrolment.
pub(crate) fn context(prefix: ActorPrefix) -> Context<'static> {
    Context { entity: entity(), part: &Part::Main, prefix, is_office: false }
}

impl Server {
    /// Judges without applying.
    pub(crate) fn judge(&self, encoded: &EncodedChange) -> Verdict {
        self.judge_as(encoded, context(encoded.change.actor.prefix()))
    }

    pub(crate) fn judge_as(&self, encoded: &EncodedChange, context: Context<'_>) -> Verdict {
        match judge(&self.state, &self.history, encoded, context) {
            Ok(verdict) => verdict,
            Err(never) => match never {},
        }
    }

    /// Judges, and applies what fits.
    pub(crate) fn push(&mut self, encoded: &EncodedChange) -> Verdict {
        let verdict = self.judge(encoded);
        if let Verdict::Fits(past) = &verdict {
            self.state.apply(encoded);
            self.history.insert(encoded.clone(), past);
            self.log.push(encoded.clone());
        }
        verdict
    }

    /// Pushes a change that must be let through.
    pub(crate) fn accept(&mut self, encoded: &EncodedChange) {
        let verdict = self.push(encoded);
        assert!(matches!(verdict, Verdict::Fits(_)), "{verdict:?} for {:?}", encoded.change);
    }

    /// What changed since the log was `from` long.
    pub(crate) fn delta_since(&self, from: usize) -> Delta {
        let mut past = State::default();
        self.log[..from].iter().for_each(|encoded| past.apply(encoded));
        assert!(covers_clock(&self.state.clock, &past.clock));
        let later = self.log[from..].iter().flat_map(|encoded| &encoded.change.ops);
        self.state.delta(past.clock, later.map(|op| op.key.as_str()))
    }

    /// The history as an Automerge document, saved and loaded again.
    pub(crate) fn exported(&self) -> Automerge {
        let chunks = self.history.changes().map(|encoded| encoded.bytes.as_slice());
        let saved = outrider_core::crdt::export::export(chunks).unwrap();
        let loaded = Automerge::load(&saved).unwrap();
        Automerge::load(&loaded.save()).unwrap()
    }

    /// Makes each change again in an Automerge document that holds its dependencies alone, and
    /// compares the bytes.
    pub(crate) fn check_bytes(&self) {
        let doc = self.exported();
        for encoded in &self.log {
            let deps: Vec<_> =
                encoded.change.deps.iter().map(|dep| automerge::ChangeHash(dep.0)).collect();
            let mut past = doc.fork_at(&deps).unwrap();
            let edits = encoded
                .change
                .ops
                .iter()
                .map(|op| Edit { key: op.key.clone(), action: op.action.clone() });
            let repeats = encoded.change.ops.iter().any(|op| {
                let last = survivors_in(&past, &op.key).pop().map(|last| Action::Put(last.value));
                last.as_ref() == Some(&op.action)
            });
            if !repeats {
                past.set_actor(automerge::ActorId::from(encoded.change.actor.0));
                write_in(&mut past, edits);
                let theirs = past.get_last_local_change().unwrap();
                assert_eq!(theirs.raw_bytes(), encoded.bytes, "{:?}", encoded.change);
            }
        }
    }

    /// Compares the state with what Automerge makes of the history.
    pub(crate) fn check(&self) {
        check_against(&self.state, &self.exported());
    }
}
