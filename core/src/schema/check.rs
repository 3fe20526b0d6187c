//! Checks that definitions fit together, for the built-in ones and for companies' own.

use std::collections::BTreeSet;

use crate::{
    ids::Part,
    schema::{
        Schema,
        entity::{Entity, Family, Label},
        field::{Field, Kind, Settle},
        likeness::Likeness,
        names::{is_choice_id, is_field_name, is_name},
        picklist::Picklist,
        rollup::{Rollup, RollupHow, RollupWhen},
        types::Type,
    },
};

/// A definition that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SchemaError {
    /// Which definition, such as `customer.company_name`.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

impl SchemaError {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

type Checked = Result<(), SchemaError>;

/// Refuses unless `holds`.
fn require(holds: bool, place: &str, problem: &str) -> Checked {
    if holds { Ok(()) } else { Err(SchemaError::new(place, problem)) }
}

pub(super) fn check_schema(schema: &Schema) -> Checked {
    require_unique(schema.picklists().map(|list| &list.name))?;
    require_unique(schema.entities().map(|entity| &entity.name))?;
    schema.picklists().try_for_each(check_picklist)?;
    schema.entities().try_for_each(|entity| check_entity(schema, entity))
}

fn require_unique<'a>(names: impl Iterator<Item = &'a String>) -> Checked {
    let mut seen = BTreeSet::new();
    for name in names {
        require(seen.insert(name), name, "defined twice")?;
    }
    Ok(())
}

fn check_picklist(list: &Picklist) -> Checked {
    require(is_name(&list.name), &list.name, "not a name")?;
    check_label(&list.label, &list.name)?;
    let mut spellings = BTreeSet::new();
    for choice in &list.choices {
        let place = format!("{}.{}", list.name, choice.id);
        require(is_choice_id(&choice.id), &place, "not an id")?;
        check_label(&choice.label, &place)?;
        let own: BTreeSet<String> = choice.spellings().collect();
        let is_new = own.into_iter().all(|spelling| spellings.insert(spelling));
        require(is_new, &place, "another choice is spelt the same")?;
        require(choice.probability.is_none_or(|p| p <= 100), &place, "probability above 100")?;
    }
    Ok(())
}

fn check_entity(schema: &Schema, entity: &Entity) -> Checked {
    let place = &entity.name;
    require(is_field_name(place), place, "not a name")?;
    check_label(&entity.label, place)?;
    check_label(&entity.plural, place)?;
    let title = entity.title_field();
    require(title.is_some_and(|title| title.kind.is_single()), place, "the title is no field")?;
    if let Family::Link(name) = &entity.family {
        let links = entity.field(name).is_some_and(|field| matches!(field.ty, Type::Link(_)));
        require(links, place, "the family is no link")?;
    }
    check_readers(entity)?;
    check_fields(schema, &entity.fields, place)?;
    check_label(&entity.id_label, place)?;
    let moment = entity.field(&entity.moment);
    require(moment.is_some_and(is_moment), place, "the moment is no date or time")?;
    let derived = entity.derived.iter().map(|derived| (&derived.name, &derived.label));
    let rollups = entity.rollups.iter().map(|rollup| (&rollup.name, &rollup.label));
    let mut names = BTreeSet::new();
    for (name, label) in derived.chain(rollups) {
        let place = format!("{place}.{name}");
        require(is_field_name(name), &place, "not a name")?;
        require(entity.field(name).is_none(), &place, "a field has this name")?;
        require(names.insert(name), &place, "computed twice")?;
        check_label(label, &place)?;
    }
    entity.rollups.iter().try_for_each(|rollup| check_rollup(schema, entity, rollup))?;
    entity.likeness.iter().try_for_each(|likeness| check_likeness(entity, likeness))
}

/// Who reads a record, and what its readers read with it, is said in its main part.
fn check_readers(entity: &Entity) -> Checked {
    let links = |name: &String| {
        let field = entity.field(name).filter(|field| field.part == Part::Main)?;
        if let Type::Link(to) = &field.ty { Some((field.kind, to.as_str())) } else { None }
    };
    for name in &entity.readers {
        let is_user = links(name)
            .is_some_and(|(kind, to)| to == "user" && (kind.is_single() || kind == Kind::Set));
        require(is_user, &format!("{}.readers.{name}", entity.name), "no link to users")?;
    }
    for name in &entity.shares {
        let is_link = links(name).is_some_and(|(kind, _)| kind.is_single());
        require(is_link, &format!("{}.shares.{name}", entity.name), "no link")?;
    }
    Ok(())
}

/// What tells that records are the same is readable by everybody who reads the record.
fn check_likeness(entity: &Entity, likeness: &Likeness) -> Checked {
    for path in likeness.paths() {
        let place = format!("{}.likeness.{path}", entity.name);
        let known = |field: &&Field| field.part == Part::Main;
        let is_known = match path.split_once('.') {
            None => entity.field(path).filter(known).is_some_and(|field| field.kind.is_single()),
            Some((rows, column)) => {
                let rows = entity.field(rows).filter(known);
                rows.is_some_and(|rows| rows.kind == Kind::Rows && rows.column(column).is_some())
            }
        };
        require(is_known, &place, "no single field and no column of the main part")?;
    }
    Ok(())
}

fn is_moment(field: &Field) -> bool {
    field.kind.is_single()
        && matches!(field.ty, Type::Date | Type::DateTime | Type::Period | Type::TimeSpan)
}

