//! Rights at the edges: what became forbidden meanwhile, what is not there, what nobody knows.

use outrider_core::{
    access::Role,
    ids::{DocumentId, Part, RecordId},
    sync::frame::{Outcome, PushChange, PushGroup, PushRequest},
};
use outrider_sync_server::{
    accept,
    office::{self, Decision},
    storage::{
        Storage as _,
        access::{Review, ReviewState},
    },
};
use serde_json::{Value as Json, json};

use crate::{
    firm::{Firm, has, id_of},
    world::{Phone, fields},
};

fn visit(customer: RecordId) -> Json {
    json!({ "subject": "Call", "status": "scheduled", "customer_id": customer.to_string() })
}

#[test]
fn a_link_that_was_allowed_when_it_was_made_waits_for_a_decision() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    let boss = firm.person("Zhao", "administrator");
    let made = li.replica.create("visit", &fields(visit(customer))).unwrap();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    assert!(!has(&li, customer) && has(&li, made), "the visit without the link is Li's");
    assert_eq!(li.replica.inbox(10).unwrap()[0].code, "in_review");
    let open = firm.open_reviews();
    assert_eq!((open.len(), open[0].reason.as_str()), (1, "late"));
    assert_eq!(open[0].keys, ["customer_id"]);
    assert!(firm.world.values(made, "customer_id").is_empty());
    firm.decide_on(&boss, open[0].id, Decision::Grant).unwrap();
    assert_eq!(firm.world.values(made, "customer_id"), [customer.to_string()]);
}

/// They knew that it was no longer theirs.
#[test]
fn a_link_to_what_its_author_had_lost_before_waits_for_nobody() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    firm.sync(&mut li);
    assert!(!has(&li, customer));
    let made = li.replica.create("visit", &fields(visit(customer))).unwrap();
    firm.sync(&mut li);
    assert!(firm.world.values(made, "customer_id").is_empty());
    assert_eq!(li.replica.inbox(10).unwrap()[0].code, "not_permitted");
    assert!(firm.open_reviews().is_empty());
}

/// It was never seen as somebody else's: there is nothing late about it.
#[test]
fn a_link_to_a_record_of_the_same_push_that_its_author_may_not_read_waits_for_nobody() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    firm.sync(&mut li);
    firm.sync(&mut li);
    let customer =
        li.replica.create("customer", &fields(json!({ "company_name": "New" }))).unwrap();
    let made = li.replica.create("visit", &fields(visit(customer))).unwrap();
    firm.decide(|rules| {
        let role: &mut Role = rules.roles.get_mut("sales_rep").unwrap();
        let denial = json!({ "entities": ["customer"], "operations": ["read"] });
        role.denials.push(serde_json::from_value(denial).unwrap());
    });
    firm.sync(&mut li);
    assert_eq!(firm.world.values(customer, "company_name"), ["New"]);
    assert!(firm.world.values(made, "customer_id").is_empty());
    assert!(firm.open_reviews().is_empty());
    let inbox = li.replica.inbox(10).unwrap();
    assert_eq!((inbox.len(), inbox[0].code.as_str()), (1, "not_permitted"));
    assert_eq!(firm.reviews(ReviewState::Kept).len(), 1, "it can be asked for");
}

/// Whoever joins a crew is given the customer too: that only who may read it can do.
#[test]
fn who_may_not_read_a_customer_names_nobody_who_would() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.decide(|rules| {
        let everywhere =
            json!({ "entities": ["visit"], "operations": ["read", "edit"], "level": "all" });
        let role = rules.roles.get_mut("sales_rep").unwrap();
        role.rules.push(serde_json::from_value(everywhere).unwrap());
    });
    let system = firm.world.author(office::SYSTEM_USER);
    let made = firm.world.create(&system, "visit", visit(customer));
    firm.sync(&mut li);
    firm.sync(&mut li);
    assert!(has(&li, made) && !has(&li, customer));
    li.replica.update(made, &fields(json!({ "subject": "Another" }))).unwrap();
    let crew = json!({ "crew": [id_of(&wang).to_string()] });
    li.replica.update(made, &fields(crew)).unwrap();
    firm.sync(&mut li);
    assert_eq!(firm.world.values(made, "subject"), ["Another"], "that names nobody");
    assert_eq!(firm.get(made).get("crew"), None);
    let inbox = li.replica.inbox(10).unwrap();
    assert_eq!((inbox.len(), inbox[0].code.as_str()), (1, "not_permitted"));
}

#[test]
fn what_is_not_there_yet_may_be_linked_to() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    firm.sync(&mut li);
    let missing = RecordId::external("customer", "erp", "1");
    let made = li.replica.create("visit", &fields(visit(missing))).unwrap();
    firm.sync(&mut li);
    assert_eq!(firm.world.values(made, "customer_id"), [missing.to_string()]);
    assert_eq!(li.replica.inbox(10).unwrap().len(), 0);
}

