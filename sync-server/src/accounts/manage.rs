//! Accounts as administrators keep them: made, switched off, given a new password, linked to a
//! user; and looking at the office as somebody else.

use outrider_core::{ids::RecordId, time::TimestampMs};
use uuid::Uuid;

use super::{
    AccountError, RESERVED, Salt, check_password, fold_login, hash_password, is_name, is_reserved,
};
use crate::{
    ledger::Entry,
    storage::{
        AuditLine, Storage, Write,
        accounts::{Account, Role, SeenAs},
    },
};

/// Characters of a password that people choose themselves, at least.
pub const PASSWORD_CHARS_MIN: usize = 12;

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its id.
    pub id: Uuid,
    /// What is typed to sign in.
    pub login: String,
    /// The name under which edits are written.
    pub user: String,
    /// What it may do.
    pub role: Role,
}

/// Makes an account.
///
/// # Errors
///
/// [`AccountError::Taken`] for a login that is somebody's, [`AccountError::Invalid`] for one that
/// is none.
pub fn create_account(
    storage: &dyn Storage,
    by: Uuid,
    new: NewAccount,
    (password, salt): (&str, &Salt),
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let login = fold_login(&new.login);
    if !is_name(&login) {
        return Err(AccountError::Invalid("the login must have 1 to 100 characters"));
    }
    if !is_name(&new.user) {
        return Err(AccountError::Invalid("the name must have 1 to 100 characters"));
    }
    if is_reserved(&login) || is_reserved(&new.user) {
        return Err(AccountError::Invalid(RESERVED));
    }
    let password_hash = hash_password(password, salt)?;
    let mut write = storage.write()?;
    if write.account_by_login(&login)?.is_some() {
        return Err(AccountError::Taken);
    }
    write.put_account(&Account {
        id: new.id,
        login,
        user: new.user.trim().to_owned(),
        user_record: None,
        role: new.role,
        password_hash,
        language: None,
        created_at: now_ms,
        is_disabled: false,
    })?;
    let line = AuditLine::new(now_ms, "account_created").account(by).subject(new.id);
    write.add_audit(&line.code(new.role.as_str()))?;
    write.commit()?;
    Ok(())
}

