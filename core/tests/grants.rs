//! A device that was enrolled knows its server's key, and takes no grant of another one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use outrider_core::{
    access::{self, grant::SIGNED_KIND},
    ids::{ActorPrefix, DeviceId, to_hex},
    replica::{Options, Replica, ReplicaError},
    store::Durability,
    sync::{
        certificate::{CERTIFICATE, Certificate, SignedCertificate},
        frame::{Hello, PROTOCOL_VERSION, PullFrame, SignedGrant},
        key::DeviceKey,
        sign::sign_document,
        tokens::{EnrolAnswer, EnrolStatus, Grant, Tokens},
    },
};
use p256::ecdsa::SigningKey;

fn key(n: u8) -> SigningKey {
    SigningKey::from_slice(&[n; 32]).unwrap()
}

fn enrol(replica: &mut Replica, server: &SigningKey) {
    let (device, prefix) = (DeviceId(uuid::Uuid::from_u128(7)), ActorPrefix([1; 12]));
    let certificate = Certificate {
        instance: "00".to_owned(),
        device,
        user: "Anna".to_owned(),
        user_record: None,
        prefix,
        public_key: to_hex(&replica.public_key()),
        issued_at: 0,
    };
    let document = serde_json::to_string(&certificate).unwrap();
    let certificate = SignedCertificate {
        signature: to_hex(&sign_document(server, CERTIFICATE, document.as_bytes())),
        server_key: to_hex(&DeviceKey::public_key(server)),
        document,
    };
    let answer = EnrolAnswer {
        status: EnrolStatus::Active,
        device,
        user: "Anna".to_owned(),
        fingerprint: String::new(),
        instance: "00".to_owned(),
        protocol: PROTOCOL_VERSION,
        now_ms: 0,
        grant: None,
    };
    let tokens =
        Tokens { token: "a".to_owned(), token_expires_at: 1, refresh_token: "b".to_owned() };
    let grant = Grant { prefix, user_record: None, tokens, certificate };
    replica.take_grant(("http://office", None), &answer, &grant).unwrap();
}

fn hello(signer: &SigningKey, kind: &str) -> PullFrame {
    let body = access::Grant::default().to_bytes();
    let signature = sign_document(signer, kind, &body);
    PullFrame::Hello(Hello {
        version: PROTOCOL_VERSION,
        instance: [0; 16],
        is_cursor_known: true,
        now_ms: 0,
        expected: 0,
        position: None,
        recovery: None,
        backed_up: None,
        grant: Some(SignedGrant { body, signature }),
    })
}

#[test]
fn a_grant_that_another_key_signed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: Some(1), durability: Durability::None, ..Options::default() };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    enrol(&mut replica, &key(7));
    for forged in [hello(&key(8), SIGNED_KIND), hello(&key(7), CERTIFICATE)] {
        let error = replica.take_frames(&[forged], false).unwrap_err();
        assert!(matches!(error, ReplicaError::Protocol(_)), "{error}");
        assert!(replica.grant().unwrap().is_open, "what it had still counts");
    }
    replica.take_frames(&[hello(&key(7), SIGNED_KIND)], false).unwrap();
    assert!(!replica.grant().unwrap().is_open);
}
