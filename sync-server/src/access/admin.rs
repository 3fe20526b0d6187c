//! Deciding on rules: publishing them, switching them on, and seeing before what that would do.

use outrider_core::{
    access::{Policy, Rules, policy::ROLES_MAX, ready::ADMINISTRATOR, role::ANY},
    ids::RecordId,
    schema::Schema,
    time::TimestampMs,
};
use serde::Serialize;

use super::policy_of;
use crate::storage::{AuditLine, Storage, StorageError};

/// Bytes of rules, at most.
pub const RULES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why rules do not count.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The text is no rules.
    #[error("these are no rules: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Too much of something.
    #[error("rules have at most {ROLES_MAX} roles and 4 MiB")]
    TooLarge,
    /// A name that there is not.
    #[error("role `{role}`: there is no {kind} `{name}`")]
    Unknown {
        /// The role.
        role: String,
        /// What was named.
        kind: &'static str,
        /// How.
        name: String,
    },
    /// Nobody could change the rules again.
    #[error(
        "nobody has the role administrator, so nobody could change the rules again; give it to somebody first (command `role --user NAME --role administrator`)"
    )]
    NoAdministrator,
    /// Somebody else decided meanwhile.
    #[error("somebody else changed the rules meanwhile; look at them again")]
    Changed,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Makes rules count, with the next number, if they still follow those numbered `seen`.
///
/// # Errors
///
/// Returns [`RulesError`] for rules that name what there is not, or would leave nobody who could
/// change them; nothing changes then.
pub fn publish(
    storage: &dyn Storage,
    mut rules: Rules,
    seen: u64,
    by: &str,
    now_ms: TimestampMs,
) -> Result<u64, RulesError> {
    check(&rules)?;
    let mut write = storage.write()?;
    if write.rules()?.number != seen {
        return Err(RulesError::Changed);
    }
    rules.number = seen + 1;
    let policy = Policy { rules, directory: write.directory()? };
    if policy.rules.is_on && !has_administrator(&policy) {
        return Err(RulesError::NoAdministrator);
    }
    let action = if policy.rules.is_on { "rules_published" } else { "rules_off" };
    write.add_rules(&policy.rules, now_ms, by)?;
    write.add_audit(&AuditLine::new(now_ms, action).count(policy.rules.number))?;
    write.commit()?;
    Ok(policy.rules.number)
}

/// Reads rules from JSON.
///
/// # Errors
///
/// [`RulesError::Unreadable`] or [`RulesError::TooLarge`].
pub fn read_rules(text: &str) -> Result<Rules, RulesError> {
    if text.len() > RULES_BYTES_MAX {
        return Err(RulesError::TooLarge);
    }
    Ok(serde_json::from_str(text)?)
}

fn has_administrator(policy: &Policy) -> bool {
    policy.rules.roles.contains_key(ADMINISTRATOR)
        && policy.directory.users.keys().any(|user| policy.is_administrator(*user))
}

/// Names in rules must be names of entities and fields, or they would silently do nothing.
fn check(rules: &Rules) -> Result<(), RulesError> {
    if rules.roles.len() > ROLES_MAX {
        return Err(RulesError::TooLarge);
    }
    let schema = Schema::current();
    for (name, role) in &rules.roles {
        let unknown = |kind, found: &str| RulesError::Unknown {
            role: name.clone(),
            kind,
            name: found.chars().take(80).collect(),
        };
        if role.name != *name {
            return Err(unknown("role", &role.name));
        }
        let named = role.rules.iter().flat_map(|rule| &rule.entities);
        let denied = role.denials.iter().flat_map(|denial| &denial.entities);
        let entities = role.modules.iter().chain(named).chain(denied).chain(role.read_only.keys());
        for entity in entities.filter(|entity| *entity != ANY) {
            if schema.entity(entity).is_none() {
                return Err(unknown("entity", entity));
            }
        }
        for (entity, fields) in &role.read_only {
            let Some(entity) = schema.entity(entity) else { continue };
            if let Some(field) = fields.iter().find(|field| entity.field(field).is_none()) {
                return Err(unknown("field", field));
            }
        }
    }
    Ok(())
}

/// What one user would hold on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The user.
    pub user: RecordId,
    /// The user's roles.
    pub roles: Vec<String>,
    /// Records.
    pub records: u64,
    /// Bytes of their documents.
    pub bytes: u64,
}

/// What each user would hold under rules that do not count yet, at most `limit` users.
///
/// # Errors
///
/// Fails when the storage does, or the rules name what there is not.
pub fn preview(
    storage: &dyn Storage,
    rules: Rules,
    now_ms: TimestampMs,
    limit: usize,
) -> Result<Vec<Preview>, RulesError> {
    check(&rules)?;
    let policy = Policy { rules: Rules { is_on: true, ..rules }, ..policy_of(&*storage.read()?)? };
    let users = policy.directory.users.iter().filter(|(_, user)| !user.is_inactive).take(limit);
    users
        .map(|(user, entry)| {
            let grant = policy.grant(Some(*user), now_ms);
            let (records, bytes) = storage.read_as(&grant)?.seen_size()?;
            let roles = entry.roles.iter().cloned().collect();
            Ok(Preview { user: *user, roles, records, bytes })
        })
        .collect()
}
