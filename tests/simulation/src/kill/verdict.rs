//! What must hold when everybody is alive again.

use std::collections::BTreeMap;

use super::{
    Count,
    device::Device,
    ground::{NAMES, word_of},
    office::Office,
    process::{finish, words_of},
    promises::Promises,
};
use crate::Failure;

/// Sessions that a device is given to send and to get everything.
const SESSIONS: usize = 3;
/// With which the shell says that a device is not let in.
const EXIT_TURNED_AWAY: i32 = 4;

/// Lets everybody sync, and compares what is there with what was promised. The server runs.
pub(super) fn look(
    office: &Office,
    devices: &[Device],
    promises: &mut Promises,
    shared: &str,
    count: &mut Count,
) -> Result<(), Failure> {
    finish_enrolments(office, promises, count)?;
    let Some(rows) = settle(office, devices, count)? else { return Ok(()) };
    let all = rows.join("\n");
    let missing = promises.words.iter().filter(|word| !all.contains(word.as_str()));
    missing.for_each(|word| count.lost(format!("{word}, which was typed")));
    let present = promises.erased.iter().filter(|word| all.contains(word.as_str()));
    present.for_each(|word| count.lost(format!("the erasure of {word}")));
    let replica = devices.first().ok_or("nobody has a device")?.replica()?;
    let shown = |record: &str| -> Result<serde_json::Value, Failure> {
        Ok(replica.get(record.parse()?)?.unwrap_or_default())
    };
    let visits = shown(shared)?.get("visits").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let (sure, doubtful) = promises.visits;
    if !(sure..=sure + doubtful).contains(&visits) {
        count.lost(format!("{visits} visits, {sure} acknowledged, {doubtful} in doubt"));
    }
    for (record, values) in &promises.values {
        let value = word_of(&shown(record)?, "short_name");
        if !values.contains(&value) {
            count.lost(format!("{record} says {value}, not one of {values:?}"));
        }
    }
    for (loser, survivor) in &promises.merged {
        if word_of(&shown(loser)?, "redirect_to") != *survivor {
            count.lost(format!("the merge of {loser} into {survivor}"));
        }
    }
    look_at_devices(office, promises, count)
}

/// Every record that the ground laid is in these rows.
pub(super) fn check_names(rows: Option<Vec<String>>, count: &mut Count) {
    let all = rows.unwrap_or_default().join("\n");
    for name in NAMES.iter().filter(|name| !all.contains(*name)) {
        count.lost(format!("the records named {name}"));
    }
}

/// Whoever had no answer shows the code again, and is let in.
fn finish_enrolments(
    office: &Office,
    promises: &mut Promises,
    count: &mut Count,
) -> Result<(), Failure> {
    for (name, code) in promises.half_enrolled.drain(..) {
        let order = ["enroll", "--again", &office.url, &code, "--name", &name];
        let done = finish(&mut office.device(&name).command(&order))?;
        if done.status.success() {
            promises.enrolled.push(name);
        } else {
            count.stuck(format!("{name} cannot be enrolled again: {}", words_of(&done)));
        }
    }
    Ok(())
}

/// Lets devices sync until nothing is left to say; the rows that all of them hold then.
pub(super) fn settle(
    office: &Office,
    devices: &[Device],
    count: &mut Count,
) -> Result<Option<Vec<String>>, Failure> {
    for _ in 0..SESSIONS {
        for device in devices {
            let done = finish(&mut device.command(&["sync"]))?;
            if !done.status.success() {
                count.stuck(format!("{} does not sync: {}", device.name(), words_of(&done)));
                return Ok(None);
            }
        }
    }
    let mut held: Option<(String, Vec<String>)> = None;
    for device in devices {
        let mut replica = device.replica()?;
        let waiting = replica.status()?.waiting;
        if waiting > 0 {
            count.stuck(format!("{waiting} edits of {} wait", device.name()));
        }
        let rows = replica.dump_rows()?;
        replica.rebuild_rows()?;
        if replica.dump_rows()? != rows {
            count.diverged(format!("rows of {} are not what its documents say", device.name()));
        }
        match &held {
            Some((name, first)) if *first != rows => {
                count.diverged(format!("{name} and {} differ", device.name()));
            }
            Some(_) => {}
            None => held = Some((device.name(), rows)),
        }
    }
    check_server(office, count)?;
    Ok(held.map(|(_, rows)| rows))
}

/// Everything that the server holds fits together.
pub(super) fn check_server(office: &Office, count: &mut Count) -> Result<(), Failure> {
    let output = finish(&mut office.command(&["verify", "--json"]))?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if found.get("problem_count").and_then(serde_json::Value::as_u64) != Some(0) {
        count.diverged(format!("the server's data: {}", words_of(&output)));
    }
    Ok(())
}

/// Who was let in is, who was turned away is not.
fn look_at_devices(office: &Office, promises: &Promises, count: &mut Count) -> Result<(), Failure> {
    let list = office.run(&["device", "list", "--json"])?;
    let list = list.as_array().cloned().unwrap_or_default();
    let standings: BTreeMap<String, String> =
        list.iter().map(|one| (word_of(one, "name"), word_of(one, "standing"))).collect();
    for name in &promises.enrolled {
        if !standings.contains_key(name) {
            count.lost(format!("the enrolment of {name}"));
        }
    }
    for name in &promises.revoked {
        let standing = standings.get(name).map(String::as_str).unwrap_or_default();
        if standing != "device_revoked" {
            count.lost(format!("the revocation of {name}, who is {standing}"));
        }
    }
    if let Some(name) = promises.revoked.last() {
        let done = finish(&mut office.device(name).command(&["sync"]))?;
        if done.status.code() != Some(EXIT_TURNED_AWAY) {
            count.lost(format!("{name} was turned away, and syncs: {}", words_of(&done)));
        }
    }
    Ok(())
}
