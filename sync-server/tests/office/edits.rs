//! Edits of the office beside those of devices.

use outrider_core::{
    crdt,
    domain::edit::EditError,
    ids::{DocumentId, Part},
};
use outrider_sync_server::{
    office::{self, OfficeError, Settlement, author_for},
    storage::Storage,
};
use serde_json::json;

use crate::world::{NOW, World};

#[test]
fn a_record_of_the_office_reaches_devices_with_its_author() {
    let world = World::open();
    let mut phone = world.phone("anna");
    let wang = world.author("wang");
    let made = json!({ "company_name": "Acme", "phone": "021-5555", "tags": ["vip"] });
    let record = world.create(&wang, "customer", made);
    world.sync(&mut phone);
    let found = phone.get(record);
    assert_eq!(found["company_name"], "Acme");
    assert_eq!(found["tags"], json!(["vip"]));
    phone.update(record, json!({ "phone": "021-6666" }));
    world.update(&wang, record, json!({ "phone": "021-7777" }), None).unwrap();
    world.sync(&mut phone);
    let conflict = phone.conflicts(record).remove(0);
    let by: Vec<_> = conflict.values.iter().filter_map(|value| value.by.clone()).collect();
    assert!(by.contains(&"wang".to_owned()) && by.contains(&"anna".to_owned()), "{by:?}");
}

#[test]
fn an_edit_of_a_form_and_a_newer_edit_of_a_device_become_a_conflict_on_both_sides() {
    let world = World::open();
    let wang = world.author("wang");
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme", "phone": "110" }));
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "phone": "111" }));
    world.sync(&mut anna);
    // The form was opened before Anna's edit came.
    assert!(world.update(&wang, record, json!({ "phone": "112" }), Some(shown)).unwrap());
    assert_eq!(world.values(record, "phone"), ["111", "112"]);
    world.sync(&mut anna);
    world.sync(&mut ben);
    assert_eq!(anna.conflicts(record), ben.conflicts(record));
    assert_eq!(anna.conflicts(record).len(), 1);
    assert_eq!(anna.get(record), ben.get(record));

    // Without a form it is written on what is there, and nothing stands beside it.
    world.update(&wang, record, json!({ "phone": "113" }), None).unwrap();
    assert_eq!(world.values(record, "phone"), ["113"]);
}

#[test]
fn edits_of_different_fields_both_stay() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "phone": "111", "tags": { "add": ["north"] } }));
    world.sync(&mut anna);
    let entered = json!({ "email": "office@acme.example", "tags": { "add": ["vip"] } });
    world.update(&wang, record, entered, Some(shown)).unwrap();
    world.sync(&mut anna);
    let found = anna.get(record);
    assert_eq!((&found["phone"], &found["email"]), (&json!("111"), &json!("office@acme.example")));
    assert_eq!(found["tags"], json!(["north", "vip"]));
    assert!(anna.conflicts(record).is_empty());
}

#[test]
fn what_a_form_showed_and_nobody_touched_is_not_written() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let made = json!({ "company_name": "Acme", "phone": "110", "tags": ["a", "b"] });
    let record = world.create(&wang, "customer", made.clone());
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "phone": "111" }));
    world.sync(&mut anna);
    let position = world.position();
    assert!(!world.update(&wang, record, made.clone(), Some(shown)).unwrap());
    assert_eq!(world.position(), position, "nothing was written");

    // A conflict that a form shows is not settled by saving the form.
    world.update(&wang, record, json!({ "phone": "112" }), Some(shown)).unwrap();
    world.sync(&mut anna);
    let mut whole = anna.get(record);
    whole["email"] = json!("a@acme.example");
    let whole = json!({ "company_name": whole["company_name"], "phone": whole["phone"],
                        "email": whole["email"], "tags": whole["tags"], "website": null });
    world.update(&wang, record, whole, Some(world.position())).unwrap();
    assert_eq!(world.values(record, "phone"), ["111", "112"]);
    assert_eq!(world.values(record, "email"), ["a@acme.example"]);
}

