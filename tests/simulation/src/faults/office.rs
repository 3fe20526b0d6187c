//! The storage paths of the server.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use outrider_core::{schema::Schema, store::query::Query};
use outrider_sync_server::{
    audit::{Desk, heads},
    backup::{self, BackupOrder, PERSON_KEYS_DAYS},
    devices,
    keys::ServerKey,
    ledger::LEDGER_FILE,
    office,
    storage::{AuditLine, Storage as _, sqlite::verify},
};
use serde_json::json;

use super::{
    device,
    paths::{Steps, StoragePath, empty},
    town::{COLLEAGUE, EDITOR, NEWCOMER, Town, fields},
};
use crate::Failure;

pub(super) const PATHS: &[StoragePath] = &[
    StoragePath::on_server("server-open", Steps::Drawn, open)
        .after(forget_store)
        .beginning_closed()
        .hidden_from_phones(),
    StoragePath::on_server("server-reopen", Steps::One, open).beginning_closed(),
    StoragePath::on_server("server-enrol", Steps::One, enrol),
    StoragePath::on_server("server-push", Steps::Several, push).after(device::edit_offline),
    StoragePath::on_server("server-refuse", Steps::Several, push).after(device::edit_refused),
    StoragePath::on_server("server-pull", Steps::Several, pull),
    StoragePath::on_server("server-audit", Steps::Several, audit),
    StoragePath::on_server("server-read", Steps::One, read),
    StoragePath::on_server("server-edit", Steps::Several, edit),
    StoragePath::on_server("server-merge", Steps::Several, merge),
    StoragePath::on_server("server-erase", Steps::Several, erase),
    StoragePath::on_server("server-revoke", Steps::One, revoke),
    StoragePath::on_server("server-backup", Steps::Several, back_up),
    StoragePath::on_server("server-verify", Steps::One, verify_all),
    StoragePath::on_server("server-close", Steps::Several, edit_and_close),
];
/// A server's key that is the same in every run.
pub(super) const KEY: [u8; 32] = [7; 32];
/// Where backups go.
pub(super) const BACKUPS: &str = "backups";

/// A new server; nobody knows it yet.
fn forget_store(town: &mut Town) -> Result<(), Failure> {
    town.close();
    town.facts.known.iter_mut().for_each(|known| *known = None);
    empty(&town.data())
}

pub(super) fn open(town: &mut Town) -> Result<String, Failure> {
    Ok(town.storage()?.read()?.devices()?.len().to_string())
}

/// However often it was tried, one device works.
fn enrol(town: &mut Town) -> Result<String, Failure> {
    let (code, key) = (town.facts.code.clone(), town.facts.stranger.clone());
    town.enrol(code, key.clone())?;
    let read = town.storage()?.read()?;
    let barred = read.barred()?;
    let devices = read.devices()?.into_iter().map(|contact| contact.device);
    let working =
        devices.filter(|device| device.public_key == key && !barred.contains(&device.id)).count();
    if working == 1 { Ok(String::new()) } else { Err(format!("{working} phones for one").into()) }
}

fn push(town: &mut Town) -> Result<String, Failure> {
    town.sync(EDITOR)?;
    Ok(String::new())
}

pub(super) fn pull(town: &mut Town) -> Result<String, Failure> {
    town.sync(NEWCOMER)?;
    Ok(String::new())
}

/// The line of what a device took, and the audit's own head.
fn audit(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick() + heads::HEAD_EVERY_MS;
    let storage = town.storage()?;
    let line = AuditLine::new(now_ms, "pulled").count(3).code("customer");
    Desk::default().write(storage, line)?;
    heads::newest_head(storage, &ServerKey::from_bytes(&KEY)?, now_ms)?;
    Ok(String::new())
}

/// What the pages of the office ask.
fn read(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let read = town.storage()?.read()?;
    let entity = Schema::current().entity("customer").ok_or("no customers")?;
    let view = office::view(&*read, customer)?;
    let list = read.list(entity, &Query::default())?;
    let page = office::search(
        &*read,
        &outrider_core::store::search::SearchQuery {
            text: "acme".to_owned(),
            ..Default::default()
        },
    )?;
    Ok(format!("{} {list:?} {page:?} {:?}", view.is_some(), read.counts()?))
}

