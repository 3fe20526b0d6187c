//! Sessions over the network: what is asked, what is answered, and what of it arrives.

use outrider_core::{
    crdt,
    ids::{ChangeHash, DeviceId, DocumentId, Part, RecordId},
    replica::session::{Session, Summary},
    store::outbox,
    sync::{
        codec::{self, MESSAGE_BYTES_MAX},
        frame::{self, Answer, PushRequest, PushResponse},
    },
};

use rusqlite::{Connection, OpenFlags};

use super::{World, chain, is_full};
use crate::{
    Failure,
    device::{Flight, Talk},
    link::{Downward, Upward},
    plan::{Check, Sabotage},
    versions::{Version, with_more},
};

/// Where pushes go.
const PUSH: &str = "/v1/push";
/// Requests that lie about in the network and may arrive again, at most.
const OLD_MAX: usize = 200;

/// Changes that an answer says are at the server.
pub(crate) type Acknowledged = Vec<(DocumentId, ChangeHash)>;

/// A request that was sent once and may arrive again, much later.
pub(super) struct OldRequest {
    device: usize,
    id: DeviceId,
    path: &'static str,
    body: Vec<u8>,
}

impl World {
    /// Takes a session one step further: a request, its way up, its way down.
    pub(super) fn talk(&mut self, at: usize) -> Result<(), Failure> {
        let budget_bytes = if self.dice.percent(70) { 1 } else { 1 << 30 };
        let step = self.step;
        let device = self.device(at)?;
        let Some(id) = device.id else { return Ok(()) };
        if step < device.away_until {
            return Ok(());
        }
        if device.is_revoked {
            return self.hand_in(at, true).map(drop);
        }
        if device.talk.is_none() {
            let session = Session::with_budget(budget_bytes);
            device.talk = Some(Talk { session, flight: Flight::None });
            self.out.sessions += 1;
        }
        let (replica, talk) = self.device(at)?.both()?;
        let Some(talk) = talk else { return Ok(()) };
        match std::mem::replace(&mut talk.flight, Flight::None) {
            Flight::None => match talk.session.next(replica)? {
                None => self.end_session(at),
                Some(request) => {
                    talk.flight = Flight::Up(request);
                    self.out.requests += 1;
                    Ok(())
                }
            },
            Flight::Up(request) => self.send(at, id, request.path, request.body),
            Flight::Down(answer, named) => self.deliver(at, &answer, named),
        }
    }

