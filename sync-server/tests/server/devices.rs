//! Devices after their enrolment: approval, signed requests, tokens, revocation, wiping.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use outrider_core::{
    ids::{DeviceId, to_hex},
    replica::{Options, Replica},
    store::Durability,
    sync::{
        key::DeviceKey,
        proof::{Asked, PROOF_WINDOW_MS, Proof},
        sign::fingerprint,
        tokens::{EnrolAnswer, EnrolStatus, Grant, Tokens},
    },
    time::{Clock, ManualClock},
};
use outrider_sync_server::{
    devices::standing::{approve, decline, order_wipe, revoke, set_user_disabled},
    enrol::{Approval, create_code_with},
    storage::Storage as _,
};
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};

use crate::world::{Answer, NOW, Office, public_key};

const JSON: &str = "application/json";
/// A quarter of an hour, as the settings have it.
const TOKEN_MS: i64 = 15 * 60_000;

fn nonce(n: u8) -> String {
    to_hex(&[n; 16])
}

/// What an answer to enrolment says, and what it brings.
fn granted(answer: &Answer) -> (EnrolAnswer, Grant) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let read: EnrolAnswer = serde_json::from_slice(&answer.body).unwrap();
    let grant = read.grant.clone().expect("an active device");
    (read, grant)
}

