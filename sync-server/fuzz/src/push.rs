//! A device that was let in and lies: whatever it pushes, every change gets an answer that stays the
//! same, what is let through loads in Automerge, and an honest device goes on in its record.

use std::cell::RefCell;

use automerge::Automerge;
use outrider_core::{
    access::Policy,
    crdt::{self, Action, Edit, EncodedChange, Own, Stamp, State, TextDocument},
    ids::{ActorId, ActorPrefix, DeviceId, DocumentId, Part, RecordId},
    sync::frame::{Answer, FeedPoint, HeldView, Outcome, PushChange, PushGroup, PushRequest},
    value::Value,
};
use outrider_core_fuzz::{choices::Dice, lies};
use outrider_sync_server::{
    accept,
    office::export_automerge,
    storage::{
        Content, Device, Storage as _,
        sqlite::{SqliteStorage, verify::verify},
    },
};
use tempfile::TempDir;

/// Pushes of one input, at most.
const PUSHES_MAX: usize = 12;
/// Changes of one group, at most.
const CHANGES_MAX: usize = 4;
/// Inputs after which the whole database is checked, and another one begun.
const INPUTS_OF_A_WORLD: u32 = 250;
/// Devices that lie.
const LIARS: u8 = 3;
/// The device that does not.
const HONEST: u8 = 50;

/// A server's storage, used by many inputs: each has records of its own.
struct World {
    folder: TempDir,
    storage: SqliteStorage,
    inputs: u32,
    state: State,
    own: Option<Own>,
}

/// What one input's devices know of one document.
#[derive(Default)]
struct View {
    state: State,
    own: Option<Own>,
    text: Option<TextDocument>,
}

/// Plays the choices.
pub fn run(data: &[u8]) {
    thread_local! {
        static WORLD: RefCell<World> = RefCell::new(World::open());
    }
    WORLD.with_borrow_mut(|world| {
        if world.inputs >= INPUTS_OF_A_WORLD {
            world.check_whole();
            *world = World::open();
        }
        world.inputs += 1;
        world.play(&mut Dice::of(data));
    });
}

fn device(number: u8) -> Device {
    Device {
        id: DeviceId(uuid::Uuid::from_u128(number.into())),
        name: "phone".to_owned(),
        user: "Wang Wei".to_owned(),
        user_record: None,
        prefix: ActorPrefix([number; 12]),
        public_key: Vec::new(),
        token_hash: [number; 32],
        enrolled_at: 0,
        is_office: false,
    }
}

