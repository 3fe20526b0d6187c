//! Endings: a person is erased, a device is turned away, wiped, encrypted.

use std::{fs, path::Path, process::Command};

use serde_json::{Value as Json, json};

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        device::Device,
        ground::{CANARY, Ground, NAMES, USERS, text, word_of},
        process::{finish, kill_at, words_of},
        verdict,
    },
};

/// What a device types before it is turned away.
const TYPED: &str = "Typed at the end";
/// How often a device that is wiped is started again.
const STARTS: usize = 3;

/// A device dies while it erases a person; the next session ends it.
pub(super) fn erased(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    office.start(None)?;
    office.run(&["erasure", "erase", &ground.person, "--yes"])?;
    let is_reached = kill_at(office.device(USERS[0]).command(&["sync"]), point)?;
    let devices = USERS.map(|user| office.device(user));
    verdict::settle(&office, &devices, count)?;
    for folder in devices.iter().map(|device| &device.home).chain([&office.data()]) {
        if has(folder, CANARY)? {
            count.lost(format!("an erasure in {}", folder.display()));
        }
    }
    Ok(is_reached.into())
}

/// A device that was turned away dies while it hands in what waits.
pub(super) fn turned_away(
    ground: &Ground,
    point: &str,
    count: &mut Count,
) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    office.start(None)?;
    let device = office.device(USERS[0]);
    type_something(&device)?;
    let id = word_of(&office.standing(USERS[0])?, "device");
    office.run(&["device", "revoke", &id, "--json"])?;
    let is_reached = kill_at(device.command(&["sync"]), point)?;
    finish(&mut device.command(&["sync"]))?;
    let waiting = device.run(&["status"])?.get("waiting").and_then(Json::as_u64);
    if waiting != Some(0) {
        count.stuck(format!("{waiting:?} edits wait that were to be handed in"));
    }
    // The office has it, or the device still shows it to its owner.
    let inbox = device.run(&["inbox"])?.to_string();
    if !inbox.contains(TYPED) {
        count.lost(format!("what was handed in: {inbox}"));
    }
    if !has(&office.data(), &TYPED.to_lowercase())? {
        count.lost("what was handed in is not at the office".to_owned());
    }
    verdict::check_server(&office, count)?;
    Ok(is_reached.into())
}

/// A device dies while it is wiped; its next starts go on, and the office hears of it.
pub(super) fn wiped(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    office.start(None)?;
    let device = office.device(USERS[0]);
    type_something(&device)?;
    let id = word_of(&office.standing(USERS[0])?, "device");
    office.run(&["device", "wipe", &id, "--json"])?;
    let is_reached = kill_at(device.command(&["sync"]), point)?;
    for _ in 0..STARTS {
        finish(&mut device.command(&["sync"]))?;
    }
    if device.home.exists() && fs::read_dir(&device.home)?.next().is_some() {
        let left: Vec<_> = fs::read_dir(&device.home)?.flatten().map(|one| one.path()).collect();
        count.stuck(format!("a wipe left {left:?}"));
    }
    let standing = office.standing(USERS[0])?;
    if !standing.get("wiped").is_some_and(Json::is_string) {
        count.stuck(format!("the office does not know of the wipe: {standing}"));
    }
    // What it typed before was sent first.
    let others = [office.device(USERS[1]), office.device(USERS[2])];
    let rows = verdict::settle(&office, &others, count)?.unwrap_or_default();
    if !rows.join("\n").contains(TYPED) && !has(&office.data(), &TYPED.to_lowercase())? {
        count.lost("what waited before the wipe".to_owned());
    }
    Ok(is_reached.into())
}

/// A device dies while its store is encrypted; the next start goes on.
pub(super) fn seal(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let device = office.device(USERS[0]);
    let key = office.folder.join("keys/device.key");
    if !can_encrypt(&device, &key)? {
        return Ok(Told::Impossible);
    }
    let is_reached = kill_at(with_key(&device, &key, &["status"])?, point)?;
    office.start(None)?;
    let done = finish(&mut with_key(&device, &key, &["sync"])?)?;
    if !done.status.success() {
        count.stuck(format!("an encrypted store: {}", words_of(&done)));
    }
    let held = finish(&mut with_key(&device, &key, &["list", "customer"])?)?;
    let held = String::from_utf8_lossy(&held.stdout).into_owned();
    for name in NAMES.iter().filter(|name| !held.contains(*name)) {
        count.lost(format!("the records named {name}"));
    }
    if has(&device.home, &NAMES[0].to_lowercase())? {
        count.lost("a store that was to be encrypted is plain".to_owned());
    }
    Ok(is_reached.into())
}

/// As [`wiped`], of an encrypted store, whose key goes first.
pub(super) fn sealed_wipe(
    ground: &Ground,
    point: &str,
    count: &mut Count,
) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let device = office.device(USERS[0]);
    let key = office.folder.join("keys/device.key");
    if !can_encrypt(&device, &key)? {
        return Ok(Told::Impossible);
    }
    finish(&mut with_key(&device, &key, &["status"])?)?;
    office.start(None)?;
    let id = word_of(&office.standing(USERS[0])?, "device");
    office.run(&["device", "wipe", &id, "--json"])?;
    let is_reached = kill_at(with_key(&device, &key, &["sync"])?, point)?;
    for _ in 0..STARTS {
        finish(&mut with_key(&device, &key, &["sync"])?)?;
    }
    if key.exists() || device.home.join("outrider.db").exists() {
        count.stuck("a wipe left the key or the store".to_owned());
    }
    Ok(is_reached.into())
}

fn type_something(device: &Device) -> Result<(), Failure> {
    let fields = json!({"company_name": TYPED});
    device.batch(&[json!({"do": "create", "entity": "customer", "fields": fields})])?;
    Ok(())
}

fn with_key(device: &Device, key: &Path, args: &[&str]) -> Result<Command, Failure> {
    Ok(device.command(&[&["--key-file", text(key)?], args].concat()))
}

/// Whether the program was built with encryption; tried on a store that nobody needs.
fn can_encrypt(device: &Device, key: &Path) -> Result<bool, Failure> {
    let other = Device { home: device.home.with_extension("tried"), ..device.clone() };
    let tried = finish(&mut with_key(&other, &key.with_extension("tried"), &["init"])?)?;
    Ok(tried.status.success())
}

/// Whether a file below a folder has a word, in small letters.
fn has(folder: &Path, word: &str) -> Result<bool, Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            has(&path, word)?
        } else {
            let bytes = fs::read(&path)?.to_ascii_lowercase();
            memchr::memmem::find(&bytes, word.as_bytes()).is_some()
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
