//! The storage paths of a phone as one of the office's: how it is let in, what it is told of itself, what
//! became of its edits, and what is taken in and back.

use outrider_core::{
    replica::{DATABASE_FILE, Replica, ReplicaError},
    store::{imports::Notes as _, meta::Enrolment},
    sync::{
        frame::{Answer, Outcome},
        tokens::Tokens,
    },
    transfer::undo::undo_import,
};

use super::{
    device,
    paths::{Steps, StoragePath},
    town::{COLLEAGUE, EDITOR, Town},
};
use crate::Failure;

pub(super) const PATHS: &[StoragePath] = &[
    StoragePath::on_phone("device-enrol", Steps::One, enrol).after(begin_anew).hidden_from_phones(),
    StoragePath::on_phone("device-nonce", Steps::One, draw_nonce),
    StoragePath::on_phone("device-tokens", Steps::One, take_tokens).after(ask_for_tokens),
    StoragePath::on_phone("device-contact", Steps::Several, note_contact),
    StoragePath::on_phone("device-ask", Steps::One, ask).after(be_refused),
    StoragePath::on_phone("device-dismiss", Steps::One, dismiss).after(be_refused),
    StoragePath::on_phone("device-reviewed", Steps::One, take_reviewed).after(device::edit_offline),
    StoragePath::on_phone("device-let-go", Steps::One, let_go),
    StoragePath::on_phone("device-import-undone", Steps::Several, undo).after(import),
    StoragePath::on_phone("device-import-store", Steps::Several, import_store)
        .after(export_store)
        .beginning_closed()
        .hidden_from_phones(),
];
/// A month, as a lease.
const LEASE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// By how much the clock of the server is ahead of the phone's.
const AHEAD_MS: i64 = 60 * 60 * 1_000;
/// The name of a copy of a whole store.
const COPY: &str = "copy.outrider";

/// The store is empty, and its phone nobody's.
fn begin_anew(town: &mut Town) -> Result<(), Failure> {
    device::forget_store(town)?;
    town.replica(EDITOR)?;
    device::create(town).map(drop)
}

/// What was written before is rewritten in the new name.
fn enrol(town: &mut Town) -> Result<String, Failure> {
    let known = town.facts.known.get(COLLEAGUE).cloned().flatten().ok_or("nobody to follow")?;
    let replica = town.replica(EDITOR)?;
    if replica.enrolment()?.is_none() {
        replica.enroll(&Enrolment {
            url: "http://office".to_owned(),
            device: known.id,
            user: known.user,
            prefix: known.prefix,
            token: "token".to_owned(),
            user_record: known.user_record,
            ca: None,
        })?;
    }
    Ok(replica.status()?.waiting.to_string())
}

/// Asked for again it is the same, until tokens came of it.
fn draw_nonce(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    let nonce = replica.exchange_nonce()?;
    Ok((replica.exchange_nonce()? == nonce).to_string())
}

fn ask_for_tokens(town: &mut Town) -> Result<(), Failure> {
    draw_nonce(town).map(drop)
}

fn take_tokens(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    replica.take_tokens(&Tokens {
        token: "access".to_owned(),
        token_expires_at: 1,
        refresh_token: "refresh".to_owned(),
    })?;
    Ok(format!("{:?}", replica.credentials()?.token()))
}

fn note_contact(town: &mut Town) -> Result<String, Failure> {
    let server_ms = town.facts.now_ms + AHEAD_MS;
    let replica = town.replica(EDITOR)?;
    replica.note_contact(server_ms, LEASE_MS)?;
    Ok(format!("{:?}", replica.lease()?))
}

fn be_refused(town: &mut Town) -> Result<(), Failure> {
    device::edit_refused(town)?;
    town.sync(EDITOR).map(drop)
}

fn ask(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    for refused in replica.inbox(1)? {
        match replica.ask_approval(refused.id, "They asked for it.") {
            // Done before.
            Ok(_) | Err(ReplicaError::NoRefusal(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(replica.inbox(1)?.iter().all(|refused| refused.proposal.is_some()).to_string())
}

fn dismiss(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    for refused in replica.inbox(1)? {
        replica.dismiss(refused.id)?;
    }
    Ok(replica.inbox(1)?.len().to_string())
}

/// The office keeps all that waits, and it is sent no more.
fn take_reviewed(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    let waiting = replica.outbox(100)?.into_iter();
    let kept = Outcome::Refused("ended".to_owned(), Vec::new());
    let answers: Vec<_> =
        waiting.map(|own| Answer { hash: own.hash, outcome: kept.clone() }).collect();
    replica.take_reviewed(&answers)?;
    Ok(replica.inbox(100)?.len().to_string())
}

fn let_go(town: &mut Town) -> Result<String, Failure> {
    town.replica(EDITOR)?.let_go()?;
    device::open(town)
}

fn import(town: &mut Town) -> Result<(), Failure> {
    device::import(town).map(drop)
}

fn undo(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    let batches = replica.store().conn().batches(1)?;
    let batch = batches.first().ok_or("nothing was imported")?;
    if batch.undone_at.is_none() {
        undo_import(replica, batch.id, &mut |_| ())?;
    }
    device::open(town)
}

fn export_store(town: &mut Town) -> Result<(), Failure> {
    let to = town.home.join(COPY);
    town.replica(EDITOR)?.export_store(&to)?;
    device::forget_store(town)
}

fn import_store(town: &mut Town) -> Result<String, Failure> {
    let (from, home) = (town.home.join(COPY), town.phone_folder(EDITOR));
    if !home.join(DATABASE_FILE).exists() {
        drop(Replica::import_store(&from, &home, town.options(EDITOR))?);
    }
    device::open(town)
}
