//! Scopes: the reasons for which people see records.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    crdt::State,
    ids::{InvalidId, RecordId},
    schema::Entity,
};

/// The field that says whose a record is.
pub const OWNER: &str = "owner_id";
/// The field that says which team's a record is.
pub const TEAM: &str = "team_id";
/// The field that says in which territory a record is.
pub const TERRITORY: &str = "territory_id";

/// One reason for which people see a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// It is this user's, or the user is named in it.
    User(RecordId),
    /// It is this team's.
    Team(RecordId),
    /// It is in this territory.
    Territory(RecordId),
}

/// The scopes that a record is in: its family's, and its own.
pub type Standing = BTreeSet<Scope>;

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "u:{id}"),
            Self::Team(id) => write!(f, "t:{id}"),
            Self::Territory(id) => write!(f, "r:{id}"),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl FromStr for Scope {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (kind, id) = text.split_once(':').unwrap_or(("", text));
        let id: RecordId = id.parse()?;
        match kind {
            "u" => Ok(Self::User(id)),
            "t" => Ok(Self::Team(id)),
            "r" => Ok(Self::Territory(id)),
            _ => Err(InvalidId { kind: "scope", text: text.chars().take(80).collect() }),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

/// The record that a field of a flat document shows, if it links to one.
#[must_use]
pub fn linked(main: &State, field: &str) -> Option<RecordId> {
    main.register(field)?.winner.value.as_text()?.parse().ok()
}

/// The scopes that the main part of a record gives: of its owner, its team, its territory.
///
/// A user's own record is in the user's scope too, whoever owns it.
#[must_use]
pub fn scopes_of(entity: &Entity, record: RecordId, main: &State) -> Standing {
    let mut scopes = Standing::new();
    scopes.extend(linked(main, OWNER).map(Scope::User));
    scopes.extend(linked(main, TEAM).map(Scope::Team));
    scopes.extend(linked(main, TERRITORY).map(Scope::Territory));
    match entity.name.as_str() {
        "user" => drop(scopes.insert(Scope::User(record))),
        "team" => drop(scopes.insert(Scope::Team(record))),
        "territory" => drop(scopes.insert(Scope::Territory(record))),
        _ => {}
    }
    scopes
}

/// Users who may read a record though they may not read its family: those whom its `readers` name.
#[must_use]
pub fn readers_of(entity: &Entity, main: &State) -> BTreeSet<RecordId> {
    let mut readers = BTreeSet::new();
    for field in &entity.readers {
        readers.extend(linked(main, field));
        readers.extend(
            main.members(field).into_iter().filter_map(|member| member.parse::<RecordId>().ok()),
        );
    }
    readers
}

/// Records that the readers of a record may read with it: those to which its `shares` link.
#[must_use]
pub fn shares_of(entity: &Entity, main: &State) -> BTreeSet<RecordId> {
    entity.shares.iter().filter_map(|field| linked(main, field)).collect()
}
