//! The storage paths of a phone.

use std::{collections::BTreeSet, fs};

use outrider_core::{
    replica::{
        DATABASE_FILE,
        typing::{Splice, TextEdit},
    },
    reports::pipeline::pipeline,
    store::{query::Query, search::SearchQuery, timeline::TimelineQuery},
    transfer::{Job, Mapping, import_all},
};
use outrider_sync_server::{office, storage::Storage as _};
use serde_json::json;

use super::{
    paths::{Steps, StoragePath, empty},
    town::{COLLEAGUE, EDITOR, NEWCOMER, Town, fields},
};
use crate::Failure;

/// What is imported.
pub(super) const ROWS: &str =
    "no,name,industry\n1,Bolt,retail\n2,Acme Pumps Ltd,retail\n3,Gear,retail\n";
/// How its columns are read.
pub(super) const MAPPING: &str = r#"
entity = "customer"
source = "erp"
key = "no"
[fields]
company_name = { column = "name" }
industry = { column = "industry" }
"#;

pub(super) const PATHS: &[StoragePath] = &[
    StoragePath::on_phone("device-open", Steps::Several, open)
        .after(forget_store)
        .beginning_closed()
        .hidden_from_phones(),
    StoragePath::on_phone("device-reopen", Steps::Several, open).beginning_closed(),
    StoragePath::on_phone("device-upgrade", Steps::Several, open).after(age).beginning_closed(),
    StoragePath::on_phone("device-read", Steps::One, read),
    StoragePath::on_phone("device-create", Steps::One, create),
    StoragePath::on_phone("device-edit", Steps::One, edit),
    StoragePath::on_phone("device-edit-text", Steps::One, edit_text),
    StoragePath::on_phone("device-settle", Steps::One, settle),
    StoragePath::on_phone("device-undo", Steps::One, undo).after(make_tap),
    StoragePath::on_phone("device-convert", Steps::One, convert),
    StoragePath::on_phone("device-merge", Steps::One, merge),
    StoragePath::on_phone("device-close", Steps::One, edit_and_close),
    StoragePath::on_phone("device-write-back", Steps::Several, edit_and_write_back),
    StoragePath::on_phone("device-import", Steps::Several, import),
    StoragePath::on_phone("device-push", Steps::Several, sync).after(edit_offline),
    StoragePath::on_phone("device-refused", Steps::Several, sync).after(edit_refused),
    StoragePath::on_phone("device-pull", Steps::Several, sync).after(colleague_edits),
    StoragePath::on_phone("device-first-pull", Steps::Several, first_pull).of_newcomer(),
    StoragePath::on_phone("device-leave", Steps::Several, sync)
        .after(shut_out)
        .hidden_from_phones(),
    StoragePath::on_phone("device-erased", Steps::Several, sync).after(erase_contact),
    StoragePath::on_phone("device-rebuild", Steps::One, rebuild),
    StoragePath::on_phone("device-copy", Steps::One, copy_store),
];

pub(super) fn forget_store(town: &mut Town) -> Result<(), Failure> {
    if let Some(known) = town.facts.known.get_mut(EDITOR) {
        *known = None;
    }
    town.close();
    empty(&town.phone_folder(EDITOR))
}

/// The store of an older app: without some tables, its rows made by another version.
fn age(town: &mut Town) -> Result<(), Failure> {
    town.close();
    let conn = rusqlite::Connection::open(town.phone_folder(EDITOR).join(DATABASE_FILE))?;
    conn.execute_batch(
        "DROP TABLE lead; DROP TABLE visit;
         UPDATE meta SET value = x'00000001' WHERE key = 'schema_version';",
    )?;
    Ok(())
}

pub(super) fn open(town: &mut Town) -> Result<String, Failure> {
    Ok(town.replica(EDITOR)?.list("customer", &Query::default())?.records.len().to_string())
}

/// Everything that a person looks at; nothing of it is in the cache yet.
fn read(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let replica = town.replica(EDITOR)?;
    let list = replica.list("customer", &Query::default())?.records;
    let shown = replica.get(customer)?;
    let found =
        replica.search(&SearchQuery { text: "acme".to_owned(), ..SearchQuery::default() })?;
    let happened = replica.timeline(customer, &TimelineQuery::default())?;
    let conflicts = replica.conflicts(None)?;
    let text = replica.text(customer, "notes")?;
    let sales = pipeline(replica)?;
    let status = replica.status()?;
    Ok(format!(
        "{list:?} {shown:?} {found:?} {happened:?} {conflicts:?} {text:?} {sales:?} {status:?}"
    ))
}

pub(super) fn create(town: &mut Town) -> Result<String, Failure> {
    let customer = json!({ "company_name": "Valve & Sons", "notes": "They called.", "tags": ["new"], "visits": 1 });
    Ok(town.replica(EDITOR)?.create("customer", &fields(&customer))?.to_string())
}

fn edit(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let change =
        json!({ "industry": "retail", "visits": { "add": 1 }, "tags": { "add": ["vip"] } });
    Ok(town.replica(EDITOR)?.update(customer, &fields(&change))?.to_string())
}

fn edit_text(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let splice = Splice { at: 0, delete: 0, insert: "Urgent. ".to_owned() };
    let edit = TextEdit::Splices(vec![splice]);
    Ok(town.replica(EDITOR)?.edit_text(customer, "notes", &edit, None)?.to_string())
}

