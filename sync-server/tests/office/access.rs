//! Who sees what and writes what: real replicas, a real storage, no network.

use outrider_core::{
    access::{Operation, Role, Rules},
    ids::RecordId,
    replica::ReplicaError,
};
use outrider_sync_server::{
    devices::{review, standing},
    office::{self, Decision, OfficeError},
    storage::{Storage as _, access::ReviewState},
};
use serde_json::{Value as Json, json};

use crate::world::{Phone, World, fields};

/// An office with rules, and people in it.
struct Firm {
    world: World,
}

impl Firm {
    fn open() -> Self {
        let world = World::open();
        let firm = Self { world };
        firm.decide(|rules| rules.is_on = true);
        firm
    }

    fn decide(&self, change: impl FnOnce(&mut Rules)) {
        let mut write = self.world.storage.write().unwrap();
        let mut rules = write.rules().unwrap();
        change(&mut rules);
        rules.number += 1;
        write.add_rules(&rules, 0, "test").unwrap();
        write.commit().unwrap();
    }

    /// Somebody with a role, and a phone.
    fn person(&self, name: &str, role: &str) -> Phone {
        let phone = self.world.phone(name);
        self.set_user(&phone, json!({ "role": role }));
        phone
    }

    fn set_user(&self, phone: &Phone, json: Json) {
        self.set(id_of(phone), json);
    }

    /// The office itself changes a record.
    fn set(&self, record: RecordId, json: Json) {
        let system = self.world.author(office::SYSTEM_USER);
        self.world.update(&system, record, json, None).unwrap();
    }

    fn customer(&self, name: &str, owner: &Phone) -> RecordId {
        let system = self.world.author(office::SYSTEM_USER);
        let owner = id_of(owner).to_string();
        self.world.create(&system, "customer", json!({ "company_name": name, "owner_id": owner }))
    }

    fn sync(&self, phone: &mut Phone) {
        self.world.sync(phone);
    }

    fn open_reviews(&self) -> Vec<outrider_sync_server::storage::access::Review> {
        self.world.storage.read().unwrap().reviews(ReviewState::Open, 0, 100).unwrap()
    }

    fn decide_on(&self, approver: &Phone, id: u64, decision: Decision) -> Result<(), String> {
        let author = office::author_for(
            &self.world.storage,
            &approver.device.user,
            approver.device.user_record,
            self.world.now(),
        )
        .unwrap();
        let policy = self.world.policy();
        let now_ms = self.world.now();
        office::decide(&self.world.storage, &policy, &author, id, decision, "", now_ms)
            .map_err(|error| error.to_string())
    }
}

fn id_of(phone: &Phone) -> RecordId {
    phone.device.user_record.unwrap()
}

fn has(phone: &Phone, record: RecordId) -> bool {
    phone.replica.get(record).unwrap().is_some()
}

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
fn the_device_refuses_what_the_office_would_and_may_insist() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    let away = fields(json!({ "owner_id": id_of(&wang).to_string(), "short_name": "S" }));
    let refused = li.replica.update(customer, &away).unwrap_err();
    let ReplicaError::NotPermitted { code, keys, .. } = refused else { panic!("{refused}") };
    assert_eq!((code, keys.as_slice()), ("not_assignable", &["owner_id".to_owned()][..]));
    assert_ne!(li.get(customer)["short_name"], "S", "nothing of it was written");
    assert!(li.replica.may(Operation::Edit, customer).unwrap());
    assert!(!li.replica.may(Operation::Assign, customer).unwrap());
    li.replica
        .transaction(|writer| {
            writer.insist();
            writer.update(customer, &away)
        })
        .unwrap();
    firm.sync(&mut li);
    assert_eq!(firm.world.values(customer, "short_name"), ["S"], "what is permitted is kept");
    let inbox = li.replica.inbox(10).unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].code, "not_assignable");
    assert_eq!(li.replica.outbox(10).unwrap().len(), 0, "no queue is stuck");
}

