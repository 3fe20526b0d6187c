//! What the platform does best, as small interfaces; each has a default for desktops.
//!
//! Implementations are called from several threads. What they throw is an error of the call that asked them,
//! and never more.

use std::{
    fmt,
    io::{self, Read},
    sync::Arc,
    time::SystemTime,
};

use outrider_client::{HttpRequest, HttpResponse, Transport, TransportError, Trust, access::Http};
use outrider_core::{
    keys::{KEY_BYTES, KeyStore, KeyStoreError, StoreKey},
    sync::key::{DeviceKey, KeyError, SIGNATURE_BYTES, from_der},
    time::{Clock, SystemClock, TimestampMs},
};

use crate::values::{GeoPoint, milliseconds};

/// Headers of an answer that are looked at, at most.
const HEADERS_MAX: usize = 100;

/// Why the platform did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PlatformError {
    /// It cannot be had now: the phone is locked.
    #[error("{reason}")]
    Locked {
        /// What the system said.
        reason: String,
    },
    /// Nobody answers, or the answer broke off.
    #[error("{reason}")]
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// Who answers cannot prove to be the server.
    #[error("{reason}")]
    Untrusted {
        /// What the system said.
        reason: String,
    },
    /// It failed in another way.
    #[error("{reason}")]
    Failed {
        /// What the system said.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for PlatformError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Where the key of the encrypted records is kept: Keychain, Keystore. One store holds one key.
#[uniffi::export(foreign)]
pub trait SecretStore: Send + Sync {
    /// The 32 bytes, if there are any.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Locked`] when there may be some and they cannot be had now.
    fn load(&self) -> Result<Option<Vec<u8>>, PlatformError>;

    /// Keeps bytes, durably before this returns, and returns those that are kept: what was there stays.
    ///
    /// # Errors
    ///
    /// Fails when nothing can be kept there now.
    fn keep(&self, secret: Vec<u8>) -> Result<Vec<u8>, PlatformError>;

    /// Erases them, durably; tells whether there were any.
    ///
    /// # Errors
    ///
    /// Fails when they may still be there.
    fn erase(&self) -> Result<bool, PlatformError>;
}

/// A P-256 key of secure hardware that signs for this device: Secure Enclave, `StrongBox`.
#[uniffi::export(foreign)]
pub trait DeviceSigner: Send + Sync {
    /// The public half, 65 uncompressed SEC1 bytes.
    ///
    /// # Errors
    ///
    /// Fails when there is no key.
    fn public_key(&self) -> Result<Vec<u8>, PlatformError>;

    /// The signature of a message in DER: ECDSA over its SHA-256.
    ///
    /// # Errors
    ///
    /// Fails while the key is locked.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, PlatformError>;
}

/// A request to send as it is: no redirects, no cache.
#[derive(Debug, Clone, uniffi::Record)]
pub struct HttpCall {
    /// `GET` or `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// What is said before the body.
    pub headers: Vec<HttpHeader>,
    /// The body; empty for `GET`.
    pub body: Vec<u8>,
    /// Where the office has an authority of its own: its certificate (DER). It alone may vouch for the
    /// server; compare nothing else.
    pub authority: Option<Vec<u8>>,
    /// Whether any certificate will do: for the one request that fetches an authority, of which the
    /// fingerprint is compared. It carries no secret.
    pub accepts_any_certificate: bool,
    /// How long an answer may be silent between two reads.
    pub silence_ms: u64,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HttpHeader {
    /// The name, in any case.
    pub name: String,
    /// The value.
    pub value: String,
}

/// An answer, whatever its status.
#[derive(Clone, uniffi::Record)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// What was said before the body.
    pub headers: Vec<HttpHeader>,
    /// The body, still to be read.
    pub body: Arc<dyn HttpBody>,
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// HTTP as the platform does it: proxies, pinning, background transfers. Calls block.
#[uniffi::export(foreign)]
pub trait HttpTransport: Send + Sync {
    /// Sends a request and returns as soon as the answer's head is there.
    ///
    /// # Errors
    ///
    /// Any status is an answer; [`PlatformError::Unreachable`] or [`PlatformError::Untrusted`] when there is
    /// none.
    fn send(&self, call: HttpCall) -> Result<HttpAnswer, PlatformError>;
}

/// The body of an answer.
#[uniffi::export(foreign)]
pub trait HttpBody: Send + Sync {
    /// The next bytes, at most `max`; empty at the end.
    ///
    /// # Errors
    ///
    /// Fails when the connection breaks off.
    fn read(&self, max: u32) -> Result<Vec<u8>, PlatformError>;

    /// Nobody reads on.
    ///
    /// # Errors
    ///
    /// Nothing follows from a failure.
    fn end(&self) -> Result<(), PlatformError>;
}

/// What kind of network there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Network {
    /// None.
    Offline,
    /// One that costs by what goes through it.
    Metered,
    /// One that does not.
    Unmetered,
}

/// How much power there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Power {
    /// Little: the phone saves it.
    Saver,
    /// Enough.
    Battery,
    /// It is charging.
    Charging,
}