#[test]
fn several_old_forms_of_one_user_never_write_a_number_twice() {
    let world = World::open();
    let wang = world.author("wang");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let shown = world.position();
    for n in 0..5 {
        let phone = format!("11{n}");
        world.update(&wang, record, json!({ "phone": phone }), Some(shown)).unwrap();
    }
    assert_eq!(world.values(record, "phone").len(), 5);
    world.update(&wang, record, json!({ "phone": "120" }), None).unwrap();
    assert_eq!(world.values(record, "phone"), ["120"]);
    let read = world.storage.read().unwrap();
    let id = DocumentId { record, part: Part::Main };
    let changes = read.changes_since(&id, 0, 100).unwrap();
    let chunks: Vec<&[u8]> = changes.iter().map(|change| change.bytes.as_slice()).collect();
    crdt::export::export(chunks).expect("any Automerge library opens the history");
}

#[test]
fn a_settled_conflict_is_settled_everywhere_but_not_over_a_value_nobody_saw() {
    let world = World::open();
    let wang = world.author("wang");
    let (mut anna, mut ben) = (world.phone("anna"), world.phone("ben"));
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme", "phone": "110" }));
    world.sync(&mut anna);
    world.sync(&mut ben);
    anna.update(record, json!({ "phone": "111" }));
    ben.update(record, json!({ "phone": "112" }));
    world.sync(&mut anna);
    world.sync(&mut ben);
    let shown = world.position();
    let chosen = json!("111");
    let choice = Settlement { key: "phone", value: &chosen, seen: Some(shown) };
    // A third value comes between showing and choosing.
    let mut cleo = world.phone("cleo");
    world.sync(&mut cleo);
    cleo.update(record, json!({ "phone": "113" }));
    world.sync(&mut cleo);
    world.settle(&wang, record, choice).unwrap();
    assert_eq!(world.values(record, "phone"), ["111", "113"]);

    let choice = Settlement { key: "phone", value: &chosen, seen: Some(world.position()) };
    world.settle(&wang, record, choice).unwrap();
    for phone in [&mut anna, &mut ben, &mut cleo] {
        world.sync(phone);
        assert!(phone.conflicts(record).is_empty());
        assert_eq!(phone.get(record)["phone"], "111");
    }
    let again = world.settle(&wang, record, Settlement { seen: None, ..choice });
    assert!(matches!(again, Err(OfficeError::NoConflict { .. })), "{again:?}");
}

#[test]
fn the_office_alone_writes_what_it_owns() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let made = json!({ "login": "li", "name": "Li Na", "role": "rep" });
    let record = world.create(&wang, "user", made.clone());
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["login"], "li");
    let refused = anna.replica.update(record, &crate::world::fields(json!({ "role": "boss" })));
    assert!(refused.is_err());
    world.update(&wang, record, json!({ "role": "manager" }), None).unwrap();
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["role"], "manager");

    // What the policy withholds from devices the office may still write.
    let mut world = world;
    world.policy = world.policy.withholding("customer", "phone");
    let record = world.create(&wang, "customer", json!({ "company_name": "A", "phone": "110" }));
    assert_eq!(world.values(record, "phone"), ["110"]);
}

