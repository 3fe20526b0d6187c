//! Devices without a server: what one wrote is brought to another, and answered for.

#![allow(dead_code, reason = "each binary of tests uses a part of it")]

use std::{path::Path, sync::Arc};

use outrider_core::{
    crdt::{TextDocument, text::first_change},
    ids::{ActorPrefix, RecordId},
    replica::{Options, Replica, pull::PullEffect},
    store::{Durability, document, meta::Enrolment},
    sync::frame::{Answer, Author, Body, DocumentFrame, Outcome, PullFrame, PushResponse},
    time::ManualClock,
};
use serde_json::{Map, Value as Json};

pub(crate) const NOW_MS: i64 = 1_780_000_000_000;

pub(crate) fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

pub(crate) fn open(folder: &Path, number: u8) -> Replica {
    let clock = Arc::new(ManualClock::at(NOW_MS + i64::from(number)));
    let (seed, durability) = (Some(u64::from(number)), Durability::None);
    let options = Options { clock, seed, durability, keys: None };
    Replica::open(folder, options).unwrap()
}

fn prefix(number: u8) -> ActorPrefix {
    ActorPrefix([number; 12])
}

fn device(number: u8) -> outrider_core::ids::DeviceId {
    format!("00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

/// A device of `user`, enrolled.
pub(crate) fn enrolled(number: u8, user: &str) -> (tempfile::TempDir, Replica) {
    let folder = tempfile::tempdir().unwrap();
    let mut replica = open(folder.path(), number);
    replica
        .enroll(&Enrolment {
            url: "http://office".to_owned(),
            device: device(number),
            user: user.to_owned(),
            prefix: prefix(number),
            token: "the secret token".to_owned(),
            user_record: None,
            ca: None,
        })
        .unwrap();
    (folder, replica)
}

/// The office takes everything that waits.
pub(crate) fn acknowledge(replica: &mut Replica) {
    while let Some(batch) = replica.next_push(0).unwrap() {
        let waiting = replica.outbox(batch.count).unwrap();
        let answers =
            waiting.iter().map(|waiting| Answer { hash: waiting.hash, outcome: Outcome::Applied });
        let response = PushResponse::new(answers.collect());
        replica.take_push_response(&response).unwrap();
    }
}

/// Brings all documents of a record to another device, with who stands behind `user`'s changes.
pub(crate) fn bring(
    from: &Replica,
    author: (u8, &str),
    to: &mut Replica,
    record: RecordId,
) -> PullEffect {
    let mut frames = vec![PullFrame::Author(Author {
        prefix: prefix(author.0),
        device: device(author.0),
        user: author.1.to_owned(),
        device_name: "phone".to_owned(),
    })];
    for (part, stored) in document::load_all(from.store().conn(), record).unwrap() {
        let body = if part.is_flat() {
            Body::State(stored.state)
        } else {
            let text = TextDocument::load(&stored.state).unwrap();
            let changes = text.changes_since(&[first_change().hash]).unwrap();
            Body::Text(changes.into_iter().map(|change| change.bytes.into()).collect())
        };
        frames.push(PullFrame::Document(Box::new(DocumentFrame {
            record,
            part,
            entity: stored.entity,
            family: record,
            family_position: 1,
            pass: 1,
            body,
            provenance: Vec::new(),
            unit: None,
        })));
    }
    to.take_frames(&frames, true).unwrap()
}
