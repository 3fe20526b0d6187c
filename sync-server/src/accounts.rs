//! People who sign in to the office pages: accounts, passwords, sessions. No network.
//!
//! A session's token is 32 random bytes, known to the browser alone; the storage has its SHA-256.
//! A password is known to its owner alone; the storage has its Argon2id hash. An unknown login
//! costs the same time as a wrong password, so that nobody learns who has an account.

use outrider_core::{
    ids::{ChangeHash, RecordId},
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    keys::ServerKey,
    storage::{
        AuditLine, Read, Storage, StorageError,
        accounts::{Account, Role, SeenAs, StoredSession},
    },
};

pub mod factor;
pub mod manage;

mod password;

pub use password::{PASSWORD_BYTES_MAX, Salt, hash_password};

/// The login that the first start creates.
pub const FIRST_LOGIN: &str = "admin";
/// The name under which that account edits.
pub const FIRST_USER: &str = "Administrator";
/// Characters of a login, at most.
pub const LOGIN_CHARS_MAX: usize = 100;
/// What is said of a name that is the server's own.
const RESERVED: &str = "`office` is the server's own name; take another";
/// Milliseconds after which a session that nobody uses ends: half a day.
pub const SESSION_IDLE_MS: i64 = 12 * 60 * 60 * 1_000;
/// Milliseconds after which a session ends even if it is used: a week.
pub const SESSION_AGE_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Milliseconds between two notes that a session is in use: reading a page rarely writes.
pub const SESSION_TOUCH_MS: i64 = 60 * 1_000;
/// Browsers in which one account is signed in, at most; the oldest is signed out.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 20;
/// Bytes of a session's token.
pub const TOKEN_BYTES: usize = 32;

/// Why something about an account was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Login or password is wrong; which one is not said.
    #[error("the login or the password is wrong")]
    Wrong,
    /// There is no such account.
    #[error("there is no account `{0}`; add --create to make it")]
    Unknown(String),
    /// The login or the name is no name.
    #[error("{0}")]
    Invalid(&'static str),
    /// The login belongs to an account already.
    #[error("there is an account with this login already")]
    Taken,
    /// It would shut out whoever does it, or everybody.
    #[error("nobody may switch their own account off, or the last administrator's")]
    LastAdministrator,
    /// The code of the second factor is wrong, or was used.
    #[error("the code is wrong, or was used already")]
    WrongCode,
    /// The second factor was sealed with another key: this server's key was replaced.
    #[error("the second factor cannot be read; an administrator can reset it")]
    Sealed,
    /// The hash could not be computed.
    #[error("the password could not be hashed")]
    Hash,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A token as the browser has it.
pub type Token = [u8; TOKEN_BYTES];

/// What the storage keeps of a session's token.
#[must_use]
pub fn hash_token(token: &Token) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// A password that a person can type, from 128 random bits.
#[must_use]
pub fn show_password(random: u128) -> String {
    crate::enrol::show_code(random).to_lowercase()
}

/// The login as it is kept: lower case, without outer space.
#[must_use]
pub fn fold_login(login: &str) -> String {
    login.trim().to_lowercase()
}

/// Creates the first account if there is none; returns whether it did.
///
/// # Errors
///
/// [`AccountError`] when hash or storage fails.
pub fn ensure_administrator(
    storage: &dyn Storage,
    password: &str,
    salt: &Salt,
    id: Uuid,
    now_ms: TimestampMs,
) -> Result<bool, AccountError> {
    if storage.read()?.account_count()? > 0 {
        return Ok(false);
    }
    let account = Account {
        id,
        login: FIRST_LOGIN.to_owned(),
        user: FIRST_USER.to_owned(),
        user_record: None,
        role: Role::Administrator,
        password_hash: hash_password(password, salt)?,
        language: None,
        created_at: now_ms,
        is_disabled: false,
    };
    let mut write = storage.write()?;
    // Another process may have been faster.
    if write.account_count()? > 0 {
        return Ok(false);
    }
    write.put_account(&account)?;
    write.add_audit(&AuditLine::new(now_ms, "account_created").subject(account.id))?;
    write.commit()?;
    Ok(true)
}

/// What `password` was told about whose password it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The login.
    pub login: String,
    /// The name under which a new account edits; none if no account may be created.
    pub create_as: Option<String>,
}

/// Whether it can be a login or a name.
/// Whether a name is the server's own: whoever had it would pass for the server.
fn is_reserved(name: &str) -> bool {
    fold_login(name) == crate::office::SYSTEM_USER
}

fn is_name(name: &str) -> bool {
    let chars = name.chars().count();
    !name.trim().is_empty() && chars <= LOGIN_CHARS_MAX && !name.chars().any(char::is_control)
}

