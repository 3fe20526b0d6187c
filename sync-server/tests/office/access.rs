//! Who sees what: real replicas, a real storage, no network.

use outrider_core::{access::Role, ids::RecordId};
use outrider_sync_server::{devices::standing, office, storage::Storage as _};
use serde_json::{Value as Json, json};

use crate::{
    firm::{Firm, has, id_of},
    world::{Phone, fields},
};

#[test]
fn a_rep_holds_own_customers_with_their_families_and_no_others() {
    let firm = Firm::open();
    let (mut li, mut wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let mine = firm.customer("Mine", &li);
    let other = firm.customer("Other", &wang);
    let system = firm.world.author(office::SYSTEM_USER);
    let contact = |customer: RecordId, name: &str| {
        let json = json!({ "name": name, "customer_id": customer.to_string() });
        firm.world.create(&system, "contact", json)
    };
    let (my_contact, other_contact) = (contact(mine, "Anna"), contact(other, "Bert"));
    let product = firm.world.create(&system, "product", json!({ "name": "Pump" }));
    firm.sync(&mut li);
    firm.sync(&mut wang);
    assert!(has(&li, mine) && has(&li, my_contact) && has(&li, product));
    assert!(!has(&li, other) && !has(&li, other_contact));
    assert!(has(&wang, other) && has(&wang, other_contact) && !has(&wang, mine));
    assert!(has(&li, id_of(&wang)), "colleagues are known by name");
}

#[test]
fn a_customer_that_is_given_away_leaves_with_its_family_and_arrives_whole() {
    let firm = Firm::open();
    let (mut li, mut wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let customer = firm.customer("Acme", &li);
    let system = firm.world.author(office::SYSTEM_USER);
    let contacts: Vec<RecordId> = (0..20)
        .map(|n| {
            let json = json!({ "name": format!("C{n}"), "customer_id": customer.to_string() });
            firm.world.create(&system, "contact", json)
        })
        .collect();
    firm.sync(&mut li);
    firm.sync(&mut wang);
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    firm.sync(&mut wang);
    assert!(!has(&li, customer) && contacts.iter().all(|contact| !has(&li, *contact)));
    assert!(has(&wang, customer) && contacts.iter().all(|contact| has(&wang, *contact)));
    // Away and back between two pulls.
    firm.set(customer, json!({ "owner_id": id_of(&li).to_string() }));
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string(), "short_name": "S" }));
    firm.sync(&mut wang);
    firm.sync(&mut li);
    assert!(has(&wang, customer) && !has(&li, customer));
    assert_eq!(wang.get(customer)["short_name"], "S");
}

#[test]
fn restricted_parts_reach_only_those_who_may_read_them() {
    let firm = Firm::open();
    let (mut li, mut money) = (firm.person("Li", "sales_rep"), firm.person("Mo", "finance"));
    let system = firm.world.author(office::SYSTEM_USER);
    let limit = json!({ "amount": "9000.00", "currency": "CNY" });
    let owner = id_of(&li).to_string();
    let json = json!({ "company_name": "Acme", "owner_id": owner, "credit_limit": limit });
    let customer = firm.world.create(&system, "customer", json);
    firm.sync(&mut li);
    firm.sync(&mut money);
    assert_eq!(li.get(customer)["credit_limit"], Json::Null);
    assert_eq!(money.get(customer)["credit_limit"]["amount"], "9000.00");
}

#[test]
fn a_technician_reads_the_customer_of_a_visit_until_the_visit_is_anothers() {
    let firm = Firm::open();
    let (mut tom, li) = (firm.person("Tom", "technician"), firm.person("Li", "sales_rep"));
    let (customer, far) = (firm.customer("Acme", &li), firm.customer("Far", &li));
    let system = firm.world.author(office::SYSTEM_USER);
    let visit = |customer: RecordId, owner: &Phone| {
        let owner = id_of(owner).to_string();
        let json = json!({ "subject": "Repair", "status": "scheduled", "owner_id": owner,
                           "customer_id": customer.to_string() });
        firm.world.create(&system, "visit", json)
    };
    let (first, second) = (visit(customer, &tom), visit(customer, &tom));
    firm.sync(&mut tom);
    assert!(has(&tom, first) && has(&tom, customer) && !has(&tom, far));
    firm.set(first, json!({ "owner_id": id_of(&li).to_string() }));
    firm.sync(&mut tom);
    assert!(!has(&tom, first) && has(&tom, second) && has(&tom, customer), "one reason is left");
    firm.set(second, json!({ "owner_id": id_of(&li).to_string() }));
    firm.sync(&mut tom);
    assert!(!has(&tom, second) && !has(&tom, customer), "none is left");
}