#[test]
fn a_refused_edit_is_asked_for_granted_and_enters_beside_a_colleagues_value() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let boss = firm.person("Zhao", "administrator");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    let away = fields(json!({ "owner_id": id_of(&wang).to_string() }));
    li.replica
        .transaction(|writer| {
            writer.insist();
            writer.update(customer, &away)
        })
        .unwrap();
    firm.sync(&mut li);
    let refusal = li.replica.inbox(10).unwrap()[0].id;
    let proposal = li.replica.ask_approval(refusal, "He knows them").unwrap();
    assert!(matches!(li.replica.ask_approval(refusal, "again"), Err(ReplicaError::NoRefusal(_))));
    firm.sync(&mut li);
    let open = firm.open_reviews();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].reason.as_str(), open[0].proposal), ("asked", Some(proposal)));
    assert!(firm.decide_on(&wang, open[0].id, Decision::Grant).is_err(), "a rep does not approve");
    // A colleague writes the same field meanwhile, without having seen the edit.
    firm.set(customer, json!({ "owner_id": id_of(&boss).to_string() }));
    firm.decide_on(&boss, open[0].id, Decision::Grant).unwrap();
    let mut both = [id_of(&wang).to_string(), id_of(&boss).to_string()];
    both.sort();
    assert_eq!(firm.world.values(customer, "owner_id"), both, "both values stand");
    assert!(firm.decide_on(&boss, open[0].id, Decision::Decline).is_err(), "decided once");
    firm.sync(&mut li);
    assert_eq!(li.get(proposal)["decision"], "accepted");
    let read = firm.world.storage.read().unwrap();
    let page = office::history(&*read, customer, &office::HistoryQuery::default()).unwrap();
    let page = serde_json::to_string(&page).unwrap();
    assert!(page.contains("\\\"user\\\":\\\"Li\\\""), "{page}");
}

#[test]
fn late_edits_wait_for_a_decision_and_the_record_leaves_only_then() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let boss = firm.person("Zhao", "administrator");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    firm.sync(&mut li);
    li.replica.update(customer, &fields(json!({ "short_name": "Late" }))).unwrap();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    assert!(!has(&li, customer), "it left");
    let open = firm.open_reviews();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].reason, "late");
    assert_eq!(li.replica.inbox(10).unwrap()[0].code, "in_review");
    assert!(firm.world.values(customer, "short_name").is_empty());
    firm.decide_on(&boss, open[0].id, Decision::Grant).unwrap();
    assert_eq!(firm.world.values(customer, "short_name"), ["Late"]);
}

#[test]
fn an_edit_that_was_never_allowed_does_not_wait_for_anybody() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let customer = firm.customer("Acme", &wang);
    firm.sync(&mut li);
    firm.sync(&mut li);
    // Li heard of the id and writes under it.
    li.replica
        .transaction(|writer| {
            writer.insist();
            writer.create("customer", Some(customer), &fields(json!({ "company_name": "Mine" })))
        })
        .unwrap();
    firm.sync(&mut li);
    assert!(firm.open_reviews().is_empty());
    assert_eq!(firm.world.values(customer, "company_name"), ["Acme"]);
    assert_eq!(li.replica.inbox(10).unwrap().len(), 1);
    assert!(!has(&li, customer));
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

#[test]
fn a_part_of_a_record_that_was_declined_is_not_entered() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    let boss = firm.person("Zhao", "administrator");
    firm.sync(&mut li);
    let json = json!({ "subject": "Repair", "status": "scheduled" });
    let visit = li.replica.create("visit", &fields(json)).unwrap();
    li.replica.update(visit, &fields(json!({ "resolution": "Done" }))).unwrap();
    firm.set_user(&li, json!({ "role": "marketing" }));
    firm.sync(&mut li);
    let inbox = li.replica.inbox(10).unwrap();
    let text = inbox.iter().find(|one| one.part == "resolution").unwrap().id;
    li.replica.ask_approval(text, "It is done").unwrap();
    firm.sync(&mut li);
    let open = firm.open_reviews();
    let of = |part: &str| open.iter().find(|one| one.document.part.as_str() == part).unwrap().id;
    let early = firm.decide_on(&boss, of("resolution"), Decision::Grant).unwrap_err();
    assert!(early.contains("was not entered"), "{early}");
    firm.decide_on(&boss, of("main"), Decision::Decline).unwrap();
    assert!(firm.decide_on(&boss, of("resolution"), Decision::Grant).is_err());
    firm.decide_on(&boss, of("resolution"), Decision::Decline).unwrap();
    assert!(firm.open_reviews().is_empty());
}

