//! Accounts of people who use the office pages, and their sessions.
//!
//! Parts of the [`Read`](super::Read) and [`Write`](super::Write) contracts. A session belongs to
//! an account that is there; neither takes a position of the feed.

use outrider_core::{ids::RecordId, schema::Language, time::TimestampMs};
use uuid::Uuid;

use super::StorageError;

/// What an account may do. More roles come with the permission matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, with devices and codes.
    Administrator,
    /// Records.
    Office,
}

impl Role {
    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Office => "office",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Administrator, Self::Office].into_iter().find(|role| role.as_str() == name)
    }
}

/// Someone who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// What is typed to sign in, in lower case.
    pub login: String,
    /// The name under which edits are written.
    pub user: String,
    /// The user's record, once there is one.
    pub user_record: Option<RecordId>,
    /// What it may do.
    pub role: Role,
    /// PHC text of the password's hash.
    pub password_hash: String,
    /// The language that was chosen, if one was.
    pub language: Option<Language>,
    /// When it was made.
    pub created_at: TimestampMs,
    /// Whether nobody may sign in with it.
    pub is_disabled: bool,
}

/// As whom an administrator looks at the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenAs {
    /// As the person of an account.
    Account(Uuid),
    /// As a user who may have no account: a rep with a device alone.
    User(RecordId),
}

/// A second factor: time-based codes (RFC 6238).
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it holds a secret, though sealed")]
pub struct SecondFactor {
    /// Whose it is.
    pub account: Uuid,
    /// The secret, sealed with a key that the storage does not have.
    pub secret: Vec<u8>,
    /// Whether it is asked for.
    pub is_confirmed: bool,
    /// The last time step whose code was taken.
    pub last_step: u64,
    /// When it was made.
    pub created_at: TimestampMs,
}

/// One browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// Whose it is.
    pub account: Uuid,
    /// When it began.
    pub created_at: TimestampMs,
    /// When it was last used, about.
    pub seen_at: TimestampMs,
    /// As whom it looks at the office, if not as its account.
    pub seen_as: Option<SeenAs>,
    /// What sort of browser it is, such as `Firefox, Windows`.
    pub browser: String,
}

/// Looking up accounts and sessions.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadAccounts {
    /// The account with this login, which is in lower case.
    fn account_by_login(&self, login: &str) -> Result<Option<Account>, StorageError>;
    /// The account with this id.
    fn account(&self, id: Uuid) -> Result<Option<Account>, StorageError>;
    /// How many accounts there are.
    fn account_count(&self) -> Result<u64, StorageError>;
    /// All accounts, by login.
    fn accounts(&self) -> Result<Vec<Account>, StorageError>;
    /// The sessions of an account, the newest first.
    fn sessions_of(&self, account: Uuid) -> Result<Vec<StoredSession>, StorageError>;
    /// The second factor of an account, confirmed or not.
    fn second_factor(&self, account: Uuid) -> Result<Option<SecondFactor>, StorageError>;
    /// How many recovery codes an account has left.
    fn recovery_code_count(&self, account: Uuid) -> Result<u64, StorageError>;
    /// The session with this token.
    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<StoredSession>, StorageError>;
}

/// Changing accounts and sessions.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteAccounts {
    /// Adds an account, or replaces the one with its id.
    fn put_account(&mut self, account: &Account) -> Result<(), StorageError>;
    /// Begins a session; of its account's sessions at most `keep` stay, the newest.
    fn add_session(&mut self, session: &StoredSession, keep: usize) -> Result<(), StorageError>;
    /// Notes that a session was used.
    fn touch_session(
        &mut self,
        token_hash: &[u8; 32],
        seen_at: TimestampMs,
    ) -> Result<(), StorageError>;
    /// Ends a session, if it is there.
    fn remove_session(&mut self, token_hash: &[u8; 32]) -> Result<(), StorageError>;
    /// Says as whom a session looks at the office.
    fn set_seen_as(
        &mut self,
        token_hash: &[u8; 32],
        seen_as: Option<SeenAs>,
    ) -> Result<(), StorageError>;
    /// Adds the second factor of an account, or replaces it.
    fn put_second_factor(&mut self, factor: &SecondFactor) -> Result<(), StorageError>;
    /// Takes a time step, once: whether it was later than all that were taken.
    fn take_step(&mut self, account: Uuid, step: u64) -> Result<bool, StorageError>;
    /// Removes an account's second factor and recovery codes; whether it had one.
    fn remove_second_factor(&mut self, account: Uuid) -> Result<bool, StorageError>;
    /// Replaces the recovery codes of an account (SHA-256).
    fn set_recovery_codes(&mut self, account: Uuid, codes: &[[u8; 32]])
    -> Result<(), StorageError>;
    /// Takes a recovery code, once: whether it was there.
    fn take_recovery_code(
        &mut self,
        account: Uuid,
        code_hash: &[u8; 32],
    ) -> Result<bool, StorageError>;
    /// Ends all sessions of an account.
    fn remove_sessions_of(&mut self, account: Uuid) -> Result<(), StorageError>;
    /// Ends sessions that began, or were last used, before these times.
    fn remove_old_sessions(
        &mut self,
        created_before: TimestampMs,
        seen_before: TimestampMs,
    ) -> Result<(), StorageError>;
}