impl World {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
        let mut write = storage.write().unwrap();
        for number in (0..LIARS).chain([HONEST]) {
            write.add_device(&device(number)).unwrap();
        }
        write.commit().unwrap();
        Self { folder, storage, inputs: 0, state: State::default(), own: None }
    }

    fn play(&mut self, dice: &mut Dice) {
        let documents = self.documents();
        let mut views: Vec<View> =
            (0..usize::from(LIARS) * documents.len()).map(|_| View::default()).collect();
        let mut log: Vec<EncodedChange> = Vec::new();
        for _ in 0..PUSHES_MAX {
            if dice.is_empty() {
                break;
            }
            let liar = dice.below(LIARS.into());
            let mut groups = Vec::new();
            for _ in 0..=dice.below(2) {
                let changes = (0..=dice.below(CHANGES_MAX)).map(|_| {
                    let at = dice.below(documents.len());
                    let view = &mut views[liar * documents.len() + at];
                    self.write(dice, liar as u8, &documents[at], view, &mut log)
                });
                groups.push(PushGroup { changes: changes.collect() });
            }
            let mut request = PushRequest::new(device(liar as u8).id, groups, Vec::new());
            self.claim(dice, &mut request);
            let answers = self.push(liar as u8, &request);
            let sizes = request.groups.iter().map(|group| group.changes.len());
            assert_eq!(answers.len(), sizes.sum::<usize>());
            check_again(&answers, &self.push(liar as u8, &request));
        }
        for id in &documents {
            self.check(id);
        }
        self.go_on();
    }

    /// The documents of two records that nobody has written yet.
    fn documents(&self) -> Vec<DocumentId> {
        let number = u64::from(self.inputs) * 2;
        let record = |n: u64| {
            RecordId::new(
                1_700_000_000_000,
                [&[n as u8 % 251; 2][..], &(number + n).to_be_bytes()].concat().try_into().unwrap(),
            )
        };
        let parts = [Part::Main, Part::Restricted, Part::Text("notes".to_owned())];
        (1..=2)
            .flat_map(|n| parts.clone().map(|part| DocumentId { record: record(n), part }))
            .collect()
    }

    fn write(
        &self,
        dice: &mut Dice,
        liar: u8,
        id: &DocumentId,
        view: &mut View,
        log: &mut Vec<EncodedChange>,
    ) -> PushChange {
        let entity = if dice.percent(10) {
            *dice.pick(&["contact", "visit", "", "nothing"])
        } else {
            "customer"
        };
        let part = if dice.percent(5) { Part::Text("nothing".to_owned()) } else { id.part.clone() };
        let generation = if dice.percent(5) { dice.below(4) as u32 } else { 0 };
        let actor = ActorId::new(ActorPrefix([liar; 12]), [0; 4]);
        let bytes = if id.part.is_flat() {
            self.write_flat(dice, actor, id, view, log)
        } else {
            self.write_text(dice, actor, id, view)
        };
        PushChange { record: id.record, part, entity: entity.to_owned(), generation, bytes }
    }

    fn write_flat(
        &self,
        dice: &mut Dice,
        actor: ActorId,
        id: &DocumentId,
        view: &mut View,
        log: &mut Vec<EncodedChange>,
    ) -> Vec<u8> {
        let stored = if dice.percent(40) {
            self.storage.read().unwrap().document(id).unwrap()
        } else {
            None
        };
        if let Some(Content::Flat(state)) = stored.map(|stored| stored.content) {
            view.state.join(&state);
        }
        let edits = edits(dice, &view.state, actor);
        let stamp = Stamp { actor, time_ms: 1_700_000_000_000, message: None };
        let (mut state, mut own) = (view.state.clone(), view.own);
        // A lie that was let through may have taken the number; then only lies are left.
        let Ok(encoded) = crdt::write(&mut state, &mut own, stamp, edits) else {
            return dice.take();
        };
        let Some(bytes) = lies::spoil(dice, &encoded, log) else { return dice.take() };
        if bytes == encoded.bytes {
            (view.state, view.own) = (state, own);
        }
        log.push(encoded);
        bytes
    }

    fn write_text(
        &self,
        dice: &mut Dice,
        actor: ActorId,
        id: &DocumentId,
        view: &mut View,
    ) -> Vec<u8> {
        let stored = if dice.percent(40) {
            self.storage.read().unwrap().document(id).unwrap()
        } else {
            None
        };
        if let Some(Content::Text(text)) = stored.map(|stored| stored.content)
            && !text.saved.is_empty()
        {
            view.text = Some(TextDocument::load(&text.saved).unwrap());
        }
        let mut text = view.text.take().unwrap_or_else(|| TextDocument::new().unwrap());
        let words = *dice.pick(&["a", "ab", "a 城", "x\u{0}y", "longer words than before"]);
        let change = text.edit(actor, 5, words).ok().flatten();
        view.text = Some(text);
        let Some(change) = change else { return dice.take() };
        let mut bytes = change.bytes;
        if dice.percent(30) {
            let mut body = outrider_core_fuzz::chunk::body_of(&bytes).to_vec();
            let at = dice.below(body.len());
            body[at] = dice.byte();
            bytes = outrider_core_fuzz::chunk::framed(1, &body);
        }
        bytes
    }

    /// Says what its author saw, which place in the feed it was told, and that all was acknowledged before: now
    /// and then truly.
    fn claim(&self, dice: &mut Dice, request: &mut PushRequest) {
        let mut place = || {
            let read = self.storage.read().unwrap();
            let reached = read.position().unwrap();
            let position =
                *dice.pick(&[0, reached / 2, reached, reached + 1, i64::MAX as u64, u64::MAX]);
            let known = read.feed_digest(position).unwrap();
            let digest = known.filter(|_| dice.percent(70)).unwrap_or([dice.byte(); 16]);
            FeedPoint { position, digest }
        };
        let (held, pushed) = (place(), place());
        let FeedPoint { position, digest } = held;
        let held = HeldView { position, digest, grant: [dice.byte(); 16] };
        request.held = dice.percent(50).then_some(held);
        request.pushed = dice.percent(50).then_some(pushed);
        request.is_again = dice.percent(30).then_some(true);
    }

    fn push(&self, by: u8, request: &PushRequest) -> Vec<Answer> {
        accept::push(&self.storage, &Policy::open(), &device(by), request, 1_700_000_000_000)
            .unwrap()
            .answers
    }

    /// What was let through loads in Automerge, saves and loads again, with the same heads.
    fn check(&self, id: &DocumentId) {
        let read = self.storage.read().unwrap();
        let Some(stored) = read.document(id).unwrap() else { return };
        let file = export_automerge(&*read, id.record, &id.part).unwrap().unwrap();
        let loaded = Automerge::load(&file).unwrap();
        let again = Automerge::load(&loaded.save()).unwrap();
        let mut heads: Vec<[u8; 32]> = again.get_heads().iter().map(|hash| hash.0).collect();
        heads.sort_unstable();
        let mut ours: Vec<[u8; 32]> = match &stored.content {
            Content::Flat(state) => {
                assert_eq!(State::from_bytes(&state.to_bytes()).as_ref(), Ok(state));
                state.head_hashes().iter().map(|hash| hash.0).collect()
            }
            Content::Text(text) => text.heads.iter().map(|hash| hash.0).collect(),
        };
        ours.sort_unstable();
        assert_eq!(ours, heads, "{id}");
    }

    /// The honest device writes on in its own record.
    fn go_on(&mut self) {
        let actor = ActorId::new(ActorPrefix([HONEST; 12]), [0; 4]);
        let stamp = Stamp { actor, time_ms: 1_700_000_000_000, message: None };
        let name = format!("Acme {}", self.inputs);
        let edit = Edit { key: "company_name".to_owned(), action: Action::Put(name.into()) };
        let bytes = crdt::write(&mut self.state, &mut self.own, stamp, vec![edit]).unwrap().bytes;
        let record = RecordId::new(1, [HONEST; 10]);
        let (part, entity) = (Part::Main, "customer".to_owned());
        let change = PushChange { record, part, entity, generation: 0, bytes };
        let groups = vec![PushGroup { changes: vec![change] }];
        let request = PushRequest::new(device(HONEST).id, groups, Vec::new());
        let answers = self.push(HONEST, &request);
        assert_eq!(answers[0].outcome, Outcome::Applied);
    }

    /// Everything in the database fits together.
    fn check_whole(&self) {
        let findings = verify(self.folder.path(), None, &mut |_, _, _| {}).unwrap();
        assert_eq!(findings.problems, [], "{findings:?}");
    }
}

