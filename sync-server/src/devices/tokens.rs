//! Tokens: one for requests, good for minutes; one for the next pair, good once.
//!
//! A pair is made from the server's key, the device, its family and a counter, so the same pair can
//! be made again: an answer that was lost is given again, and the storage needs the hashes alone.
//! Both are useless without the device's key, which signs every request and every exchange.
//!
//! * **Used twice**: a token for the next pair that was replaced, by somebody who shows that the
//!   successor arrived (it was used) or is somebody else (another nonce, later than
//!   [`RETRY_WINDOW_MS`]): the device is suspended until the office approves it again, for two
//!   devices seem to have one key.
//! * **Counted beyond what is stored**, and made by this server: the storage was restored from a
//!   backup, and the device goes on.

use std::cmp::Ordering;

use outrider_core::{
    ids::{DeviceId, from_hex, to_hex},
    points,
    sync::{proof::NONCE_BYTES, tokens::Tokens},
    time::TimestampMs,
};

use super::standing::{Bar, audit};
use crate::{
    auth::hash_token,
    config::DevicesConfig,
    keys::ServerKey,
    storage::{
        Storage, StorageError, Write,
        standing::{Standing, TokenFamily},
    },
};

/// For how long after an exchange the same token gets the same answer, whatever the nonce, while
/// the answer was not used. With the same nonce there is no limit.
pub const RETRY_WINDOW_MS: i64 = 60_000;
/// Bytes of a token for the next pair: family, generation, seal.
const REFRESH_BYTES: usize = 4 + 8 + 32;

/// For how long tokens are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// A token for requests.
    pub access_ms: i64,
    /// A token for the next pair, when nobody uses it.
    pub idle_ms: i64,
    /// A family, however it is used.
    pub absolute_ms: i64,
}

impl From<&DevicesConfig> for Terms {
    fn from(config: &DevicesConfig) -> Self {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        Self {
            access_ms: signed(config.token_ms),
            idle_ms: signed(config.token_idle_ms),
            absolute_ms: signed(config.token_absolute_ms),
        }
    }
}

/// Why a device gets no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No device has this token.
    #[error("the token is not known; ask the office for a code and enrol the device")]
    Unknown,
    /// The token was used before: the device is suspended.
    #[error(
        "this token was used before, perhaps on a copy of this device; the office must approve the device again"
    )]
    Reused,
    /// The tokens ended: the device is suspended.
    #[error("the device was away for too long; the office must approve it again")]
    Ended,
    /// The device has its tokens already.
    #[error("the device has its tokens already; exchange them instead")]
    Claimed,
    /// The office approved the device again: it claims its tokens.
    #[error("the office has approved this device again; claim its tokens")]
    Unclaimed,
    /// The device is not let in.
    #[error("{}", .0.words())]
    Barred(Bar),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn sealed(device: DeviceId, family: u32, generation: u64) -> Vec<u8> {
    let mut bytes = device.0.as_bytes().to_vec();
    bytes.extend(family.to_be_bytes());
    bytes.extend(generation.to_be_bytes());
    bytes
}

fn access_token(keys: &ServerKey, device: DeviceId, family: u32, generation: u64) -> [u8; 32] {
    keys.secret("access token", &sealed(device, family, generation))
}

fn refresh_token(keys: &ServerKey, device: DeviceId, family: u32, generation: u64) -> String {
    let bytes = sealed(device, family, generation);
    let seal = keys.secret("refresh token", &bytes);
    to_hex(&[bytes.get(16..).unwrap_or_default(), &seal].concat())
}

/// Family and generation of a token for the next pair that this server made.
fn read_refresh(keys: &ServerKey, device: DeviceId, text: &str) -> Option<(u32, u64)> {
    let bytes = from_hex::<REFRESH_BYTES>(text)?;
    let family = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let generation = u64::from_be_bytes(bytes.get(4..12)?.try_into().ok()?);
    // Compared by hash: how long it takes tells nothing.
    let made = refresh_token(keys, device, family, generation);
    (hash_text(&made) == hash_text(&text.to_ascii_lowercase())).then_some((family, generation))
}