fn tokens(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

/// A device that was let in at once.
fn enrolled(office: &Office, random: u128) -> (DeviceId, Tokens) {
    let (answer, grant) = granted(&office.enrol(&office.code(random)));
    (answer.device, grant.tokens)
}

fn exchange(office: &Office, device: DeviceId, refresh_token: &str, n: u8) -> Answer {
    let body = json!({ "device": device, "refresh_token": refresh_token, "nonce": nonce(n) });
    office.post("/v1/token", "", JSON, body.to_string().as_bytes())
}

fn claim(office: &Office, device: DeviceId, n: u8) -> Answer {
    let body = json!({ "device": device, "nonce": nonce(n) });
    office.post("/v1/enroll/status", "", JSON, body.to_string().as_bytes())
}

fn status(office: &Office, token: &str) -> (u16, String) {
    let answer = office.get("/v1/status", token);
    if answer.status == 200 { (200, String::new()) } else { answer.error() }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A code that lets nobody in without the office.
fn careful_code(office: &Office, random: u128) -> String {
    let whose = ("Wang Wei", Approval::ByOffice);
    create_code_with(office.storage.as_ref(), whose, 10, random, NOW).unwrap().0
}

#[test]
fn a_device_waits_until_the_office_approves_it() {
    let office = Office::open(&[]);
    let code = careful_code(&office, 42);
    let first = office.enrol(&code);
    let answer: EnrolAnswer = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((answer.status, &answer.grant), (EnrolStatus::Pending, &None));
    assert_eq!(Some(answer.fingerprint.clone()), fingerprint(&public_key()));
    assert_eq!(office.devices(), 0, "it is no device yet");
    let again: EnrolAnswer = serde_json::from_slice(&office.enrol(&code).body).unwrap();
    assert_eq!(again.device, answer.device, "a lost answer is given again");
    let waits: EnrolAnswer =
        serde_json::from_slice(&claim(&office, answer.device, 1).body).unwrap();
    assert_eq!(waits.status, EnrolStatus::Pending);

    approve(office.storage.as_ref(), answer.device, NOW).unwrap();
    let (active, grant) = granted(&claim(&office, answer.device, 1));
    assert_eq!((active.device, active.user.as_str()), (answer.device, "Wang Wei"));
    let key = DeviceKey::public_key(&crate::world::signing_key());
    let certificate = grant.certificate.checked(answer.device, &key).expect("signed by the server");
    assert_eq!((certificate.prefix, certificate.issued_at), (grant.prefix, NOW));
    assert_eq!(granted(&claim(&office, answer.device, 1)).1.tokens, grant.tokens, "lost again");
    assert_eq!(status(&office, &grant.tokens.token).0, 200);
    assert_eq!(claim(&office, answer.device, 1).error(), refused(409, "tokens_claimed"));
    assert_eq!(office.audit("enrolled").len(), 1);
}

#[test]
fn the_office_may_say_no() {
    let office = Office::open(&[]);
    let code = careful_code(&office, 42);
    let answer: EnrolAnswer = serde_json::from_slice(&office.enrol(&code).body).unwrap();
    decline(office.storage.as_ref(), answer.device, NOW).unwrap();
    assert_eq!(claim(&office, answer.device, 1).error(), refused(403, "enrolment_declined"));
    assert!(approve(office.storage.as_ref(), answer.device, NOW).is_err());
    assert_eq!(office.enrol(&code).error(), refused(403, "code_unknown"));
    assert_eq!(office.devices(), 0);
}

#[test]
fn an_enrolment_whose_answer_was_lost_is_answered_again_until_it_is_used() {
    let office = Office::open(&[]);
    let code = office.code(7);
    let (first, grant) = granted(&office.enrol(&code));
    let (again, same) = granted(&office.enrol(&code));
    assert_eq!((first.device, &grant.tokens), (again.device, &same.tokens));
    assert_eq!(status(&office, &grant.tokens.token).0, 200);
    assert_eq!(office.enrol(&code).error(), refused(403, "code_unknown"));
    assert_eq!(office.devices(), 1);
}

/// Enrols with a key of its own in the body, but signed by the key of all others.
fn enrol_with_foreign_key(office: &Office, code: &str) -> Answer {
    let other = SigningKey::from_slice(&[9; 32]).unwrap();
    let key = to_hex(&DeviceKey::public_key(&other));
    let body = json!({ "code": code, "device_name": "x", "public_key": key, "protocol": 1 });
    office.post("/v1/enroll", "", JSON, body.to_string().as_bytes())
}

#[test]
fn a_code_shown_five_times_without_the_key_is_gone() {
    let office = Office::open(&["--enrolment-tries", "100", "--enrolments-per-minute", "100"]);
    let (code, other) = (office.code(7), office.code(8));
    for n in 0..5 {
        let answer = enrol_with_foreign_key(&office, &code);
        assert_eq!(answer.error(), refused(401, "proof_signature"), "{n}");
    }
    assert_eq!(office.enrol(&code).error(), refused(403, "code_unknown"));
    for _ in 0..4 {
        enrol_with_foreign_key(&office, &other);
    }
    assert_eq!(office.enrol(&other).status, 200, "four are not five");
}

#[test]
fn an_address_that_failed_five_times_waits() {
    let office = Office::open(&["--enrolments-per-minute", "100"]);
    let code = office.code(7);
    for _ in 0..5 {
        assert_eq!(office.enrol("guess").error(), refused(403, "code_unknown"));
    }
    let answer = office.enrol(&code);
    assert_eq!(answer.error(), refused(429, "too_many_requests"));
    assert_eq!(answer.retry_after, "600");
    office.clock.advance(9 * 60_000);
    assert_eq!(office.enrol(&code).status, 429);
    office.clock.advance(60_000);
    assert_eq!(office.enrol(&code).status, 200, "the code was not tried");
}

/// Asks for the status with a proof of its own.
fn ask_with(office: &Office, token: &str, proof: &str) -> Answer {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{}/v1/status", office.address);
    let mut request = agent.get(url).header("authorization", format!("Bearer {token}"));
    if !proof.is_empty() {
        request = request.header("outrider-proof", proof);
    }
    let mut response = request.call().unwrap();
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Answer {
        status: response.status().as_u16(),
        content_type: header("content-type"),
        request_id: header("x-request-id"),
        // Where these tests look for the server's time.
        retry_after: header("outrider-time"),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

#[test]
fn requests_that_are_replayed_altered_late_or_anothers_are_refused() {
    let office = Office::open(&[]);
    let (_, anna) = enrolled(&office, 1);
    let (_, ben) = enrolled(&office, 2);
    let anna = anna.token.as_str();
    let asked = Asked { method: "GET", path: "/v1/status", token: anna };
    let key = crate::world::signing_key();
    let prove = |key: &SigningKey, asked: &Asked<'_>, body: &[u8], time_ms: i64, n: u8| {
        Proof::new(key, asked, body, time_ms, [n; 16]).unwrap()
    };
    let good = prove(&key, &asked, b"", NOW, 1);
    assert_eq!(ask_with(&office, anna, &good.to_string()).status, 200);
    let error = |token: &str, proof: &Proof| ask_with(&office, token, &proof.to_string()).error();
    assert_eq!(error(anna, &good), refused(401, "proof_replayed"));
    assert_eq!(ask_with(&office, anna, "").error(), refused(401, "proof_missing"));
    assert_eq!(ask_with(&office, anna, "nonsense").error(), refused(401, "proof_malformed"));

    let signature = refused(401, "proof_signature");
    let other_path = Asked { path: "/v1/device", ..asked };
    assert_eq!(error(anna, &prove(&key, &other_path, b"", NOW, 2)), signature);
    let other_method = Asked { method: "POST", ..asked };
    assert_eq!(error(anna, &prove(&key, &other_method, b"", NOW, 3)), signature);
    let stranger = SigningKey::from_slice(&[9; 32]).unwrap();
    assert_eq!(error(anna, &prove(&stranger, &asked, b"", NOW, 4)), signature, "wrong key");
    let others = prove(&key, &asked, b"", NOW, 5);
    assert_eq!(error(&ben.token, &others), signature, "shown with another device's token");
    let mut later = prove(&key, &asked, b"", NOW, 6);
    later.time_ms += 1;
    assert_eq!(error(anna, &later), signature, "altered");

    office.clock.advance(10 * PROOF_WINDOW_MS / 6);
    let now_ms = office.clock.now_ms();
    for (n, time_ms, is_good) in [
        (7, now_ms - PROOF_WINDOW_MS, true),
        (8, now_ms - PROOF_WINDOW_MS - 1, false),
        (9, now_ms + PROOF_WINDOW_MS, true),
        (10, now_ms + PROOF_WINDOW_MS + 1, false),
    ] {
        let answer = ask_with(&office, anna, &prove(&key, &asked, b"", time_ms, n).to_string());
        if is_good {
            assert_eq!(answer.status, 200, "{n}");
        } else {
            assert_eq!(answer.error(), refused(401, "proof_time"), "{n}");
            assert_eq!(answer.retry_after, now_ms.to_string(), "it learns the time");
        }
    }
    // Refused ones took no nonce.
    assert_eq!(error(anna, &prove(&key, &asked, b"", now_ms, 8)).0, 200);
}

#[test]
fn a_body_must_be_the_one_that_was_signed() {
    let office = Office::open(&[]);
    let (_, tokens) = enrolled(&office, 1);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let proof = office.proof(("POST", "/v1/push"), &tokens.token, b"signed");
    let mut response = agent
        .post(format!("http://{}/v1/push", office.address))
        .header("authorization", format!("Bearer {}", tokens.token))
        .header("content-type", "application/vnd.outrider.v1")
        .header("outrider-proof", proof)
        .send(b"other".as_slice())
        .unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((response.status().as_u16(), &body["error"]["code"]), (401, &json!("proof_body")));
}

#[test]
fn tokens_are_exchanged_and_a_lost_answer_is_given_again() {
    let office = Office::open(&[]);
    let (device, first) = enrolled(&office, 1);
    assert_eq!(first.token_expires_at, NOW + TOKEN_MS);
    assert_eq!(status(&office, &first.token).0, 200);
    office.clock.advance(TOKEN_MS);
    assert_eq!(status(&office, &first.token).0, 200, "to the last moment");
    office.clock.advance(1);
    assert_eq!(status(&office, &first.token), refused(401, "token_expired"));

    let second = tokens(&exchange(&office, device, &first.refresh_token, 1));
    assert_ne!(second, first);
    // Lost, and asked for again much later with the same nonce.
    office.clock.advance(3 * 60 * 60_000);
    let again = tokens(&exchange(&office, device, &first.refresh_token, 1));
    assert_eq!(again, second);
    // By now its token has expired too: the next exchange begins from it.
    let third = tokens(&exchange(&office, device, &second.refresh_token, 2));
    assert_eq!(status(&office, &third.token).0, 200);
    let fourth = tokens(&exchange(&office, device, &third.refresh_token, 3));
    assert_eq!(status(&office, &third.token).0, 200, "the one before is good until its end");
    assert_eq!(status(&office, &fourth.token).0, 200);
    assert!(office.audit("suspended").is_empty());
}

#[test]
fn with_another_nonce_the_answer_is_given_again_for_a_minute() {
    let office = Office::open(&[]);
    for (random, wait, expected) in [(1, 60_000, 200), (2, 60_001, 403)] {
        let (device, first) = enrolled(&office, random);
        let second = tokens(&exchange(&office, device, &first.refresh_token, 1));
        office.clock.advance(wait);
        let again = exchange(&office, device, &first.refresh_token, 9);
        assert_eq!(again.status, expected, "after {wait} ms");
        if expected == 200 {
            assert_eq!(tokens(&again), second);
        }
    }
}

#[test]
fn a_token_used_twice_suspends_the_device_until_it_is_approved_again() {
    let office = Office::open(&[]);
    let (device, first) = enrolled(&office, 1);
    let second = tokens(&exchange(&office, device, &first.refresh_token, 1));
    // The successor arrived: whoever shows the old one now is a copy.
    assert_eq!(status(&office, &second.token).0, 200);
    let copy = exchange(&office, device, &first.refresh_token, 1);
    assert_eq!(copy.error(), refused(403, "token_reused"));
    assert_eq!(status(&office, &second.token), refused(403, "device_suspended"));
    let next = exchange(&office, device, &second.refresh_token, 2);
    assert_eq!(next.error(), refused(403, "device_suspended"));
    assert_eq!(office.audit("suspended"), [(Some(device.to_string()), "token_reused".to_owned())]);
    let waits: EnrolAnswer = serde_json::from_slice(&claim(&office, device, 3).body).unwrap();
    assert_eq!(waits.status, EnrolStatus::Pending);

    approve(office.storage.as_ref(), device, NOW).unwrap();
    let unclaimed = exchange(&office, device, &second.refresh_token, 2);
    assert_eq!(unclaimed.error(), refused(403, "tokens_unclaimed"));
    let (_, grant) = granted(&claim(&office, device, 3));
    assert_eq!(status(&office, &grant.tokens.token).0, 200);
    assert_eq!(status(&office, &second.token), refused(401, "unauthorised"));
    // The copy is found again.
    let copy = exchange(&office, device, &second.refresh_token, 2);
    assert_eq!(copy.error(), refused(403, "token_reused"));
}

#[test]
fn tokens_end_unused_and_in_the_end() {
    let day = 24 * 60 * 60_000;
    let office = Office::open(&[]);
    let (idle, first) = enrolled(&office, 1);
    let (busy, mut last) = enrolled(&office, 2);
    for n in 0..3 {
        office.clock.advance(30 * day);
        last = tokens(&exchange(&office, busy, &last.refresh_token, n));
    }
    let ended = refused(403, "token_ended");
    office.clock.advance(1);
    assert_eq!(exchange(&office, busy, &last.refresh_token, 9).error(), ended, "after 90 days");
    assert_eq!(exchange(&office, idle, &first.refresh_token, 1).error(), ended);
    let suspended = office.audit("suspended").into_iter().map(|(_, code)| code);
    assert_eq!(suspended.collect::<Vec<_>>(), ["token_expired", "token_idle"]);
}

#[test]
fn a_token_of_another_device_or_made_up_is_not_known() {
    let office = Office::open(&[]);
    let (anna, hers) = enrolled(&office, 1);
    let (ben, _) = enrolled(&office, 2);
    let unknown = refused(401, "unauthorised");
    assert_eq!(exchange(&office, ben, &hers.refresh_token, 1).error(), unknown);
    let mut forged = hers.refresh_token.clone();
    forged.replace_range(23..24, "7");
    assert_ne!(forged, hers.refresh_token);
    for text in [forged.as_str(), "", "zz", &"ab".repeat(32), &"ab".repeat(44)] {
        assert_eq!(exchange(&office, anna, text, 1).error(), unknown, "{text}");
    }
    assert_eq!(exchange(&office, anna, &hers.refresh_token, 1).status, 200, "nobody was hurt");
}

#[test]
fn a_server_restored_from_a_backup_goes_on_with_later_tokens() {
    let office = Office::open(&[]);
    let (device, first) = enrolled(&office, 1);
    let backup = office.storage.read().unwrap().tokens(device).unwrap().unwrap();
    let mut last = first;
    for n in 1..5 {
        last = tokens(&exchange(&office, device, &last.refresh_token, n));
    }
    let mut write = office.storage.write().unwrap();
    write.put_tokens(&backup).unwrap();
    write.commit().unwrap();
    assert_eq!(status(&office, &last.token), refused(401, "unauthorised"));
    let next = tokens(&exchange(&office, device, &last.refresh_token, 9));
    assert_eq!(status(&office, &next.token).0, 200);
    assert_eq!(office.audit("tokens_recovered").len(), 1);
}

#[test]
fn a_device_of_an_older_server_goes_on_until_it_has_exchanged_its_token() {
    let office = Office::open(&[]);
    let (device, _) = enrolled(&office, 1);
    // As an older server left it: an endless token, and no others.
    let endless = [5; 32];
    let mut write = office.storage.write().unwrap();
    let hash = outrider_sync_server::auth::hash_token(&endless);
    write.set_token_hash(device, &hash).unwrap();
    write.commit().unwrap();
    let file = office.data().join(outrider_sync_server::storage::sqlite::DATABASE_FILE);
    rusqlite::Connection::open(file).unwrap().execute("DELETE FROM device_token", []).unwrap();
    let token = to_hex(&endless);
    assert_eq!(ask_with(&office, &token, "").status, 200, "without a proof, as it always did");
    let next = tokens(&exchange(&office, device, &token, 1));
    assert_eq!(ask_with(&office, &token, "").status, 200, "the answer may have been lost");
    assert_eq!(tokens(&exchange(&office, device, &token, 1)).token.len(), 64);
    let next = if status(&office, &next.token).0 == 200 { next } else { panic!("lost") };
    assert_eq!(ask_with(&office, &token, "").error(), refused(401, "unauthorised"));
    assert_eq!(exchange(&office, device, &token, 1).error(), refused(401, "unauthorised"));
    assert_eq!(exchange(&office, device, &next.refresh_token, 2).status, 200);
}

#[test]
fn a_device_that_is_turned_away_gets_nothing_more_and_is_still_heard() {
    let office = Office::open(&[]);
    let (anna, hers) = enrolled(&office, 1);
    let (_, his) = enrolled(&office, 2);
    let mut channel = crate::live::listen(&office, &hers.token);
    assert!(channel.position().is_some());
    let mut others = crate::live::listen(&office, &his.token);
    assert!(others.position().is_some());
    let begun = Instant::now();
    revoke(office.storage.as_ref(), anna, NOW).unwrap();
    let out = refused(403, "device_revoked");
    assert_eq!(status(&office, &hers.token), out);
    while channel.position().is_some() {}
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    office.customer("Acme", "110");
    assert!(others.position().is_some(), "others listen on");

    for path in ["/v1/push", "/v1/pull", "/v1/check", "/v1/fetch"] {
        let answer = office.post(path, &hers.token, "application/vnd.outrider.v1", b"");
        assert_eq!(answer.error(), out, "{path}");
    }
    assert_eq!(exchange(&office, anna, &hers.refresh_token, 1).error(), out);
    assert_eq!(claim(&office, anna, 1).error(), out);
    // It may ask what became of it, also with a token that has ended.
    office.clock.advance(2 * TOKEN_MS);
    let asked = office.get("/v1/device", &hers.token).json();
    assert_eq!((&asked["standing"], &asked["wipe"]), (&json!("device_revoked"), &Value::Null));
    assert_eq!(status(&office, &his.token), refused(401, "token_expired"));
}

#[test]
fn users_are_turned_away_with_all_devices_and_come_back() {
    let office = Office::open(&[]);
    let (_, one) = enrolled(&office, 1);
    let (_, other) = enrolled(&office, 2);
    set_user_disabled(office.storage.as_ref(), "Wang Wei", true, NOW).unwrap();
    for tokens in [&one, &other] {
        assert_eq!(status(&office, &tokens.token), refused(403, "user_disabled"));
    }
    assert_eq!(office.storage.read().unwrap().barred().unwrap().len(), 2);
    set_user_disabled(office.storage.as_ref(), "Wang Wei", false, NOW).unwrap();
    assert_eq!(status(&office, &one.token).0, 200);
}

#[test]
fn a_device_to_be_wiped_sends_what_waits_and_confirms_with_its_receipt() {
    let office = Office::open(&[]);
    let (device, tokens) = enrolled(&office, 1);
    order_wipe(office.storage.as_ref(), device, NOW).unwrap();
    assert_eq!(status(&office, &tokens.token), refused(403, "wipe_ordered"));
    // It gets as far as the handler, which finds no message.
    let pushed = office.post("/v1/push", &tokens.token, "application/vnd.outrider.v1", b"");
    assert_eq!(pushed.error(), refused(400, "message_malformed"));
    let asked = office.get("/v1/device", &tokens.token).json();
    assert_eq!(asked["standing"], "wipe_ordered");
    let receipt = asked["wipe"]["receipt"].as_str().unwrap();
    let confirm = |device: DeviceId, receipt: &str| {
        let body = json!({ "device": device, "receipt": receipt }).to_string();
        office.post("/v1/wiped", "", JSON, body.as_bytes())
    };
    assert_eq!(confirm(device, &"ab".repeat(32)).error(), refused(403, "no_wipe"));
    let (other, _) = enrolled(&office, 2);
    assert_eq!(confirm(other, receipt).error(), refused(403, "no_wipe"));
    assert_eq!(confirm(device, receipt).status, 200);
    assert_eq!(confirm(device, receipt).status, 200, "a lost answer is given again");
    assert_eq!(office.audit("wiped").len(), 1);
    let standing = office.storage.read().unwrap().standing(device).unwrap().unwrap();
    assert_eq!((standing.wipe_ordered_at, standing.wiped_at), (NOW, NOW));
    assert_eq!(status(&office, &tokens.token), refused(403, "device_revoked"));
}

#[test]
fn every_answer_says_the_time_and_the_lease() {
    let office = Office::open(&["--lease-ms", "12345"]);
    let (_, tokens) = enrolled(&office, 1);
    let proof = office.proof(("GET", "/v1/status"), &tokens.token, b"");
    let response = ureq::get(format!("http://{}/v1/status", office.address))
        .header("authorization", format!("Bearer {}", tokens.token))
        .header("outrider-proof", proof)
        .call()
        .unwrap();
    assert_eq!(response.headers()["outrider-lease"], "12345");
    assert_eq!(response.headers()["outrider-time"], NOW.to_string());
}

/// A replica that talks to an office, and may die at any moment.
struct Phone {
    folder: tempfile::TempDir,
    replica: Option<Replica>,
    clock: Arc<ManualClock>,
}

impl Phone {
    fn enrolled(office: &Office, random: u128) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(office.clock.now_ms()));
        let mut phone = Self { folder, replica: None, clock };
        phone.restart();
        let replica = phone.replica();
        let body = json!({
            "code": office.code(random), "device_name": "Phone", "protocol": 1,
            "public_key": to_hex(&replica.public_key()), "nonce": replica.exchange_nonce().unwrap(),
        });
        let (answer, grant) =
            granted(&phone.post(office, "/v1/enroll", body.to_string().as_bytes()));
        phone.replica().take_grant("http://office", &answer, &grant).unwrap();
        phone
    }

    fn restart(&mut self) {
        self.replica = None;
        let clock: Arc<dyn Clock> = self.clock.clone();
        let options = Options { clock, durability: Durability::None, ..Options::default() };
        self.replica = Some(Replica::open(self.folder.path(), options).unwrap());
    }

    fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().unwrap()
    }

    /// Sends a request, with its token or (for all that is about tokens) as the key's holder.
    fn ask(&mut self, office: &Office, asked: (&str, &str), body: &[u8]) -> Answer {
        let now_ms = self.clock.now_ms();
        let mut credentials = self.replica().credentials().unwrap();
        if asked.0 == "POST" {
            credentials = credentials.without_token();
        }
        let nonce = u128::from_be_bytes(rand_bytes()).to_be_bytes();
        let proof = credentials.proof(asked, body, now_ms, nonce).unwrap().to_string();
        office.send(asked, (credentials.token().unwrap_or_default(), &proof), body)
    }

    fn post(&mut self, office: &Office, path: &str, body: &[u8]) -> Answer {
        self.ask(office, ("POST", path), body)
    }

    fn status(&mut self, office: &Office) -> u16 {
        self.ask(office, ("GET", "/v1/status"), b"").status
    }

    /// Exchanges the tokens, and dies after so many steps. Whether it lived to the end.
    fn exchange(&mut self, office: &Office, steps: u8) -> bool {
        let request = self.replica().token_request().unwrap().unwrap();
        if steps == 0 {
            return false;
        }
        let body = serde_json::to_vec(&request).unwrap();
        let answer = self.post(office, "/v1/token", &body);
        let read = tokens(&answer);
        if steps == 1 {
            return false;
        }
        self.replica().take_tokens(&read).unwrap();
        steps > 2
    }
}

