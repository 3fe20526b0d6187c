//! Devices after their enrolment: approval, signed requests, revocation, wiping.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use outrider_core::{
    ids::{DeviceId, to_hex},
    sync::{
        key::DeviceKey,
        proof::{Asked, PROOF_WINDOW_MS, Proof},
        sign::fingerprint,
        tokens::{EnrolAnswer, EnrolStatus, Grant, Tokens},
    },
    time::Clock as _,
};
use outrider_sync_server::{
    devices::standing::{approve, decline, order_wipe, revoke, set_user_disabled},
    enrol::{Approval, create_code_with},
    storage::Storage as _,
};
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    streams::{fill, history_path},
    tokens::exchange,
    world::{Answer, NOW, Office, public_key, send},
};

pub(crate) const JSON: &str = "application/json";
/// A quarter of an hour, as the settings have it.
pub(crate) const TOKEN_MS: i64 = 15 * 60_000;

pub(crate) fn nonce(n: u8) -> String {
    to_hex(&[n; 16])
}

/// What an answer to enrolment says, and what it brings.
pub(crate) fn granted(answer: &Answer) -> (EnrolAnswer, Grant) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let read: EnrolAnswer = serde_json::from_slice(&answer.body).unwrap();
    let grant = read.grant.clone().expect("an active device");
    (read, grant)
}

/// A device that was let in at once.
pub(crate) fn enrolled(office: &Office, random: u128) -> (DeviceId, Tokens) {
    let (answer, grant) = granted(&office.enrol(&office.code(random)));
    (answer.device, grant.tokens)
}

pub(crate) fn claim(office: &Office, device: DeviceId, n: u8) -> Answer {
    let body = json!({ "device": device, "nonce": nonce(n) });
    office.post("/v1/enroll/status", "", JSON, body.to_string().as_bytes())
}

pub(crate) fn status(office: &Office, token: &str) -> (u16, String) {
    let answer = office.get("/v1/status", token);
    if answer.status == 200 { (200, String::new()) } else { answer.error() }
}

pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A code that lets nobody in without the office.
fn careful_code(office: &Office, random: u128) -> String {
    let whose = ("Wang Wei", Approval::ByOffice);
    create_code_with(office.storage.as_ref(), whose, 10, random, None, NOW).unwrap().0
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
    let body = json!({ "code": code, "device_name": "x", "public_key": key, "protocol": 2 });
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
pub(crate) fn ask_with(office: &Office, token: &str, proof: &str) -> Answer {
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
fn a_device_that_is_turned_away_gets_nothing_more_and_is_still_heard() {
    // A channel that is not ended would end by itself, too late.
    let office = Office::open(&["--live-duration-ms", "15000"]);
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
fn an_answer_under_way_breaks_off_when_its_device_is_turned_away() {
    let office = Office::open(&[]);
    let (device, tokens) = enrolled(&office, 1);
    let path = history_path(&fill(&office, 160, 200_000));
    let read_slowly = |is_revoked: bool| {
        let mut stream = office.connect();
        let proof = office.proof(("GET", &path), &tokens.token, b"");
        let token = &tokens.token;
        send(
            &mut stream,
            &format!(
                "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\noutrider-proof: {proof}\r\nconnection: close\r\n\r\n"
            ),
        );
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        if is_revoked {
            revoke(office.storage.as_ref(), device, NOW).unwrap();
        }
        std::thread::sleep(Duration::from_secs(3));
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        // A whole chunked answer ends with an empty chunk.
        rest.ends_with(b"\r\n0\r\n\r\n")
    };
    assert!(read_slowly(false), "as slow as that is well");
    assert!(!read_slowly(true), "it broke off");
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

#[test]
fn an_administrator_does_all_this_on_a_page() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let page = browser.post("/devices/codes", &[("user", "Wang Wei"), ("minutes", "10")]).text;
    let code = page.split("id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let answer: EnrolAnswer = serde_json::from_slice(&office.enrol(&code).body).unwrap();
    assert_eq!(answer.status, EnrolStatus::Pending, "the page asks unless told otherwise");
    let page = browser.get("/devices").text;
    assert!(page.contains("Waiting for approval") && page.contains(&answer.fingerprint), "{page}");
    let device = answer.device;
    let mut press = |act: &str| {
        let seen = browser.post(&format!("/devices/{device}/{act}"), &[]);
        assert_eq!(seen.location(), "/devices", "{act}");
        browser.get("/devices").text
    };
    let page = press("approve");
    assert!(!page.contains("Waiting for approval") && page.contains("let in"), "{page}");
    let (_, grant) = granted(&claim(&office, device, 1));
    press("approve");
    let page = press("wipe");
    assert!(page.contains("Wipe ordered") && page.contains("to be wiped"), "{page}");
    let page = press("revoke");
    assert!(page.contains("turned away"), "{page}");
    assert_eq!(status(&office, &grant.tokens.token), refused(403, "device_revoked"));
    for path in ["/devices/x/revoke", &format!("/devices/{device}/explode")] {
        assert_eq!(browser.post(path, &[]).status, 404, "{path}");
    }
}
