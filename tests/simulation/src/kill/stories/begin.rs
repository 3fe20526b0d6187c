//! Beginnings: a server's data, a device's store, an enrolment, an import.

use std::{collections::BTreeMap, fs};

use serde_json::json;

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        ground::{Ground, USERS, text},
        office::Office,
        process::{finish, kill_at, words_of},
        verdict,
    },
};

/// Rows of the file that is imported, between a transaction that begins and one that ends.
const ROWS: usize = 150;

/// A server dies while it makes its data; the next start finishes that.
pub(super) fn server(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let folder = tempfile::tempdir()?;
    let mut office = Office::closed(ground.program(), folder.path(), "http://127.0.0.1:0");
    let is_reached = office.kill_at_start(point)?;
    office.start(None)?;
    let device = office.enrol("anna")?;
    let fields = json!({"company_name": "first"});
    device.batch(&[json!({"do": "create", "entity": "customer", "fields": fields})])?;
    let rows = verdict::settle(&office, &[device], count)?.unwrap_or_default();
    if !rows.join("\n").contains("first") {
        count.lost("the first record".to_owned());
    }
    office.browser()?;
    Ok(is_reached.into())
}

/// A device dies while it makes its store; the same command makes it.
pub(super) fn device(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let fresh = office.device("fresh");
    let is_reached = kill_at(fresh.command(&["init"]), point)?;
    fresh.run(&["init"])?;
    let fields = json!({"company_name": "typed before enrolment"});
    fresh.batch(&[json!({"do": "create", "entity": "customer", "fields": fields})])?;
    office.start(None)?;
    let code = office.code("fresh")?;
    fresh.run(&["enroll", &office.url, &code])?;
    let rows = verdict::settle(&office, &[fresh, office.device(USERS[0])], count)?;
    if !rows.unwrap_or_default().join("\n").contains("typed before enrolment") {
        count.lost("what was typed before enrolment".to_owned());
    }
    Ok(is_reached.into())
}

/// A device dies while it is enrolled; the same command with the same code enrols it.
pub(super) fn enrolment(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    office.start(None)?;
    let fresh = office.device("fresh");
    fresh.run(&["init"])?;
    let fields = json!({"company_name": "typed before enrolment"});
    fresh.batch(&[json!({"do": "create", "entity": "customer", "fields": fields})])?;
    let code = office.code("fresh")?;
    let order = ["enroll", &office.url, &code, "--name", "fresh"];
    let is_reached = kill_at(fresh.command(&order), point)?;
    let again = finish(&mut fresh.command(&order))?;
    let words = words_of(&again);
    if !again.status.success() && !words.contains("still_waiting") && !words.contains("enrolled") {
        count.stuck(format!("the same code again: {words}"));
    }
    let rows = verdict::settle(&office, &[fresh, office.device(USERS[0])], count)?;
    if !rows.unwrap_or_default().join("\n").contains("typed before enrolment") {
        count.lost("what was typed before enrolment".to_owned());
    }
    Ok(is_reached.into())
}

/// A device dies between the batches of an import; the same import again brings each row once.
pub(super) fn import(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let device = office.device(USERS[0]);
    let file = office.folder.join("customers.csv");
    let rows: String = (0..ROWS).map(|n| format!("I-{n},Imported {n:05}.\n")).collect();
    fs::write(&file, format!("external_id,company_name\n{rows}"))?;
    let order = ["import", text(&file)?, "--yes", "--entity", "customer", "--source", "list"];
    let is_reached = kill_at(device.command(&order), point)?;
    device.run(&order)?;
    office.start(None)?;
    let devices = USERS.map(|user| office.device(user));
    let held = verdict::settle(&office, &devices, count)?.unwrap_or_default().join("\n");
    let mut found: BTreeMap<usize, usize> = BTreeMap::new();
    for part in held.split("Imported ").skip(1) {
        let number = part.split('.').next().and_then(|digits| digits.parse().ok());
        *found.entry(number.unwrap_or(usize::MAX)).or_default() += 1;
    }
    for n in (0..ROWS).filter(|n| !found.contains_key(n)) {
        count.lost(format!("row {n} of the file"));
    }
    Ok(is_reached.into())
}
