//! A device, and the frames with which a server answers it.

use std::sync::Arc;

use outrider_core::{
    crdt::{self, Action, Edit, Stamp, State},
    ids::{ActorId, ActorPrefix, DeviceId, Part, RecordId},
    replica::{Options, Replica, ReplicaError, session::Session},
    store::{Durability, meta::Enrolment},
    sync::{
        codec::FrameWriter,
        frame::{
            Body, DocumentFrame, End, Hello, PROTOCOL_VERSION, PullFrame, SCOPE_MINE, Stream,
            StreamDigest,
        },
    },
    time::ManualClock,
};
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

pub(crate) struct World {
    _folder: TempDir,
    pub(crate) replica: Replica,
    pub(crate) record: RecordId,
    /// What the server has of the record.
    pub(crate) state: State,
}

pub(crate) fn fields(json: Json) -> Map<String, Json> {
    let Json::Object(fields) = json else { panic!("{json} has no fields") };
    fields
}

/// An enrolled device that has sent what it has, and holds one customer of the server's.
pub(crate) fn world() -> World {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = Options { clock, seed: Some(1), durability: Durability::None, keys: None };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    let enrolment = Enrolment {
        url: String::new(),
        device: DeviceId(uuid::Uuid::from_u128(9)),
        user: "Wang Wei".to_owned(),
        user_record: None,
        ca: None,
        prefix: ActorPrefix([9; 12]),
        token: String::new(),
    };
    replica.enroll(&enrolment).unwrap();
    let record = RecordId::new(1, [1; 10]);
    let mut state = State::default();
    write(&mut state, 1, vec![put("company_name", "Acme")]);
    let bytes = state.to_bytes();
    let mut world = World { _folder: folder, replica, record, state };
    world.pull(vec![hello(), document(record, Body::State(bytes)), end(Vec::new())]).unwrap();
    world
}

pub(crate) fn put(key: &str, value: &str) -> Edit {
    Edit { key: key.to_owned(), action: Action::Put(value.into()) }
}

pub(crate) fn write(state: &mut State, actor: u8, edits: Vec<Edit>) {
    let stamp = Stamp { actor: ActorId([actor; 16]), time_ms: 0, message: None };
    crdt::write(state, &mut None, stamp, edits).unwrap();
}

/// How a server begins.
pub(crate) fn greeting() -> Hello {
    Hello {
        backed_up: None,
        recovery: None,
        version: PROTOCOL_VERSION,
        instance: [1; 16],
        is_cursor_known: true,
        now_ms: 1_700_000_000_000,
        expected: 0,
        grant: None,
        position: Some(5),
    }
}

pub(crate) fn hello() -> PullFrame {
    PullFrame::Hello(greeting())
}

pub(crate) fn end(streams: Vec<StreamDigest>) -> PullFrame {
    PullFrame::End(End {
        is_held_right: None,
        is_more: false,
        position: 5,
        digest: [1; 16],
        streams,
        reached: None,
        audit_head: None,
    })
}

pub(crate) fn notes() -> Part {
    Part::Text("notes".to_owned())
}

pub(crate) fn document(record: RecordId, body: Body) -> PullFrame {
    let part = if matches!(body, Body::Text(_)) { notes() } else { Part::Main };
    document_of(record, part, body)
}

pub(crate) fn document_of(record: RecordId, part: Part, body: Body) -> PullFrame {
    PullFrame::Document(Box::new(DocumentFrame {
        record,
        part,
        entity: "customer".to_owned(),
        family: record,
        family_position: 5,
        pass: 1,
        body,
        provenance: Vec::new(),
        unit: None,
    }))
}

/// The documents of customers of one part.
pub(crate) fn stream(part: Part) -> Stream {
    Stream { scope: SCOPE_MINE.to_owned(), entity: "customer".to_owned(), part }
}

/// A digest that no device has.
pub(crate) fn other_digest(part: Part) -> StreamDigest {
    StreamDigest { stream: stream(part), digest: [9; 16], count: 9 }
}

pub(crate) fn stream_of(frames: &[PullFrame]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new()).unwrap();
    frames.iter().for_each(|frame| writer.write(frame).unwrap());
    writer.finish().unwrap()
}

impl World {
    /// One conversation in which the server answers a pull with these frames, and nothing else.
    pub(crate) fn pull(&mut self, frames: Vec<PullFrame>) -> Result<Session, ReplicaError> {
        let mut session = Session::with_budget(1 << 20);
        let request = session.next(&mut self.replica)?.unwrap();
        assert_eq!(request.path, "/v1/pull");
        session.receive(&mut self.replica, &mut stream_of(&frames).as_slice())?;
        Ok(session)
    }

    /// Checks that the device goes on: it reads, writes and asks again.
    pub(crate) fn check(&mut self) {
        let name = |world: &Self| {
            world.replica.get(world.record).unwrap().unwrap()["company_name"].clone()
        };
        assert_eq!(name(self), "Acme");
        self.replica.update(self.record, &fields(json!({ "company_name": "Acme 2" }))).unwrap();
        assert_eq!(name(self), "Acme 2");
        let other = self.replica.create("customer", &fields(json!({ "company_name": "B" })));
        assert!(self.replica.get(other.unwrap()).unwrap().is_some());
        let rows = self.replica.dump_rows().unwrap();
        self.replica.rebuild_rows().unwrap();
        assert_eq!(self.replica.dump_rows().unwrap(), rows);
        assert!(Session::new().next(&mut self.replica).unwrap().is_some());
    }

    pub(crate) fn refused(&mut self, frames: Vec<PullFrame>) -> String {
        let error = self.pull(frames).map(drop).unwrap_err();
        let is_damage = matches!(error, ReplicaError::Store(_));
        assert!(!is_damage, "{error:?}");
        self.check();
        error.to_string()
    }
}
