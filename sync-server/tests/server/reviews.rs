//! What a device sends that was turned away: kept, decided on, never in a record before.

use outrider_core::{
    access::{Grant, Policy},
    ids::DeviceId,
    sync::{
        codec,
        frame::{Outcome, PushRequest, PushResponse},
    },
};
use outrider_sync_server::{
    devices::{
        review::{REVIEWS_MAX, Waiting},
        standing::{revoke, set_user_disabled},
    },
    office::{self, Decision},
    storage::{Storage as _, access::ReviewState},
};
use serde_json::{Map, Value, json};

use crate::{
    browser::Browser,
    devices::{enrolled, refused},
    requests::signed,
    tokens::Phone,
    world::{Answer, NOW, Office},
};

fn customer(name: &str) -> Map<String, Value> {
    json!({ "company_name": name }).as_object().unwrap().clone()
}

fn outcomes(answer: &Answer) -> PushResponse {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    codec::unpack(&answer.body, 1 << 20).unwrap()
}

fn in_review() -> Outcome {
    Outcome::Refused("in_review".to_owned(), Vec::new())
}

#[test]
fn what_waits_on_a_device_that_was_turned_away_is_decided_at_the_office() {
    let office = Office::open(&[]);
    let mut phone = Phone::enrolled(&office, 1);
    let old = phone.replica().create("customer", &customer("Old")).unwrap();
    phone.sync(&office);
    let (acme, brown) = {
        let replica = phone.replica();
        let acme = replica.create("customer", &customer("Acme")).unwrap();
        (acme, replica.create("customer", &customer("Brown")).unwrap())
    };
    let device = phone.replica().enrolment().unwrap().unwrap().device;
    revoke(office.storage.as_ref(), device, NOW).unwrap();
    let batch = phone.replica().next_push(0).unwrap().unwrap();
    let body = codec::pack(&batch.request).unwrap();
    let pushed = phone.post_message(&office, "/v1/push", &body);
    assert_eq!(pushed.error(), refused(403, "device_revoked"));
    let before = office.position();
    let unsealed = phone.post_message(&office, "/v1/review", &body);
    assert_eq!(unsealed.error(), refused(400, "message_malformed"));
    let key = phone.seal_key(&office);
    let seal = |phone: &mut Phone, batch: &_| {
        codec::pack(&phone.replica().seal_for_review(batch, &key).unwrap()).unwrap()
    };
    let body = seal(&mut phone, &batch);
    assert_ne!(seal(&mut phone, &batch), body, "each is sealed anew");
    let kept = outcomes(&phone.post_message(&office, "/v1/review", &body));
    assert_eq!(kept.answers.len(), 2);
    assert!(kept.answers.iter().all(|answer| answer.outcome == in_review()), "{kept:?}");
    assert_eq!(outcomes(&phone.post_message(&office, "/v1/review", &body)), kept, "sent again");
    assert_eq!(office.position(), before, "nothing of it is in a record");
    assert_eq!(office.audit("review_kept").len(), 2, "one line for each");
    let waiting = office.storage.read().unwrap().waiting_of(device).unwrap();
    assert_eq!(waiting.count, 2);

    // The device keeps the values where its user sees them, and sends them no more.
    assert_eq!(phone.replica().take_reviewed(&kept.answers).unwrap(), 2);
    assert!(phone.replica().next_push(0).unwrap().is_none());
    let inbox = phone.replica().inbox(10).unwrap();
    assert_eq!(inbox.len(), 2);
    assert!(inbox.iter().all(|one| one.code == "in_review"));
    assert_eq!(phone.replica().take_reviewed(&kept.answers).unwrap(), 0);
    // Only now the records go.
    assert!(phone.replica().get(old).unwrap().is_some());
    assert!(phone.replica().let_go().unwrap() >= 1);
    assert!(phone.replica().get(old).unwrap().is_none());
    assert_eq!(phone.replica().inbox(10).unwrap().len(), 2, "what was typed is still told");

    let open = office::open_reviews(office.storage.as_ref(), &Grant::open(), 10).unwrap();
    assert_eq!(open.len(), 2);
    assert!(open.iter().all(|review| review.reason == "ended" && review.device == device));
    let mut browser = Browser::signed_in(&office);
    let page = browser.get("/reviews").text;
    assert!(page.contains("Acme") && page.contains("Brown"), "{page}");
    let number = |record| open.iter().find(|one| one.document.record == record).unwrap().id;
    let granted = browser.post(&format!("/reviews/{}", number(acme)), &[("decision", "grant")]);
    assert_eq!(granted.location(), "/reviews");
    let storage = office.storage.as_ref();
    let boss = office::author_for(storage, "Zhao", None, NOW).unwrap();
    let policy = Policy::open();
    office::decide(storage, &policy, &boss, number(brown), Decision::Decline, "", NOW).unwrap();
    let (_, tokens) = enrolled(&office, 2);
    let seen = office.get(&format!("/v1/records/{acme}"), &tokens.token).json();
    assert_eq!(seen["title"], "Acme");
    assert_eq!(office.get(&format!("/v1/records/{brown}"), &tokens.token).status, 404);
    let read = office.storage.read().unwrap();
    assert!(read.reviews(ReviewState::Open, 0, 10).unwrap().is_empty());
    assert_eq!(read.waiting_of(device).unwrap(), Waiting::default(), "there is room again");
}

