//! The second factor: codes of an authenticator app (RFC 6238), and recovery codes for who lost it.
//!
//! The secret is sealed with a key that comes from the server's own, which lies beside the
//! database and in none of its backups: a copy of the database makes no codes. Each code is good
//! once, because a time step is taken in the transaction that lets somebody in; a clock may be one
//! step off. Recovery codes have 80 random bits; their SHA-256 is kept, and each is good once.

use outrider_core::time::TimestampMs;
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use uuid::Uuid;

use super::AccountError;
use crate::{
    enrol::show_code,
    keys::{NONCE_BYTES, ServerKey},
    storage::{
        AuditLine, Storage,
        accounts::{Account, SecondFactor},
    },
};

/// Seconds of a time step.
pub const STEP_S: u64 = 30;
/// Steps that a clock may be off, each way.
pub const SKEW_STEPS: u16 = 1;
/// Digits of a code.
pub const DIGITS: u8 = 6;
/// Bytes of a secret.
pub const SECRET_BYTES: usize = 20;
/// Recovery codes that one account gets.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code, without dashes.
const RECOVERY_CHARS: usize = 16;
/// What authenticator apps show as the issuer.
const ISSUER: &str = "Outrider";
/// What secrets are sealed for.
const PURPOSE: &str = "second factor";

/// Fresh random bytes for a second factor.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct FactorDraw {
    /// The secret.
    pub secret: [u8; SECRET_BYTES],
    /// The nonce that it is sealed with.
    pub nonce: [u8; NONCE_BYTES],
}

/// What the person needs to set up the app; shown once.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Setup {
    /// The secret for typing, in base 32.
    pub secret: String,
    /// The address that apps read from a picture.
    pub link: String,
}

/// How a code was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The app's.
    App,
    /// A recovery code; so many are left.
    Recovery(u64),
}

fn totp(secret: Vec<u8>) -> Result<Totp, AccountError> {
    // SHA-1 is what apps can do; here it is a keyed hash, whose weakness does not matter.
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(SKEW_STEPS)
        .with_step_duration(STEP_S)
        .with_secret(secret)
        .build()
        .map_err(|_| AccountError::Sealed)
}

fn open(key: &ServerKey, factor: &SecondFactor) -> Result<Totp, AccountError> {
    let secret = key.open(PURPOSE, factor.account.as_bytes(), &factor.secret);
    totp(secret.ok_or(AccountError::Sealed)?)
}

/// Begins a second factor, which counts once a first code of it was right. One that counts already
/// stays until then only if it is not replaced: remove it first.
///
/// # Errors
///
/// [`AccountError::Taken`] where one counts already, or the storage's.
pub fn begin(
    storage: &dyn Storage,
    key: &ServerKey,
    account: &Account,
    draw: &FactorDraw,
    now_ms: TimestampMs,
) -> Result<Setup, AccountError> {
    let mut write = storage.write()?;
    if write.second_factor(account.id)?.is_some_and(|factor| factor.is_confirmed) {
        return Err(AccountError::Taken);
    }
    write.put_second_factor(&SecondFactor {
        account: account.id,
        secret: key.seal(PURPOSE, account.id.as_bytes(), draw.nonce, &draw.secret),
        is_confirmed: false,
        last_step: 0,
        created_at: now_ms,
    })?;
    write.commit()?;
    Ok(setup(&draw.secret, &account.login))
}

fn setup(secret: &[u8; SECRET_BYTES], login: &str) -> Setup {
    let secret = Secret::from(secret.to_vec()).to_base32();
    let name: String = form_urlencoded::byte_serialize(login.as_bytes()).collect();
    let name = name.replace('+', "%20");
    let link = format!(
        "otpauth://totp/{ISSUER}:{name}?secret={secret}&issuer={ISSUER}&algorithm=SHA1\
         &digits={DIGITS}&period={STEP_S}"
    );
    Setup { secret, link }
}

