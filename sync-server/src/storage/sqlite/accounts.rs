//! Accounts and sessions.

use outrider_core::{ids::RecordId, schema::Language, time::TimestampMs};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;

use super::{Doing, damaged, from_sql, read::Connected, to_sql, write::SqliteWrite};
use crate::storage::{
    StorageError,
    accounts::{Account, ReadAccounts, Role, SecondFactor, SeenAs, StoredSession, WriteAccounts},
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
        is_disabled: row.get(8)?,
    };
    Ok(RawAccount { account, role: row.get(4)?, language: row.get(6)? })
}

/// The columns that [`read`] expects.
macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, login, user, user_record, role, password_hash, language, created_at, \
             is_disabled FROM account ",
            $rest
        )
    };
}

fn understand(raw: RawAccount) -> Result<Account, StorageError> {
    let RawAccount { mut account, role, language } = raw;
    account.role = Role::from_name(&role).ok_or_else(|| damaged("an account's role"))?;
    account.language = match language.as_str() {
        "en" => Some(Language::En),
        "zh" => Some(Language::Zh),
        _ => None,
    };
    Ok(account)
}

fn find(conn: &Connection, sql: &str, by: impl Params) -> Result<Option<Account>, StorageError> {
    const DOING: &str = "looking up an account";
    let raw = conn.prepare_cached(sql).doing(DOING)?.query_row(by, read).optional().doing(DOING)?;
    raw.map(understand).transpose()
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    let account: Option<[u8; 16]> = row.get(4)?;
    let user: Option<[u8; 16]> = row.get(5)?;
    let account = account.map(|id| SeenAs::Account(Uuid::from_bytes(id)));
    Ok(StoredSession {
        token_hash: row.get(0)?,
        account: Uuid::from_bytes(row.get(1)?),
        created_at: row.get(2)?,
        seen_at: row.get(3)?,
        seen_as: account.or(user.map(|id| SeenAs::User(RecordId::from_bytes(id)))),
        browser: row.get(6)?,
    })
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
        find(self.conn()?, select_account!("WHERE login = ?1"), params![login])
    }

    fn account(&self, id: Uuid) -> Result<Option<Account>, StorageError> {
        find(self.conn()?, select_account!("WHERE id = ?1"), params![id.as_bytes()])
    }

    fn account_count(&self) -> Result<u64, StorageError> {
        let count = self
            .conn()?
            .query_row("SELECT count(*) FROM account", [], |row| row.get(0))
            .doing("counting accounts")?;
        from_sql(count)
    }

    fn accounts(&self) -> Result<Vec<Account>, StorageError> {
        const DOING: &str = "listing accounts";
        let raw: Vec<RawAccount> = self
            .conn()?
            .prepare_cached(select_account!("ORDER BY login"))
            .and_then(|mut query| query.query_map([], read)?.collect())
            .doing(DOING)?;
        raw.into_iter().map(understand).collect()
    }

    fn sessions_of(&self, account: Uuid) -> Result<Vec<StoredSession>, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT token_hash, account, created_at, seen_at, seen_account, seen_user, browser
                 FROM session WHERE account = ?1 ORDER BY created_at DESC, token_hash",
            )
            .and_then(|mut query| query.query_map([account.as_bytes()], read_session)?.collect())
            .doing("listing sessions")
    }

    fn second_factor(&self, account: Uuid) -> Result<Option<SecondFactor>, StorageError> {
        let read = |row: &Row<'_>| {
            Ok(SecondFactor {
                account,
                secret: row.get(0)?,
                is_confirmed: row.get(1)?,
                last_step: row.get::<_, i64>(2)?.unsigned_abs(),
                created_at: row.get(3)?,
            })
        };
        self.conn()?
            .prepare_cached(
                "SELECT secret, is_confirmed, last_step, created_at
                 FROM second_factor WHERE account = ?1",
            )
            .and_then(|mut query| query.query_row([account.as_bytes()], read).optional())
            .doing("looking up a second factor")
    }

    fn recovery_code_count(&self, account: Uuid) -> Result<u64, StorageError> {
        let count = self
            .conn()?
            .prepare_cached("SELECT count(*) FROM recovery_code WHERE account = ?1")
            .and_then(|mut query| query.query_row([account.as_bytes()], |row| row.get(0)))
            .doing("counting recovery codes")?;
        from_sql(count)
    }

    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<StoredSession>, StorageError> {
        self.conn()?
            .prepare_cached(
                "SELECT token_hash, account, created_at, seen_at, seen_account, seen_user, browser
                 FROM session WHERE token_hash = ?1",
            )
            .and_then(|mut query| query.query_row(params![token_hash], read_session).optional())
            .doing("looking up a session")
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
                 (id, login, user, user_record, role, password_hash, language, created_at,
                  is_disabled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO UPDATE SET login = ?2, user = ?3, user_record = ?4, role = ?5,
                 password_hash = ?6, language = ?7, is_disabled = ?9",
            params![
                account.id.as_bytes(),
                account.login,
                account.user,
                account.user_record.as_ref().map(RecordId::as_bytes),
                account.role.as_str(),
                account.password_hash,
                language,
                account.created_at,
                account.is_disabled,
            ],
        );
        written.map(drop).doing("writing an account")
    }

    fn add_session(&mut self, session: &StoredSession, keep: usize) -> Result<(), StorageError> {
        const DOING: &str = "beginning a session";
        let account = session.account.as_bytes();
        let conn = self.conn()?;
        conn.execute(
            "INSERT INTO session (token_hash, account, created_at, seen_at, browser)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                session.token_hash,
                account,
                session.created_at,
                session.seen_at,
                session.browser
            ],
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

    fn set_seen_as(
        &mut self,
        token_hash: &[u8; 32],
        seen_as: Option<SeenAs>,
    ) -> Result<(), StorageError> {
        let (account, user) = match seen_as {
            None => (None, None),
            Some(SeenAs::Account(account)) => (Some(*account.as_bytes()), None),
            Some(SeenAs::User(user)) => (None, Some(*user.as_bytes())),
        };
        self.conn()?
            .execute(
                "UPDATE session SET seen_account = ?2, seen_user = ?3 WHERE token_hash = ?1",
                params![token_hash, account, user],
            )
            .map(drop)
            .doing("noting as whom a session looks")
    }

    fn put_second_factor(&mut self, factor: &SecondFactor) -> Result<(), StorageError> {
        self.conn()?
            .execute(
                "INSERT INTO second_factor (account, secret, is_confirmed, last_step, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (account) DO UPDATE SET secret = ?2, is_confirmed = ?3,
                     last_step = ?4, created_at = ?5",
                params![
                    factor.account.as_bytes(),
                    factor.secret,
                    factor.is_confirmed,
                    to_sql(factor.last_step),
                    factor.created_at,
                ],
            )
            .map(drop)
            .doing("keeping a second factor")
    }

    fn take_step(&mut self, account: Uuid, step: u64) -> Result<bool, StorageError> {
        let sql = "UPDATE second_factor SET last_step = ?2 WHERE account = ?1 AND last_step < ?2";
        self.conn()?
            .execute(sql, params![account.as_bytes(), to_sql(step)])
            .map(|count| count > 0)
            .doing("taking a code")
    }

    fn remove_second_factor(&mut self, account: Uuid) -> Result<bool, StorageError> {
        const DOING: &str = "removing a second factor";
        let conn = self.conn()?;
        conn.execute("DELETE FROM recovery_code WHERE account = ?1", [account.as_bytes()])
            .doing(DOING)?;
        conn.execute("DELETE FROM second_factor WHERE account = ?1", [account.as_bytes()])
            .map(|count| count > 0)
            .doing(DOING)
    }

    fn set_recovery_codes(
        &mut self,
        account: Uuid,
        codes: &[[u8; 32]],
    ) -> Result<(), StorageError> {
        const DOING: &str = "keeping recovery codes";
        let conn = self.conn()?;
        conn.execute("DELETE FROM recovery_code WHERE account = ?1", [account.as_bytes()])
            .doing(DOING)?;
        for code in codes {
            conn.execute(
                "INSERT INTO recovery_code (account, code_hash) VALUES (?1, ?2)",
                params![account.as_bytes(), code],
            )
            .doing(DOING)?;
        }
        Ok(())
    }

    fn take_recovery_code(
        &mut self,
        account: Uuid,
        code_hash: &[u8; 32],
    ) -> Result<bool, StorageError> {
        let sql = "DELETE FROM recovery_code WHERE account = ?1 AND code_hash = ?2";
        self.conn()?
            .execute(sql, params![account.as_bytes(), code_hash])
            .map(|count| count > 0)
            .doing("taking a recovery code")
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
