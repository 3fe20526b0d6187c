//! What says who somebody is: proofs, certificates, sealed pushes, signatures, heads. None of it is
//! believed without the key that made it.

use outrider_core::{
    access::Grant,
    ids::{DeviceId, RecordId, bytes_from_hex, from_hex, to_hex},
    sync::{
        certificate::SignedCertificate,
        codec::{from_cbor, to_cbor},
        frame::{PushGroup, SignedGrant},
        head::{AuditHead, HeadsFile},
        key::{DeviceKey, from_der},
        proof::{Asked, Proof},
        sealed::{OpenKey, SealedPush, SignedSealKey},
        sign::{fingerprint, is_document_signed, is_signed, sign_document},
        tokens::{
            ClaimRequest, DeviceAnswer, EnrolAnswer, EnrolRequest, TokenRequest, Tokens,
            WipedRequest,
        },
    },
};
use p256::ecdsa::SigningKey;

use crate::choices::Dice;

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 8 {
        0 => proof(rest),
        1 => json(rest),
        2 => sealed(rest),
        3 => signatures(&mut Dice::of(rest)),
        4 => heads(rest),
        5 => {
            let _ = from_der(rest);
        }
        6 => hex(rest),
        _ => grant(rest),
    }
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn public() -> Vec<u8> {
    DeviceKey::public_key(&key())
}

fn asked() -> Asked<'static> {
    Asked { method: "POST", path: "/v1/push", token: "ab" }
}

fn proof(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(proof) = Proof::parse(text) else { return };
    assert_eq!(Proof::parse(&proof.to_string()).as_ref(), Some(&proof));
    if proof.is_signed(&public(), &asked()) {
        // The one that a seed has is the only one there can be.
        assert_eq!(proof, honest_proof());
    }
}

fn honest_proof() -> Proof {
    Proof::new(&key(), &asked(), b"body", 1_000, [1; 16]).unwrap()
}

fn json(bytes: &[u8]) {
    let device = DeviceId(uuid::Uuid::from_u128(1));
    let _ = serde_json::from_slice::<EnrolRequest>(bytes);
    let _ = serde_json::from_slice::<ClaimRequest>(bytes);
    let _ = serde_json::from_slice::<TokenRequest>(bytes);
    let _ = serde_json::from_slice::<Tokens>(bytes);
    let _ = serde_json::from_slice::<EnrolAnswer>(bytes);
    let _ = serde_json::from_slice::<DeviceAnswer>(bytes);
    let _ = serde_json::from_slice::<WipedRequest>(bytes);
    if let Ok(certificate) = serde_json::from_slice::<SignedCertificate>(bytes)
        && let Some(checked) = certificate.checked(device, &public())
    {
        assert_eq!(checked.device, device);
    }
    if let Ok(key) = serde_json::from_slice::<SignedSealKey>(bytes) {
        let _ = key.checked(&public());
    }
}

fn sealed(bytes: &[u8]) {
    let open = OpenKey::derive(&[3; 32]);
    if let Ok(sealed) = from_cbor::<SealedPush>(bytes) {
        assert!(open.open(&sealed).is_err(), "nobody sealed this");
    }
}

fn signatures(dice: &mut Dice) {
    let (public, signature, body) = (dice.take(), dice.take(), dice.rest());
    let _ = fingerprint(&public);
    assert!(
        !is_document_signed(&self::public(), "grant", &body, &signature)
            || signature == sign_document(&key(), "grant", &body)
    );
    let _ = is_document_signed(&public, "grant", &body, &signature);
    let groups: Vec<PushGroup> = from_cbor(&body).unwrap_or_default();
    assert!(
        !is_signed(&self::public(), DeviceId(uuid::Uuid::nil()), &groups, &signature),
        "nobody signed this"
    );
    let _ = is_signed(&public, DeviceId(uuid::Uuid::nil()), &groups, &signature);
}

fn heads(bytes: &[u8]) {
    if let Ok(head) = from_cbor::<AuditHead>(bytes) {
        let _ = head.is_sound();
        assert!(!head.is_signed_by(&public()), "nobody signed this");
    }
    if let Ok(file) = serde_json::from_slice::<HeadsFile>(bytes)
        && let Some(heads) = file.heads()
    {
        assert_eq!(HeadsFile::new(&heads).heads().as_ref(), Some(&heads));
    }
}

fn hex(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (text.parse::<RecordId>(), text.parse::<DeviceId>(), from_hex::<16>(text));
    if let Some(bytes) = bytes_from_hex(text) {
        assert_eq!(bytes_from_hex(&to_hex(&bytes)), Some(bytes));
    }
}

fn grant(bytes: &[u8]) {
    if let Ok(signed) = from_cbor::<SignedGrant>(bytes) {
        assert_eq!(from_cbor::<SignedGrant>(&to_cbor(&signed)).unwrap(), signed);
    }
    if let Ok(grant) = Grant::from_bytes(bytes) {
        assert_eq!(Grant::from_bytes(&grant.to_bytes()).unwrap(), grant);
        let _ = (
            grant.digest(),
            grant.discount_limit(),
            grant.approval_limit(),
            grant.scopes().count(),
        );
    }
}

/// One of each.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let head = AuditHead { number: 1, hash: [1; 32], at: 5, signature: vec![2; 64] };
    let device = DeviceId(uuid::Uuid::from_u128(1));
    let sealed = SealedPush { version: 2, device, encapped: vec![4; 65], ciphertext: vec![5; 40] };
    let claim = ClaimRequest { device, nonce: "00".repeat(16) };
    let signature = key().sign_message(&[1; 32]).unwrap();
    let public = public();
    let signed =
        [&[public.len() as u8 + 1], public.as_slice(), &[4], &signature[..], b"body"].concat();
    let heads = HeadsFile::new(std::slice::from_ref(&head));
    vec![
        seed(0, honest_proof().to_string().as_bytes()),
        seed(1, &serde_json::to_vec(&claim).unwrap()),
        seed(2, &to_cbor(&sealed)),
        seed(3, &signed),
        seed(4, &to_cbor(&head)),
        seed(4, &serde_json::to_vec(&heads).unwrap()),
        seed(5, &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02]),
        seed(6, b"01900000-0000-7000-8000-000000000001"),
        seed(7, &Grant::open().to_bytes()),
    ]
}
