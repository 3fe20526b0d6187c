//! Who this device is to its server: enrolment with its tokens, and proofs for requests.
//!
//! **Tokens are exchanged crash-safely.** A nonce is stored before the request leaves; what the
//! answer brings is stored in one transaction, the successor in place of the old one. Whatever
//! happens between, the next attempt asks with the same old token and the same nonce, and a server
//! that has already given the successor gives it again.

use std::sync::Arc;

use rand::RngExt as _;

use super::{Replica, ReplicaError};
use crate::{
    ids::{DeviceId, to_hex},
    points,
    store::{
        StoreError,
        credentials::{self, PendingEnrolment},
        meta,
    },
    sync::{
        certificate::Certificate,
        key::{DeviceKey, KeyError},
        proof::{Asked, NONCE_BYTES, Proof},
        tokens::{ClaimRequest, EnrolAnswer, Grant, TokenRequest, Tokens},
    },
    time::TimestampMs,
};

/// How long before its end a token is exchanged: more than a request takes.
pub const REFRESH_AHEAD_MS: i64 = 60_000;

/// What signs this device's requests, without the replica: for threads that listen.
#[derive(Debug, Clone)]
pub struct Credentials {
    key: Arc<dyn DeviceKey>,
    /// The token that names the device; none while it has none.
    token: Option<String>,
    /// What to add to this device's clock to get the server's.
    pub offset_ms: i64,
}

impl Credentials {
    /// The token that names the device.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Without the token: as the key's holder alone.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self { token: None, ..self }
    }

    /// Signs a request at `now_ms` of this device's clock.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError`] when the device's key does not sign.
    pub fn proof(
        &self,
        (method, path): (&str, &str),
        body: &[u8],
        now_ms: TimestampMs,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Proof, KeyError> {
        let asked = Asked { method, path, token: self.token.as_deref().unwrap_or_default() };
        Proof::new(self.key.as_ref(), &asked, body, now_ms.saturating_add(self.offset_ms), nonce)
    }
}

impl Replica {
    /// What signs this device's requests, as things stand.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn credentials(&self) -> Result<Credentials, ReplicaError> {
        let conn = self.store.conn();
        let token = match credentials::tokens(conn)? {
            Some(tokens) => Some(tokens.token),
            None => meta::enrolment(conn)?.map(|enrolment| enrolment.token),
        };
        let token = token.filter(|token| !token.is_empty());
        let offset_ms = credentials::clock_offset(conn)?;
        Ok(Credentials { key: Arc::clone(&self.key), token, offset_ms })
    }

    /// What the server said of this device at enrolment, checked with the key that it gave then.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn certificate(&self) -> Result<Option<Certificate>, ReplicaError> {
        let conn = self.store.conn();
        let Some(signed) = credentials::certificate(conn)? else { return Ok(None) };
        let Some(enrolment) = meta::enrolment(conn)? else { return Ok(None) };
        Ok(signed.checked(enrolment.device, &self.public_key()))
    }

    /// The enrolment that waits for the office.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn pending_enrolment(&self) -> Result<Option<PendingEnrolment>, ReplicaError> {
        Ok(credentials::pending(self.store.conn())?)
    }

    /// Notes that an enrolment waits for the office, or that it does not any more.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn set_pending_enrolment(
        &mut self,
        pending: Option<&PendingEnrolment>,
    ) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        credentials::set_pending(&tx, pending)?;
        tx.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// The nonce of the exchange that comes: the same until its answer is stored.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn exchange_nonce(&mut self) -> Result<String, ReplicaError> {
        if let Some(nonce) = credentials::nonce(self.store.conn())? {
            return Ok(to_hex(&nonce));
        }
        let nonce: [u8; NONCE_BYTES] = self.rng.random();
        let tx = self.store.begin()?;
        credentials::set_nonce(&tx, Some(nonce))?;
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.nonce.after_commit");
        Ok(to_hex(&nonce))
    }

    /// Whether the token should be exchanged before the next request.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn is_refresh_due(&self) -> Result<bool, ReplicaError> {
        let conn = self.store.conn();
        let Some(tokens) = credentials::tokens(conn)? else {
            // What an older server gave is exchanged once.
            return Ok(meta::enrolment(conn)?.is_some_and(|known| !known.token.is_empty()));
        };
        let server_ms = self.clock.now_ms().saturating_add(credentials::clock_offset(conn)?);
        Ok(server_ms.saturating_add(REFRESH_AHEAD_MS) >= tokens.token_expires_at)
    }

    /// The request for the next tokens; none if there is nothing to exchange.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn token_request(&mut self) -> Result<Option<TokenRequest>, ReplicaError> {
        let conn = self.store.conn();
        let Some(enrolment) = meta::enrolment(conn)? else { return Ok(None) };
        let refresh_token = match credentials::tokens(conn)? {
            Some(tokens) => tokens.refresh_token,
            None if enrolment.token.is_empty() => return Ok(None),
            None => enrolment.token,
        };
        let nonce = self.exchange_nonce()?;
        Ok(Some(TokenRequest { device: enrolment.device, refresh_token, nonce }))
    }

    /// The request of an enrolled device that must be approved again.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::NotEnrolled`], or fails when the store does.
    pub fn claim_request(&mut self, device: DeviceId) -> Result<ClaimRequest, ReplicaError> {
        Ok(ClaimRequest { device, nonce: self.exchange_nonce()? })
    }

    /// Stores what an exchange brought, in place of what there was.
    ///
    /// # Errors
    ///
    /// Fails when the store does; the old tokens stay then, and asking again gives the same.
    pub fn take_tokens(&mut self, tokens: &Tokens) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        credentials::set_tokens(&tx, Some(tokens))?;
        credentials::set_nonce(&tx, None)?;
        if let Some(mut enrolment) = meta::enrolment(&tx)?
            && !enrolment.token.is_empty()
        {
            enrolment.token.clear();
            meta::set_enrolment(&tx, &enrolment)?;
        }
        points::reach("device.tokens.before_commit");
        tx.commit().map_err(StoreError::from)?;
        points::reach("device.tokens.after_commit");
        Ok(())
    }

    /// Takes over what the server gave: a new enrolment, or new tokens of the one that there is.
    /// `ca` is the authority that alone says who the server is.
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError::Protocol`] for a certificate that is not good,
    /// [`ReplicaError::OtherUser`] when the store is another user's, or fails when the store does.
    pub fn take_grant(
        &mut self,
        (url, ca): (&str, Option<String>),
        answer: &EnrolAnswer,
        grant: &Grant,
    ) -> Result<meta::Enrolment, ReplicaError> {
        if grant.certificate.checked(answer.device, &self.public_key()).is_none() {
            let words = "its certificate of this device is not good".to_owned();
            return Err(ReplicaError::Protocol(words));
        }
        if let Some(known) = self.enrolment()?
            && known.device == answer.device
        {
            self.take_tokens(&grant.tokens)?;
            let known = meta::Enrolment { ca, token: String::new(), ..known };
            let tx = self.store.begin()?;
            meta::set_enrolment(&tx, &known)?;
            // An older server gave none.
            if credentials::certificate(&tx)?.is_none() {
                credentials::set_certificate(&tx, Some(&grant.certificate))?;
            }
            tx.commit().map_err(StoreError::from)?;
            return Ok(known);
        }
        let enrolment = meta::Enrolment {
            url: url.to_owned(),
            device: answer.device,
            user: answer.user.clone(),
            prefix: grant.prefix,
            token: String::new(),
            user_record: grant.user_record,
            ca,
        };
        self.enroll_with(&enrolment, Some(grant))?;
        Ok(enrolment)
    }
}