fn hash_text(text: &str) -> [u8; 32] {
    outrider_core::sync::proof::body_digest(text.as_bytes())
}

/// A family that begins with the device's next request.
#[must_use]
pub fn unclaimed(device: DeviceId, family: u32, now_ms: TimestampMs) -> TokenFamily {
    // Nobody has a token of these hashes; they differ, as all must.
    let none =
        |kind: u8| hash_text(&to_hex(&[&sealed(device, family, 0), [kind].as_slice()].concat()));
    TokenFamily {
        device,
        family,
        generation: 0,
        began_at: now_ms,
        made_at: now_ms,
        nonce: [0; NONCE_BYTES],
        is_used: false,
        access_hash: none(0),
        access_expires_at: 0,
        previous_hash: none(1),
        previous_expires_at: 0,
        refresh_hash: none(2),
    }
}

/// The pair after `before`.
fn next(
    keys: &ServerKey,
    terms: &Terms,
    before: &TokenFamily,
    nonce: [u8; NONCE_BYTES],
    now_ms: TimestampMs,
) -> TokenFamily {
    let TokenFamily { device, family, .. } = *before;
    let generation = before.generation.saturating_add(1);
    TokenFamily {
        device,
        family,
        generation,
        began_at: before.began_at,
        made_at: now_ms,
        nonce,
        is_used: false,
        access_hash: hash_token(&access_token(keys, device, family, generation)),
        access_expires_at: now_ms.saturating_add(terms.access_ms),
        previous_hash: before.access_hash,
        previous_expires_at: before.access_expires_at,
        refresh_hash: hash_text(&refresh_token(keys, device, family, generation)),
    }
}

/// The last pair, for its device.
fn shown(keys: &ServerKey, tokens: &TokenFamily) -> Tokens {
    let TokenFamily { device, family, generation, .. } = *tokens;
    Tokens {
        token: to_hex(&access_token(keys, device, family, generation)),
        token_expires_at: tokens.access_expires_at,
        refresh_token: refresh_token(keys, device, family, generation),
    }
}

/// What came with a request for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// The device, whose key signed the request.
    pub device: DeviceId,
    /// Its nonce.
    pub nonce: [u8; NONCE_BYTES],
    /// When it came.
    pub now_ms: TimestampMs,
}

/// Whether the last pair may be given again: its first answer was lost.
fn is_retry(tokens: &TokenFamily, asking: &Asking) -> bool {
    let is_soon = asking.now_ms.saturating_sub(tokens.made_at) <= RETRY_WINDOW_MS;
    !tokens.is_used && (tokens.nonce == asking.nonce || is_soon)
}

