//! The storage paths on which something is made good: older data, damaged bytes, torn files, servers that
//! are put back.

use std::fs;

use outrider_core::{
    doctor::{self, Fix},
    ids::Part,
    replica::DATABASE_FILE,
    store::query::Query,
};
use outrider_sync_server::{
    backup::{self, RestoreOrder},
    devices,
    ledger::LEDGER_FILE,
    office::view,
    storage::{
        Storage as _,
        sqlite::{
            repair::{Repair, repair},
            verify,
        },
    },
};
use rusqlite::{Connection, params};

use super::{
    device::{self, edit_offline},
    office::{self, BACKUPS},
    paths::{Steps, StoragePath},
    town::{COLLEAGUE, EDITOR, NEWCOMER, Town},
};
use crate::{Failure, older};

pub(super) const PATHS: &[StoragePath] = &[
    StoragePath::on_phone("device-older", Steps::Several, device::open)
        .after(age_phone)
        .beginning_closed(),
    StoragePath::on_phone("device-heal", Steps::Several, look).after(flip_on_phone),
    StoragePath::on_phone("device-mend", Steps::Several, mend_phone).after(flip_on_phone),
    StoragePath::on_phone("device-salvage", Steps::Several, salvage_phone)
        .after(edit_offline)
        .beginning_closed()
        .leaving_rows(),
    // Where it stood in the server's feed is forgotten first.
    StoragePath::on_phone("device-resend", Steps::Several, device::sync)
        .after(put_server_back)
        .leaving_rows(),
    StoragePath::on_server("server-older", Steps::Drawn, office::open)
        .after(age_server)
        .beginning_closed(),
    StoragePath::on_server("server-heal", Steps::Drawn, pull_and_look).after(flip_on_server),
    // An error while it looks is told as something that was found, and counted.
    StoragePath::on_server("server-mend", Steps::Drawn, mend_server)
        .after(damage_server)
        .beginning_closed(),
    StoragePath::on_server("server-salvage", Steps::Drawn, salvage_server)
        .beginning_closed()
        .leaving_rows(),
    StoragePath::on_server("server-recover", Steps::Several, device::sync).after(put_server_back),
    StoragePath::on_server("server-restore", Steps::Drawn, restore)
        .after(back_up)
        .beginning_closed(),
];
/// The name of the backup that is put back.
const CHOSEN: &str = "chosen.age";
/// What a row says that was changed behind everybody's back.
const WRONG_ROWS: &str = "UPDATE customer SET industry = 'nonsense'";

fn age_phone(town: &mut Town) -> Result<(), Failure> {
    edit_offline(town)?;
    town.close();
    older::age_device(&town.phone_folder(EDITOR))
}

fn age_server(town: &mut Town) -> Result<(), Failure> {
    town.storage()?;
    town.close();
    older::age_server(&town.data())
}

/// Flips a bit of what is stored of the customer.
fn flip(town: &mut Town, database: &std::path::Path, column: &str) -> Result<(), Failure> {
    let customer = town.facts.customer;
    town.close();
    let conn = Connection::open(database)?;
    // The name of the column is one of ours.
    let of = "FROM document WHERE record = ?1 AND part = ?2";
    let key = params![customer.as_bytes(), Part::Main.as_str()];
    let read = ["SELECT CAST(", column, " AS BLOB) ", of].concat();
    let mut bytes: Vec<u8> = conn.query_row(&read, key, |row| row.get(0))?;
    if let Some(last) = bytes.last_mut() {
        *last ^= 4;
    }
    let write = ["UPDATE document SET ", column, " = ?3 WHERE record = ?1 AND part = ?2"].concat();
    conn.execute(&write, params![customer.as_bytes(), Part::Main.as_str(), bytes])?;
    Ok(())
}

fn flip_on_phone(town: &mut Town) -> Result<(), Failure> {
    edit_offline(town)?;
    let database = town.phone_folder(EDITOR).join(DATABASE_FILE);
    flip(town, &database, "state")
}

fn flip_on_server(town: &mut Town) -> Result<(), Failure> {
    town.storage()?;
    let database = town.data().join(DATABASE_FILE);
    flip(town, &database, "content")
}

