//! Erasing a person: real replicas and a real storage, whose files are looked through afterwards.

use std::{fs, path::Path};

use outrider_core::{
    ids::{DocumentId, Part, RecordId},
    replica::ReplicaError,
    store::search::SearchQuery,
    sync::sign::is_document_signed,
};
use outrider_sync_server::{
    backup::{self, BackupError, BackupOrder, Created, KeySource},
    keys::ServerKey,
    office::{self, Asker, EraseError, HistoryQuery},
    person_keys::{PersonKeys, beside_ledger},
    storage::{
        Content, Storage as _,
        sqlite::{SqliteStorage, snapshot, verify},
    },
};
use serde_json::{Value as Json, json};

use crate::world::{Phone, World, fields};

/// What must not be found anywhere afterwards, as it stands in files in small letters.
const CANARIES: &[&str] =
    &["zzyzxcanary", "quillfeather", "quillnote", "13912345678", "quilltitle"];

/// A contact with data in every part, and the customer that it belongs to.
fn person(world: &World) -> (RecordId, RecordId) {
    let system = world.author(office::SYSTEM_USER);
    let customer = world.create(&system, "customer", json!({ "company_name": "Acme" }));
    let contact = world.create(
        &system,
        "contact",
        json!({
            "name": "Zzyzxcanary Quillfeather",
            "customer_id": customer.to_string(),
            "mobile": "+8613912345678",
            "email": "quillfeather@example.com",
            "job_title": "Quilltitle",
            "tags": ["quilltitle"],
            "emails": [{ "address": "home@quillfeather.example" }],
            "notes": "Quillnote: likes tea",
        }),
    );
    (customer, contact)
}