fn rand_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_device_that_dies_anywhere_in_an_exchange_goes_on() {
    let office = Office::open(&["--requests-burst", "10000"]);
    let mut phone = Phone::enrolled(&office, 1);
    // Every three deaths in a row, at each step, with or without a use of the tokens between, soon
    // and late.
    for deaths in 0..27_u8 {
        for steps in [deaths % 3, deaths / 3 % 3, deaths / 9] {
            assert!(!phone.exchange(&office, steps));
            phone.restart();
            let later = [1_000, TOKEN_MS, 3 * TOKEN_MS][usize::from(steps)];
            office.clock.advance(later);
            phone.clock.advance(later);
        }
        assert!(phone.exchange(&office, 3), "after {deaths}");
        assert_eq!(phone.status(&office), 200, "after {deaths}");
    }
    assert!(office.audit("suspended").is_empty());
}

#[test]
fn a_device_with_a_wrong_clock_learns_the_time_from_an_answer() {
    let office = Office::open(&[]);
    let mut phone = Phone::enrolled(&office, 1);
    phone.clock.advance(-400 * 24 * 60 * 60_000);
    let answer = phone.ask(&office, ("GET", "/v1/status"), b"");
    assert_eq!(answer.error(), refused(401, "proof_time"));
    phone.replica().note_server_time(office.clock.now_ms()).unwrap();
    assert_eq!(phone.status(&office), 200);
    phone.restart();
    assert_eq!(phone.status(&office), 200, "it remembers");
}

