//! Every device holds what the server holds, rows are what documents say, and all is quiet.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    crdt::{Clock, State, TextDocument},
    ids::DocumentId,
    replica::Replica,
    store::{document, meta, rows},
};
use outrider_sync_server::storage::Content;

use super::{Office, Verdict, excused::Excused};
use crate::{Failure, device::Device, plan::Check, world::World};

/// Bytes that a session without news may cost, up and down together.
const IDLE_BYTES_MAX: u64 = 2_048;

pub(super) fn judge(
    world: &mut World,
    office: &Office,
    excused: &Excused,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let (version, database) = (world.server()?.version(), world.server()?.database());
    let theirs = rows::dump(&rusqlite::Connection::open(database)?, version.schema())?;
    for at in 0..world.devices.len() {
        let Some(device) = world.devices.get(at) else { continue };
        let name = device.name.clone();
        if device.is_revoked {
            let held = count_held(device)?;
            if held > 0 {
                verdict.add(Check::Authorised, format!("{name} was turned away and holds {held}"));
            }
            continue;
        }
        let summary = world.sync(at, 1 << 30)?;
        let bytes = summary.bytes_up + summary.bytes_down;
        let is_idle = summary.requests == 1 && summary.pulled == 0 && bytes <= IDLE_BYTES_MAX;
        if !is_idle && excused.is_empty() {
            let words = format!("{name}: a session without news is not idle: {summary:?}");
            verdict.add(Check::Alive, words);
        }
        let Some(device) = world.devices.get_mut(at) else { continue };
        let is_same_version = device.version == version;
        let replica = device.replica_mut()?;
        if let Err(error) = replica.check_lease() {
            verdict.add(Check::Alive, format!("{name} is locked after a session: {error}"));
            continue;
        }
        let mut diverged = compare(replica, office, excused)?;
        let before = replica.dump_rows()?;
        if is_same_version && excused.is_empty() {
            diverged.extend(difference("rows of the server", &theirs, "the device's", &before));
        }
        replica.rebuild_rows()?;
        let after = replica.dump_rows()?;
        diverged.extend(difference("rows", &before, "made anew", &after));
        verdict
            .extend(Check::Convergent, diverged.into_iter().map(|what| format!("{name}: {what}")));
    }
    Ok(())
}

fn count_held(device: &Device) -> Result<usize, Failure> {
    let mut held = 0;
    document::for_each(device.replica()?.store().conn(), |_, _, _| {
        held += 1;
        Ok(())
    })?;
    Ok(held)
}

/// How a device's documents differ from the server's.
fn compare(replica: &Replica, office: &Office, excused: &Excused) -> Result<Vec<String>, Failure> {
    let conn = replica.store().conn();
    let mut diverged = Vec::new();
    let mut mine: BTreeMap<DocumentId, Vec<u8>> = BTreeMap::new();
    document::for_each(conn, |id, _, state| {
        if !excused.has(id) {
            mine.insert(id.clone(), state.to_vec());
        }
        Ok(())
    })?;
    if excused.is_empty() && meta::cursor(conn)?.held != office.digest {
        diverged.push("the digest of what is held is not the server's".to_owned());
    }
    for (id, stored) in office.documents.iter().filter(|(id, _)| !excused.has(id)) {
        let Some(bytes) = mine.remove(id) else {
            diverged.push(format!("{id} is missing"));
            continue;
        };
        match &stored.content {
            Content::Flat(theirs) => {
                let mine = State::from_bytes(&bytes)?;
                if mine != *theirs {
                    diverged.push(format!("{id} differs: {}", first_difference(&mine, theirs)));
                }
            }
            Content::Text(theirs) => {
                let mine = TextDocument::load(&bytes)?;
                if mine.heads() != theirs.heads || mine.text()? != theirs.text {
                    diverged.push(format!("{id} differs"));
                }
            }
        }
    }
    diverged.extend(mine.keys().map(|id| format!("{id} is not at the server")));
    Ok(diverged)
}

fn first_difference(mine: &State, theirs: &State) -> String {
    if mine.head_hashes() != theirs.head_hashes() {
        return "heads".to_owned();
    }
    if mine.clock != theirs.clock || mine.max_op != theirs.max_op {
        let of = |clock: &Clock, actor| clock.get(actor).map(|seen| (seen.seq, seen.op));
        let actors: BTreeSet<_> = mine.clock.keys().chain(theirs.clock.keys()).collect();
        let apart = actors
            .into_iter()
            .map(|actor| (actor.to_string(), of(&mine.clock, actor), of(&theirs.clock, actor)));
        let apart: Vec<_> = apart.filter(|(_, mine, theirs)| mine != theirs).collect();
        return format!("clock: {apart:?}, {} and {}", mine.max_op, theirs.max_op);
    }
    let keys = mine.keys.keys().chain(theirs.keys.keys());
    keys.filter(|key| mine.survivors(key) != theirs.survivors(key))
        .map(|key| format!("{key}: {:?}, {:?}", mine.survivors(key), theirs.survivors(key)))
        .next()
        .unwrap_or_default()
}

fn difference(what: &str, left: &[String], of: &str, right: &[String]) -> Option<String> {
    if left == right {
        return None;
    }
    let first = left.iter().zip(right).find(|(left, right)| left != right);
    Some(match first {
        Some((left, right)) => format!("{what} are not {of}: {left} | {right}"),
        None => format!("{what} are {}, {of} {}", left.len(), right.len()),
    })
}