/// Confirms a second factor with a first code; returns recovery codes, to be shown once.
///
/// # Errors
///
/// [`AccountError::WrongCode`] for a code that is not right, or where nothing was begun.
pub fn confirm(
    storage: &dyn Storage,
    key: &ServerKey,
    account: Uuid,
    code: &str,
    random: &[u128; RECOVERY_CODES],
    now_ms: TimestampMs,
) -> Result<Vec<String>, AccountError> {
    let mut write = storage.write()?;
    let factor = write.second_factor(account)?.filter(|factor| !factor.is_confirmed);
    let factor = factor.ok_or(AccountError::WrongCode)?;
    let step = step_of(&open(key, &factor)?, code, now_ms).ok_or(AccountError::WrongCode)?;
    write.put_second_factor(&SecondFactor { is_confirmed: true, last_step: step, ..factor })?;
    let codes: Vec<String> = random.iter().map(|random| show_recovery(*random)).collect();
    write.set_recovery_codes(account, &codes.iter().map(|code| hash(code)).collect::<Vec<_>>())?;
    write.add_audit(&AuditLine::new(now_ms, "second_factor_set").account(account))?;
    write.commit()?;
    Ok(codes)
}

/// Checks a code of a confirmed second factor, or a recovery code, and takes it.
///
/// # Errors
///
/// [`AccountError::WrongCode`] for one that is wrong or was used; [`AccountError::Sealed`] where
/// the secret cannot be opened any more and it was no recovery code.
pub fn check(
    storage: &dyn Storage,
    key: &ServerKey,
    account: Uuid,
    code: &str,
    now_ms: TimestampMs,
) -> Result<Passed, AccountError> {
    let mut write = storage.write()?;
    let factor = write.second_factor(account)?.filter(|factor| factor.is_confirmed);
    let factor = factor.ok_or(AccountError::WrongCode)?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() == usize::from(DIGITS) {
        let step = step_of(&open(key, &factor)?, &digits, now_ms).ok_or(AccountError::WrongCode)?;
        if !write.take_step(account, step)? {
            return Err(AccountError::WrongCode);
        }
        write.commit()?;
        return Ok(Passed::App);
    }
    if !write.take_recovery_code(account, &hash(code))? {
        return Err(AccountError::WrongCode);
    }
    let left = write.recovery_code_count(account)?;
    let line = AuditLine::new(now_ms, "recovery_code_used").account(account).count(left);
    write.add_audit(&line)?;
    write.commit()?;
    Ok(Passed::Recovery(left))
}

/// Removes a second factor; whether there was one that counted or was begun.
///
/// # Errors
///
/// The storage's.
pub fn remove(
    storage: &dyn Storage,
    account: Uuid,
    by: Option<Uuid>,
    now_ms: TimestampMs,
) -> Result<bool, AccountError> {
    let mut write = storage.write()?;
    if !write.remove_second_factor(account)? {
        return Ok(false);
    }
    write
        .add_audit(&AuditLine::new(now_ms, "second_factor_removed").account(by).subject(account))?;
    write.commit()?;
    Ok(true)
}

fn step_of(totp: &Totp, code: &str, now_ms: TimestampMs) -> Option<u64> {
    let now_s = u64::try_from(now_ms / 1_000).ok()?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    totp.check(&digits, now_s)
}

