//! Data that an older version wrote, and a death after each step that brings it up to date.

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        ground::{Ground, USERS},
        process::kill_at,
        verdict,
    },
    older,
};

/// An older server's data is opened by this server.
pub(super) fn server(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    older::age_server(&office.data())?;
    let is_reached = office.kill_at_start(point)?;
    office.start(None)?;
    let devices = USERS.map(|user| office.device(user));
    verdict::check_names(verdict::settle(&office, &devices, count)?, count);
    Ok(is_reached.into())
}

/// An older device's store is opened by this app.
pub(super) fn device(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let devices = USERS.map(|user| office.device(user));
    let [first, ..] = &devices;
    let rows = first.replica()?.dump_rows()?;
    older::age_device(&first.home)?;
    let is_reached = kill_at(first.command(&["status"]), point)?;
    first.run(&["status"])?;
    if first.replica()?.dump_rows()? != rows {
        count.lost("rows of a device that was brought up to date".to_owned());
    }
    office.start(None)?;
    verdict::check_names(verdict::settle(&office, &devices, count)?, count);
    Ok(is_reached.into())
}