impl Firm {
    /// Somebody at the office pages, with the rights of this user.
    fn clerk(&self, user: &Phone) -> office::Author {
        let (name, record) = (&user.device.user, user.device.user_record);
        office::author_for(&self.world.storage, name, record, self.world.now()).unwrap()
    }

    /// What saving a form says: whether anything was written, or the code of a refusal.
    fn save(&self, user: &Phone, record: RecordId, json: Json) -> Result<bool, String> {
        let (policy, author, now_ms) = (self.world.policy(), self.clerk(user), self.world.now());
        let seen = Some(self.world.position());
        let fields = fields(json);
        let storage = &self.world.storage;
        office::update(storage, &policy, &author, record, &fields, seen, now_ms).map_err(code_of)
    }

    fn create_as(&self, user: &Phone, entity: &str, json: Json) -> Result<RecordId, String> {
        let (policy, author) = (self.world.policy(), self.clerk(user));
        let (fields, now_ms) = (fields(json), self.world.now());
        office::create(&self.world.storage, &policy, &author, entity, &fields, now_ms)
            .map_err(code_of)
    }
}

fn code_of(error: OfficeError) -> String {
    let words = error.to_string();
    if let OfficeError::Refused { code, .. } = error { code } else { words }
}

/// A visit shares the customer to which it links with whoever is named in it.
#[test]
fn nobody_gets_at_a_record_by_linking_to_it() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let (mine, other) = (firm.customer("Mine", &li), firm.customer("Other", &wang));
    let visit = |customer: RecordId| json!({ "subject": "Call", "status": "scheduled", "customer_id": customer.to_string() });
    assert_eq!(firm.create_as(&li, "visit", visit(other)).unwrap_err(), "not_permitted");
    let own = firm.create_as(&li, "visit", visit(mine)).unwrap();
    let moved = firm.save(&li, own, json!({ "customer_id": other.to_string() }));
    assert_eq!(moved.unwrap_err(), "not_permitted");
    // By a device that does not ask itself: the rest of the visit arrives, the link does not.
    firm.sync(&mut li);
    let sent = li.replica.transaction(|writer| {
        writer.insist();
        writer.create("visit", None, &fields(visit(other)))
    });
    let sent = sent.unwrap();
    firm.sync(&mut li);
    assert!(!has(&li, other));
    assert!(firm.world.values(sent, "customer_id").is_empty());
    assert_eq!(li.replica.inbox(10).unwrap()[0].code, "not_permitted");
    // Nor by putting an own record into a family of somebody else.
    let contact = json!({ "name": "Anna", "customer_id": mine.to_string() });
    let contact = firm.create_as(&li, "contact", contact).unwrap();
    let moved = firm.save(&li, contact, json!({ "customer_id": other.to_string() }));
    assert_eq!(moved.unwrap_err(), "not_permitted");
}

