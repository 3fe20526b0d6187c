//! What a device may see now, and what it saw at its cursor.

use std::collections::BTreeSet;

use outrider_core::{
    access::{Grant, Level, Operation, PartKind, Scope, Standing},
    ids::{Part, RecordId},
    schema::{Entity, Family, Schema},
    sync::frame::{PullRequest, Stream},
};

use crate::storage::{
    Read, SCOPE_ALL, StorageError,
    access::{UnitScope, entity_scope, scope_of_entity},
};

/// What one device sees.
pub(super) struct View {
    grant: Grant,
    /// The grant under which everything up to the cursor is held; none of a new device.
    before: Option<Grant>,
    /// The device's cursor.
    base: u64,
}

impl View {
    pub(super) fn new(
        tx: &dyn Read,
        grant: Grant,
        request: &PullRequest,
    ) -> Result<Self, StorageError> {
        let base = request.position;
        if base == 0 {
            return Ok(Self { grant, before: None, base });
        }
        let before = tx.sent_grant(&request.grant)?;
        let before = before.and_then(|body| Grant::from_bytes(&body).ok());
        Ok(Self { grant, before, base })
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Whether the device may see other things than those that it holds by its cursor.
    pub(super) fn has_grown(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.digest() != self.grant.digest())
    }

    /// Whether the device holds anything by its cursor.
    pub(super) fn holds_something(&self) -> bool {
        self.before.is_some()
    }

    /// The names of the scopes to walk through.
    pub(super) fn scopes(&self) -> Vec<String> {
        if self.grant.is_open {
            return vec![SCOPE_ALL.to_owned()];
        }
        let mut scopes: BTreeSet<String> = self.grant.scopes().map(Scope::to_string).collect();
        for entity in Schema::current().entities() {
            let level = self.grant.level(&entity.name, Operation::Read, PartKind::Main);
            if level == Level::All {
                let own = scope_of_entity(entity);
                scopes.insert(own.unwrap_or_else(|| SCOPE_ALL.to_owned()));
            }
        }
        scopes.into_iter().collect()
    }

    /// The scopes of configuration: entities of which everything is seen.
    pub(super) fn configuration(&self) -> Vec<String> {
        if self.grant.is_open {
            return Vec::new();
        }
        let is_seen = |entity: &&Entity| {
            entity.family == Family::Itself
                && scope_of_entity(entity).is_some()
                && self.grant.level(&entity.name, Operation::Read, PartKind::Main) == Level::All
        };
        let entities = Schema::current().entities().filter(is_seen);
        entities.map(|entity| entity_scope(&entity.name)).collect()
    }

    /// The scopes of a unit that the device is told of: those that its user's grant names.
    pub(super) fn told<'a>(
        &'a self,
        scopes: &'a [UnitScope],
    ) -> impl Iterator<Item = &'a UnitScope> {
        let is_named = |scope: &&UnitScope| is_named(&self.grant, scope.scope);
        scopes.iter().filter(|scope| scope.left.is_none()).filter(is_named)
    }

    /// Whether the device was told of a scope of a unit before.
    pub(super) fn was_told(&self, scope: &UnitScope) -> bool {
        scope.since <= self.base
            && self.before.as_ref().is_some_and(|before| is_named(before, scope.scope))
    }

    /// Whether the device sees a part of a record in these scopes.
    pub(super) fn sees(&self, entity: &str, part: &Part, scopes: &[UnitScope]) -> bool {
        let live = scopes.iter().filter(|scope| scope.left.is_none());
        self.grant.reads(entity, PartKind::of(part), &standing(live))
    }

    /// Whether it saw it at its cursor.
    pub(super) fn saw(&self, entity: &str, part: &Part, scopes: &[UnitScope]) -> bool {
        let Some(before) = &self.before else { return false };
        let then = scopes.iter().filter(|scope| {
            scope.since <= self.base && scope.left.is_none_or(|left| left > self.base)
        });
        before.reads(entity, PartKind::of(part), &standing(then))
    }
}

fn standing<'a>(scopes: impl Iterator<Item = &'a UnitScope>) -> Standing {
    scopes.map(|scope| scope.scope).collect()
}

fn is_named(grant: &Grant, scope: Scope) -> bool {
    [&grant.own, &grant.team, &grant.territory].iter().any(|scopes| scopes.contains(&scope))
}

/// Whether a grant lets its user read all or nothing of each part of each entity, so that what is
/// read needs no look at single records.
pub(super) fn is_by_entity(grant: &Grant) -> bool {
    let is_whole = |level: Level| matches!(level, Level::None | Level::All);
    Schema::current().entities().all(|entity| {
        PartKind::ALL
            .into_iter()
            .all(|part| is_whole(grant.level(&entity.name, Operation::Read, part)))
    })
}

/// Whether a grant lets its user read all of a stream.
pub(super) fn reads_all(grant: &Grant, stream: &Stream) -> bool {
    let part = PartKind::of(&stream.part);
    grant.level(&stream.entity, Operation::Read, part) == Level::All
}

/// The scopes of a record that its reader is told of, each with its unit.
pub(super) fn scopes_for(
    tx: &dyn Read,
    grant: &Grant,
    record: RecordId,
) -> Result<Vec<(RecordId, String)>, StorageError> {
    let Some((family, alone)) = tx.place_of(record)? else { return Ok(Vec::new()) };
    let mut told = Vec::new();
    for unit in [Some(family), alone].into_iter().flatten() {
        for scope in tx.scopes_of(unit, None)? {
            if scope.left.is_none() && is_named(grant, scope.scope) {
                told.push((unit, scope.scope.to_string()));
            }
        }
    }
    Ok(told)
}