/// Changes an account and says so in the audit.
fn change(
    storage: &dyn Storage,
    by: Uuid,
    id: Uuid,
    (action, now_ms): (&'static str, TimestampMs),
    work: impl FnOnce(&mut dyn Write, Account) -> Result<Account, AccountError>,
) -> Result<(), AccountError> {
    let mut write = storage.write()?;
    let account = write.account(id)?.ok_or(AccountError::Wrong)?;
    let account = work(&mut *write, account)?;
    write.put_account(&account)?;
    write.add_audit(&AuditLine::new(now_ms, action).account(by).subject(id))?;
    write.commit()?;
    Ok(())
}

/// Whether another account could still let people in.
fn has_other_administrator(write: &dyn Write, id: Uuid) -> Result<bool, AccountError> {
    let accounts = write.accounts()?;
    Ok(accounts.iter().any(|account| {
        account.id != id && !account.is_disabled && account.role == Role::Administrator
    }))
}

/// Switches an account off, which ends its sessions at once, or on again.
///
/// # Errors
///
/// [`AccountError::LastAdministrator`] for one's own, or the last administrator's.
pub fn set_disabled(
    storage: &dyn Storage,
    by: Uuid,
    id: Uuid,
    is_disabled: bool,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let action = if is_disabled { "account_disabled" } else { "account_enabled" };
    change(storage, by, id, (action, now_ms), |write, account| {
        if is_disabled {
            if id == by || !has_other_administrator(write, id)? {
                return Err(AccountError::LastAdministrator);
            }
            write.remove_sessions_of(id)?;
            write.note(Entry::AccountDisabled { login: account.login.clone(), at: now_ms });
        }
        Ok(Account { is_disabled, ..account })
    })
}

/// Says what an account may do; it has to sign in again.
///
/// # Errors
///
/// [`AccountError::LastAdministrator`] for one's own, or the last administrator's.
pub fn set_role(
    storage: &dyn Storage,
    by: Uuid,
    id: Uuid,
    role: Role,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    change(storage, by, id, ("role_set", now_ms), |write, account| {
        let is_less = account.role == Role::Administrator && role != Role::Administrator;
        if is_less && (id == by || !has_other_administrator(write, id)?) {
            return Err(AccountError::LastAdministrator);
        }
        write.remove_sessions_of(id)?;
        Ok(Account { role, ..account })
    })
}

/// Sets a new password, and signs the account out everywhere.
///
/// # Errors
///
/// [`AccountError::Wrong`] for an account that is not there.
pub fn reset_password(
    storage: &dyn Storage,
    by: Uuid,
    id: Uuid,
    (password, salt): (&str, &Salt),
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let password_hash = hash_password(password, salt)?;
    change(storage, by, id, ("password_set", now_ms), |write, account| {
        write.remove_sessions_of(id)?;
        Ok(Account { password_hash, ..account })
    })
}

/// Says which record the user of an account is.
///
/// # Errors
///
/// [`AccountError::Wrong`] for an account that is not there.
pub fn link_user(
    storage: &dyn Storage,
    by: Uuid,
    id: Uuid,
    user_record: Option<RecordId>,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    change(storage, by, id, ("account_linked", now_ms), |_, account| {
        Ok(Account { user_record, ..account })
    })
}

/// Changes one's own password. Everything else that is signed in is signed out; the session with
/// `token_hash` stays.
///
/// # Errors
///
/// [`AccountError::Wrong`] for a wrong old password, [`AccountError::Invalid`] for a new one that is
/// too short.
pub fn change_password(
    storage: &dyn Storage,
    login: &str,
    (old, new): (&str, &str),
    salt: &Salt,
    token_hash: &[u8; 32],
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    if new.chars().count() < PASSWORD_CHARS_MIN {
        return Err(AccountError::Invalid("a password of one's own has 12 characters or more"));
    }
    let id = check_password(storage, login, old)?.id;
    let password_hash = hash_password(new, salt)?;
    change(storage, id, id, ("password_set", now_ms), |write, account| {
        end_others(write, id, token_hash)?;
        Ok(Account { password_hash, ..account })
    })
}

/// Ends all sessions of an account but one; how many.
///
/// # Errors
///
/// The storage's.
pub fn sign_out_elsewhere(
    storage: &dyn Storage,
    account: Uuid,
    token_hash: &[u8; 32],
    now_ms: TimestampMs,
) -> Result<u64, AccountError> {
    let mut write = storage.write()?;
    let count = end_others(&mut *write, account, token_hash)?;
    write.add_audit(&AuditLine::new(now_ms, "signed_out").account(account).count(count))?;
    write.commit()?;
    Ok(count)
}

fn end_others(
    write: &mut dyn Write,
    account: Uuid,
    token_hash: &[u8; 32],
) -> Result<u64, AccountError> {
    let sessions = write.sessions_of(account)?;
    let others = sessions.iter().filter(|session| session.token_hash != *token_hash);
    let mut count = 0;
    for session in others {
        write.remove_session(&session.token_hash)?;
        count += 1;
    }
    Ok(count)
}

/// Looks at the office as somebody else, or as oneself again.
///
/// # Errors
///
/// [`AccountError::Wrong`] for somebody who is not there.
pub fn see_as(
    storage: &dyn Storage,
    by: Uuid,
    token_hash: &[u8; 32],
    seen_as: Option<SeenAs>,
    now_ms: TimestampMs,
) -> Result<(), AccountError> {
    let mut write = storage.write()?;
    let before = write.session(token_hash)?.and_then(|session| session.seen_as);
    let (action, target) = match seen_as {
        Some(target) => ("see_as_begun", Some(target)),
        None => ("see_as_ended", before),
    };
    let is_there = match seen_as {
        None => true,
        Some(SeenAs::Account(id)) => write.account(id)?.is_some(),
        Some(SeenAs::User(id)) => {
            let known = crate::office::titles(&*write, [id]).unwrap_or_default();
            known.get(&id).is_some_and(|(entity, _)| entity == "user")
        }
    };
    if !is_there {
        return Err(AccountError::Wrong);
    }
    write.set_seen_as(token_hash, seen_as)?;
    let subject = target.map(|target| match target {
        SeenAs::Account(id) => id,
        SeenAs::User(id) => id.0,
    });
    write.add_audit(&AuditLine::new(now_ms, action).account(by).subject(subject))?;
    write.commit()?;
    Ok(())
}