/// 80 bits as people type them.
fn show_recovery(random: u128) -> String {
    let text: String =
        show_code(random).chars().filter(|c| *c != '-').take(RECOVERY_CHARS).collect();
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    chars.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What the storage keeps of a recovery code, however it was typed.
fn hash(code: &str) -> [u8; 32] {
    let typed = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let plain: String = typed
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    Sha256::digest(plain.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{accounts::ensure_administrator, storage::sqlite::SqliteStorage};

    const NOW: i64 = 1_700_000_010_000;
    const STEP_MS: i64 = STEP_S as i64 * 1_000;
    const DRAW: FactorDraw = FactorDraw { secret: [7; SECRET_BYTES], nonce: [8; NONCE_BYTES] };

    struct Set {
        folder: TempDir,
        storage: SqliteStorage,
        key: ServerKey,
        account: Account,
        recovery: Vec<String>,
    }

    fn code_at(at: i64) -> String {
        totp(DRAW.secret.to_vec()).unwrap().generate((at / 1_000) as u64).to_string()
    }

    fn set_up() -> Set {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
        let key = ServerKey::load_or_create(folder.path()).unwrap();
        ensure_administrator(&storage, "first", &[5; 16], Uuid::from_u128(1), NOW).unwrap();
        let account = storage.read().unwrap().account(Uuid::from_u128(1)).unwrap().unwrap();
        begin(&storage, &key, &account, &DRAW, NOW).unwrap();
        let random = std::array::from_fn(|n| (n as u128 + 1) << 100);
        let recovery = confirm(&storage, &key, account.id, &code_at(NOW), &random, NOW).unwrap();
        Set { folder, storage, key, account, recovery }
    }

    #[test]
    fn a_code_is_good_once_and_a_clock_may_be_one_step_off() {
        let set = set_up();
        let try_at = |code: &str, at| check(&set.storage, &set.key, set.account.id, code, at);
        assert!(
            matches!(try_at(&code_at(NOW), NOW), Err(AccountError::WrongCode)),
            "confirmed by it"
        );
        let ahead = code_at(NOW + STEP_MS);
        assert_eq!(try_at(&ahead, NOW).unwrap(), Passed::App, "the phone is ahead");
        assert!(try_at(&ahead, NOW).is_err(), "used");
        assert!(try_at(&ahead, NOW + STEP_MS).is_err(), "used, and now it would be due");
        let later = NOW + 10 * STEP_MS;
        assert!(try_at(&code_at(later + 2 * STEP_MS), later).is_err(), "two steps ahead");
        assert!(try_at(&code_at(later - 2 * STEP_MS), later).is_err(), "two steps behind");
        assert!(try_at("000000", later).is_err());
        assert_eq!(try_at(&code_at(later - STEP_MS), later).unwrap(), Passed::App);
        assert!(try_at(&code_at(later - STEP_MS), later).is_err());
        let spaced = code_at(later);
        let (one, other) = spaced.split_at(3);
        let spaced = format!(" {one} {other}");
        assert_eq!(try_at(&spaced, later).unwrap(), Passed::App, "as apps show it");
    }

    #[test]
    fn a_recovery_code_is_good_once_however_it_is_typed() {
        let set = set_up();
        assert_eq!(set.recovery.len(), RECOVERY_CODES);
        let try_code = |code: &str| check(&set.storage, &set.key, set.account.id, code, NOW);
        let typed = set.recovery[3].to_uppercase().replace('-', " ");
        assert_eq!(try_code(&typed).unwrap(), Passed::Recovery(9));
        assert!(try_code(&set.recovery[3]).is_err());
        assert_eq!(try_code(&set.recovery[0]).unwrap(), Passed::Recovery(8));
        assert!(try_code("").is_err());
        assert!(remove(&set.storage, set.account.id, None, NOW).unwrap());
        assert!(try_code(&set.recovery[1]).is_err());
    }

    #[test]
    fn the_secret_is_nowhere_in_the_database_and_a_replaced_key_leaves_recovery_codes() {
        let set = set_up();
        let base32 = setup(&DRAW.secret, "x").secret;
        for entry in std::fs::read_dir(set.folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(!has(&DRAW.secret) && !has(base32.as_bytes()));
        }
        let other = TempDir::new().unwrap();
        let other = ServerKey::load_or_create(other.path()).unwrap();
        let try_code =
            |code: &str| check(&set.storage, &other, set.account.id, code, NOW + STEP_MS);
        assert!(matches!(try_code(&code_at(NOW + STEP_MS)), Err(AccountError::Sealed)));
        assert_eq!(try_code(&set.recovery[0]).unwrap(), Passed::Recovery(9));
    }

    #[test]
    fn one_that_counts_is_not_replaced_and_the_link_names_its_owner() {
        let set = set_up();
        let again = begin(&set.storage, &set.key, &set.account, &DRAW, NOW);
        assert!(matches!(again, Err(AccountError::Taken)));
        let Setup { secret, link } = setup(&DRAW.secret, "li na");
        assert_eq!(secret.len(), 32);
        assert!(link.starts_with("otpauth://totp/Outrider:li%20na?secret="), "{link}");
    }
}
