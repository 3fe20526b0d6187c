//! Everything reloads: databases are whole, documents are read, rows and digests are what they stand
//! for.

use outrider_core::{
    crdt::{State, TextDocument},
    store::document,
};
use outrider_sync_server::storage::sqlite::verify;

use super::Verdict;
use crate::{Failure, device::Device, plan::Check, world::World};

pub(super) fn judge(world: &World, verdict: &mut Verdict) -> Result<(), Failure> {
    // Entered as the server, whose definitions say what rows there are.
    world.server()?.version().enter();
    let checked = verify::verify(world.data()?, None, &mut |_, _, _| ())?;
    let problems = checked.problems.iter().map(|problem| format!("the server: {problem}"));
    verdict.extend(Check::Sound, problems);
    for device in &world.devices {
        let found = problems_of(device)?;
        verdict
            .extend(Check::Sound, found.into_iter().map(|what| format!("{}: {what}", device.name)));
    }
    Ok(())
}

fn problems_of(device: &Device) -> Result<Vec<String>, Failure> {
    let conn = device.replica()?.store().conn();
    let mut problems = Vec::new();
    let whole: String = conn.query_row("PRAGMA integrity_check(10)", [], |row| row.get(0))?;
    if whole != "ok" {
        problems.push(whole);
    }
    document::for_each(conn, |id, _, state| {
        let read = if id.part.is_flat() {
            State::from_bytes(state).err().map(|error| error.to_string())
        } else {
            TextDocument::load(state).err().map(|error| error.to_string())
        };
        problems.extend(read.map(|error| format!("{id} does not load: {error}")));
        Ok(())
    })?;
    Ok(problems)
}