fn edit(town: &mut Town) -> Result<String, Failure> {
    let (policy, author, now_ms, customer) =
        (town.policy()?, town.author()?, town.tick(), town.facts.customer);
    let change = json!({ "industry": "retail", "notes": "Asked for a quote, twice.", "tags": { "add": ["vip"] } });
    office::update(town.storage()?, &policy, &author, customer, &fields(&change), None, now_ms)?;
    Ok(String::new())
}

fn merge(town: &mut Town) -> Result<String, Failure> {
    let (customer, double) = (town.facts.customer, town.facts.double);
    let (policy, author, now_ms) = (town.policy()?, town.author()?, town.tick());
    let entity = Schema::current().entity("customer").ok_or("no customers")?;
    if town.storage()?.read()?.heir(entity, double)? == double {
        office::merge(
            town.storage()?,
            &policy,
            &author,
            (double, customer),
            &BTreeSet::new(),
            now_ms,
        )?;
    }
    Ok(String::new())
}

fn erase(town: &mut Town) -> Result<String, Failure> {
    let (policy, author, now_ms, contact) =
        (town.policy()?, town.author()?, town.tick(), town.facts.contact);
    if town.storage()?.read()?.erasure_of(contact)?.is_some() {
        return Ok(String::new());
    }
    match office::erase(town.storage()?, &policy, &author, contact, now_ms) {
        Ok(erased) if erased.is_swept => Ok(String::new()),
        // Done, but for what the next start overwrites.
        Ok(_) => Err("erased, and not overwritten yet".into()),
        Err(_) if town.storage()?.read()?.erasure_of(contact)?.is_some() => {
            Ok("erased, and told as a failure".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

fn revoke(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let known =
        town.facts.known.get(NEWCOMER).cloned().flatten().ok_or("a phone that is nobody's")?;
    devices::standing::revoke(town.storage()?, known.id, now_ms)?;
    Ok(String::new())
}

/// A backup has its name when it is whole; what is no backup does not look like one.
fn back_up(town: &mut Town) -> Result<String, Failure> {
    let made = make_backup(town);
    for path in backups_in(&town.home.join(BACKUPS))? {
        backup::check_file(&path, &mut |_, _, _| ())
            .map_err(|error| format!("a backup that is none: {error}"))?;
    }
    let identities = backup::read_identities(&town.home.join("backup.key"))?;
    let restored = town.home.join("restored");
    fs::create_dir_all(&restored)?;
    let held = backup::open_into(&made?, &identities, &restored, &mut |_, _, _| ())?;
    fs::remove_dir_all(&restored)?;
    Ok(held.position.to_string())
}

/// Makes a backup of the server that runs; where it lies.
pub(super) fn make_backup(town: &mut Town) -> Result<PathBuf, Failure> {
    let now_ms = town.tick();
    let (data, to) = (town.data(), town.home.join(BACKUPS));
    let recipient = backup::parse_recipient(&town.facts.recipient)?;
    town.storage()?;
    let order = BackupOrder {
        data: &data,
        to: &to,
        recipients: &[recipient],
        ledger: None,
        person_keys_days: PERSON_KEYS_DAYS,
        tenant: "",
        now_ms,
    };
    Ok(backup::create(&order, &mut |_, _, _| ())?.path)
}

fn backups_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".age") && !name.ends_with(".keys.age") {
            found.push(path);
        }
    }
    Ok(found)
}

fn verify_all(town: &mut Town) -> Result<String, Failure> {
    town.storage()?;
    let data = town.data();
    let found = verify::verify(&data, Some(data.join(LEDGER_FILE).as_path()), &mut |_, _, _| ())?;
    if found.problem_count > 0 {
        return Err(format!("{} problems", found.problem_count).into());
    }
    Ok(format!("{} {} {}", found.documents, found.changes, found.rows))
}

fn edit_and_close(town: &mut Town) -> Result<String, Failure> {
    let done = edit(town);
    let known = town.facts.known.get(COLLEAGUE).cloned().flatten();
    town.close();
    done.map(|done| format!("{done}{}", known.is_some()))
}