/// Run alone with `--ignored --nocapture`: what a proof costs.
#[test]
#[ignore = "a measurement"]
fn measure_what_a_proof_costs() {
    const COUNT: u32 = 2_000;
    let key = crate::world::signing_key();
    let public = DeviceKey::public_key(&key);
    let asked = Asked { method: "POST", path: "/v1/pull", token: &"ab".repeat(32) };
    let body = [7; 200];
    let begun = Instant::now();
    let proofs: Vec<Proof> = (0..COUNT)
        .map(|n| Proof::new(&key, &asked, &body, NOW, u128::from(n).to_be_bytes()).unwrap())
        .collect();
    let signing = begun.elapsed() / COUNT;
    let begun = Instant::now();
    assert!(proofs.iter().all(|proof| proof.is_signed(&public, &asked)));
    println!("signing {signing:?}, checking {:?}", begun.elapsed() / COUNT);
    let office = Office::open(&["--requests-burst", "100000", "--requests-per-second", "100000"]);
    let (device, tokens) = enrolled(&office, 1);
    let hash = outrider_sync_server::auth::hash_token(&[5; 32]);
    let token = to_hex(&[5; 32]);
    for is_signed in [true, false, true, false] {
        let mut write = office.storage.write().unwrap();
        write.set_token_hash(device, &hash).unwrap();
        write.commit().unwrap();
        let token = if is_signed { &tokens.token } else { &token };
        let begun = Instant::now();
        for _ in 0..COUNT {
            let proof = if is_signed {
                office.proof(("GET", "/v1/status"), token, b"")
            } else {
                String::new()
            };
            assert_eq!(office.send(("GET", "/v1/status"), (token, &proof), b"").status, 200);
        }
        println!("a request, signed: {is_signed}: {:?}", begun.elapsed() / COUNT);
    }
    println!("a proof's header has {} bytes", proofs[0].to_string().len());
}