/// Gives a device the next pair for `refresh`, a token of the last one, or an endless one from an
/// older server.
///
/// # Errors
///
/// Returns [`TokenError`] when it gets none.
pub fn exchange(
    storage: &dyn Storage,
    keys: &ServerKey,
    terms: &Terms,
    asking: &Asking,
    refresh: &str,
) -> Result<Tokens, TokenError> {
    let mut write = storage.write()?;
    let device = write.device(asking.device)?.ok_or(TokenError::Unknown)?;
    let standing = write.standing(device.id)?.ok_or(TokenError::Unknown)?;
    if let Some(bar) = Bar::of(&standing)
        && bar != Bar::Wipe
    {
        return Err(TokenError::Barred(bar));
    }
    let known = write.tokens(device.id)?;
    if let Some(endless) = from_hex::<32>(refresh) {
        let is_known = hash_token(&endless) == device.token_hash;
        let tokens = known.unwrap_or_else(|| unclaimed(device.id, 1, asking.now_ms));
        return match tokens.generation {
            _ if !is_known => Err(TokenError::Unknown),
            0 => give(write, keys, terms, &tokens, asking),
            // Its answer was lost: the endless token is over with the first use of what it brought.
            1 if !tokens.is_used => Ok(shown(keys, &tokens)),
            _ => Err(TokenError::Unknown),
        };
    }
    let asked = read_refresh(keys, device.id, refresh).ok_or(TokenError::Unknown)?;
    let known = known.ok_or(TokenError::Unknown)?;
    let ending = if asking.now_ms.saturating_sub(known.made_at) > terms.idle_ms {
        Some("token_idle")
    } else if asking.now_ms.saturating_sub(known.began_at) > terms.absolute_ms {
        Some("token_expired")
    } else {
        None
    };
    match asked.cmp(&(known.family, known.generation)) {
        Ordering::Equal | Ordering::Greater if ending.is_some() => {
            suspend(write, device.id, ending.unwrap_or_default(), asking.now_ms)?;
            Err(TokenError::Ended)
        }
        Ordering::Equal => give(write, keys, terms, &known, asking),
        Ordering::Greater => {
            // The storage was restored from a backup, the device was not.
            let (family, generation) = asked;
            audit(write.as_mut(), device.id, "tokens_recovered", "", asking.now_ms)?;
            give(write, keys, terms, &TokenFamily { family, generation, ..known }, asking)
        }
        // The office approved it again, knowing of the copy if there is one: who claims first has it.
        Ordering::Less if known.generation == 0 => Err(TokenError::Unclaimed),
        Ordering::Less => {
            let (family, generation) = asked;
            let is_last =
                family == known.family && generation.saturating_add(1) == known.generation;
            if is_last && is_retry(&known, asking) {
                return Ok(shown(keys, &known));
            }
            suspend(write, device.id, "token_reused", asking.now_ms)?;
            Err(TokenError::Reused)
        }
    }
}

/// Gives a device whose family has not begun its first pair.
///
/// # Errors
///
/// Returns [`TokenError`] when it gets none.
pub fn claim(
    storage: &dyn Storage,
    keys: &ServerKey,
    terms: &Terms,
    asking: &Asking,
) -> Result<Tokens, TokenError> {
    let write = storage.write()?;
    let standing = write.standing(asking.device)?.ok_or(TokenError::Unknown)?;
    if let Some(bar) = Bar::of(&standing) {
        return Err(TokenError::Barred(bar));
    }
    let known = write.tokens(asking.device)?.ok_or(TokenError::Unknown)?;
    match known.generation {
        0 => give(write, keys, terms, &known, asking),
        1 if is_retry(&known, asking) => Ok(shown(keys, &known)),
        _ => Err(TokenError::Claimed),
    }
}

/// Stores the pair after `before` and shows it.
fn give(
    mut write: Box<dyn Write + '_>,
    keys: &ServerKey,
    terms: &Terms,
    before: &TokenFamily,
    asking: &Asking,
) -> Result<Tokens, TokenError> {
    let made = next(keys, terms, before, asking.nonce, asking.now_ms);
    write.put_tokens(&made)?;
    points::reach("server.tokens.before_commit");
    write.commit()?;
    points::reach("server.tokens.after_commit");
    Ok(shown(keys, &made))
}

/// Ends a device's tokens until the office approves it again.
fn suspend(
    mut write: Box<dyn Write + '_>,
    device: DeviceId,
    reason: &'static str,
    now_ms: TimestampMs,
) -> Result<(), StorageError> {
    let Some(mut standing) = write.standing(device)? else { return Ok(()) };
    (standing.standing, standing.since) = (Standing::Suspended, now_ms);
    standing.reason = reason.to_owned();
    write.set_standing(device, &standing)?;
    audit(write.as_mut(), device, "suspended", reason, now_ms)?;
    write.commit()?;
    Ok(())
}