/// Asked again, each change has the same answer, but what is there now is there.
fn check_again(first: &[Answer], second: &[Answer]) {
    for (first, second) in first.iter().zip(second) {
        assert_eq!(first.hash, second.hash);
        let is_same = first.outcome == second.outcome;
        let may_become = match &first.outcome {
            Outcome::Applied => second.outcome == Outcome::Duplicate,
            // What it waited for may have come with what else was sent.
            Outcome::Pending(_) | Outcome::Retry(_) => true,
            Outcome::Duplicate | Outcome::Erased => false,
            // The second group of a push may take the number that was still free before.
            Outcome::Refused(..) | Outcome::Forked => !matches!(second.outcome, Outcome::Applied),
        };
        assert!(is_same || may_become, "{first:?}, then {second:?}");
    }
}

/// Edits such as an app makes, and such as none makes.
fn edits(dice: &mut Dice, state: &State, actor: ActorId) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for _ in 0..=dice.below(4) {
        let key = match dice.below(12) {
            0 | 1 => "company_name".to_owned(),
            2 => "employees".to_owned(),
            3 => "owner_id".to_owned(),
            4 => format!("tags/{}", dice.pick(&["vip", "fair", "a%2Fb", "", "%"])),
            5 => format!("phones/{}/number", dice.pick(&["row0000000", "row1111111", "x"])),
            6 => "phones/row0000000/-".to_owned(),
            7 => "archived".to_owned(),
            8 => "created_by".to_owned(),
            9 => format!("visits/{actor}"),
            10 => "customer_no".to_owned(),
            _ => String::from_utf8_lossy(&dice.take()).into_owned(),
        };
        let value = match dice.below(8) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::Int(dice.number() as i64),
            3 => Value::Int(7),
            4 => Value::Bytes(dice.take()),
            5 => Value::Text(String::from_utf8_lossy(&dice.take()).into_owned()),
            6 => Value::Text(r#"{"by":null,"at":5,"saw":[]}"#.to_owned()),
            _ => Value::Text("Acme".to_owned()),
        };
        let is_delete = dice.percent(10) && !state.survivors(&key).is_empty();
        let action = if is_delete { Action::Delete } else { Action::Put(value) };
        if !key.is_empty() && edits.iter().all(|edit| edit.key != key) {
            edits.push(Edit { key, action });
        }
    }
    edits
}

/// Choices.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    outrider_core_fuzz::gate::seeds()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as a world takes, and one more, before which the whole database is checked.
    #[test]
    fn what_many_inputs_leave_fits_together() {
        let seeds = seeds();
        (0..=INPUTS_OF_A_WORLD as usize).for_each(|at| run(&seeds[at % seeds.len()]));
    }
}