/// A request repeats what somebody wanted to write. Refused, it would be kept word for word.
#[test]
fn a_refused_request_about_an_erased_person_is_erased_and_not_kept() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    let customer = firm.customer("Acme", &li);
    let system = firm.world.author(office::SYSTEM_USER);
    let contact = json!({ "name": "Anna", "customer_id": customer.to_string() });
    let contact = firm.world.create(&system, "contact", contact);
    firm.sync(&mut li);
    let wish = json!({ "about_entity": "contact", "about_record": contact.to_string(),
                       "proposed": { "values": { "job_title": "Quilltitle" } } });
    let request = li.replica.create("proposal", &fields(wish)).unwrap();
    let (storage, policy) = (&firm.world.storage, firm.world.policy());
    office::erase(storage, &policy, &system, contact, firm.world.now()).unwrap();
    firm.set_user(&li, json!({ "role": "auditor" }));
    firm.sync(&mut li);
    assert!(storage.read().unwrap().erasure_of(request).unwrap().is_some());
    for state in ReviewState::ALL {
        assert_eq!(firm.reviews(state), [], "{state:?}");
    }
    firm.sync(&mut li);
    assert_eq!(li.replica.outbox(10).unwrap().len(), 0);
    let inbox = format!("{:?}", li.replica.inbox(10).unwrap());
    assert!(!inbox.contains("Quilltitle"), "{inbox}");
}

/// A text may arrive before its record. Only who may begin records everywhere may write it then: whose the
/// record will be nobody knows.
#[test]
fn a_text_of_a_record_that_is_not_there_is_nobodys_own() {
    let firm = Firm::open();
    for (name, role, is_taken) in [("Li", "sales_rep", false), ("Zhao", "administrator", true)] {
        let mut phone = firm.person(name, role);
        firm.sync(&mut phone);
        let json = json!({ "company_name": "New", "notes": "Typed" });
        let customer = phone.replica.create("customer", &fields(json)).unwrap();
        let answers = push_texts(&firm, &mut phone);
        let refused = Outcome::Refused("not_permitted".to_owned(), Vec::new());
        assert_eq!(answers, [if is_taken { Outcome::Applied } else { refused }], "{role}");
        let notes = DocumentId { record: customer, part: "notes".parse().unwrap() };
        let stored = firm.world.storage.read().unwrap().document(&notes).unwrap();
        assert_eq!(stored.is_some(), is_taken, "{role}");
    }
}

/// What follows an edit that was declined is kept by itself: nobody decided on that.
#[test]
fn a_text_that_goes_on_after_a_decision_is_kept_as_one_that_came_later() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    let boss = firm.person("Zhao", "administrator");
    for notes in ["One.", "One. Two."] {
        li.replica.update(customer, &fields(json!({ "notes": notes }))).unwrap();
    }
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    let mut waiting = waiting_texts(&mut li);
    let last = waiting.pop().unwrap();
    push_changes(&firm, &li, waiting);
    let first = firm.open_reviews().pop().unwrap();
    firm.decide_on(&boss, first.id, Decision::Decline).unwrap();
    push_changes(&firm, &li, vec![last]);
    assert!(firm.open_reviews().is_empty());
    let declined = firm.reviews(ReviewState::Declined);
    assert_eq!(declined.iter().map(|one| one.id).collect::<Vec<_>>(), [first.id]);
    let kept = firm.reviews(ReviewState::Kept).pop().unwrap();
    assert!(kept.received_at > first.received_at && kept.hash != first.hash);
    assert_eq!((kept.reason, kept.decided_at), (first.reason, None));
}

/// Sends what waits of texts, and nothing else.
fn push_texts(firm: &Firm, phone: &mut Phone) -> Vec<Outcome> {
    let changes = waiting_texts(phone);
    push_changes(firm, phone, changes)
}

fn waiting_texts(phone: &mut Phone) -> Vec<PushChange> {
    let groups = phone.replica.next_push(0).unwrap().unwrap().request.groups;
    let mut changes: Vec<_> = groups.into_iter().flat_map(|group| group.changes).collect();
    changes.retain(|change| !change.part.is_flat());
    changes
}

fn push_changes(firm: &Firm, phone: &Phone, changes: Vec<PushChange>) -> Vec<Outcome> {
    let request = PushRequest::new(phone.device.id, vec![PushGroup { changes }], Vec::new());
    let (policy, now_ms) = (firm.world.policy(), firm.world.now());
    let said = accept::push(&firm.world.storage, &policy, &phone.device, &request, now_ms);
    said.unwrap().answers.into_iter().map(|answer| answer.outcome).collect()
}

/// A newer server kept it, and an older one was put in its place.
#[test]
fn an_edit_of_an_entity_that_nobody_knows_is_entered_by_nobody() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    let boss = firm.person("Zhao", "administrator");
    let manager = firm.person("Ma", "sales_manager");
    li.replica.update(customer, &fields(json!({ "short_name": "Late" }))).unwrap();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    let known = firm.open_reviews().remove(0);
    let record = RecordId::external("rocket", "erp", "1");
    let document = DocumentId { record, part: Part::Main };
    let mut write = firm.world.storage.write().unwrap();
    write.add_review(&Review { document, entity: "rocket".to_owned(), ..known.clone() }).unwrap();
    write.commit().unwrap();
    let rocket = firm.open_reviews().into_iter().find(|one| one.entity == "rocket").unwrap();
    let grant = firm.world.policy().grant(boss.device.user_record, 0);
    let shown = office::open_reviews(&firm.world.storage, &grant, 10).unwrap();
    assert_eq!(shown, [known]);
    for approver in [&boss, &manager] {
        assert!(firm.decide_on(approver, rocket.id, Decision::Grant).is_err());
    }
    assert_eq!(firm.open_reviews().len(), 2, "it waits for a server that knows it");
    let main = DocumentId { record, part: Part::Main };
    assert!(firm.world.storage.read().unwrap().document(&main).unwrap().is_none());
}
