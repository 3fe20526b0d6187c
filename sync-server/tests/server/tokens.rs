//! Tokens: exchanged, lost on the way, used twice, ended, restored.

use std::{sync::Arc, time::Instant};

use outrider_core::{
    ids::{DeviceId, to_hex},
    replica::{Options, Replica, session::Session},
    store::Durability,
    sync::{
        codec::pack,
        key::DeviceKey,
        proof::{Asked, Proof},
        sealed::SignedSealKey,
        tokens::{DeviceAnswer, EnrolAnswer, EnrolStatus, Tokens},
    },
    time::{Clock, ManualClock},
};
use outrider_sync_server::{devices::standing::approve, storage::Storage as _};
use serde_json::json;

use crate::{
    devices::{JSON, TOKEN_MS, ask_with, claim, enrolled, granted, nonce, refused, status},
    world::{Answer, NOW, Office},
};

pub(crate) fn tokens(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) fn exchange(office: &Office, device: DeviceId, refresh_token: &str, n: u8) -> Answer {
    let body = json!({ "device": device, "refresh_token": refresh_token, "nonce": nonce(n) });
    office.post("/v1/token", "", JSON, body.to_string().as_bytes())
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

/// A replica that talks to an office, and may die at any moment.
pub(crate) struct Phone {
    folder: tempfile::TempDir,
    replica: Option<Replica>,
    clock: Arc<ManualClock>,
}

impl Phone {
    pub(crate) fn enrolled(office: &Office, random: u128) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(office.clock.now_ms()));
        let mut phone = Self { folder, replica: None, clock };
        phone.restart();
        let replica = phone.replica();
        let body = json!({
            "code": office.code(random), "device_name": "Phone", "protocol": 2,
            "public_key": to_hex(&replica.public_key()), "nonce": replica.exchange_nonce().unwrap(),
        });
        let (answer, grant) =
            granted(&phone.post(office, "/v1/enroll", body.to_string().as_bytes()));
        phone.replica().take_grant(("http://office", None), &answer, &grant).unwrap();
        phone
    }

    fn restart(&mut self) {
        self.replica = None;
        let clock: Arc<dyn Clock> = self.clock.clone();
        let options = Options { clock, durability: Durability::None, ..Options::default() };
        self.replica = Some(Replica::open(self.folder.path(), options).unwrap());
    }

    pub(crate) fn replica(&mut self) -> &mut Replica {
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

    /// Posts a message with its token.
    pub(crate) fn post_message(&mut self, office: &Office, path: &str, body: &[u8]) -> Answer {
        let (now_ms, credentials) = (self.clock.now_ms(), self.replica().credentials().unwrap());
        let proof = credentials.proof(("POST", path), body, now_ms, rand_bytes()).unwrap();
        let who = (credentials.token().unwrap_or_default(), proof.to_string());
        office.request(("POST", path), (who.0, &who.1), "application/vnd.outrider.v1", body)
    }

    /// A whole exchange.
    pub(crate) fn sync(&mut self, office: &Office) {
        let mut session = Session::new();
        while let Some(request) = session.next(self.replica()).unwrap() {
            let answer = self.post_message(office, request.path, &request.body);
            assert_eq!(answer.status, 200, "{answer:?}");
            session.receive(self.replica(), &mut answer.body.as_slice()).unwrap();
        }
    }

    /// The key that edits for review are sealed to, as the office says it.
    pub(crate) fn seal_key(&mut self, office: &Office) -> SignedSealKey {
        let answer = self.ask(office, ("GET", "/v1/device"), b"");
        serde_json::from_value::<DeviceAnswer>(answer.json()).unwrap().seal_key
    }

    /// What waits here, sealed for review.
    pub(crate) fn sealed(&mut self, office: &Office) -> Vec<u8> {
        let key = self.seal_key(office);
        let batch = self.replica().next_push(0).unwrap().unwrap();
        pack(&self.replica().seal_for_review(&batch, &key).unwrap()).unwrap()
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
        // What was lost long ago and came again has ended meanwhile.
        if phone.replica().is_refresh_due().unwrap() {
            assert!(phone.exchange(&office, 3), "after {deaths}");
        }
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
    eprintln!("signing {signing:?}, checking {:?}", begun.elapsed() / COUNT);
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
        eprintln!("a request, signed: {is_signed}: {:?}", begun.elapsed() / COUNT);
    }
    eprintln!("a proof's header has {} bytes", proofs[0].to_string().len());
}
