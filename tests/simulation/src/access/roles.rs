//! Roles that nobody would think of.

use std::collections::{BTreeMap, BTreeSet};

use outrider_core::{
    access::{
        Level, Operation, PartKind, Role,
        role::{Denial, Rule},
    },
    schema::Label,
};

use super::town::ENTITIES;
use crate::dice::Dice;

/// Three of them, by name.
pub(super) fn draw_roles(dice: &mut Dice) -> BTreeMap<String, Role> {
    (0..3)
        .map(|number| format!("odd_{number}"))
        .map(|name| (name.clone(), role(dice, name)))
        .collect()
}

fn role(dice: &mut Dice, name: String) -> Role {
    let mut modules = entities(dice, 12);
    if dice.percent(40) {
        modules.insert("*".to_owned());
    }
    let rules = (0..=1 + dice.below(5)).map(|_| Rule {
        entities: entities(dice, 5),
        operations: operations(dice, 75),
        parts: parts(dice),
        level: dice.pick(&Level::ALL).copied().unwrap_or_default(),
    });
    let rules = rules.collect();
    let denials = (0..if dice.percent(35) { 1 + dice.below(2) } else { 0 }).map(|_| Denial {
        entities: entities(dice, 2),
        operations: operations(dice, 30),
        parts: parts(dice),
    });
    let denials = denials.collect();
    Role {
        label: Label { en: name.clone(), zh: name.clone() },
        name,
        modules,
        rules,
        denials,
        read_only: BTreeMap::new(),
        discount_limit: None,
        approval_limit: None,
    }
}

/// Some entities; all of them now and then.
fn entities(dice: &mut Dice, most: usize) -> BTreeSet<String> {
    if dice.percent(20) {
        return ["*".to_owned()].into();
    }
    let mut all = BTreeSet::new();
    for _ in 0..=dice.below(most) {
        let name = if dice.percent(25) { Some(&"customer") } else { dice.pick(&ENTITIES) };
        all.extend(name.map(|name| (*name).to_owned()));
    }
    all
}

fn operations(dice: &mut Dice, reads: usize) -> BTreeSet<Operation> {
    Operation::ALL
        .into_iter()
        .filter(|operation| dice.percent(if *operation == Operation::Read { reads } else { 40 }))
        .collect()
}

fn parts(dice: &mut Dice) -> BTreeSet<PartKind> {
    if dice.percent(50) {
        return BTreeSet::new();
    }
    PartKind::ALL.into_iter().filter(|_| dice.percent(55)).collect()
}
