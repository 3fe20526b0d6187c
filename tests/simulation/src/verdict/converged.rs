//! Every device holds what the server holds, rows are what documents say, and all is quiet.

use std::collections::BTreeMap;

use outrider_core::{
    crdt::{State, TextDocument},
    ids::DocumentId,
    replica::Replica,
    schema::Schema,
    store::{document, meta, outbox, rows},
};
use outrider_sync_server::storage::Content;

use super::{Office, Verdict};
use crate::{
    Failure,
    world::{IDLE_BYTES_MAX, World},
};

pub(super) fn judge(
    world: &mut World,
    office: &Office,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let theirs =
        rows::dump(&rusqlite::Connection::open(world.server()?.database())?, Schema::current())?;
    for at in 0..world.devices.len() {
        let summary = world.sync(at, 1 << 30)?;
        let Some(device) = world.devices.get_mut(at) else { continue };
        let name = device.name.clone();
        let bytes = summary.bytes_up + summary.bytes_down;
        if summary.requests != 1 || summary.pulled != 0 || bytes > IDLE_BYTES_MAX {
            verdict.stuck.push(format!("{name}: a session without news is not idle: {summary:?}"));
        }
        let replica = device.replica_mut()?;
        let waiting = outbox::count_waiting(replica.store().conn())?;
        if waiting > 0 {
            verdict.stuck.push(format!("{name}: {waiting} changes wait for ever"));
        }
        let mut diverged = compare(replica, office)?;
        let before = replica.dump_rows()?;
        diverged.extend(difference("rows of the server", &theirs, "the device's", &before));
        replica.rebuild_rows()?;
        let after = replica.dump_rows()?;
        diverged.extend(difference("rows", &before, "made anew", &after));
        verdict.diverged.extend(diverged.into_iter().map(|what| format!("{name}: {what}")));
    }
    Ok(())
}

/// How a device's documents differ from the server's.
fn compare(replica: &Replica, office: &Office) -> Result<Vec<String>, Failure> {
    let conn = replica.store().conn();
    let mut diverged = Vec::new();
    let mut mine: BTreeMap<DocumentId, Vec<u8>> = BTreeMap::new();
    document::for_each(conn, |id, _, state| {
        mine.insert(id.clone(), state.to_vec());
        Ok(())
    })?;
    if meta::cursor(conn)?.held != office.digest {
        diverged.push("the digest of what is held is not the server's".to_owned());
    }
    for (id, stored) in &office.documents {
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
        return "clock".to_owned();
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