/// What background work should know before it begins.
#[uniffi::export(foreign)]
pub trait DeviceHints: Send + Sync {
    /// The network of now.
    ///
    /// # Errors
    ///
    /// A failure counts as [`Network::Unmetered`].
    fn network(&self) -> Result<Network, PlatformError>;

    /// The power of now.
    ///
    /// # Errors
    ///
    /// A failure counts as [`Power::Battery`].
    fn power(&self) -> Result<Power, PlatformError>;
}

/// Where the device is.
#[uniffi::export(foreign)]
pub trait PositionSource: Send + Sync {
    /// The position of now, if the user lets it be known. It is asked when somebody checks in.
    ///
    /// # Errors
    ///
    /// A failure counts as no position.
    fn position(&self) -> Result<Option<GeoPoint>, PlatformError>;
}

/// What time it is.
#[uniffi::export(foreign)]
pub trait WallClock: Send + Sync {
    /// Now.
    ///
    /// # Errors
    ///
    /// After a failure the system's own clock counts.
    fn now(&self) -> Result<SystemTime, PlatformError>;
}

/// What the platform brings; what is missing is as on a desktop.
#[derive(Clone, Default, uniffi::Record)]
pub struct Platform {
    /// Where the key is; without, a file in the user's settings where this build encrypts.
    #[uniffi(default = None)]
    pub secrets: Option<Arc<dyn SecretStore>>,
    /// What signs; without, a key in the folder that only its owner may read.
    #[uniffi(default = None)]
    pub signer: Option<Arc<dyn DeviceSigner>>,
    /// HTTP; without, that of desktops.
    #[uniffi(default = None)]
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Network and power; without, there is enough of both.
    #[uniffi(default = None)]
    pub hints: Option<Arc<dyn DeviceHints>>,
    /// Where the device is; without, nobody knows.
    #[uniffi(default = None)]
    pub position: Option<Arc<dyn PositionSource>>,
    /// The clock; without, the system's.
    #[uniffi(default = None)]
    pub clock: Option<Arc<dyn WallClock>>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Platform(…)")
    }
}

impl Platform {
    /// How requests are sent.
    pub(crate) fn http(&self) -> Http {
        match &self.transport {
            Some(transport) => Arc::new(Foreign(Arc::clone(transport))),
            None => own_transport(),
        }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match &self.clock {
            Some(clock) => Arc::new(Foreign(Arc::clone(clock))),
            None => Arc::new(SystemClock),
        }
    }

    pub(crate) fn network(&self) -> Network {
        let asked = self.hints.as_ref().and_then(|hints| hints.network().ok());
        asked.unwrap_or(Network::Unmetered)
    }

    pub(crate) fn power(&self) -> Power {
        let asked = self.hints.as_ref().and_then(|hints| hints.power().ok());
        asked.unwrap_or(Power::Battery)
    }

    pub(crate) fn position_now(&self) -> Option<GeoPoint> {
        self.position.as_ref()?.position().ok()?
    }
}

#[cfg(feature = "desktop")]
fn own_transport() -> Http {
    Arc::new(outrider_client::Desktop::default())
}

#[cfg(not(feature = "desktop"))]
fn own_transport() -> Http {
    Arc::new(Foreign(()))
}

/// Something of the platform's, in a role of the core.
pub(crate) struct Foreign<T>(pub(crate) T);

impl<T> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign(…)")
    }
}

#[cfg(not(feature = "desktop"))]
impl Transport for Foreign<()> {
    fn send(&self, _request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let text = "the app gave no transport, and this build has none of its own";
        Err(TransportError::Unreachable(text.to_owned()))
    }
}

