//! Backups that die while they are made, or put back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value as Json;

use super::Told;
use crate::{
    Failure,
    kill::{
        Count,
        ground::{CANARY, GONE, Ground, LATE, USERS, text, word_of},
        office::Office,
        process::{finish, kill_at, words_of},
        verdict,
    },
};

/// Where the keys of persons lie in the data folder.
const PERSON_KEYS: &str = "ledger.persons";

/// A backup dies while it is made: what looks like one is one, and the next one is made.
pub(super) fn backup(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, office) = ground.copy()?;
    let (file, key) = ground.backup_in(&office);
    let to = file.parent().ok_or("a backup without a folder")?;
    let order = ["backup", "--json", "--recipient", &ground.recipient, "--to", text(to)?];
    let is_reached = kill_at(office.command(&order), point)?;
    check_backups(&office, to, &key, count)?;
    office.run(&order)?;
    check_backups(&office, to, &key, count)?;
    Ok(is_reached.into())
}

/// The first backup of all dies, which makes the keys of persons.
pub(super) fn first_backup(
    ground: &Ground,
    point: &str,
    count: &mut Count,
) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let (file, key) = ground.backup_in(&office);
    let to = office.folder.join("others");
    let order = ["backup", "--json", "--recipient", &ground.recipient, "--to", text(&to)?];
    fs::remove_file(office.data().join(PERSON_KEYS))?;
    let is_reached = kill_at(office.command(&order), point)?;
    // The keys of the older backup lie beside it.
    put_back(&office, &file, &key, count)?;
    check_restored(&mut office, count)?;
    office.run(&order)?;
    check_backups(&office, &to, &key, count)?;
    Ok(is_reached.into())
}

/// A pair of keys dies while it is made: the file can be made again, or is whole.
pub(super) fn backup_key(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, office) = ground.copy()?;
    let key = office.folder.join("new.key");
    let order = ["backup-key", "--json", "--out", text(&key)?];
    let is_reached = kill_at(office.command(&order), point)?;
    let again = finish(&mut office.command(&order))?;
    let made = fs::read_to_string(&key).unwrap_or_default();
    let Some(public) = made.lines().find_map(|line| line.strip_prefix("# public key: ")) else {
        count.stuck(format!("no key can be made: {}", words_of(&again)));
        return Ok(is_reached.into());
    };
    let to = office.folder.join("others");
    office.run(&["backup", "--json", "--recipient", public, "--to", text(&to)?])?;
    check_backups(&office, &to, &key, count)?;
    Ok(is_reached.into())
}

/// A backup dies while it is put back, and is put back again.
pub(super) fn restore(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let (file, key) = ground.backup_in(&office);
    fs::remove_file(office.data().join(PERSON_KEYS))?;
    let is_reached = kill_at(restoring(&office, &file, &key)?, point)?;
    put_back(&office, &file, &key, count)?;
    check_restored(&mut office, count)?;
    Ok(is_reached.into())
}

/// A backup dies while it is put back, and the server is simply started.
pub(super) fn restore_given_up(
    ground: &Ground,
    point: &str,
    count: &mut Count,
) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let (file, key) = ground.backup_in(&office);
    let is_reached = kill_at(restoring(&office, &file, &key)?, point)?;
    check_restored(&mut office, count)?;
    Ok(is_reached.into())
}

/// A device dies while it learns that the server was put back.
pub(super) fn restored(ground: &Ground, point: &str, count: &mut Count) -> Result<Told, Failure> {
    let (_folder, mut office) = ground.copy()?;
    let (file, key) = ground.backup_in(&office);
    put_back(&office, &file, &key, count)?;
    office.start(None)?;
    let is_reached = kill_at(office.device(USERS[0]).command(&["sync"]), point)?;
    office.kill()?;
    check_restored(&mut office, count)?;
    Ok(is_reached.into())
}

fn restoring(office: &Office, file: &Path, key: &Path) -> Result<Command, Failure> {
    let order = ["restore", text(file)?, "--identity", text(key)?, "--replace", "--json"];
    Ok(office.command(&order))
}

fn put_back(office: &Office, file: &Path, key: &Path, count: &mut Count) -> Result<(), Failure> {
    let done = finish(&mut restoring(office, file, key)?)?;
    let told: Json = serde_json::from_slice(&done.stdout).unwrap_or_default();
    if !done.status.success() {
        count.stuck(format!("a backup cannot be put back: {}", words_of(&done)));
    } else if told.get("persons_lost").and_then(Json::as_u64) != Some(0) {
        count.lost(format!("persons of a backup: {told}"));
    }
    Ok(())
}

/// Every file that has the name of a backup is one.
fn check_backups(
    office: &Office,
    folder: &Path,
    key: &Path,
    count: &mut Count,
) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map(|all| all.flatten().collect::<Vec<_>>());
    let paths = entries.unwrap_or_default().into_iter().map(|entry| entry.path());
    let is_backup = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.ends_with(".age") && !name.ends_with(".keys.age") && !name.starts_with('.')
    };
    for path in paths.filter(is_backup) {
        let order = ["verify", "--json", text(&path)?, "--identity", text(key)?];
        let done = finish(&mut office.command(&order))?;
        let told: Json = serde_json::from_slice(&done.stdout).unwrap_or_default();
        if told.get("problem_count").and_then(Json::as_u64) != Some(0) {
            count.lost(format!("the backup {}: {}", path.display(), words_of(&done)));
        }
    }
    Ok(())
}

/// After everybody synced all is there, and who was let in or turned away since still is.
fn check_restored(office: &mut Office, count: &mut Count) -> Result<(), Failure> {
    office.start(None)?;
    let devices = USERS.map(|user| office.device(user));
    let rows = verdict::settle(office, &devices, count)?;
    let all = rows.iter().flatten().map(|row| row.to_lowercase()).collect::<String>();
    verdict::check_names(rows, count);
    if !all.contains(CANARY) {
        count.lost("a person".to_owned());
    }
    let gone = word_of(&office.standing(GONE)?, "standing");
    if gone != "device_revoked" {
        count.lost(format!("a revocation: the device is {gone}"));
    }
    office.device(LATE).run(&["sync"])?;
    Ok(())
}
