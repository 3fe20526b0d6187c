//! Signed requests: that a request comes from the device, now, once, and is what it sent.
//!
//! A token alone would be as good in a thief's hands. So each request carries a proof in the spirit
//! of `DPoP` (RFC 9449): the device's signature over method, path, token, body, time and a nonce. It
//! is one header:
//!
//! ```text
//! outrider-proof: 1 TIME NONCE BODY SIGNATURE
//! ```
//!
//! with the time in milliseconds, and nonce (16 bytes), SHA-256 of the body (32) and signature (64)
//! in hexadecimal. What is signed is [`digest`].

use std::fmt;

use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use sha2::{Digest as _, Sha256};

use super::key::{DeviceKey, KeyError, SIGNATURE_BYTES};
use crate::{
    ids::{from_hex, to_hex},
    time::TimestampMs,
};

/// The header that a proof comes in.
pub const PROOF_HEADER: &str = "outrider-proof";
/// The header in which a server says what time it is, in milliseconds.
pub const TIME_HEADER: &str = "outrider-time";
/// The header in which a server says how long a device may go without it, in milliseconds.
pub const LEASE_HEADER: &str = "outrider-lease";
/// How far the time of a proof may be from the server's, either way.
pub const PROOF_WINDOW_MS: i64 = 60_000;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;

/// Separates these signatures from all others.
const DOMAIN: &[u8] = b"outrider request 1\n";
/// Of the form above.
const VERSION: &str = "1";

/// What is asked, as far as a proof covers it beside the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path under the server's address, with its query.
    pub path: &'a str,
    /// The bearer token that comes with it, as it is written; empty if none.
    pub token: &'a str,
}

/// A proof as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// When it was made, by the server's clock as far as the device knows it.
    pub time_ms: TimestampMs,
    /// Drawn for this request alone.
    pub nonce: [u8; NONCE_BYTES],
    /// SHA-256 of the body.
    pub body: [u8; 32],
    /// The device's signature.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// SHA-256 of a body.
#[must_use]
pub fn body_digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// What is signed.
#[must_use]
pub fn digest(
    asked: &Asked<'_>,
    body: &[u8; 32],
    time_ms: TimestampMs,
    nonce: &[u8; NONCE_BYTES],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    for text in [asked.method, asked.path, asked.token] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(body);
    hash.update(time_ms.to_be_bytes());
    hash.update(nonce);
    hash.finalize().into()
}

impl Proof {
    /// Signs a request.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] when the device's key does not sign.
    pub fn new(
        key: &dyn DeviceKey,
        asked: &Asked<'_>,
        body: &[u8],
        time_ms: TimestampMs,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, KeyError> {
        let body = body_digest(body);
        let signature = key.sign_message(&digest(asked, &body, time_ms, &nonce))?;
        Ok(Self { time_ms, nonce, body, signature })
    }

    /// Reads the header's value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut pieces = text.split(' ');
        if pieces.next() != Some(VERSION) {
            return None;
        }
        let proof = Self {
            time_ms: pieces.next()?.parse().ok()?,
            nonce: from_hex(pieces.next()?)?,
            body: from_hex(pieces.next()?)?,
            signature: from_hex(pieces.next()?)?,
        };
        pieces.next().is_none().then_some(proof)
    }

    /// Whether the holder of `public_key` (SEC1 bytes) signed it for this request.
    #[must_use]
    pub fn is_signed(&self, public_key: &[u8], asked: &Asked<'_>) -> bool {
        let Ok(key) = VerifyingKey::from_sec1_bytes(public_key) else { return false };
        let Ok(signature) = Signature::from_slice(&self.signature) else { return false };
        let digest = digest(asked, &self.body, self.time_ms, &self.nonce);
        key.verify(&digest, &signature).is_ok()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time_ms, nonce, body, signature } = self;
        let (nonce, body, signature) = (to_hex(nonce), to_hex(body), to_hex(signature));
        write!(f, "{VERSION} {time_ms} {nonce} {body} {signature}")
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;

    use super::*;

    #[test]
    fn a_proof_is_one_of_its_request_alone() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let public = DeviceKey::public_key(&key);
        let asked = Asked { method: "POST", path: "/v1/push", token: "ab" };
        let proof = Proof::new(&key, &asked, b"body", 1_000, [1; 16]).unwrap();
        let read = Proof::parse(&proof.to_string()).unwrap();
        assert_eq!(read, proof);
        assert!(read.is_signed(&public, &asked));
        for other in [
            Asked { method: "GET", ..asked },
            Asked { path: "/v1/pull", ..asked },
            Asked { path: "/v1/push?x", ..asked },
            Asked { token: "ac", ..asked },
            // The pieces have lengths: none of them flows into the next one.
            Asked { path: "/v1/pusha", token: "b", ..asked },
        ] {
            assert!(!proof.is_signed(&public, &other), "{other:?}");
        }
        let altered = |change: fn(&mut Proof)| {
            let mut altered = proof.clone();
            change(&mut altered);
            altered.is_signed(&public, &asked)
        };
        assert!(!altered(|proof| proof.time_ms += 1));
        assert!(!altered(|proof| proof.nonce[0] ^= 1));
        assert!(!altered(|proof| proof.body[0] ^= 1));
        assert!(!altered(|proof| proof.signature[63] ^= 1));
        let other = SigningKey::from_slice(&[8; 32]).unwrap();
        assert!(!proof.is_signed(&DeviceKey::public_key(&other), &asked));
        assert!(!proof.is_signed(b"no key", &asked));
    }

    #[test]
    fn what_is_no_proof_is_not_read() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let asked = Asked { method: "GET", path: "/", token: "" };
        let good = Proof::new(&key, &asked, b"", -5, [1; 16]).unwrap().to_string();
        assert!(Proof::parse(&good).is_some());
        let second = good.replacen('1', "2", 1);
        for text in ["", "1", &second, &format!("{good} "), &good.replace(' ', "  ")] {
            assert_eq!(Proof::parse(text), None, "{text}");
        }
    }
}