/// Sets a password, and signs the account out everywhere.
///
/// # Errors
///
/// [`AccountError::Unknown`] for a login that nobody has, unless an account may be created;
/// [`AccountError::Invalid`] for a login or name that is none.
pub fn set_password(
    storage: &dyn Storage,
    whose: &Whose,
    password: &str,
    salt: &Salt,
    id: Uuid,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let login = fold_login(&whose.login);
    if !is_name(&login) {
        return Err(AccountError::Invalid("the login must have 1 to 100 characters"));
    }
    let password_hash = hash_password(password, salt)?;
    let mut write = storage.write()?;
    let account = match (write.account_by_login(&login)?, &whose.create_as) {
        (Some(account), _) => Account { password_hash, ..account },
        (None, None) => return Err(AccountError::Unknown(login)),
        (None, Some(user)) if is_reserved(user) || is_reserved(&login) => {
            return Err(AccountError::Invalid(RESERVED));
        }
        (None, Some(user)) if !is_name(user) => {
            return Err(AccountError::Invalid("the name must have 1 to 100 characters"));
        }
        (None, Some(user)) => Account {
            id,
            login,
            user: user.trim().to_owned(),
            user_record: None,
            role: Role::Office,
            password_hash,
            language: None,
            created_at: now_ms,
            is_disabled: false,
        },
    };
    write.put_account(&account)?;
    write.remove_sessions_of(account.id)?;
    write.add_audit(&AuditLine::new(now_ms, "password_set").subject(account.id))?;
    write.commit()?;
    Ok(())
}

/// The account of `login` if `password` is its own. Takes as long whether the login is known.
///
/// # Errors
///
/// [`AccountError::Wrong`], or the storage's.
pub fn check_password(
    storage: &dyn Storage,
    login: &str,
    password: &str,
) -> Result<Account, AccountError> {
    // The transaction ends before the hash, which takes its time.
    let account = storage.read()?.account_by_login(&fold_login(login))?;
    let hash = account.as_ref().map(|account| account.password_hash.as_str());
    if !password::is_password(password, hash) {
        return Err(AccountError::Wrong);
    }
    // A disabled account is told apart from a wrong password by nobody.
    account.filter(|account| !account.is_disabled).ok_or(AccountError::Wrong)
}

/// Begins a session of an account under a fresh token, and ends the one before in this browser.
///
/// # Errors
///
/// The storage's.
pub fn begin_session(
    storage: &dyn Storage,
    account: Uuid,
    token: &Token,
    before: Option<&Token>,
    browser: &str,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let mut write = storage.write()?;
    write.remove_old_sessions(now_ms - SESSION_AGE_MS_MAX, now_ms - SESSION_IDLE_MS)?;
    if let Some(before) = before {
        write.remove_session(&hash_token(before))?;
    }
    let token_hash = hash_token(token);
    let session = StoredSession {
        token_hash,
        account,
        created_at: now_ms,
        seen_at: now_ms,
        seen_as: None,
        browser: browser.to_owned(),
    };
    write.add_session(&session, SESSIONS_PER_ACCOUNT_MAX)?;
    write.add_audit(&AuditLine::new(now_ms, "signed_in").account(account))?;
    write.commit()?;
    Ok(())
}

/// A session that lives: whose it is, and as whom it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Whose.
    pub account: Account,
    /// As whom, if not as its account.
    pub seen_as: Option<Seen>,
}

/// As whom an administrator looks at the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The account or the user's record.
    pub target: SeenAs,
    /// The name.
    pub user: String,
    /// The user's record, once there is one.
    pub user_record: Option<RecordId>,
    /// What they may do.
    pub role: Role,
}

/// Who is looked as. Somebody who is not there any more is nobody, and sees the least.
fn seen(read: &dyn Read, target: SeenAs) -> Result<Seen, StorageError> {
    let nobody = Seen { target, user: "–".to_owned(), user_record: None, role: Role::Office };
    Ok(match target {
        SeenAs::Account(id) => read.account(id)?.map_or(nobody, |account| Seen {
            target,
            user: account.user,
            user_record: account.user_record,
            role: account.role,
        }),
        SeenAs::User(id) => {
            let known = crate::office::titles(read, [id]).unwrap_or_default().remove(&id);
            known.map_or(nobody, |(_, user)| Seen {
                target,
                user,
                user_record: Some(id),
                role: Role::Office,
            })
        }
    })
}

/// The account of a session, if the token is known and the session has not ended.
///
/// # Errors
///
/// The storage's.
pub fn find_session(
    storage: &dyn Storage,
    token: &Token,
    now_ms: TimestampMs,
) -> Result<Option<Live>, AccountError> {
    let token_hash = hash_token(token);
    let read = storage.read()?;
    let Some(session) = read.session(&token_hash)? else { return Ok(None) };
    let idle_ms = now_ms - session.seen_at;
    if idle_ms >= SESSION_IDLE_MS || now_ms - session.created_at >= SESSION_AGE_MS_MAX {
        return Ok(None);
    }
    let account = read.account(session.account)?.filter(|account| !account.is_disabled);
    let seen_as = session.seen_as.map(|target| seen(&*read, target)).transpose()?;
    drop(read);
    if idle_ms >= SESSION_TOUCH_MS {
        let mut write = storage.write()?;
        write.touch_session(&token_hash, now_ms)?;
        write.commit()?;
    }
    Ok(account.map(|account| Live { account, seen_as }))
}