#[test]
fn a_device_hands_in_what_it_wrote_itself_and_nothing_else() {
    let office = Office::open(&[]);
    let mut phone = Phone::enrolled(&office, 1);
    phone.replica().create("customer", &customer("Acme")).unwrap();
    let own = phone.replica().next_push(0).unwrap().unwrap().request;
    let (thief, tokens): (DeviceId, _) = enrolled(&office, 2);
    revoke(office.storage.as_ref(), thief, NOW).unwrap();
    let hand_in = |request: &PushRequest| {
        let key = office.key().seal_key().checked(&office.key().public_key()).unwrap();
        let sealed = key.seal(thief, &codec::pack(request).unwrap()).unwrap();
        let body = codec::pack(&sealed).unwrap();
        office.post("/v1/review", &tokens.token, "application/vnd.outrider.v1", &body)
    };
    assert_eq!(hand_in(&own).error(), refused(403, "other_device"));
    let mut altered = signed(thief, Vec::new());
    altered.groups = own.groups.clone();
    assert_eq!(hand_in(&altered).error(), refused(403, "signature"));
    let answers = outcomes(&hand_in(&signed(thief, own.groups.clone()))).answers;
    assert_eq!(answers[0].outcome, Outcome::Refused("foreign_actor".to_owned(), Vec::new()));
    let mut broken = own.groups.clone();
    broken[0].changes[0].bytes.truncate(20);
    let answers = outcomes(&hand_in(&signed(thief, broken))).answers;
    assert!(matches!(answers[0].outcome, Outcome::Refused(..)), "{answers:?}");
    let mut strange = own.groups;
    strange[0].changes[0].part = "nothing".parse().unwrap();
    let answers = outcomes(&hand_in(&signed(thief, strange))).answers;
    assert_eq!(answers[0].outcome, Outcome::Refused("unknown_part".to_owned(), Vec::new()));
    assert!(office.audit("review_kept").is_empty());
}

#[test]
fn a_device_hands_in_so_much_and_no_more_until_somebody_decides() {
    let office = Office::open(&[]);
    let mut phone = Phone::enrolled(&office, 1);
    phone.replica().create("customer", &customer("Acme")).unwrap();
    set_user_disabled(office.storage.as_ref(), "Wang Wei", true, NOW).unwrap();
    let body = phone.sealed(&office);
    assert_eq!(
        outcomes(&phone.post_message(&office, "/v1/review", &body)).answers[0].outcome,
        in_review()
    );
    // As if it had handed in as many as it may.
    let kept = office.storage.read().unwrap().reviews(ReviewState::Open, 0, 1).unwrap().remove(0);
    let mut write = office.storage.write().unwrap();
    for n in 1..REVIEWS_MAX {
        let mut review = kept.clone();
        review.hash.0[..8].copy_from_slice(&n.to_be_bytes());
        write.add_review(&review).unwrap();
    }
    write.commit().unwrap();
    phone.replica().create("customer", &customer("Brown")).unwrap();
    let body = phone.sealed(&office);
    let answers = outcomes(&phone.post_message(&office, "/v1/review", &body)).answers;
    assert_eq!(answers[0].outcome, in_review(), "what is kept is kept");
    assert!(matches!(answers[1].outcome, Outcome::Retry(_)), "{answers:?}");
    assert_eq!(phone.replica().take_reviewed(&answers).unwrap(), 1, "the other one stays");
    assert_eq!(phone.replica().outbox(10).unwrap().len(), 1);
}