#[test]
fn an_archived_record_comes_back_when_somebody_wrote_beside() {
    let world = World::open();
    let wang = world.author("wang");
    let mut anna = world.phone("anna");
    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    world.sync(&mut anna);
    let shown = world.position();
    anna.update(record, json!({ "phone": "111" }));
    world.sync(&mut anna);
    let archive = |seen| {
        office::archive(&world.storage, &world.policy, &wang, record, seen, world.now()).unwrap();
    };
    archive(Some(shown));
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["is_revived"], true);
    archive(None);
    world.sync(&mut anna);
    assert_eq!(anna.get(record)["is_archived"], true);
    office::restore(&world.storage, &world.policy, &wang, record, None, world.now()).unwrap();
    world.sync(&mut anna);
    assert_eq!(anna.get(record).get("is_archived"), None);
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let world = World::open();
    let wang = world.author("wang");
    let position = world.position();
    let bad = [
        json!({}),
        json!({ "company_name": null }),
        json!({ "company_name": "A", "email": "nobody" }),
        json!({ "company_name": "A", "nothing": 1 }),
    ];
    for made in bad {
        let error = world.try_create(&wang, "customer", made).unwrap_err();
        assert!(matches!(error, OfficeError::Edit(_)), "{error}");
    }
    let error = world.try_create(&wang, "cat", json!({})).unwrap_err();
    assert!(matches!(error, OfficeError::UnknownEntity(_)), "{error}");
    assert_eq!(world.position(), position);

    let record = world.create(&wang, "customer", json!({ "company_name": "Acme" }));
    let error = world.update(&wang, record, json!({ "company_name": null }), None).unwrap_err();
    assert!(matches!(error, OfficeError::Edit(EditError::Required(_))), "{error}");
    let error = world.update(&wang, record, json!({}), Some(99)).unwrap_err();
    assert!(matches!(error, OfficeError::UnknownPosition(99)), "{error}");
    let error = world.update(&wang, record, json!({}), Some(position)).unwrap_err();
    assert!(matches!(error, OfficeError::UnknownRecord(_)), "not there yet: {error}");
}

#[test]
fn a_user_of_the_office_is_one_author_and_keeps_the_record() {
    let world = World::open();
    let first = world.author("wang");
    assert_eq!(world.author("wang").device, first.device);
    assert_ne!(world.author("li").device.prefix, first.device.prefix);
    let record = world.create(&first, "user", json!({ "login": "w", "name": "W", "role": "rep" }));
    let known = author_for(&world.storage, "wang", Some(record), NOW).unwrap();
    assert_eq!(known.device.id, first.device.id);
    assert_eq!(world.author("wang").device.user_record, Some(record));
    let customer = world.create(&known, "customer", json!({ "company_name": "Acme" }));
    let mut anna = world.phone("anna");
    world.sync(&mut anna);
    assert_eq!(anna.get(customer)["created_by"], record.to_string());
    assert_eq!(anna.get(customer)["owner_id"], record.to_string());
}

#[test]
fn whoever_gets_a_code_is_a_record_that_others_can_name() {
    let world = World::open();
    let mut anna = world.phone("anna");
    let record = anna.device.user_record.expect("made with the code");
    let mut tablet = world.second_phone("anna", "tablet");
    assert_eq!(tablet.device.user_record, Some(record), "one record for one user");
    let made = crate::world::fields(json!({ "company_name": "Acme" }));
    let customer = tablet.replica.create("customer", &made).unwrap();
    for phone in [&mut tablet, &mut anna] {
        world.sync(phone);
        assert_eq!(phone.get(customer)["created_by"], record.to_string());
        assert_eq!(phone.get(customer)["owner_id"], record.to_string());
        let user = phone.get(record);
        assert_eq!((&user["login"], &user["name"]["full"]), (&json!("anna"), &json!("anna")));
        assert_eq!(user.get("role"), None, "a code gives no rights");
    }
    assert_eq!(office::find_user(&*world.storage.read().unwrap(), "ben").unwrap(), None);
}

#[test]
fn a_user_whose_login_is_known_already_gets_no_second_record() {
    let world = World::open();
    let wang = world.author("wang");
    let made = json!({ "login": "anna", "name": "Anna Lund", "role": "rep" });
    let record = world.create(&wang, "user", made);
    assert_eq!(world.phone("anna").device.user_record, Some(record));

    // A device that was enrolled before its user was a record learns of it on the server.
    let early = world.author("early");
    assert_eq!(early.device.user_record, None);
    let record = office::ensure_user(&world.storage, &world.policy, "early", NOW).unwrap();
    assert_eq!(world.author("early").device.user_record, Some(record));
    let again = office::ensure_user(&world.storage, &world.policy, " early ", NOW).unwrap();
    assert_eq!(again, record);

    // The login of a record may be given away; its id is not.
    world.update(&wang, record, json!({ "login": "renamed" }), None).unwrap();
    let other = office::ensure_user(&world.storage, &world.policy, "early", NOW).unwrap();
    assert_ne!(other, record);
}
