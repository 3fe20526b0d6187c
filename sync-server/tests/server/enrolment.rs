//! Enrolling a device, and the token that comes of it.

use outrider_core::time::Clock;
use outrider_sync_server::storage::Storage;
use serde_json::json;

use crate::world::{NOW, Office};

#[test]
fn a_code_enrols_one_device_once() {
    let office = Office::open(&[]);
    let code = office.code(42);
    let answer = office.enrol(&code.to_lowercase());
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["user"], &body["protocol"]), (&json!("Wang Wei"), &json!(2)));
    assert_eq!(body["now_ms"], json!(NOW));
    assert_eq!(body["prefix"].as_str().unwrap().len(), 24);
    let token = body["token"].as_str().unwrap();
    assert_eq!(token.len(), 64);

    let status = office.get("/v1/status", token).json();
    assert_eq!(status["devices"], json!(1));
    // The office as an author, the user's record, the device.
    assert_eq!(status["position"], json!(3));
    assert_eq!(body["user_record"].as_str().map(str::len), Some(36));
    assert_eq!(status["instance"], body["instance"]);
    assert_eq!(office.enrol(&code).error(), (403, "code_unknown".to_owned()));
    assert_eq!(office.devices(), 1);
}

#[test]
fn a_code_that_nobody_gave_is_refused() {
    let office = Office::open(&[]);
    office.code(42);
    for code in ["", "00000-00000-00000-00000-000000", "'; DROP TABLE device; --"] {
        assert_eq!(office.enrol(code).error(), (403, "code_unknown".to_owned()), "{code}");
    }
    assert_eq!(office.devices(), 0);
}

#[test]
fn a_code_expires() {
    let office = Office::open(&[]);
    let code = office.code(42);
    office.clock.advance(10 * 60_000 + 1);
    let answer = office.enrol(&code);
    assert_eq!(answer.error(), (403, "code_expired".to_owned()));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("ask the office"));
    office.clock.advance(-60_000);
    assert_eq!(office.enrol(&code).error(), (403, "code_unknown".to_owned()), "gone for good");
}

#[test]
fn a_device_that_is_not_described_well_keeps_its_code() {
    let office = Office::open(&[]);
    let code = office.code(42);
    let key = "02".to_owned() + &"ab".repeat(32);
    let bodies = [
        (json!({}), "body_malformed"),
        (json!({ "code": code, "device_name": "x", "public_key": "zz", "protocol": 2 }), "invalid"),
        (
            json!({ "code": code, "device_name": "x", "public_key": "00".repeat(33), "protocol": 2 }),
            "invalid",
        ),
        (json!({ "code": code, "device_name": " ", "public_key": key, "protocol": 2 }), "invalid"),
        (
            json!({ "code": code, "device_name": "a\nb", "public_key": key, "protocol": 2 }),
            "invalid",
        ),
        (
            json!({ "code": code, "device_name": "x".repeat(101), "public_key": key, "protocol": 2 }),
            "invalid",
        ),
        (json!({ "code": code, "device_name": "x", "public_key": key, "protocol": 9 }), "protocol"),
    ];
    for (body, expected) in bodies {
        let answer = office.post("/v1/enroll", "", "application/json", body.to_string().as_bytes());
        assert_eq!(answer.error(), (400, expected.to_owned()), "{body}");
    }
    let wrong_type = office.post("/v1/enroll", "", "text/plain", b"{}");
    assert_eq!(wrong_type.error(), (415, "content_type".to_owned()));
    assert_eq!(office.enrol(&code).status, 200);
}

#[test]
fn guessing_codes_is_slowed_down() {
    let office = Office::open(&["--enrolments-per-minute", "3"]);
    for _ in 0..3 {
        assert_eq!(office.enrol("guess").status, 403);
    }
    let answer = office.enrol("guess");
    assert_eq!(answer.error(), (429, "too_many_requests".to_owned()));
    assert!(answer.retry_after.parse::<u64>().unwrap() >= 1);
    assert_eq!(office.get("/health", "").status, 200, "others are not slowed down");
}

#[test]
fn the_last_contact_of_a_device_is_kept_to_the_minute() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    for later in [61_000, 61_000] {
        office.clock.advance(later);
        assert_eq!(office.get("/v1/status", &token).status, 200);
        let now_ms = office.clock.now_ms();
        office.until("the contact is written", |read| {
            read.devices().unwrap().iter().any(|known| known.last_contact_at == now_ms)
        });
        // Within the minute nothing is written.
        office.clock.advance(1_000);
        assert_eq!(office.get("/v1/status", &token).status, 200);
    }
    let known = office.storage.read().unwrap().devices().unwrap();
    assert!(known.iter().all(|known| known.last_contact_at <= office.clock.now_ms() - 1_000));
}

#[test]
fn without_a_known_token_there_is_nothing() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let unknown = "ab".repeat(32);
    let short = token.strip_suffix(|_| true).unwrap();
    let record = "/v1/records/00000000-0000-7000-8000-000000000000/main/history";
    for wrong in ["", "x", &unknown, short] {
        for path in ["/v1/status", record] {
            let answer = office.get(path, wrong);
            assert_eq!(answer.error(), (401, "unauthorised".to_owned()), "{path}");
        }
        for path in ["/v1/push", "/v1/pull", "/v1/check", "/v1/fetch"] {
            let answer = office.post(path, wrong, "application/vnd.outrider.v1", b"");
            assert_eq!(answer.error(), (401, "unauthorised".to_owned()), "{path}");
        }
    }
    assert_eq!(office.get("/v1/status", &token).status, 200);
}
