//! What is refused, what becomes of it, and who decides: real replicas, a real storage, no network.

use outrider_core::{
    access::Operation,
    ids::{DocumentId, RecordId},
    replica::ReplicaError,
};
use outrider_sync_server::{
    accept,
    devices::{review, standing},
    office::{self, Decision},
    storage::Storage as _,
};
use serde_json::json;

use crate::{
    firm::{Firm, code_of, has, id_of},
    world::{Phone, fields},
};

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
    let (firm, mut li, wang, customer) = Firm::with_customer();
    let boss = firm.person("Zhao", "administrator");
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

/// Who approves what is their own decides about that, and about nothing else.
#[test]
fn who_approves_their_own_decides_about_what_stands_with_them() {
    let (firm, mut li, wang, customer) = Firm::with_customer();
    let chen = firm.person("Chen", "sales_rep");
    firm.decide(|rules| {
        let rule = json!({ "entities": ["customer"], "operations": ["approve"], "level": "own" });
        let role = rules.roles.get_mut("sales_rep").unwrap();
        role.rules.push(serde_json::from_value(rule).unwrap());
    });
    li.replica.update(customer, &fields(json!({ "short_name": "Late" }))).unwrap();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    let late = firm.open_reviews().remove(0);
    let of_others = firm.decide_on(&chen, late.id, Decision::Grant).unwrap_err();
    assert!(of_others.contains("not_permitted"), "{of_others}");
    firm.decide_on(&wang, late.id, Decision::Grant).unwrap();
    assert_eq!(firm.world.values(customer, "short_name"), ["Late"]);
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

/// Only the first edit of a text that was refused was kept; the office saw the beginning of it.
#[test]
fn a_text_that_is_refused_is_kept_and_asked_for_whole() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let boss = firm.person("Zhao", "administrator");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    for notes in ["One.", "One. Two.", "One. Two. Three."] {
        li.replica.update(customer, &fields(json!({ "notes": notes }))).unwrap();
    }
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    assert_eq!(li.replica.inbox(10).unwrap().len(), 1, "one text, one entry");
    let open = firm.open_reviews();
    assert_eq!(open.len(), 3);
    let early = firm.decide_on(&boss, open[2].id, Decision::Grant).unwrap_err();
    assert!(early.contains("not entered"), "{early}");
    for one in &open {
        firm.decide_on(&boss, one.id, Decision::Grant).unwrap();
    }
    assert_eq!(firm.get(customer)["notes"], "One. Two. Three.");

    // What was never allowed is opened by asking, all of it.
    let other = firm.customer("Other", &li);
    firm.sync(&mut li);
    firm.sync(&mut li);
    firm.set_user(&li, json!({ "role": "marketing" }));
    firm.set(other, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    for notes in ["Four.", "Four. Five."] {
        li.replica
            .transaction(|writer| {
                writer.insist();
                writer.update(other, &fields(json!({ "notes": notes })))
            })
            .unwrap();
    }
    firm.sync(&mut li);
    assert!(firm.open_reviews().is_empty());
    let refusal = li.replica.inbox(10).unwrap().pop().unwrap().id;
    li.replica.ask_approval(refusal, "").unwrap();
    firm.sync(&mut li);
    assert_eq!(firm.open_reviews().len(), 2);
}

#[test]
fn the_history_names_who_wrote_and_who_granted_and_believes_no_message() {
    let firm = Firm::open();
    let (mut li, wang) = (firm.person("Li", "sales_rep"), firm.person("Wang", "sales_rep"));
    let boss = firm.person("Zhao", "administrator");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    li.replica.update(customer, &fields(json!({ "short_name": "Late" }))).unwrap();
    firm.set(customer, json!({ "owner_id": id_of(&wang).to_string() }));
    firm.sync(&mut li);
    let late = firm.open_reviews().remove(0);
    firm.decide_on(&boss, late.id, Decision::Grant).unwrap();
    let by = |record: RecordId, field: &str| {
        let read = firm.world.storage.read().unwrap();
        let query = office::HistoryQuery { field: Some(field.to_owned()), ..Default::default() };
        let entries = office::history(&*read, record, &query).unwrap().entries;
        let by = entries.into_iter().map(|one| (one.user, one.approved_by));
        by.collect::<Vec<_>>()
    };
    let granted = ("Li".to_owned(), Some("Zhao".to_owned()));
    assert_eq!(by(customer, "short_name"), [granted]);

    // Handed in and entered as it was written.
    let second = li.replica.create("customer", &fields(json!({ "company_name": "New" }))).unwrap();
    standing::revoke(&firm.world.storage, li.device.id, firm.world.now()).unwrap();
    let batch = li.replica.next_push(0).unwrap().unwrap();
    review::keep(&firm.world.storage, &li.device, &batch.request, firm.world.now()).unwrap();
    let handed_in = firm.open_reviews().remove(0);
    firm.decide_on(&boss, handed_in.id, Decision::Grant).unwrap();
    assert_eq!(by(second, "company_name"), [("Li".to_owned(), Some("Zhao".to_owned()))]);

    // A change whose message says that it was granted, by somebody who granted nothing.
    let forged = firm.forge(&wang, customer, ("short_name", "Forged"), late.hash);
    assert!(forged, "it is an edit like others");
    assert_eq!(by(customer, "short_name")[0], ("Wang".to_owned(), None));
}

/// The second edit of a text was confirmed before the first one, in the order of their hashes.
#[test]
fn edits_of_a_text_that_had_arrived_before_are_confirmed_in_their_order() {
    let firm = Firm::open();
    let mut li = firm.person("Li", "sales_rep");
    let customer = firm.customer("Acme", &li);
    firm.sync(&mut li);
    for n in 0..12 {
        li.replica.update(customer, &fields(json!({ "notes": "x".repeat(n + 1) }))).unwrap();
    }
    let batch = li.replica.next_push(0).unwrap().unwrap();
    let policy = firm.world.policy();
    let (storage, now_ms) = (&firm.world.storage, firm.world.now());
    accept::push(storage, &policy, &li.device, &batch.request, now_ms).unwrap();
    // The answer was lost; then the device is turned away.
    standing::revoke(storage, li.device.id, now_ms).unwrap();
    let answers = review::keep(storage, &li.device, &batch.request, now_ms).unwrap().answers;
    assert_eq!(li.replica.take_reviewed(&answers).unwrap(), 0, "all had arrived");
    assert!(li.replica.next_push(0).unwrap().is_none());
    assert_eq!(li.get(customer)["notes"], "x".repeat(12));
}

/// A record was handed in and declined; the text that was typed into it later stood there alone, also of somebody
/// who may write everywhere.
#[test]
fn a_text_of_a_declined_record_does_not_stand_without_it() {
    for role in ["sales_rep", "administrator"] {
        let (firm, li, customer) = text_after_a_decision(role, Decision::Decline);
        let notes = DocumentId { record: customer, part: "notes".parse().unwrap() };
        assert!(firm.world.storage.read().unwrap().document(&notes).unwrap().is_none(), "{role}");
        assert_eq!(li.replica.inbox(10).unwrap().len(), 2, "both are told");
        assert_eq!(li.replica.outbox(10).unwrap().len(), 0);
    }
}

#[test]
fn a_text_of_a_record_that_was_handed_in_and_entered_is_taken() {
    let (firm, li, customer) = text_after_a_decision("sales_rep", Decision::Grant);
    assert_eq!(firm.get(customer)["notes"], "Later");
    assert_eq!(li.replica.inbox(10).unwrap().len(), 0);
    assert_eq!(li.replica.outbox(10).unwrap().len(), 0);
}

/// A record that its author handed in while they were turned away, and of which they typed a text later.
fn text_after_a_decision(role: &str, decision: Decision) -> (Firm, Phone, RecordId) {
    let firm = Firm::open();
    let mut li = firm.person("Li", role);
    let boss = firm.person("Zhao", "administrator");
    firm.sync(&mut li);
    let customer =
        li.replica.create("customer", &fields(json!({ "company_name": "New" }))).unwrap();
    let storage = &firm.world.storage;
    standing::set_user_disabled(storage, "Li", true, firm.world.now()).unwrap();
    let batch = li.replica.next_push(0).unwrap().unwrap();
    review::keep(storage, &li.device, &batch.request, firm.world.now()).unwrap();
    // The answer is lost, so the record is still there to be written in.
    li.replica.update(customer, &fields(json!({ "notes": "Later" }))).unwrap();
    let waiting = firm.open_reviews().remove(0);
    firm.decide_on(&boss, waiting.id, decision).unwrap();
    standing::set_user_disabled(storage, "Li", false, firm.world.now()).unwrap();
    firm.sync(&mut li);
    (firm, li, customer)
}
