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
    /// Ends all sessions of an account.
    fn remove_sessions_of(&mut self, account: Uuid) -> Result<(), StorageError>;
    /// Ends sessions that began, or were last used, before these times.
    fn remove_old_sessions(
        &mut self,
        created_before: TimestampMs,
        seen_before: TimestampMs,
    ) -> Result<(), StorageError>;
}
