//! How a link finds its record.

use super::{Defaults, check_source_name, find_entity};
use crate::{
    ids::Part,
    schema::{Entity, Field, Type},
    transfer::{
        error::MappingProblem,
        file::{Missing, ReferenceEntry},
        mapping::{By, Reference},
    },
};

/// Checks what the file says about a link of `entity`.
pub(super) fn check_reference(
    entity: &'static Entity,
    field: &Field,
    entry: &ReferenceEntry,
    defaults: &Defaults,
) -> Result<Reference, MappingProblem> {
    let Type::Link(target) = &field.ty else {
        let (setting, usable) = ("ref", "single links");
        return Err(MappingProblem::Setting { field: field.name.clone(), setting, usable });
    };
    if let Some(named) = entry.entity.as_ref().filter(|named| *named != target) {
        return Err(MappingProblem::OtherEntity {
            field: field.name.clone(),
            entity: target.clone(),
            named: named.clone(),
        });
    }
    let target = find_entity(target)?;
    if target.name == entity.name && entry.missing == Missing::Reject {
        return Err(MappingProblem::RejectsItself(field.name.clone()));
    }
    Ok(Reference {
        entity: target,
        by: by(target, &field.name, entry, defaults)?,
        missing: entry.missing,
    })
}

/// Checks how the record is found that rows become rows of.
pub(super) fn check_parent(
    entity: &'static Entity,
    entry: &ReferenceEntry,
    defaults: &Defaults,
) -> Result<Reference, MappingProblem> {
    Ok(Reference { entity, by: by(entity, "parent", entry, defaults)?, missing: Missing::Reject })
}

fn by(
    target: &'static Entity,
    field: &str,
    entry: &ReferenceEntry,
    defaults: &Defaults,
) -> Result<By, MappingProblem> {
    if entry.by == "key" {
        let source = entry.source.clone().unwrap_or_else(|| defaults.source.clone());
        check_source_name(&source)?;
        return Ok(By::Key { source });
    }
    if entry.source.is_some() {
        let (setting, usable) = ("source", "references by key");
        return Err(MappingProblem::Setting { field: field.to_owned(), setting, usable });
    }
    if entry.by == "id" {
        return Ok(By::Id);
    }
    Ok(By::Field(find_lookup(target, &entry.by)?))
}

/// A field by which records can be looked up: indexed, in the part that everyone has.
fn find_lookup(entity: &'static Entity, name: &str) -> Result<&'static Field, MappingProblem> {
    let usable = |field: &&Field| {
        let is_plain = field.kind.is_single() && field.ty.columns().len() == 1;
        field.indexed && is_plain && field.part == Part::Main
    };
    let field = entity.field(name).filter(usable);
    field.ok_or_else(|| MappingProblem::NotIndexed {
        entity: entity.name.clone(),
        field: name.to_owned(),
        known: entity
            .fields
            .iter()
            .filter(usable)
            .map(|field| format!("`{}`", field.name))
            .collect::<Vec<_>>()
            .join(", "),
    })
}