impl Transport for Foreign<Arc<dyn HttpTransport>> {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let HttpRequest { method, url, headers, body, trust, silence } = request;
        let header = |(name, value): (&str, String)| HttpHeader { name: name.to_owned(), value };
        let (authority, accepts_any_certificate) = match trust {
            Trust::Public => (None, false),
            Trust::Only(der) => (Some(der), false),
            Trust::Unproven => (None, true),
        };
        let call = HttpCall {
            method: method.to_owned(),
            url,
            headers: headers.into_iter().map(header).collect(),
            body,
            authority,
            accepts_any_certificate,
            silence_ms: u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
        };
        let HttpAnswer { status, headers, body } =
            self.0.send(call).map_err(|error| match error {
                PlatformError::Untrusted { reason } => TransportError::Untrusted(reason),
                PlatformError::Locked { reason }
                | PlatformError::Unreachable { reason }
                | PlatformError::Failed { reason } => TransportError::Unreachable(reason),
            })?;
        let headers = headers.into_iter().take(HEADERS_MAX);
        Ok(HttpResponse {
            status,
            headers: headers.map(|HttpHeader { name, value }| (name, value)).collect(),
            body: Box::new(ForeignBody { body, rest: io::Cursor::default() }),
        })
    }
}

struct ForeignBody {
    body: Arc<dyn HttpBody>,
    /// What the platform gave beyond what was asked.
    rest: io::Cursor<Vec<u8>>,
}

impl Read for ForeignBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        self.rest = io::Cursor::new(self.body.read(max).map_err(io::Error::other)?);
        self.rest.read(buffer)
    }
}

impl Drop for ForeignBody {
    fn drop(&mut self) {
        // Whatever it says: nobody reads on.
        let _ = self.body.end();
    }
}

impl Foreign<Arc<dyn SecretStore>> {
    fn key(bytes: &[u8]) -> Result<StoreKey, KeyStoreError> {
        let key: Result<[u8; KEY_BYTES], _> = bytes.try_into();
        key.map(StoreKey::new).map_err(|_| KeyStoreError::Damaged { place: place() })
    }
}

fn place() -> String {
    "the device's secret store".to_owned()
}

fn key_store_error(error: PlatformError) -> KeyStoreError {
    match error {
        PlatformError::Locked { .. } => KeyStoreError::Locked { place: place() },
        PlatformError::Unreachable { reason }
        | PlatformError::Untrusted { reason }
        | PlatformError::Failed { reason } => {
            KeyStoreError::Failed { place: place(), source: io::Error::other(reason) }
        }
    }
}

impl KeyStore for Foreign<Arc<dyn SecretStore>> {
    fn place(&self) -> String {
        place()
    }

    fn load(&self) -> Result<Option<StoreKey>, KeyStoreError> {
        let found = self.0.load().map_err(key_store_error)?;
        found.map(|bytes| Self::key(&bytes)).transpose()
    }

    fn keep(&self, key: &StoreKey) -> Result<StoreKey, KeyStoreError> {
        Self::key(&self.0.keep(key.bytes().to_vec()).map_err(key_store_error)?)
    }

    fn destroy(&self) -> Result<bool, KeyStoreError> {
        self.0.erase().map_err(key_store_error)
    }
}

/// The device's key in secure hardware; its public half never changes.
pub(crate) struct HardwareKey {
    signer: Arc<dyn DeviceSigner>,
    public: Vec<u8>,
}

impl HardwareKey {
    pub(crate) fn of(signer: &Arc<dyn DeviceSigner>) -> Result<Self, KeyError> {
        let public = signer.public_key().map_err(|error| KeyError(error.to_string()))?;
        if public.len() != 65 || public.first() != Some(&4) {
            return Err(KeyError("its public half is no uncompressed P-256 point".to_owned()));
        }
        Ok(Self { signer: Arc::clone(signer), public })
    }
}

impl fmt::Debug for HardwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HardwareKey(…)")
    }
}

impl DeviceKey for HardwareKey {
    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn sign_message(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError> {
        let signed = self.signer.sign(message.to_vec());
        from_der(&signed.map_err(|error| KeyError(error.to_string()))?)
    }
}

impl Clock for Foreign<Arc<dyn WallClock>> {
    fn now_ms(&self) -> TimestampMs {
        self.0.now().map_or_else(|_| SystemClock.now_ms(), milliseconds)
    }
}