/// How often the canaries stand in the files of a folder, whatever the letters' size.
fn canaries(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(canaries(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
        for canary in CANARIES {
            let count = bytes.windows(canary.len()).filter(|w| *w == canary.as_bytes()).count();
            if count > 0 {
                found.push(format!("{canary} {count} times in {}", path.display()));
            }
        }
    }
    found
}

fn erase(world: &World, record: RecordId) -> Result<office::Erased, EraseError> {
    let author = world.author("Admin");
    office::erase(&world.storage, &world.policy(), &author, record, world.now())
}

fn has(phone: &Phone, record: RecordId) -> bool {
    phone.replica.get(record).unwrap().is_some()
}

fn finds(phone: &Phone, text: &str) -> usize {
    let query = SearchQuery { text: text.to_owned(), with_archived: true, ..Default::default() };
    phone.replica.search(&query).unwrap().hits.len()
}

fn server_finds(world: &World, text: &str) -> usize {
    let query = SearchQuery { text: text.to_owned(), with_archived: true, ..Default::default() };
    world.storage.read().unwrap().search(&query).unwrap().hits.len()
}

#[test]
fn an_erased_person_is_in_no_file_of_the_server_and_of_a_device() {
    let world = World::open();
    let mut phone = world.phone("Li");
    let (customer, contact) = person(&world);
    world.sync(&mut phone);
    phone.update(contact, json!({ "department": "Quilltitle" }));
    world.sync(&mut phone);
    let folder = world.folder.path();
    assert!(!canaries(&folder.join("server")).is_empty());
    assert!(!canaries(&folder.join("Li")).is_empty());
    assert_eq!((server_finds(&world, "quillfeather"), finds(&phone, "quillfeather")), (1, 1));

    let erased = erase(&world, contact).unwrap();
    assert!(erased.is_swept);
    let counts = erased.erasures[0].counts;
    assert_eq!(counts.documents, 2);
    assert!(counts.changes >= 3, "{counts:?}");
    assert_eq!(canaries(&folder.join("server")), Vec::<String>::new());
    assert_eq!(server_finds(&world, "quillfeather"), 0);

    world.sync(&mut phone);
    assert_eq!(canaries(&folder.join("Li")), Vec::<String>::new());
    assert_eq!(finds(&phone, "quillfeather"), 0);
    // What is left says where the record belongs, and that it is archived.
    let read = world.storage.read().unwrap();
    let left = office::view(&*read, contact).unwrap().unwrap();
    assert!(left.is_archived && left.json["customer_id"] == customer.to_string().as_str());
    for field in ["name", "mobile", "email", "emails", "notes", "tags", "job_title", "created_by"] {
        assert_eq!(left.json.get(field), None, "{field}");
    }
    assert_eq!(phone.get(contact)["customer_id"], customer.to_string().as_str());
    let past = office::history(&*read, contact, &HistoryQuery::default()).unwrap();
    assert!(past.entries.iter().all(|entry| entry.field != "name"));
    let position = world.position();
    for past in 1..position {
        let then = format!("{:?}", office::as_of(&*read, contact, past));
        assert!(!canaries_in(&then), "{then}");
    }
    drop(read);
    // A device that is let in later gets what is left, and both agree on it.
    let mut late = world.phone("Wang");
    world.sync(&mut late);
    assert!(has(&late, contact) && finds(&late, "quillfeather") == 0);
    let before = world.position();
    world.sync(&mut phone);
    world.sync(&mut late);
    assert_eq!(world.position(), before);
}

#[test]
fn a_device_that_was_away_loses_what_it_typed_and_says_how_much() {
    let world = World::open();
    let (mut phone, mut other) = (world.phone("Li"), world.phone("Wang"));
    let (customer, contact) = person(&world);
    world.sync(&mut phone);
    world.sync(&mut other);
    phone.update(contact, json!({ "assistant": "Quilltitle", "department": "Quilltitle" }));
    phone.update(contact, json!({ "notes": "Quillnote, typed away" }));
    phone.update(customer, json!({ "short_name": "kept" }));
    erase(&world, contact).unwrap();
    world.sync(&mut other);

    world.sync(&mut phone);
    world.sync(&mut phone);
    assert_eq!(canaries(&world.folder.path().join("Li")), Vec::<String>::new());
    assert_eq!(canaries(&world.folder.path().join("server")), Vec::<String>::new());
    let inbox = phone.replica.inbox(10).unwrap();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert_eq!(inbox[0].code, "erased");
    assert_eq!(inbox[0].refused, json!({ "erased_values": 3 }));
    assert_eq!(phone.replica.status().unwrap().waiting, 0);
    // What it wrote elsewhere is at the office.
    world.sync(&mut other);
    assert_eq!(other.get(customer)["short_name"], "kept");
    // Nobody writes into it again, here or there.
    let error = phone.replica.update(contact, &fields(json!({ "name": "X Y" })));
    assert!(matches!(error, Err(ReplicaError::Erased(record)) if record == contact));
    let system = world.author(office::SYSTEM_USER);
    let error = world.update(&system, contact, json!({ "department": "D" }), None).unwrap_err();
    assert_eq!(error.to_string(), "refused: erased");
}

#[test]
fn what_the_law_keeps_and_what_is_no_person_cannot_be_erased() {
    let world = World::open();
    let (customer, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    world.update(&system, contact, json!({ "legal_hold": true }), None).unwrap();
    assert!(matches!(erase(&world, contact), Err(EraseError::LegalHold(one)) if one == contact));
    assert!(world.values(contact, "name")[0].contains("Zzyzxcanary"));
    world.update(&system, contact, json!({ "legal_hold": false }), None).unwrap();
    let deal =
        json!({ "name": "Deal", "customer_id": customer.to_string(), "sales_stage": "commit" });
    let deal = world.create(&system, "opportunity", deal);
    assert!(matches!(erase(&world, deal), Err(EraseError::NotAPerson(_))));
    let nobody = RecordId::derived(deal, "nobody");
    assert!(matches!(erase(&world, nobody), Err(EraseError::UnknownRecord(_))));
    erase(&world, contact).unwrap();
    assert!(matches!(erase(&world, contact), Err(EraseError::Already(_))));
}

#[test]
fn with_rules_only_administrators_erase() {
    let world = World::open();
    let (li, boss) = (world.phone("Li"), world.phone("Boss"));
    let (_, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    let boss_record = boss.device.user_record.unwrap();
    world.update(&system, boss_record, json!({ "role": "administrator" }), None).unwrap();
    let mut write = world.storage.write().unwrap();
    let mut rules = write.rules().unwrap();
    rules.is_on = true;
    rules.number += 1;
    write.add_rules(&rules, 0, "test").unwrap();
    write.commit().unwrap();
    let as_user = |phone: &Phone| {
        let Phone { device, .. } = phone;
        let author =
            office::author_for(&world.storage, &device.user, device.user_record, world.now());
        office::erase(&world.storage, &world.policy(), &author.unwrap(), contact, world.now())
    };
    assert!(matches!(as_user(&li), Err(EraseError::NotPermitted)));
    as_user(&boss).unwrap();
}

#[test]
fn records_that_were_merged_into_a_person_go_with_it() {
    let world = World::open();
    let (customer, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    let other = json!({ "name": "Quillfeather Z", "customer_id": customer.to_string() });
    let other = world.create(&system, "contact", other);
    let choices = std::collections::BTreeSet::new();
    office::merge(
        &world.storage,
        &world.policy(),
        &system,
        (other, contact),
        &choices,
        world.now(),
    )
    .unwrap();
    let erased = erase(&world, other).unwrap();
    let records: Vec<RecordId> = erased.erasures.iter().map(|one| one.record).collect();
    assert_eq!(records, [other, contact]);
    assert_eq!(canaries(&world.folder.path().join("server")), Vec::<String>::new());
}

#[test]
fn records_that_name_a_person_are_listed_and_stay() {
    let world = World::open();
    let (customer, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    let linked = json!({ "customer_id": customer.to_string(), "contact_id": contact.to_string(),
                         "channel": "call", "occurred_at": "2026-01-05T10:00:00Z" });
    let linked = world.create(&system, "interaction", linked);
    let naming = json!({ "name": "For Zzyzxcanary Quillfeather",
                         "customer_id": customer.to_string(), "sales_stage": "commit" });
    let naming = world.create(&system, "opportunity", naming);
    let asked = json!({ "about_entity": "contact", "about_record": contact.to_string(),
                        "proposed": { "values": { "birthday": "05-17" } } });
    let asked = world.create(&system, "proposal", asked);
    let read = world.storage.read().unwrap();
    let found = office::namings(&*read, &[contact]).unwrap();
    let of = |record: RecordId| found.records.iter().find(|one| one.record == record).unwrap();
    assert!(of(linked).links.contains("contact_id") && of(linked).says.is_empty());
    assert!(of(naming).says.contains("name") && of(naming).links.is_empty());
    assert_eq!(found.saying().count(), 1);
    let is_listed = found.records.iter().any(|one| one.record == asked);
    assert!(!is_listed, "a request of an edit of the person goes with the person");
    assert!(found.records.iter().all(|one| one.record != customer && one.record != contact));
    assert!(found.changes >= 2);
    drop(read);
    erase(&world, contact).unwrap();
    assert!(world.values(naming, "name")[0].contains("Quillfeather"));
}

#[test]
fn the_certificate_says_who_confirmed_and_what_cannot_be_reached() {
    let world = World::open();
    let (mut li, mut wang) = (world.phone("Li"), world.phone("Wang"));
    let (_, contact) = person(&world);
    world.sync(&mut li);
    world.sync(&mut wang);
    office::disclose(&world.storage, contact, Asker::default(), world.now()).unwrap();
    let told = || {
        let read = world.storage.read().unwrap();
        office::certificate(&*read, contact, world.now()).unwrap()
    };
    assert!(told().is_none());
    erase(&world, contact).unwrap();
    let names = |lines: &[office::DeviceLine]| {
        lines.iter().map(|line| line.user.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&told().unwrap().outstanding), ["Li", "Wang"]);
    world.sync(&mut li);
    assert_eq!(names(&told().unwrap().confirmed), Vec::<String>::new());
    world.sync(&mut li);
    let certificate = told().unwrap();
    assert_eq!(names(&certificate.confirmed), ["Li"]);
    assert_eq!(names(&certificate.outstanding), ["Wang"]);
    assert!(certificate.is_overwritten && certificate.exported_files == 1);
    assert_eq!(certificate.erased_by, "Admin");
    let key = ServerKey::from_bytes(&[7; 32]).unwrap();
    let signed = certificate.sign(&key);
    let signature: [u8; 64] = outrider_core::ids::from_hex(&signed.signature).unwrap();
    let kind = office::CERTIFICATE_KIND;
    assert!(is_document_signed(&key.public_key(), kind, signed.body.as_bytes(), &signature));
    // A device that is let in afterwards never held it.
    world.phone("Zhao");
    assert_eq!(names(&told().unwrap().outstanding), ["Wang"]);
    assert!(!canaries_in(&signed.body));
}

fn canaries_in(text: &str) -> bool {
    CANARIES.iter().any(|canary| text.to_ascii_lowercase().contains(canary))
}

#[test]
fn a_server_put_back_to_before_erases_again_and_devices_follow() {
    let mut world = World::open();
    let (mut li, mut away) = (world.phone("Li"), world.phone("Wang"));
    let (_, contact) = person(&world);
    world.sync(&mut li);
    world.sync(&mut away);
    let (server, backup) = (world.folder.path().join("server"), world.folder.path().join("backup"));
    copy(&world, &server, &backup);
    let later = person(&world).1;
    erase(&world, contact).unwrap();
    erase(&world, later).unwrap();
    world.sync(&mut li);
    // The server is put back, and the ledger says what was erased since.
    let ledger = server.join("ledger");
    world.storage = SqliteStorage::open_with_ledger(&backup, Some(&ledger)).unwrap();
    assert!(!canaries(&backup).is_empty());
    assert_eq!(world.storage.read().unwrap().erasures_due().unwrap().len(), 2);
    assert_eq!(office::replay_erasures(&world.storage, world.now()).unwrap(), 2);
    assert_eq!(office::replay_erasures(&world.storage, world.now()).unwrap(), 0);
    let again = world.storage.read().unwrap().erasure_of(contact).unwrap().unwrap();
    assert!(world.storage.read().unwrap().erasure_of(later).unwrap().is_some());
    assert_eq!(canaries(&backup), Vec::<String>::new());
    assert!(again.generation > 1);
    for _ in 0..3 {
        world.sync(&mut li);
        world.sync(&mut away);
    }
    assert_eq!(canaries(&backup), Vec::<String>::new());
    assert_eq!(canaries(&world.folder.path().join("Li")), Vec::<String>::new());
    assert_eq!(canaries(&world.folder.path().join("Wang")), Vec::<String>::new());
    let generation = |phone: &Phone| phone.replica.get(contact).unwrap().unwrap();
    assert_eq!(generation(&li), generation(&away));
    let id = DocumentId { record: contact, part: Part::Main };
    let stored = world.storage.read().unwrap().document(&id).unwrap().unwrap();
    let Content::Flat(state) = stored.content else { panic!("a text") };
    assert_eq!(state.generation, again.generation);
}

/// Makes a backup of the world's server; it, and the copy of the keys beside it.
fn back_up(world: &World, recipient: &age::x25519::Recipient, days: u32) -> Created {
    let order = BackupOrder {
        data: &world.folder.path().join("server"),
        to: &world.folder.path().join("backups"),
        recipients: std::slice::from_ref(recipient),
        ledger: None,
        person_keys_days: days,
        tenant: "",
        now_ms: world.now(),
    };
    backup::create(&order, &mut |_, _, _| ()).unwrap()
}

#[test]
fn a_backup_shows_an_erased_person_no_longer_than_a_copy_of_the_keys_is_kept() {
    let world = World::open();
    let (customer, contact) = person(&world);
    let key = world.folder.path().join("backup.key");
    let recipient = backup::create_key_file(&key).unwrap();
    let identities = backup::read_identities(&key).unwrap();
    let before = back_up(&world, &recipient, 30);
    assert!(before.sealed.manifest.persons >= 2, "customer and contact");
    erase(&world, contact).unwrap();
    let after = back_up(&world, &recipient, 30);
    let opened = |created: &Created, named: Option<&Path>, name: &str| {
        let folder = world.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let manifest =
            backup::open_into(&created.path, &identities, &folder, &mut |_, _, _| ()).unwrap();
        // Whoever has the private key sees nothing yet.
        assert_eq!(canaries(&folder), Vec::<String>::new());
        let source = KeySource { named, ledger: None, without: false };
        backup::open_persons_of(&folder, &created.path, &manifest, &identities, &source)
            .map(|(persons, _)| (persons, folder))
    };
    // A copy that still has the key opens it; the newest has it no more.
    let (persons, folder) = opened(&before, Some(&before.person_keys), "old-copy").unwrap();
    assert_eq!(persons.lost, 0);
    assert!(!canaries(&folder).is_empty());
    let (persons, folder) = opened(&before, None, "newest-copy").unwrap();
    assert_eq!(persons.lost, 1);
    assert_eq!(canaries(&folder), Vec::<String>::new());
    snapshot::bring_up_to_date(&folder).unwrap();
    snapshot::forget_ledger(&folder).unwrap();
    let findings = verify::verify(&folder, None, &mut |_, _, _| ()).unwrap();
    assert_eq!(findings.problems, []);
    let storage = SqliteStorage::open_with_ledger(&folder, None).unwrap();
    let read = storage.read().unwrap();
    assert!(office::view(&*read, customer).unwrap().is_some(), "the others are there");
    assert!(office::view(&*read, contact).unwrap().is_none());
    // The key is overwritten where it was in use, and old copies go with time.
    let in_use = beside_ledger(&world.folder.path().join("server").join("ledger"));
    assert!(!PersonKeys::read(&in_use).unwrap().unwrap().has(contact));
    world.clock.advance(31 * 24 * 60 * 60 * 1_000);
    let last = back_up(&world, &recipient, 30);
    assert_eq!(last.expired, 2);
    assert!(!before.person_keys.exists() && !after.person_keys.exists());
    fs::remove_file(&last.person_keys).unwrap();
    let refused = opened(&before, None, "no-copy").unwrap_err();
    assert!(matches!(refused, BackupError::NoPersonKeys { .. }), "{refused}");
    let other = folder.join("other.keys.age");
    fs::copy(&before.path, &other).unwrap();
    let refused = opened(&before, Some(&other), "no-keys").unwrap_err();
    assert!(matches!(refused, BackupError::Damaged(_)), "{refused}");
}

fn copy(world: &World, from: &Path, to: &Path) {
    // Nobody writes meanwhile; the file has everything once the log is in it.
    let _quiet = world.storage.write().unwrap();
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_disclosure_has_everything_that_is_known_and_is_in_the_audit() {
    let world = World::open();
    let (customer, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    let linked = json!({ "customer_id": customer.to_string(), "contact_id": contact.to_string(),
                         "channel": "call", "occurred_at": "2026-01-05T10:00:00Z" });
    let linked = world.create(&system, "interaction", linked);
    world.update(&system, contact, json!({ "job_title": "Before" }), None).unwrap();
    let file = office::disclose(&world.storage, contact, Asker::default(), world.now()).unwrap();
    let text = file.to_string().to_ascii_lowercase();
    for canary in CANARIES {
        assert!(text.contains(canary), "{canary}");
    }
    assert_eq!(file["records"][0]["fields"]["notes"], "Quillnote: likes tea");
    let history = file["records"][0]["history"].as_array().unwrap();
    assert!(
        history.iter().any(|entry| entry["field"] == "job_title" && entry["old"] == "Quilltitle")
    );
    let others: Vec<&Json> = file["linked"].as_array().unwrap().iter().collect();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["record"], linked.to_string());
    assert_eq!(file["is_cut"], false);
}

/// What somebody wanted to write into the person's record stands in the request too.
#[test]
fn requests_for_approval_about_a_person_go_with_it_also_those_that_come_late() {
    let world = World::open();
    let (_, contact) = person(&world);
    let (mut early, mut late) = (world.phone("Li"), world.phone("Wang"));
    world.sync(&mut early);
    world.sync(&mut late);
    let ask = |phone: &mut Phone| {
        let proposed = json!({ "part": "main", "values": { "job_title": "Quilltitle" } });
        let json = json!({ "about_entity": "contact", "about_record": contact.to_string(),
                           "proposed": proposed, "reason": "Quillnote" });
        phone.replica.create("proposal", &fields(json)).unwrap()
    };
    let first = ask(&mut early);
    world.sync(&mut early);
    world.sync(&mut late);
    let second = ask(&mut late);
    let erased = erase(&world, contact).unwrap();
    let records: Vec<RecordId> = erased.erasures.iter().map(|one| one.record).collect();
    assert_eq!(records, [first, contact]);
    world.sync(&mut late);
    world.sync(&mut late);
    assert!(world.storage.read().unwrap().erasure_of(second).unwrap().is_some());
    world.sync(&mut early);
    for phone in [&mut early, &mut late] {
        phone.replica.sweep_erased().unwrap();
        assert_eq!(phone.get(first)["reason"], Json::Null);
        assert_eq!(phone.get(second)["reason"], Json::Null);
    }
    assert_eq!(canaries(world.folder.path()), Vec::<String>::new());
    assert_eq!(world.storage.read().unwrap().erasures_due().unwrap(), []);
}

/// A request was refused, and another one asked for that one: it repeats all that the first one says.
#[test]
fn requests_about_requests_about_a_person_go_with_it_too() {
    let world = World::open();
    let (_, contact) = person(&world);
    let system = world.author(office::SYSTEM_USER);
    let ask = |entity: &str, about: RecordId| {
        let json = json!({ "about_entity": entity, "about_record": about.to_string(),
                           "proposed": { "values": { "notes": "Quillnote" } } });
        world.create(&system, "proposal", json)
    };
    let first = ask("contact", contact);
    let second = ask("proposal", first);
    erase(&world, contact).unwrap();
    for request in [first, second] {
        assert!(world.storage.read().unwrap().erasure_of(request).unwrap().is_some());
    }
    // One that somebody writes at the office afterwards goes at once.
    let late = ask("contact", contact);
    assert!(world.storage.read().unwrap().erasure_of(late).unwrap().is_some());
    assert_eq!(canaries(world.folder.path()), Vec::<String>::new());
}