fn settle(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let replica = town.replica(EDITOR)?;
    if replica.conflicts(Some(customer))?.is_empty() {
        // Done before.
        return Ok(String::new());
    }
    replica.settle(customer, "company_name", &json!("Acme Pumps & Valves"))?;
    Ok(String::new())
}

fn make_tap(town: &mut Town) -> Result<(), Failure> {
    edit(town).map(drop)
}

fn undo(town: &mut Town) -> Result<String, Failure> {
    let replica = town.replica(EDITOR)?;
    let taps = replica.undoable(1)?;
    let Some(tap) = taps.first() else { return Err("nothing can be undone".into()) };
    let (group, is_undone) = (tap.group, tap.undoes.is_some());
    if !is_undone {
        replica.undo(group)?;
    }
    Ok(String::new())
}

fn convert(town: &mut Town) -> Result<String, Failure> {
    let lead = town.facts.lead;
    town.replica(EDITOR)?.convert_lead(lead)?;
    Ok(String::new())
}

fn merge(town: &mut Town) -> Result<String, Failure> {
    let (customer, double) = (town.facts.customer, town.facts.double);
    let replica = town.replica(EDITOR)?;
    if replica.resolve(double)? == double {
        replica.merge(double, customer, &BTreeSet::new())?;
    }
    Ok(String::new())
}

/// An edit, and the end of the process, which writes the log back and removes it.
fn edit_and_close(town: &mut Town) -> Result<String, Failure> {
    let done = edit(town);
    town.close_phone(EDITOR);
    done
}

/// Edits after each of which the log is written back, so that it begins anew under the next one.
fn edit_and_write_back(town: &mut Town) -> Result<String, Failure> {
    let customer = town.facts.customer;
    let replica = town.replica(EDITOR)?;
    replica.store().conn().pragma_update(None, "wal_autocheckpoint", 1)?;
    for word in ["one", "two"] {
        replica.update(customer, &fields(&json!({ "tags": { "add": [word] } })))?;
    }
    Ok(String::new())
}

pub(super) fn import(town: &mut Town) -> Result<String, Failure> {
    let file = town.home.join("erp.csv");
    fs::write(&file, ROWS)?;
    let mapping = Mapping::from_toml(MAPPING)?;
    let reports =
        import_all(town.replica(EDITOR)?, &[Job::new(&mapping, &file)], false, &mut |_, _| ())?;
    Ok(reports
        .iter()
        .map(|report| (report.rows, report.rejected))
        .fold(String::new(), |all, one| format!("{all}{one:?}")))
}

pub(super) fn edit_offline(town: &mut Town) -> Result<(), Failure> {
    edit(town)?;
    edit_text(town)?;
    create(town).map(drop)
}

/// Of two edits one is refused, in part.
pub(super) fn edit_refused(town: &mut Town) -> Result<(), Failure> {
    town.facts.withheld = Some(("customer", "industry"));
    edit(town)?;
    create(town).map(drop)
}

fn colleague_edits(town: &mut Town) -> Result<(), Failure> {
    let (customer, contact) = (town.facts.customer, town.facts.contact);
    let replica = town.replica(COLLEAGUE)?;
    replica
        .update(customer, &fields(&json!({ "industry": "retail", "tags": { "add": ["red"] } })))?;
    replica.edit_text(customer, "notes", &TextEdit::Append("And a pump.".to_owned()), None)?;
    replica.archive(contact)?;
    replica.create("customer", &fields(&json!({ "company_name": "Delta" })))?;
    town.sync(COLLEAGUE).map(drop)
}

pub(super) fn sync(town: &mut Town) -> Result<String, Failure> {
    town.sync(EDITOR)?;
    Ok(String::new())
}

fn first_pull(town: &mut Town) -> Result<String, Failure> {
    town.sync(NEWCOMER)?;
    Ok(String::new())
}

/// The office turns its rules on, by which nobody here may see anything.
fn shut_out(town: &mut Town) -> Result<(), Failure> {
    edit(town)?;
    town.sync(EDITOR)?;
    let now_ms = town.tick();
    let mut write = town.storage()?.write()?;
    let mut rules = write.rules()?;
    (rules.is_on, rules.number) = (true, rules.number + 1);
    write.add_rules(&rules, now_ms, "test")?;
    write.commit()?;
    Ok(())
}

pub(super) fn erase_contact(town: &mut Town) -> Result<(), Failure> {
    let (policy, author, now_ms, contact) =
        (town.policy()?, town.author()?, town.tick(), town.facts.contact);
    office::erase(town.storage()?, &policy, &author, contact, now_ms)?;
    Ok(())
}

fn rebuild(town: &mut Town) -> Result<String, Failure> {
    town.replica(EDITOR)?.rebuild_rows()?;
    Ok(String::new())
}

/// A copy of the whole store: a file beside it, or none.
fn copy_store(town: &mut Town) -> Result<String, Failure> {
    let to = town.phone_folder(EDITOR).join("copy.outrider");
    if to.exists() {
        return Err("a copy that was not made is there".into());
    }
    let manifest = town.replica(EDITOR)?.export_store(&to)?;
    fs::remove_file(&to)?;
    Ok(manifest.holding.records.to_string())
}