/// A rollup names what the other entity has, and values that can be taken together.
fn check_rollup(schema: &Schema, entity: &Entity, rollup: &Rollup) -> Checked {
    let place = &format!("{}.{}", entity.name, rollup.name);
    let Some(of) = schema.entity(&rollup.of) else {
        return Err(SchemaError::new(place, "of an unknown entity"));
    };
    let single = |name: &str| of.field(name).filter(|field| field.kind.is_single());
    let links = single(&rollup.by).is_some_and(|by| {
        by.indexed
            && by.part == Part::Main
            && matches!(&by.ty, Type::Link(to) if *to == entity.name)
    });
    require(links, place, "`by` is no indexed link to this entity")?;
    let field = rollup.field.as_deref().and_then(single).filter(|field| field.part == Part::Main);
    let fits = match rollup.how {
        RollupHow::Count => rollup.field.is_none(),
        RollupHow::Sum => field.is_some_and(|field| {
            matches!(field.ty, Type::Integer { .. } | Type::Decimal { .. } | Type::Money)
        }),
        RollupHow::Average => field
            .is_some_and(|field| matches!(field.ty, Type::Integer { .. } | Type::Decimal { .. })),
        RollupHow::First | RollupHow::Last => field.is_some(),
    };
    require(fits, place, "`field` cannot be taken together in this way")?;
    let ordered = matches!(rollup.how, RollupHow::First | RollupHow::Last | RollupHow::Average);
    let order = rollup.order.as_deref().or(rollup.field.as_deref());
    let has_order = order.and_then(single).is_some_and(is_moment) || rollup.latest.is_none();
    require(rollup.order.is_none() || ordered, place, "`order` is for first, last and average")?;
    let needs_order = matches!(rollup.how, RollupHow::First | RollupHow::Last);
    let is_ordered = order.and_then(single).is_some_and(is_moment) || !needs_order;
    require(has_order && is_ordered, place, "`order` is no date or time")?;
    let averages = rollup.how == RollupHow::Average;
    require(rollup.latest.is_none() || averages, place, "`latest` is for an average")?;
    if let Some(per) = &rollup.per {
        let links = single(per).is_some_and(|field| matches!(field.ty, Type::Link(_)));
        let sums = rollup.how == RollupHow::Sum;
        let adds = field.is_some_and(|field| field.ty != Type::Money);
        require(links && sums && adds, place, "`per` is a link, for a sum of numbers")?;
    }
    for RollupWhen { field, is } in &rollup.when {
        let known = single(field).filter(|field| field.part == Part::Main);
        let has = |value: &String| match known.map(|field| &field.ty) {
            Some(Type::Picklist(list)) => list.choice(value).is_some(),
            Some(Type::Bool) => value == "true" || value == "false",
            _ => false,
        };
        require(!is.is_empty() && is.iter().all(has), place, "`when` names no such value")?;
    }
    Ok(())
}

/// Names of fields, and of the columns that they take in tables, are unique.
fn check_fields(schema: &Schema, fields: &[Field], place: &str) -> Checked {
    let mut columns = BTreeSet::new();
    for field in fields {
        let place = format!("{place}.{}", field.name);
        for column in field.ty.columns() {
            let is_new = columns.insert(format!("{}{}", field.name, column.suffix));
            require(is_new, &place, "another field has this name or this column")?;
        }
        check_field(schema, field, &place)?;
    }
    Ok(())
}

fn check_field(schema: &Schema, field: &Field, place: &str) -> Checked {
    require(is_field_name(&field.name), place, "not a name")?;
    check_label(&field.label, place)?;
    if let Some(help) = &field.help {
        check_label(help, place)?;
    }
    if let Type::Link(to) = &field.ty {
        require(schema.entity(to).is_some(), place, "links to an unknown entity")?;
    }
    if let Type::Picklist(list) = &field.ty {
        let ranked = list.choices.iter().all(|choice| choice.rank.is_some());
        require(ranked || field.settle != Settle::StageRank, place, "its choices have no rank")?;
    }
    let has_columns = matches!(field.kind, Kind::Rows | Kind::Log);
    require(has_columns != field.columns.is_empty(), place, "columns belong to rows and logs")?;
    let members = matches!(field.ty, Type::Text { .. } | Type::Link(_) | Type::Picklist(_));
    require(members || field.kind != Kind::Set, place, "a set of what cannot be in a key")?;
    if field.kind == Kind::Log {
        let flat = field.columns.iter().all(|column| !has_parts(&column.ty));
        require(flat, place, "an entry of a log has no members with parts")?;
    }
    check_settle(field, place)?;
    check_fields(schema, &field.columns, place)?;
    let nested = field.columns.iter().all(|column| column.kind == Kind::Register);
    require(nested, place, "a column is always a register")
}

/// Whether values of the type are objects in JSON.
fn has_parts(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Money
            | Type::Period
            | Type::Address
            | Type::PersonName
            | Type::Geo
            | Type::TimeSpan
            | Type::Json { .. }
    )
}

fn check_settle(field: &Field, place: &str) -> Checked {
    let fits = match field.settle {
        Settle::Winner | Settle::Person => true,
        Settle::OptOut | Settle::Done => field.ty == Type::Bool,
        Settle::Higher => {
            matches!(field.ty, Type::Integer { .. } | Type::Decimal { .. } | Type::Picklist(_))
        }
        Settle::StageRank => matches!(field.ty, Type::Picklist(_)),
    };
    require(fits, place, "its values cannot be settled in this way")?;
    let single = field.settle == Settle::Winner || field.kind.is_single();
    require(single, place, "only a single value is settled")
}

fn check_label(label: &Label, place: &str) -> Checked {
    let filled = !label.en.trim().is_empty() && !label.zh.trim().is_empty();
    require(filled, place, "a label is empty")
}