/// Ends a session.
///
/// # Errors
///
/// The storage's.
pub fn end_session(
    storage: &dyn Storage,
    token: &Token,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let mut write = storage.write()?;
    let token_hash = hash_token(token);
    let session = write.session(&token_hash)?;
    write.remove_session(&token_hash)?;
    if let Some(session) = session {
        write.add_audit(&AuditLine::new(now_ms, "signed_out").account(session.account))?;
    }
    write.commit()?;
    Ok(())
}

/// Notes that somebody was refused: the login as a hash that only this server can make, and how
/// many more were refused since the last line.
///
/// # Errors
///
/// The storage's.
pub fn note_refusal(
    storage: &dyn Storage,
    key: &ServerKey,
    login: &str,
    (code, more): (&str, u64),
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let login = fold_login(login);
    // People type passwords into the wrong field: nobody must be able to try them on the hash.
    let mut hash = Sha256::new();
    hash.update(key.derive("login"));
    hash.update(login.as_bytes());
    let known = storage.read()?.account_by_login(&login)?.map(|account| account.id);
    let line = AuditLine::new(now_ms, "sign_in_failed").subject(known).code(code);
    let line = line.hash(ChangeHash(hash.finalize().into())).count((more > 0).then_some(more));
    let mut write = storage.write()?;
    write.add_audit(&line)?;
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::storage::sqlite::SqliteStorage;

    const NOW: i64 = 1_700_000_000_000;
    const SALT: Salt = [5; 16];

    fn open() -> (TempDir, SqliteStorage) {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
        assert!(ensure_administrator(&storage, "first", &SALT, Uuid::from_u128(1), NOW).unwrap());
        (folder, storage)
    }

    #[test]
    fn the_first_account_is_made_once() {
        let (_folder, storage) = open();
        let again = ensure_administrator(&storage, "second", &SALT, Uuid::from_u128(2), NOW);
        assert!(!again.unwrap());
        assert_eq!(check_password(&storage, " Admin ", "first").unwrap().login, FIRST_LOGIN);
        for (login, password) in [("admin", "second"), ("admin", ""), ("nobody", "first")] {
            let refused = check_password(&storage, login, password);
            assert!(matches!(refused, Err(AccountError::Wrong)), "{login}");
        }
    }

    #[test]
    fn a_new_password_signs_out_everywhere() {
        let (_folder, storage) = open();
        let account = check_password(&storage, "admin", "first").unwrap();
        begin_session(&storage, account.id, &[1; 32], None, "", NOW).unwrap();
        let whose = Whose { login: "ADMIN".to_owned(), create_as: None };
        set_password(&storage, &whose, "other", &SALT, Uuid::nil(), NOW).unwrap();
        assert!(find_session(&storage, &[1; 32], NOW).unwrap().is_none());
        assert!(check_password(&storage, "admin", "first").is_err());
        assert!(check_password(&storage, "admin", "other").is_ok());
        let unknown = Whose { login: "li".to_owned(), create_as: None };
        let refused = set_password(&storage, &unknown, "x", &SALT, Uuid::from_u128(3), NOW);
        assert!(matches!(refused, Err(AccountError::Unknown(_))));
        let new = Whose { create_as: Some("Li Na".to_owned()), ..unknown };
        set_password(&storage, &new, "x", &SALT, Uuid::from_u128(3), NOW).unwrap();
        let made = check_password(&storage, "li", "x").unwrap();
        assert_eq!((made.user.as_str(), made.role), ("Li Na", Role::Office));
    }

    #[test]
    fn a_session_ends_by_idleness_and_by_age() {
        let (_folder, storage) = open();
        let id = Uuid::from_u128(1);
        let is_live = |at| find_session(&storage, &[1; 32], at).unwrap().is_some();
        begin_session(&storage, id, &[1; 32], None, "", NOW).unwrap();
        assert!(is_live(NOW + SESSION_IDLE_MS - 1), "used just in time");
        assert!(is_live(NOW + 2 * SESSION_IDLE_MS - 2));
        assert!(!is_live(NOW + 3 * SESSION_IDLE_MS), "left alone for too long");
        begin_session(&storage, id, &[2; 32], Some(&[1; 32]), "", NOW).unwrap();
        assert!(!is_live(NOW), "signing in again ends the session before");
        let mut at = NOW;
        while at < NOW + SESSION_AGE_MS_MAX {
            assert!(find_session(&storage, &[2; 32], at).unwrap().is_some());
            at += SESSION_IDLE_MS / 2;
        }
        assert!(find_session(&storage, &[2; 32], at).unwrap().is_none(), "too old although used");
        begin_session(&storage, id, &[3; 32], None, "", NOW).unwrap();
        end_session(&storage, &[3; 32], NOW).unwrap();
        assert!(find_session(&storage, &[3; 32], NOW).unwrap().is_none());
    }
}