#[test]
fn a_changed_role_gives_other_records_and_touches_none() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let other = firm.customer("Other", &wang);
    firm.sync(&mut li);
    assert!(!has(&li, other));
    let before = firm.world.position();
    firm.set_user(&li, json!({ "role": "service_agent" }));
    assert_eq!(firm.world.position(), before + 1, "the user's record alone");
    firm.sync(&mut li);
    assert!(has(&li, other));
    firm.set_user(&li, json!({ "role": "sales_rep" }));
    firm.sync(&mut li);
    assert!(!has(&li, other));
}

#[test]
fn reading_with_somebodys_eyes_shows_no_other_record_in_any_answer() {
    let firm = Firm::open();
    let (li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let mine = firm.customer("Canary mine", &li);
    let other = firm.customer("Canary other", &wang);
    let grant = firm.world.policy().grant(li.device.user_record, 0);
    let read = firm.world.storage.read_as(&grant).unwrap();
    let entity = outrider_core::schema::Schema::current().entity("customer").unwrap();
    let query = outrider_core::store::query::Query::default();
    assert_eq!(read.list(entity, &query).unwrap().ids, [mine]);
    assert_eq!(read.count(entity, &query).unwrap(), 1);
    let (page, total) = read.list_found(entity, "canary", &query).unwrap();
    assert_eq!((page.ids.as_slice(), total), (&[mine][..], 1));
    assert!(office::view(&*read, other).unwrap().is_none());
    assert!(office::view(&*read, mine).unwrap().is_some());
    let history = office::history(&*read, other, &office::HistoryQuery::default());
    assert!(history.is_err() || format!("{history:?}").find("Canary other").is_none());
    let everybody = firm.world.storage.read().unwrap();
    assert_eq!(everybody.count(entity, &query).unwrap(), 2);
}

#[test]
fn a_denial_reaches_the_device_at_its_next_pull() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    firm.decide(|rules| {
        let role: &mut Role = rules.roles.get_mut("sales_rep").unwrap();
        let denial = json!({ "entities": ["customer"], "operations": ["read"] });
        role.denials.push(serde_json::from_value(denial).unwrap());
    });
    firm.sync(&mut li);
    assert!(!has(&li, customer));
}

#[test]
fn a_word_of_a_text_that_may_not_be_read_finds_nothing() {
    let firm = Firm::open();
    let (tom, li) = (firm.person("Tom", "technician"), firm.person("Li", "sales_rep"));
    let system = firm.world.author(office::SYSTEM_USER);
    let owner = id_of(&li).to_string();
    let json = json!({ "company_name": "Acme", "owner_id": owner, "notes": "zanzibar" });
    let customer = firm.world.create(&system, "customer", json);
    let json = json!({ "subject": "Repair", "status": "scheduled", "owner_id": id_of(&tom).to_string(),
                       "customer_id": customer.to_string() });
    firm.world.create(&system, "visit", json);
    let found = |user: &Phone, text: &str| {
        let grant = firm.world.policy().grant(user.device.user_record, 0);
        let read = firm.world.storage.read_as(&grant).unwrap();
        let query = outrider_core::store::search::SearchQuery {
            text: text.to_owned(),
            ..Default::default()
        };
        let page = read.search(&query).unwrap();
        page.hits.iter().any(|hit| hit.record == customer)
    };
    assert!(found(&tom, "acme") && !found(&tom, "zanzibar"));
    assert!(!found(&tom, "acme zanzibar"), "a word that hits tells nothing of one that does not");
    assert!(found(&li, "acme zanzibar"));
    assert!(found(&li, "acme") && found(&li, "zanzibar"));
}

/// Records of one missing head are not each other's: somebody who made one read all of them, and
/// whoever a record was taken from went on reading it.
#[test]
fn a_record_whose_head_is_missing_is_read_by_whom_it_names_itself() {
    let firm = Firm::open();
    let (mut li, mut wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let missing = RecordId::external("customer", "erp", "1").to_string();
    let system = firm.world.author(office::SYSTEM_USER);
    let contact = |owner: &Phone, name: &str| {
        let owner = id_of(owner).to_string();
        let json = json!({ "name": name, "customer_id": missing, "owner_id": owner });
        firm.world.create(&system, "contact", json)
    };
    let (mine, theirs) = (contact(&li, "Anna"), contact(&wang, "Bert"));
    firm.sync(&mut li);
    firm.sync(&mut wang);
    assert!(has(&li, mine) && !has(&li, theirs));
    assert!(has(&wang, theirs) && !has(&wang, mine));
    firm.set(mine, json!({ "owner_id": id_of(&wang).to_string(), "notes": "Hers now" }));
    firm.sync(&mut li);
    firm.sync(&mut wang);
    assert!(!has(&li, mine), "it was taken away");
    assert_eq!(wang.get(mine)["notes"], "Hers now");
    // The head comes, and it is Li's: its family is, too.
    let mut boss = firm.person("Zhao", "administrator");
    firm.sync(&mut boss);
    let head = json!({ "company_name": "Acme", "owner_id": id_of(&li).to_string() });
    let id = missing.parse().unwrap();
    boss.replica.transaction(|writer| writer.create("customer", Some(id), &fields(head))).unwrap();
    for phone in [&mut boss, &mut li, &mut wang] {
        firm.sync(phone);
    }
    assert!(has(&li, id) && has(&li, mine) && has(&li, theirs));
    assert!(!has(&wang, id) && !has(&wang, mine) && !has(&wang, theirs));
    assert_eq!(li.get(mine)["notes"], "Hers now");
}

/// A set folds and escapes its members, and the names of teams were compared as they are written.
#[test]
fn a_user_is_put_into_a_team_by_its_name() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_manager"), firm.person("Wang", "sales_rep"));
    let system = firm.world.author(office::SYSTEM_USER);
    firm.world.create(&system, "team", json!({ "name": "North / East 50%" }));
    let customer = firm.customer("Acme", &wang);
    for phone in [&li, &wang] {
        firm.set_user(phone, json!({ "teams": { "add": ["North / East 50%"] } }));
    }
    firm.sync(&mut li);
    assert!(has(&li, customer), "of a member of the team");
}

