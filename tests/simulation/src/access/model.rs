//! Who may do what, said a second time: slow and plain, from the words that describe the policy,
//! and with nothing of the code that decides.
//!
//! It looks at what the people of a town were told (roles, teams, territories, who stands in for
//! whom) and at what their records say, and answers each question by itself.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    access::{Level, Operation, PartKind, Role},
    ids::{Part, RecordId},
    schema::{Entity, Family},
};

/// A user.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub(super) login: String,
    pub(super) roles: BTreeSet<String>,
    pub(super) teams: BTreeSet<RecordId>,
    pub(super) territories: BTreeSet<RecordId>,
    /// Who stands in, and the first and the last day.
    pub(super) stands_in: Option<(RecordId, &'static str, &'static str)>,
    pub(super) is_inactive: bool,
}

/// A team or a territory.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) manager: Option<RecordId>,
    pub(super) members: BTreeSet<RecordId>,
    pub(super) parent: Option<RecordId>,
}

/// A record, as far as access depends on it.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) entity: &'static Entity,
    /// What each link shows.
    pub(super) links: BTreeMap<String, RecordId>,
    /// The members of each set of links.
    pub(super) sets: BTreeMap<String, BTreeSet<RecordId>>,
    /// Words that stand in each part and nowhere else.
    pub(super) canaries: BTreeMap<Part, String>,
}

/// A reason for which somebody reads a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    User(RecordId),
    Team(RecordId),
    Territory(RecordId),
}

/// Everything that access depends on.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) is_on: bool,
    pub(super) today: &'static str,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) people: BTreeMap<RecordId, Person>,
    pub(super) teams: BTreeMap<RecordId, Group>,
    pub(super) territories: BTreeMap<RecordId, Group>,
    pub(super) records: BTreeMap<RecordId, Fact>,
}

impl Fact {
    fn link(&self, field: &str) -> Option<RecordId> {
        self.links.get(field).copied()
    }

    /// The record to whose family it belongs.
    pub(super) fn head(&self, own: RecordId) -> RecordId {
        match &self.entity.family {
            Family::Itself => own,
            Family::Link(field) => self.link(field).unwrap_or(own),
        }
    }

    /// Whose it is, of which team, in which territory.
    fn own_reasons(&self, own: RecordId) -> BTreeSet<Reason> {
        let mut reasons = BTreeSet::new();
        reasons.extend(self.link("owner_id").map(Reason::User));
        reasons.extend(self.link("team_id").map(Reason::Team));
        reasons.extend(self.link("territory_id").map(Reason::Territory));
        if self.entity.name == "user" {
            reasons.insert(Reason::User(own));
        } else if self.entity.name == "team" {
            reasons.insert(Reason::Team(own));
        } else if self.entity.name == "territory" {
            reasons.insert(Reason::Territory(own));
        }
        reasons
    }

    /// The users who are named as its readers.
    fn named(&self) -> BTreeSet<RecordId> {
        let mut named = BTreeSet::new();
        for field in &self.entity.readers {
            named.extend(self.link(field));
            named.extend(self.sets.get(field).into_iter().flatten());
        }
        named
    }
}

impl Facts {
    /// The answer.
    pub(super) fn may(
        &self,
        user: RecordId,
        operation: Operation,
        part: PartKind,
        record: RecordId,
    ) -> bool {
        let Some(fact) = self.records.get(&record) else { return false };
        if !self.is_on {
            return true;
        }
        let Some(person) = self.people.get(&user) else { return false };
        if person.is_inactive {
            return false;
        }
        let entity = fact.entity.name.as_str();
        let reasons = self.reasons(record, fact);
        let may = |operation, part| {
            let level = self.level(person, entity, operation, part);
            self.reaches(user, person, level, &reasons)
        };
        if !may(operation, part) {
            return false;
        }
        match operation {
            // To begin a record nothing needs to be read.
            Operation::Create | Operation::Import => true,
            // Whoever may not read the main part reads no other.
            Operation::Read => may(Operation::Read, PartKind::Main),
            // Whoever may not read a part may do nothing else with it.
            Operation::Edit
            | Operation::Archive
            | Operation::Export
            | Operation::Assign
            | Operation::Approve
            | Operation::Merge => {
                may(Operation::Read, part) && may(Operation::Read, PartKind::Main)
            }
        }
    }

