//! Accounts and sessions.

use outrider_core::{ids::RecordId, schema::Language, time::TimestampMs};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;

use super::{Doing, damaged, from_sql, read::Connected, write::SqliteWrite};
use crate::storage::{
    StorageError,
    accounts::{Account, ReadAccounts, Role, StoredSession, WriteAccounts},
};

/// An account as it comes from a row, its role and language not yet understood.
struct RawAccount {
    account: Account,
    role: String,
    language: String,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RawAccount> {
    let account = Account {
        id: Uuid::from_bytes(row.get(0)?),
        login: row.get(1)?,
        user: row.get(2)?,
        user_record: row.get::<_, Option<[u8; 16]>>(3)?.map(RecordId::from_bytes),
        role: Role::Office,
        password_hash: row.get(5)?,
        language: None,
        created_at: row.get(7)?,
    };
    Ok(RawAccount { account, role: row.get(4)?, language: row.get(6)? })
}

fn find(conn: &Connection, sql: &str, by: impl Params) -> Result<Option<Account>, StorageError> {
    const DOING: &str = "looking up an account";
    let raw = conn.prepare_cached(sql).doing(DOING)?.query_row(by, read).optional().doing(DOING)?;
    let Some(RawAccount { mut account, role, language }) = raw else { return Ok(None) };
    account.role = Role::from_name(&role).ok_or_else(|| damaged("an account's role"))?;
    account.language = match language.as_str() {
        "en" => Some(Language::En),
        "zh" => Some(Language::Zh),
        _ => None,
    };
    Ok(Some(account))
}

/// Ends an account's sessions and gives it a password that nobody has.
pub(super) fn lock_out(conn: &Connection, login: &str) -> Result<(), StorageError> {
    const DOING: &str = "locking an account";
    conn.execute(
        "DELETE FROM session WHERE account IN (SELECT id FROM account WHERE login = ?1)",
        params![login],
    )
    .doing(DOING)?;
    conn.execute("UPDATE account SET password_hash = '' WHERE login = ?1", params![login])
        .map(drop)
        .doing(DOING)
}

impl<T: Connected> ReadAccounts for T {
    fn account_by_login(&self, login: &str) -> Result<Option<Account>, StorageError> {
        let sql = "SELECT id, login, user, user_record, role, password_hash, language, created_at
                   FROM account WHERE login = ?1";
        find(self.conn()?, sql, params![login])
    }

    fn account(&self, id: Uuid) -> Result<Option<Account>, StorageError> {
        let sql = "SELECT id, login, user, user_record, role, password_hash, language, created_at
                   FROM account WHERE id = ?1";
        find(self.conn()?, sql, params![id.as_bytes()])
    }

    fn account_count(&self) -> Result<u64, StorageError> {
        let count = self
            .conn()?
            .query_row("SELECT count(*) FROM account", [], |row| row.get(0))
            .doing("counting accounts")?;
        from_sql(count)
    }

    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<StoredSession>, StorageError> {
        const DOING: &str = "looking up a session";
        let sql = "SELECT account, created_at, seen_at FROM session WHERE token_hash = ?1";
        let read = |row: &Row<'_>| {
            Ok(StoredSession {
                token_hash: *token_hash,
                account: Uuid::from_bytes(row.get(0)?),
                created_at: row.get(1)?,
                seen_at: row.get(2)?,
            })
        };
        let mut query = self.conn()?.prepare_cached(sql).doing(DOING)?;
        query.query_row(params![token_hash], read).optional().doing(DOING)
    }
}

impl WriteAccounts for SqliteWrite<'_> {
    fn put_account(&mut self, account: &Account) -> Result<(), StorageError> {
        let language = match account.language {
            None => "",
            Some(Language::En) => "en",
            Some(Language::Zh) => "zh",
        };
        let written = self.conn()?.execute(
            "INSERT INTO account
                 (id, login, user, user_record, role, password_hash, language, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET login = ?2, user = ?3, user_record = ?4, role = ?5,
                 password_hash = ?6, language = ?7",
            params![
                account.id.as_bytes(),
                account.login,
                account.user,
                account.user_record.as_ref().map(RecordId::as_bytes),
                account.role.as_str(),
                account.password_hash,
                language,
                account.created_at,
            ],
        );
        written.map(drop).doing("writing an account")
    }

    fn add_session(&mut self, session: &StoredSession, keep: usize) -> Result<(), StorageError> {
        const DOING: &str = "beginning a session";
        let account = session.account.as_bytes();
        let conn = self.conn()?;
        conn.execute(
            "INSERT INTO session (token_hash, account, created_at, seen_at)
             VALUES (?1, ?2, ?3, ?4)",
            params![session.token_hash, account, session.created_at, session.seen_at],
        )
        .doing(DOING)?;
        let removed = conn.execute(
            "DELETE FROM session WHERE account = ?1 AND token_hash IN (
                 SELECT token_hash FROM session WHERE account = ?1
                 ORDER BY created_at DESC, token_hash LIMIT -1 OFFSET ?2)",
            params![account, i64::try_from(keep).unwrap_or(i64::MAX)],
        );
        removed.map(drop).doing(DOING)
    }

    fn touch_session(
        &mut self,
        token_hash: &[u8; 32],
        seen_at: TimestampMs,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE session SET seen_at = ?2 WHERE token_hash = ?1 AND seen_at < ?2";
        self.conn()?
            .execute(sql, params![token_hash, seen_at])
            .map(drop)
            .doing("noting the use of a session")
    }

    fn remove_session(&mut self, token_hash: &[u8; 32]) -> Result<(), StorageError> {
        self.conn()?
            .execute("DELETE FROM session WHERE token_hash = ?1", params![token_hash])
            .map(drop)
            .doing("ending a session")
    }

    fn remove_sessions_of(&mut self, account: Uuid) -> Result<(), StorageError> {
        self.conn()?
            .execute("DELETE FROM session WHERE account = ?1", params![account.as_bytes()])
            .map(drop)
            .doing("ending an account's sessions")
    }

    fn remove_old_sessions(
        &mut self,
        created_before: TimestampMs,
        seen_before: TimestampMs,
    ) -> Result<(), StorageError> {
        let sql = "DELETE FROM session WHERE created_at < ?1 OR seen_at < ?2";
        self.conn()?
            .execute(sql, params![created_before, seen_before])
            .map(drop)
            .doing("ending old sessions")
    }
}
