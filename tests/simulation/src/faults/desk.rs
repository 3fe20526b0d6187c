//! The storage paths of the office's desk: who is let in, accounts, rules, imports, and what is decided.

use std::{fs, sync::Arc};

use outrider_core::{
    replica::DATABASE_FILE,
    schema::Schema,
    store::query::Query,
    sync::frame::PROTOCOL_VERSION,
    time::ManualClock,
    transfer::{
        Job, Mapping,
        export::{Format, Options},
        import_all,
        undo::undo_import,
    },
};
use outrider_sync_server::{
    access::admin,
    accounts::{self, factor, manage},
    audit::prune,
    devices::{
        review, standing,
        tokens::{Asking, Terms, claim},
    },
    enrol::{Applicant, Approval, Draw, apply, create_code_with},
    keys::ServerKey,
    office::{Asker, Decision, FileOptions, OfficePlace, Selection, decide, disclose, write_file},
    recovery,
    storage::{
        Storage as _,
        access::ReviewState,
        accounts::Role,
        sqlite::snapshot::{Mark, mark_restored_with},
    },
};
use uuid::Uuid;

use super::{
    device,
    office::{KEY, open},
    paths::{Steps, StoragePath},
    town::{EDITOR, NEWCOMER, Town},
};
use crate::Failure;

pub(super) const PATHS: &[StoragePath] = &[
    StoragePath::on_server("server-ask", Steps::One, ask).after(invite),
    StoragePath::on_server("server-approve", Steps::Drawn, approve).after(be_asked),
    StoragePath::on_server("server-tokens", Steps::One, give_tokens),
    StoragePath::on_server("server-user", Steps::Several, disable_user),
    StoragePath::on_server("server-wipe", Steps::Several, wipe),
    StoragePath::on_server("server-told", Steps::Several, device::sync)
        .after(device::erase_contact),
    StoragePath::on_server("server-account", Steps::One, make_account).after(make_administrator),
    StoragePath::on_server("server-sign-in", Steps::Several, sign_in).after(make_administrator),
    StoragePath::on_server("server-factor", Steps::One, begin_factor).after(make_administrator),
    StoragePath::on_server("server-rules", Steps::One, publish),
    StoragePath::on_server("server-import", Steps::Several, import),
    StoragePath::on_server("server-import-undone", Steps::Several, undo).after(be_imported),
    StoragePath::on_server("server-keep", Steps::One, keep).after(device::edit_offline),
    StoragePath::on_server("server-decide", Steps::Several, grant_all).after(be_kept),
    StoragePath::on_server("server-export", Steps::One, export),
    StoragePath::on_server("server-disclose", Steps::One, tell_all),
    StoragePath::on_server("server-prune", Steps::One, prune_audit),
    StoragePath::on_server("server-mark", Steps::Drawn, mark).after(leave).beginning_closed(),
    StoragePath::on_server("server-recovered", Steps::One, end_recovery).after(begin_recovery),
];
/// The first account, and another one.
const ADMINISTRATOR: Uuid = Uuid::from_u128(1);
const CLERK: Uuid = Uuid::from_u128(2);
const PASSWORD: &str = "a long password of theirs";
/// What a session is known by.
const SESSION: [u8; 32] = [3; 32];
/// A moment after which a session is noted as used again.
const LATER_MS: i64 = 60 * 60 * 1_000;
const TERMS: Terms = Terms { access_ms: 60_000, idle_ms: 600_000, absolute_ms: 6_000_000 };

fn key() -> Result<ServerKey, Failure> {
    Ok(ServerKey::from_bytes(&KEY)?)
}

/// A code that asks.
fn invite(town: &mut Town) -> Result<(), Failure> {
    let (now_ms, random) = (town.tick(), u128::from(town.facts.seed) + 99);
    let whom = ("Stranger", Approval::ByOffice);
    town.facts.code = create_code_with(town.storage()?, whom, 60, random, None, now_ms)?.0;
    Ok(())
}

fn ask(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let applicant = Applicant {
        code: town.facts.code.clone(),
        device_name: "a phone".to_owned(),
        public_key: town.facts.stranger.clone(),
        protocol: PROTOCOL_VERSION,
    };
    let draw = Draw { id: [5; 10], prefix: [5; 12], token: [5; 32] };
    apply(town.storage()?, &applicant, &draw, now_ms)?;
    Ok(town.storage()?.read()?.enrolment_requests()?.len().to_string())
}