    fn send(
        &mut self,
        at: usize,
        id: DeviceId,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<(), Failure> {
        let upward = self.weather.upward(&mut self.dice);
        self.note(at, &format!("{path} {} bytes {upward:?}", body.len()));
        if (upward == Upward::Late || self.dice.percent(10)) && self.old.len() < OLD_MAX {
            self.old.push(OldRequest { device: at, id, path, body: body.clone() });
        }
        match upward {
            Upward::Arrives => {}
            Upward::Lost => self.out.fault("request_lost"),
            Upward::Late => self.out.fault("request_late"),
            Upward::Twice => self.out.fault("request_twice"),
        }
        if matches!(upward, Upward::Lost | Upward::Late) {
            self.device(at)?.talk = None;
            return Ok(());
        }
        let mut answer = self.ask(id, path, &body)?;
        if upward == Upward::Twice {
            answer = self.ask(id, path, &body)?;
        }
        let named = self.look_at_answer(at, path, &body, answer.as_deref())?;
        let device = self.device(at)?;
        match (answer, &mut device.talk) {
            (Some(answer), Some(talk)) => talk.flight = Flight::Down(answer, named),
            (_, talk) => *talk = None,
        }
        Ok(())
    }

    /// What the server answers; nothing if it could not.
    pub(super) fn ask(
        &mut self,
        id: DeviceId,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Vec<u8>>, Failure> {
        let is_newest = self
            .devices
            .iter()
            .any(|device| device.id == Some(id) && device.version == Version::Third);
        let more = if is_newest { Some(with_more(body)?) } else { None };
        let body = more.as_deref().unwrap_or(body);
        if self.sabotage == Some(Sabotage::LosePushes) && path == PUSH && self.dice.percent(20) {
            return lie(body).map(Some);
        }
        let is_open = self.sabotage == Some(Sabotage::IgnorePolicy);
        let server = self.server.as_mut().ok_or("the server is down")?;
        let withheld = server.withheld.clone();
        if is_open {
            server.withheld.clear();
        }
        let answered = server.answer(id, path, body, &mut self.dice);
        server.withheld = withheld;
        let answer = match answered {
            Err(error) if is_full(&*error) => {
                self.trace.note("the server's disk is full");
                self.out.fault("server_disk_full");
                return Ok(None);
            }
            Err(_) if self.is_server_disk_failing() => return Ok(None),
            answered => answered?,
        };
        if path == PUSH {
            self.check_taken(body, &answer)?;
            match self.note_forwarded() {
                // Another time: nothing is known to have been looked at.
                Err(_) if self.is_server_disk_failing() => self.watch = None,
                noted => noted?,
            }
        }
        Ok(Some(answer))
    }

    /// Takes note of what the server itself wrote: edits of records that were merged go on to the one
    /// that goes on.
    fn note_forwarded(&mut self) -> Result<(), Failure> {
        const SQL: &str = "
            SELECT change.id, change.record, change.part, document.entity, change.bytes
            FROM change JOIN document USING (record, part)
            WHERE change.id > ?1
            ORDER BY change.id";
        let database = self.server()?.database();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = match self.watch.take() {
            Some(conn) => conn,
            None => {
                // Of a server that was put back all is looked at again: what is known stays.
                self.seen_changes = 0;
                Connection::open_with_flags(database, flags)?
            }
        };
        {
            let mut query = conn.prepare_cached(SQL)?;
            let mut rows = query.query([self.seen_changes])?;
            while let Some(row) = rows.next()? {
                self.seen_changes = row.get(0)?;
                let part: Part = row.get::<_, String>(2)?.parse()?;
                if !part.is_flat() {
                    continue;
                }
                let id = DocumentId { record: RecordId::from_bytes(row.get(1)?), part };
                let (entity, bytes): (String, Vec<u8>) = (row.get(3)?, row.get(4)?);
                if !self.erased.contains(&id.record) {
                    self.ledger.note_forwarded(&id, &entity, &bytes)?;
                }
            }
        }
        self.watch = Some(conn);
        Ok(())
    }

    /// Nothing that is withheld was taken.
    fn check_taken(&mut self, body: &[u8], answer: &[u8]) -> Result<(), Failure> {
        let withheld = &self.server.as_ref().ok_or("the server is down")?.withheld;
        if withheld.is_empty() {
            return Ok(());
        }
        let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
        let response: PushResponse = codec::unpack(answer, MESSAGE_BYTES_MAX)?;
        let changes = request.groups.iter().flat_map(|group| &group.changes);
        let mut wrong = Vec::new();
        for (change, answer) in changes.zip(&response.answers) {
            if answer.outcome != frame::Outcome::Applied || !change.part.is_flat() {
                continue;
            }
            for op in crdt::decode(&change.bytes)?.change.ops {
                let field = op.key.split('/').next().unwrap_or_default().to_owned();
                if withheld.contains(&(change.entity.as_str(), field.as_str())) {
                    wrong.push(format!("{} of {} was taken", op.key, change.record));
                }
            }
        }
        for what in wrong {
            self.out.add(Check::Authorised, what);
        }
        Ok(())
    }

    /// Takes note of what was acknowledged once and is refused now; returns what an answer
    /// acknowledges.
    pub(super) fn look_at_answer(
        &mut self,
        at: usize,
        path: &str,
        body: &[u8],
        answer: Option<&[u8]>,
    ) -> Result<Acknowledged, Failure> {
        let mut named = Vec::new();
        let Some(answer) = answer.filter(|_| path == PUSH) else { return Ok(named) };
        for (id, answer) in answers(body, answer)? {
            match answer.outcome {
                frame::Outcome::Applied | frame::Outcome::Duplicate => {
                    named.push((id, answer.hash));
                }
                frame::Outcome::Refused(code, _) => {
                    let device = self.devices.get(at).ok_or("there is no such device")?;
                    let conn = device.replica()?.store().conn();
                    if let Some(own) = outbox::acknowledged(conn, answer.hash)? {
                        let all = outbox::acknowledged_after(conn, 0, usize::MAX)?.into_iter();
                        let group = all.filter(|other| other.group_id == own.group_id);
                        self.held_up.extend(group.map(|other| other.document));
                        self.refused_again.insert((id, answer.hash), code);
                    }
                }
                frame::Outcome::Pending(_)
                | frame::Outcome::Forked
                | frame::Outcome::Retry(_)
                | frame::Outcome::Erased => {}
            }
        }
        Ok(named)
    }

    fn deliver(&mut self, at: usize, answer: &[u8], named: Acknowledged) -> Result<(), Failure> {
        let downward = self.weather.downward(&mut self.dice);
        self.note(at, &format!("answer of {} bytes {downward:?}", answer.len()));
        let arrived = match downward {
            Downward::Arrives => answer,
            Downward::Lost => &[],
            Downward::Cut(thousandths) => {
                answer.get(..answer.len() * thousandths / 1_000).unwrap_or_default()
            }
        };
        match downward {
            Downward::Arrives => {}
            Downward::Lost => self.out.fault("answer_lost"),
            Downward::Cut(_) => self.out.fault("answer_cut"),
        }
        let named = if downward == Downward::Arrives { named } else { Vec::new() };
        let received = self.receive(at, arrived, named);
        let is_disk_failing = self.is_disk_failing();
        let device = self.device(at)?;
        match received {
            Ok(()) if downward == Downward::Arrives => {}
            Ok(()) => device.talk = None,
            Err(error) if is_full(&*error) => {
                device.talk = None;
                self.note(at, "has no room on its disk");
                self.out.fault("device_disk_full");
            }
            Err(_) if downward != Downward::Arrives => device.talk = None,
            Err(error) if is_disk_failing => return Err(error),
            Err(error) => {
                device.talk = None;
                let what = format!(
                    "{}: a whole answer could not be taken: {}",
                    device.name,
                    chain(&*error)
                );
                self.out.add(Check::Alive, what);
            }
        }
        self.scan(at)
    }

    /// What of an answer arrives at a device is taken.
    fn receive(&mut self, at: usize, arrived: &[u8], named: Acknowledged) -> Result<(), Failure> {
        let number = self.take_number();
        let server_ms = self.server()?.now_ms;
        let device = self.device(at)?;
        device.tell_time(number);
        if !arrived.is_empty() {
            device.note_contact(server_ms)?;
        }
        let (replica, talk) = device.both()?;
        let Some(talk) = talk else { return Ok(()) };
        talk.session.receive(replica, &mut &*arrived)?;
        self.acknowledged.extend(named);
        Ok(())
    }

    pub(super) fn end_session(&mut self, at: usize) -> Result<(), Failure> {
        let Some(talk) = self.device(at)?.talk.take() else { return Ok(()) };
        let Summary { pushed, applied, refused, forked, waiting, pulled, repaired, .. } =
            talk.session.summary();
        let what = format!(
            "session ends: pushed {pushed}, applied {applied}, refused {refused}, \
             forked {forked}, waiting {waiting}, pulled {pulled}, repaired {repaired}"
        );
        self.note(at, &what);
        self.scan(at)
    }

    /// A request of long ago arrives (again).
    pub(super) fn replay(&mut self) -> Result<(), Failure> {
        if self.old.is_empty() {
            return Ok(());
        }
        let place = self.dice.below(usize::from(u16::MAX)) % self.old.len();
        let old = self.old.swap_remove(place);
        if self.device(old.device).is_ok_and(|device| device.is_revoked) {
            return Ok(());
        }
        self.out.fault("request_from_long_ago");
        self.note(old.device, &format!("{} arrives from long ago", old.path));
        self.ask(old.id, old.path, &old.body).map(drop)
    }
}

/// A server that lies: everything is taken, it says.
fn lie(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
    let changes = request.groups.iter().flat_map(|group| &group.changes);
    let answers = changes.map(|change| {
        let hash = crdt::header(&change.bytes)?.hash;
        Ok(Answer { hash, outcome: frame::Outcome::Applied })
    });
    let answers = answers.collect::<Result<Vec<Answer>, Failure>>()?;
    Ok(codec::pack(&PushResponse::new(answers))?)
}

/// Answers to a push, each with the document that it is about.
pub(super) fn answers(body: &[u8], answer: &[u8]) -> Result<Vec<(DocumentId, Answer)>, Failure> {
    let request: PushRequest = codec::unpack(body, MESSAGE_BYTES_MAX)?;
    let response: PushResponse = codec::unpack(answer, MESSAGE_BYTES_MAX)?;
    let changes = request.groups.into_iter().flat_map(|group| group.changes);
    let documents = changes.map(|change| DocumentId { record: change.record, part: change.part });
    Ok(documents.zip(response.answers).collect())
}
