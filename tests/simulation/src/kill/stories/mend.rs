//! What can be read of a torn database is copied into a new one, and the process dies meanwhile.

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        ground::{Ground, USERS},
        office::Office,
        process::{finish, kill_at, words_of},
        verdict,
    },
};

/// The order that makes the copy.
const SALVAGE: [&str; 4] = ["doctor", "--fix", "salvage", "--yes"];

/// A device dies meanwhile; its store is there, with what waits in it.
pub(super) fn device(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let device = office.device(USERS[0]);
    let rows = device.replica()?.dump_rows()?;
    let is_reached = kill_at(device.command(&SALVAGE), point)?;
    device.run(&["status"])?;
    if device.replica()?.dump_rows()? != rows {
        count.lost("rows of a device that died while it was mended".to_owned());
    }
    device.run(&SALVAGE)?;
    office.start(None)?;
    check(&office, count)?;
    Ok(is_reached.into())
}

/// The server's data; the next start serves them, and no empty ones.
pub(super) fn server(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let is_reached = kill_at(office.command(&SALVAGE), point)?;
    office.start(None)?;
    check(&office, count)?;
    office.kill()?;
    let done = finish(&mut office.command(&SALVAGE))?;
    if !done.status.success() {
        count.stuck(format!("data cannot be copied: {}", words_of(&done)));
    }
    office.start(None)?;
    check(&office, count)?;
    Ok(is_reached.into())
}

fn check(office: &Office, count: &mut Count) -> Result<(), Failure> {
    let devices = USERS.map(|user| office.device(user));
    verdict::check_names(verdict::settle(office, &devices, count)?, count);
    Ok(())
}