fn be_asked(town: &mut Town) -> Result<(), Failure> {
    invite(town)?;
    ask(town).map(drop)
}

/// However often it was tried, one device is let in.
fn approve(town: &mut Town) -> Result<String, Failure> {
    let (now_ms, key) = (town.tick(), town.facts.stranger.clone());
    let storage = town.storage()?;
    let asked = storage.read()?.enrolment_requests()?;
    for request in asked {
        match standing::approve(storage, request.device, now_ms) {
            // The ledger had let it in before the database could, and was followed meanwhile.
            Ok(()) | Err(standing::DeviceError::NotWaiting) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let devices = storage.read()?.devices()?;
    match devices.iter().filter(|contact| contact.device.public_key == key).count() {
        1 => Ok(String::new()),
        count => Err(format!("{count} phones for one").into()),
    }
}

fn newcomer(town: &Town) -> Result<outrider_core::ids::DeviceId, Failure> {
    let known = town.facts.known.get(NEWCOMER).cloned().flatten();
    Ok(known.ok_or("a phone that is nobody's")?.id)
}

/// A device that never heard the answer is given the same.
fn give_tokens(town: &mut Town) -> Result<String, Failure> {
    let (device, now_ms) = (newcomer(town)?, town.tick());
    let asking = Asking { device, nonce: [4; 16], now_ms };
    let tokens = claim(town.storage()?, &key()?, &TERMS, &asking)?;
    Ok([tokens.token, tokens.refresh_token].concat())
}

fn disable_user(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    for is_disabled in [true, false] {
        standing::set_user_disabled(town.storage()?, "Cui", is_disabled, now_ms)?;
    }
    Ok(town.storage()?.read()?.disabled_users()?.len().to_string())
}

fn wipe(town: &mut Town) -> Result<String, Failure> {
    let (device, now_ms, key) = (newcomer(town)?, town.tick(), key()?);
    let storage = town.storage()?;
    let stands =
        |storage: &dyn outrider_sync_server::storage::Storage| storage.read()?.standing(device);
    if stands(storage)?.is_some_and(|stands| stands.wipe_ordered_at == 0) {
        standing::order_wipe(storage, device, now_ms)?;
    }
    let ordered_at = stands(storage)?.map_or(0, |stands| stands.wipe_ordered_at);
    let receipt = standing::wipe_receipt(&key, device, ordered_at);
    standing::confirm_wipe(storage, &key, device, &receipt, now_ms)?;
    Ok(String::new())
}

fn make_administrator(town: &mut Town) -> Result<(), Failure> {
    let now_ms = town.tick();
    accounts::ensure_administrator(town.storage()?, PASSWORD, &[1; 16], ADMINISTRATOR, now_ms)?;
    Ok(())
}

fn make_account(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let storage = town.storage()?;
    if storage.read()?.account(CLERK)?.is_none() {
        let (login, user) = ("zhao".to_owned(), "Zhao".to_owned());
        let new = manage::NewAccount { id: CLERK, login, user, role: Role::Office };
        let secret = (PASSWORD, &[2; 16]);
        manage::create_account(storage, ADMINISTRATOR, new, secret, now_ms)?;
    }
    Ok(storage.read()?.accounts()?.len().to_string())
}

/// Somebody signs in, comes back later, and signs out.
fn sign_in(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let storage = town.storage()?;
    let before = Some(&SESSION);
    accounts::begin_session(storage, ADMINISTRATOR, &SESSION, before, "a browser", now_ms)?;
    let live = accounts::find_session(storage, &SESSION, now_ms + LATER_MS)?;
    accounts::end_session(storage, &SESSION, now_ms + LATER_MS)?;
    let left = storage.read()?.sessions_of(ADMINISTRATOR)?.len();
    Ok(format!("{} {left}", live.is_some()))
}

fn begin_factor(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let storage = town.storage()?;
    let account = storage.read()?.account(ADMINISTRATOR)?.ok_or("no administrator")?;
    let draw = factor::FactorDraw {
        secret: [6; factor::SECRET_BYTES],
        nonce: [6; outrider_sync_server::keys::NONCE_BYTES],
    };
    Ok(factor::begin(storage, &key()?, &account, &draw, now_ms)?.secret)
}

fn publish(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let storage = town.storage()?;
    let mut rules = storage.read()?.rules()?;
    let number = rules.number;
    let fields = rules.withheld.entry("customer".to_owned()).or_default();
    if fields.insert("credit_limit".to_owned()) {
        admin::publish(storage, rules, number, "test", now_ms)?;
    }
    Ok(storage.read()?.rules()?.number.to_string())
}

fn import(town: &mut Town) -> Result<String, Failure> {
    let file = town.home.join("office.csv");
    fs::write(&file, device::ROWS)?;
    let mapping = Mapping::from_toml(device::MAPPING)?;
    at_place(town, &mut |place| {
        let jobs = [Job::new(&mapping, &file)];
        let reports = import_all(place, &jobs, false, &mut |_, _| ())?;
        Ok(reports.iter().map(|report| report.rows).sum::<u64>().to_string())
    })
}

fn be_imported(town: &mut Town) -> Result<(), Failure> {
    import(town).map(drop)
}

fn undo(town: &mut Town) -> Result<String, Failure> {
    let batches = town.storage()?.write()?.import_notes().batches(1)?;
    let batch = batches.first().ok_or("nothing was imported")?;
    if batch.undone_at.is_none() {
        at_place(town, &mut |place| {
            undo_import(place, batch.id, &mut |_| ())?;
            Ok(String::new())
        })?;
    }
    Ok(String::new())
}

type AtPlace<'a> = &'a mut dyn FnMut(&mut OfficePlace<'_>) -> Result<String, Failure>;

/// Does something with the office as the place of an import.
fn at_place(town: &mut Town, work: AtPlace<'_>) -> Result<String, Failure> {
    let (policy, author) = (town.policy()?, town.author()?);
    let clock = Arc::new(ManualClock::at(town.tick()));
    work(&mut OfficePlace::new(town.storage()?, &policy, &author, clock))
}

/// What a device handed in that was turned away.
fn keep(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let known = town.facts.known.get(EDITOR).cloned().flatten().ok_or("nobody's phone")?;
    let batch = town.replica(EDITOR)?.next_push(0)?.ok_or("nothing waits")?;
    let storage = town.storage()?;
    let answers = review::keep(storage, &known, &batch.request, now_ms)?.answers.len();
    Ok(format!("{answers} {}", storage.read()?.reviews(ReviewState::Open, 0, 100)?.len()))
}

fn be_kept(town: &mut Town) -> Result<(), Failure> {
    device::edit_offline(town)?;
    keep(town).map(drop)
}

fn grant_all(town: &mut Town) -> Result<String, Failure> {
    let (policy, author, now_ms) = (town.policy()?, town.author()?, town.tick());
    let storage = town.storage()?;
    let open = storage.read()?.reviews(ReviewState::Open, 0, 100)?;
    for review in open {
        decide(storage, &policy, &author, review.id, Decision::Grant, "", now_ms)?;
    }
    Ok(storage.read()?.reviews(ReviewState::Open, 0, 100)?.len().to_string())
}

/// A file of customers; that it was asked for is in the audit.
fn export(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    let entity = Schema::current().entity("customer").ok_or("no customers")?;
    let options = Options { now_ms, ..Options::default() };
    let file =
        FileOptions { format: Format::Csv, options, device: None, account: None, subject: None };
    let mut out = Vec::new();
    let all = Selection::List(Query::default());
    write_file(town.storage()?, entity, &all, &file, Box::new(std::io::Cursor::new(&mut out)))?;
    Ok(String::from_utf8(out)?)
}

fn tell_all(town: &mut Town) -> Result<String, Failure> {
    let (now_ms, contact) = (town.tick(), town.facts.contact);
    disclose(town.storage()?, contact, Asker { account: None }, now_ms)?;
    Ok(String::new())
}

fn prune_audit(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    prune::prune(town.storage()?, &key()?, now_ms, now_ms)?;
    Ok(String::new())
}

/// Nobody waits for a phone that never comes.
fn leave(town: &mut Town) -> Result<(), Failure> {
    super::mend::leave_newcomer_out(town)
}

/// The operator says that the data were put back.
fn mark(town: &mut Town) -> Result<String, Failure> {
    town.close();
    let (data, now_ms) = (town.data(), town.tick());
    if data.join(DATABASE_FILE).exists() {
        mark_restored_with(&data, &Mark { instance: [8; 16], feed: [8; 32] }, now_ms)?;
    }
    open(town)
}

fn begin_recovery(town: &mut Town) -> Result<(), Failure> {
    leave(town)?;
    mark(town).map(drop)
}

fn end_recovery(town: &mut Town) -> Result<String, Failure> {
    let now_ms = town.tick();
    match recovery::close(town.storage()?, now_ms) {
        Ok(_) | Err(recovery::RecoveryError::NoneOpen) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}