#[test]
fn a_merge_asks_for_both_records_and_an_edit_that_goes_on_for_the_other() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    firm.decide(|rules| {
        let rule = json!({ "entities": ["customer"], "operations": ["merge"], "level": "own" });
        let role = rules.roles.get_mut("sales_rep").unwrap();
        role.rules.push(serde_json::from_value(rule).unwrap());
    });
    let (mine, other) = (firm.customer("Mine", &li), firm.customer("Other", &wang));
    let (storage, policy, now_ms) = (&firm.world.storage, firm.world.policy(), firm.world.now());
    let (clerk, take) = (firm.clerk(&li), std::collections::BTreeSet::new());
    let merged = office::merge(storage, &policy, &clerk, (mine, other), &take, now_ms);
    assert_eq!(merged.map_err(code_of).unwrap_err(), "not_mergeable");
    // The office merges them; what Li writes without knowing waits for a decision.
    firm.sync(&mut li);
    let system = firm.world.author(office::SYSTEM_USER);
    office::merge(storage, &policy, &system, (mine, other), &take, firm.world.now()).unwrap();
    li.replica.update(mine, &fields(json!({ "short_name": "Late" }))).unwrap();
    firm.sync(&mut li);
    assert!(firm.world.values(other, "short_name").is_empty());
    let open = firm.open_reviews();
    assert_eq!((open.len(), open[0].document.record), (1, other));
    let boss = firm.person("Zhao", "administrator");
    firm.decide_on(&boss, open[0].id, Decision::Grant).unwrap();
    assert_eq!(firm.world.values(other, "short_name"), ["Late"]);
}

#[test]
fn saving_a_guess_does_not_tell_whether_it_is_right() {
    let firm = Firm::open();
    let li = firm.person("Li", "sales_rep");
    let system = firm.world.author(office::SYSTEM_USER);
    let limit = |amount: &str| json!({ "amount": amount, "currency": "CNY" });
    let json = json!({ "company_name": "Acme", "owner_id": id_of(&li).to_string(),
                       "credit_limit": limit("9000.00") });
    let customer = firm.world.create(&system, "customer", json);
    for amount in ["9000.00", "9001.00"] {
        let said = firm.save(&li, customer, json!({ "credit_limit": limit(amount) }));
        assert_eq!(said.unwrap_err(), "not_permitted", "{amount}");
    }
    assert_eq!(firm.save(&li, customer, json!({ "company_name": "Acme" })), Ok(false));
}

#[test]
fn nobody_decides_on_edits_of_their_own_or_prolongs_standing_in() {
    let firm = Firm::open();
    let mut finance = firm.person("Fang", "finance");
    let li = firm.person("Li", "sales_rep");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut finance);
    finance
        .replica
        .transaction(|writer| {
            writer.insist();
            writer.update(customer, &fields(json!({ "short_name": "F" })))
        })
        .unwrap();
    firm.sync(&mut finance);
    let refusal = finance.replica.inbox(10).unwrap()[0].id;
    finance.replica.ask_approval(refusal, "").unwrap();
    firm.sync(&mut finance);
    let open = firm.open_reviews();
    assert_eq!(open.len(), 1);
    assert!(firm.decide_on(&finance, open[0].id, Decision::Grant).is_err());
    // Who stands in for Li edits what is Li's, but not for how long.
    let absence = json!({ "delegate_id": id_of(&finance).to_string(),
                          "delegated": "2000-01-01T00:00:00Z/2100-01-01T00:00:00Z" });
    let said = firm.save(&finance, id_of(&li), absence.clone());
    assert!(said.is_err(), "{said:?}");
    assert_eq!(
        firm.save(&li, id_of(&li), json!({ "delegate_id": id_of(&finance).to_string() })),
        Ok(true)
    );
}

#[test]
fn edits_that_a_device_handed_in_are_entered_one_after_the_other() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    let boss = firm.person("Zhao", "administrator");
    firm.sync(&mut li);
    let customer =
        li.replica.create("customer", &fields(json!({ "company_name": "New" }))).unwrap();
    li.replica.update(customer, &fields(json!({ "short_name": "N" }))).unwrap();
    standing::revoke(&firm.world.storage, li.device.id, firm.world.now()).unwrap();
    let batch = li.replica.next_push(0).unwrap().unwrap();
    review::keep(&firm.world.storage, &li.device, &batch.request, firm.world.now()).unwrap();
    let open = firm.open_reviews();
    assert_eq!(open.len(), 2);
    let early = firm.decide_on(&boss, open[1].id, Decision::Grant).unwrap_err();
    assert!(early.contains("not entered"), "{early}");
    for one in &open {
        firm.decide_on(&boss, one.id, Decision::Grant).unwrap();
    }
    assert_eq!(firm.world.values(customer, "short_name"), ["N"]);
}
