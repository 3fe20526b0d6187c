//! What one user may do: the document that the server signs and devices keep.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Level, Operation, PartKind, Role, Scope, Standing,
    role::{ANY, Rule},
};
use crate::{
    ids::RecordId,
    schema::{Label, Schema},
};

/// The kind under which the server signs grants.
pub const SIGNED_KIND: &str = "grant";

/// What one user may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The number of the rules that it follows from.
    pub number: u64,
    /// Whether there are no rules: everything is allowed.
    pub is_open: bool,
    /// Whose it is.
    pub user: Option<RecordId>,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// Scopes that the level `own` reaches.
    pub own: BTreeSet<Scope>,
    /// Scopes that the level `team` reaches beside.
    pub team: BTreeSet<Scope>,
    /// Scopes that the level `territory` reaches beside.
    pub territory: BTreeSet<Scope>,
    /// The user's own limit of a discount in percent, which counts before the roles'.
    pub discount_limit: Option<Decimal>,
    /// Fields that nobody outside the office writes, by entity.
    pub withheld: BTreeMap<String, BTreeSet<String>>,
}

/// A question to the policy.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is to be done.
    pub operation: Operation,
    /// With a record of which entity.
    pub entity: &'a str,
    /// In which part.
    pub part: PartKind,
    /// Where the record stands.
    pub standing: &'a Standing,
}

impl Grant {
    /// A grant under which everything is allowed.
    #[must_use]
    pub fn open() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// Reads a grant as it was signed.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are no grant.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Names what the grant allows: equal for grants that allow the same, whatever the number of
    /// the rules that they follow from.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let plain = Self { number: 0, ..self.clone() };
        let hash: [u8; 32] = Sha256::digest(plain.to_bytes()).into();
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash[..16]);
        digest
    }

    /// How far an operation is permitted, before what it needs besides is looked at.
    fn bare_level(&self, entity: &str, operation: Operation, part: PartKind) -> Level {
        if self.roles.iter().any(|role| role.denies(entity, operation, part)) {
            return Level::None;
        }
        let levels = self.roles.iter().map(|role| role.level(entity, operation, part));
        levels.max().unwrap_or_default()
    }

    /// How far an operation is permitted.
    ///
    /// Who may not read the main part reads no other; who may not read a part changes nothing in
    /// it. To begin a record, and to bring one in, nothing needs to be read.
    #[must_use]
    pub fn level(&self, entity: &str, operation: Operation, part: PartKind) -> Level {
        if self.is_open {
            return Level::All;
        }
        let level = self.bare_level(entity, operation, part);
        match operation {
            Operation::Create | Operation::Import => level,
            Operation::Read => level.min(self.bare_level(entity, Operation::Read, PartKind::Main)),
            Operation::Edit
            | Operation::Archive
            | Operation::Export
            | Operation::Assign
            | Operation::Approve
            | Operation::Merge => level.min(self.level(entity, Operation::Read, part)),
        }
    }

    /// Whether a level reaches a record.
    #[must_use]
    pub fn reaches(&self, level: Level, standing: &Standing) -> bool {
        let is_in = |scopes: &BTreeSet<Scope>| standing.iter().any(|scope| scopes.contains(scope));
        match level {
            Level::None => false,
            Level::Own => is_in(&self.own),
            Level::Team => is_in(&self.own) || is_in(&self.team),
            Level::Territory => is_in(&self.own) || is_in(&self.team) || is_in(&self.territory),
            Level::All => true,
        }
    }

    /// The answer to a question: the one decision, on phone and server.
    #[must_use]
    pub fn allows(&self, question: &Question<'_>) -> bool {
        let Question { operation, entity, part, standing } = *question;
        self.reaches(self.level(entity, operation, part), standing)
    }

    /// Whether the user reads a part of a record that stands so.
    #[must_use]
    pub fn reads(&self, entity: &str, part: PartKind, standing: &Standing) -> bool {
        self.allows(&Question { operation: Operation::Read, entity, part, standing })
    }

    /// Whether a field may be seen but not changed: every role that permits to edit says so.
    #[must_use]
    pub fn is_read_only(&self, entity: &str, field: &str, part: PartKind) -> bool {
        let mut editors = self
            .roles
            .iter()
            .filter(|role| role.level(entity, Operation::Edit, part) > Level::None)
            .peekable();
        editors.peek().is_some() && editors.all(|role| role.is_read_only(entity, field))
    }

    /// Whether nobody outside the office writes a field.
    #[must_use]
    pub fn is_withheld(&self, entity: &str, field: &str) -> bool {
        self.withheld.get(entity).is_some_and(|fields| fields.contains(field))
    }

    /// The highest discount in percent that the user may give; no limit if none.
    #[must_use]
    pub fn discount_limit(&self) -> Option<Decimal> {
        if self.is_open {
            return None;
        }
        self.discount_limit.or_else(|| highest(self.roles.iter().map(|role| role.discount_limit)))
    }

    /// The highest amount that the user may approve; no limit if none.
    #[must_use]
    pub fn approval_limit(&self) -> Option<Decimal> {
        if self.is_open {
            return None;
        }
        highest(self.roles.iter().map(|role| role.approval_limit))
    }

    /// A grant under which exactly that is read with which this one permits `operation`.
    #[must_use]
    pub fn narrowed_to(&self, operation: Operation, schema: &Schema) -> Self {
        if self.is_open {
            return self.clone();
        }
        let mut rules = Vec::new();
        for entity in schema.entities() {
            for part in PartKind::ALL {
                let level = self.level(&entity.name, operation, part);
                rules.push(Rule {
                    entities: [entity.name.clone()].into(),
                    operations: [Operation::Read].into(),
                    parts: [part].into(),
                    level,
                });
            }
        }
        let name = "narrowed".to_owned();
        let label = Label { en: name.clone(), zh: name.clone() };
        let role = Role {
            name,
            label,
            modules: [ANY.to_owned()].into(),
            rules,
            denials: Vec::new(),
            read_only: BTreeMap::new(),
            discount_limit: None,
            approval_limit: None,
        };
        Self { roles: vec![role], ..self.clone() }
    }

    /// All scopes that any level reaches, `all` left aside.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.own.iter().chain(&self.team).chain(&self.territory)
    }
}

/// The most permissive of several limits: none at all if one of them is.
fn highest(limits: impl Iterator<Item = Option<Decimal>>) -> Option<Decimal> {
    let mut most = None;
    for limit in limits {
        most = most.max(Some(limit?));
    }
    most
}