    /// Why people read a record.
    fn reasons(&self, record: RecordId, fact: &Fact) -> BTreeSet<Reason> {
        let head = fact.head(record);
        let mut reasons = match self.records.get(&head) {
            Some(family) => family.own_reasons(head),
            // The head is not here yet.
            None => fact.own_reasons(record),
        };
        reasons.extend(fact.named().into_iter().map(Reason::User));
        for other in self.records.values() {
            let is_shared = |field: &String| other.link(field) == Some(record);
            if other.entity.shares.iter().any(is_shared) {
                reasons.extend(other.named().into_iter().map(Reason::User));
            }
        }
        reasons
    }

    /// How far the roles of somebody permit something.
    fn level(&self, person: &Person, entity: &str, operation: Operation, part: PartKind) -> Level {
        let fits = |entities: &BTreeSet<String>,
                    operations: &BTreeSet<Operation>,
                    parts: &BTreeSet<PartKind>| {
            (entities.contains(entity) || entities.contains("*"))
                && operations.contains(&operation)
                && (parts.is_empty() || parts.contains(&part))
        };
        let mut best = Level::None;
        for role in person.roles.iter().filter_map(|name| self.roles.get(name)) {
            for denial in &role.denials {
                if fits(&denial.entities, &denial.operations, &denial.parts) {
                    return Level::None;
                }
            }
        }
        for role in person.roles.iter().filter_map(|name| self.roles.get(name)) {
            if !role.modules.contains(entity) && !role.modules.contains("*") {
                continue;
            }
            for rule in &role.rules {
                if fits(&rule.entities, &rule.operations, &rule.parts) && rule.level > best {
                    best = rule.level;
                }
            }
        }
        best
    }

    fn reaches(
        &self,
        user: RecordId,
        person: &Person,
        level: Level,
        reasons: &BTreeSet<Reason>,
    ) -> bool {
        let is_own = |reason: &Reason| match reason {
            Reason::User(owner) => *owner == user || self.stands_in_for(user, *owner),
            Reason::Team(_) | Reason::Territory(_) => false,
        };
        let is_of_team = |reason: &Reason| match reason {
            Reason::User(owner) => self
                .teams
                .keys()
                .any(|team| self.has_team(user, person, *team) && self.is_member(*owner, *team)),
            Reason::Team(team) => self.has_team(user, person, *team),
            Reason::Territory(_) => false,
        };
        let is_of_territory = |reason: &Reason| match reason {
            Reason::Territory(territory) => self.has_territory(user, person, *territory),
            Reason::User(_) | Reason::Team(_) => false,
        };
        match level {
            Level::None => false,
            Level::All => true,
            Level::Own => reasons.iter().any(is_own),
            Level::Team => reasons.iter().any(|one| is_own(one) || is_of_team(one)),
            Level::Territory => {
                reasons.iter().any(|one| is_own(one) || is_of_team(one) || is_of_territory(one))
            }
        }
    }

    fn stands_in_for(&self, user: RecordId, absent: RecordId) -> bool {
        let absent = self.people.get(&absent).and_then(|absent| absent.stands_in);
        absent.is_some_and(|(delegate, from, until)| {
            delegate == user && from <= self.today && self.today <= until
        })
    }

    fn is_member(&self, user: RecordId, team: RecordId) -> bool {
        let named = self.people.get(&user).is_some_and(|person| person.teams.contains(&team));
        let group = self.teams.get(&team);
        named
            || group
                .is_some_and(|group| group.members.contains(&user) || group.manager == Some(user))
    }

    /// Whether a team is one of a user's: the user is in it, or leads it or one above it.
    fn has_team(&self, user: RecordId, person: &Person, team: RecordId) -> bool {
        let leads = |group: &Group| group.manager == Some(user);
        person.teams.contains(&team)
            || self.teams.get(&team).is_some_and(|group| group.members.contains(&user))
            || above(&self.teams, team).into_iter().filter_map(|id| self.teams.get(&id)).any(leads)
    }

    /// Whether a territory is one of a user's: the user is in it, or leads it, or in one above it.
    fn has_territory(&self, user: RecordId, person: &Person, territory: RecordId) -> bool {
        above(&self.territories, territory).into_iter().any(|id| {
            person.territories.contains(&id)
                || self.territories.get(&id).is_some_and(|group| {
                    group.manager == Some(user) || group.members.contains(&user)
                })
        })
    }
}

/// A group with all that it is within.
fn above(groups: &BTreeMap<RecordId, Group>, from: RecordId) -> Vec<RecordId> {
    let mut all = vec![from];
    let mut at = from;
    while let Some(parent) = groups.get(&at).and_then(|group| group.parent) {
        if all.contains(&parent) {
            break;
        }
        all.push(parent);
        at = parent;
    }
    all
}