#[test]
fn a_record_that_joins_a_family_that_its_reader_does_not_see_leaves() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let system = firm.world.author(office::SYSTEM_USER);
    let owner = id_of(&li).to_string();
    let json = json!({ "subject": "Call", "activity_type": "call", "owner_id": owner });
    let activity = firm.world.create(&system, "activity", json);
    firm.sync(&mut li);
    assert!(has(&li, activity));
    let other = firm.customer("Acme", &wang);
    firm.set(activity, json!({ "customer_id": other.to_string() }));
    firm.sync(&mut li);
    assert!(!has(&li, activity), "it is of a family that belongs to somebody else");
    firm.sync(&mut li);
    assert_eq!(li.replica.leaving().unwrap(), 0);
    // What names it as its customer by mistake is read by whom it names itself.
    let astray = json!({ "name": "Anna", "customer_id": activity.to_string(),
                         "owner_id": id_of(&li).to_string() });
    let astray = firm.world.create(&system, "contact", astray);
    firm.sync(&mut li);
    assert!(has(&li, astray));
    // Of its own again, it comes again.
    firm.set(activity, json!({ "customer_id": null }));
    firm.sync(&mut li);
    assert!(has(&li, activity));
}

/// With texts that were there long before.
#[test]
fn a_record_that_joins_a_family_arrives_whole_where_that_is_read() {
    let firm = Firm::open();
    let (li, mut wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let (from, to) = (firm.customer("Acme", &li), firm.customer("Beta", &wang));
    let system = firm.world.author(office::SYSTEM_USER);
    let contact = json!({ "name": "Anna", "customer_id": from.to_string(), "notes": "Likes tea." });
    let contact = firm.world.create(&system, "contact", contact);
    firm.set(to, json!({ "short_name": "B" }));
    firm.sync(&mut wang);
    firm.sync(&mut wang);
    assert!(has(&wang, to) && !has(&wang, contact));
    firm.set(contact, json!({ "customer_id": to.to_string() }));
    firm.sync(&mut wang);
    assert_eq!(wang.get(contact)["notes"], "Likes tea.");
    assert_eq!(wang.get(contact)["name"]["full"], "Anna");
}

#[test]
fn the_office_sees_which_devices_hold_a_record_and_which_should_not() {
    let firm = Firm::open();
    let (mut li, mut wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let customer = firm.customer("Acme", &li);
    let holders = |firm: &Firm| {
        let read = firm.world.storage.read().unwrap();
        let found = office::holders(&*read, customer, firm.world.now()).unwrap();
        found.into_iter().map(|one| (one.user, one.may_hold, one.since.is_some())).collect()
    };
    let of = |user: &str, may_hold, is_known| (user.to_owned(), may_hold, is_known);
    let none: Vec<(String, bool, bool)> = holders(&firm);
    assert_eq!(none, []);
    firm.sync(&mut li);
    firm.sync(&mut li);
    assert_eq!(holders(&firm), [of("Li", true, false)]);
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    assert_eq!(holders(&firm), [of("Li", false, true)], "since the change of the owner");
    firm.sync(&mut wang);
    firm.sync(&mut wang);
    assert_eq!(holders(&firm), [of("Li", false, true), of("Wang", true, false)]);
    firm.sync(&mut li);
    firm.sync(&mut li);
    assert_eq!(holders(&firm), [of("Wang", true, false)], "the receipt is the next pull");
    standing::revoke(&firm.world.storage, wang.device.id, firm.world.now()).unwrap();
    assert_eq!(holders(&firm), [of("Wang", false, true)]);
    standing::confirm_purge(&firm.world.storage, wang.device.id, firm.world.now()).unwrap();
    assert_eq!(holders(&firm), none);
}