fn damage_server(town: &mut Town) -> Result<(), Failure> {
    flip_on_server(town)?;
    Ok(Connection::open(town.data().join(DATABASE_FILE))?.execute_batch(WRONG_ROWS)?)
}

/// Whoever looks at it finds it damaged, and it is made anew from what was confirmed and what waits, or
/// waits for the server's copy.
fn look(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let replica = town.replica(EDITOR)?;
    let awaited = replica.get(customer)?.is_none();
    Ok(format!("{awaited} {}", replica.list("customer", &Query::default())?.records.len()))
}

/// A phone gets what was damaged, and somebody at the office looks at it: what is not made anew for the one
/// is for the other.
fn pull_and_look(town: &mut Town) -> Result<String, Failure> {
    let pulled = office::pull(town)?;
    let (customer, storage) = (town.facts.customer, town.storage()?);
    view(&*storage.read()?, customer)?.ok_or("it is not shown")?;
    Ok(pulled)
}

fn mend_phone(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    for fix in [Fix::Documents, Fix::Outbox, Fix::Digests, Fix::Rows] {
        replica.repair(fix)?;
    }
    Ok(replica.list("customer", &Query::default())?.records.len().to_string())
}

fn mend_server(town: &mut Town) -> Result<String, Failure> {
    town.close();
    let (data, now_ms) = (town.data(), town.tick());
    let found = verify::verify(&data, Some(data.join(LEDGER_FILE).as_path()), &mut |_, _, _| ())?;
    for what in [Repair::History, Repair::Documents, Repair::Rows, Repair::Feed] {
        repair(&data, what, &found, now_ms)?;
    }
    office::open(town)
}

fn salvage_phone(town: &mut Town) -> Result<String, Failure> {
    town.close();
    let (folder, now_ms) = (town.phone_folder(EDITOR), town.tick());
    doctor::salvage(&folder, &town.options(EDITOR), now_ms)?;
    device::open(town)
}

fn salvage_server(town: &mut Town) -> Result<String, Failure> {
    town.close();
    let (data, now_ms) = (town.data(), town.tick());
    repair(&data, Repair::Salvage, &verify::Findings::default(), now_ms)?;
    office::open(town)
}

/// Nobody waits for a phone that never comes.
pub(super) fn leave_newcomer_out(town: &mut Town) -> Result<(), Failure> {
    let now_ms = town.tick();
    if let Some(known) = town.facts.known.get_mut(NEWCOMER).and_then(Option::take) {
        devices::standing::revoke(town.storage()?, known.id, now_ms)?;
    }
    Ok(())
}

/// Both phones work, and then the server's database is one from before, as after a copy of its folder.
fn put_server_back(town: &mut Town) -> Result<(), Failure> {
    leave_newcomer_out(town)?;
    town.close();
    let (database, before) = (town.data().join(DATABASE_FILE), town.home.join("before.db"));
    fs::copy(&database, &before)?;
    edit_offline(town)?;
    for at in [EDITOR, COLLEAGUE] {
        town.sync(at)?;
    }
    town.close();
    Ok(fs::rename(&before, &database)?)
}

fn back_up(town: &mut Town) -> Result<(), Failure> {
    leave_newcomer_out(town)?;
    let made = office::make_backup(town)?;
    fs::rename(made, town.home.join(BACKUPS).join(CHOSEN))?;
    edit_offline(town)?;
    for at in [EDITOR, COLLEAGUE] {
        town.sync(at)?;
    }
    Ok(())
}

fn restore(town: &mut Town) -> Result<String, Failure> {
    town.close();
    let now_ms = town.tick();
    let (data, file) = (town.data(), town.home.join(BACKUPS).join(CHOSEN));
    let identities = backup::read_identities(&town.home.join("backup.key"))?;
    let order = RestoreOrder {
        backup: &file,
        identities: &identities,
        data: &data,
        ledger: None,
        person_keys: None,
        without_persons: false,
        replace: true,
        without_ledger: false,
        now_ms,
    };
    backup::restore(&order, &mut |_, _, _| ())?;
    office::open(town)
}
