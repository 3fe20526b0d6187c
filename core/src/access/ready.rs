//! The roles that everybody begins with, from `ready.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde::Deserialize;

use super::{Role, role::Rule};

/// The name of the role whose users decide on rules and users.
pub const ADMINISTRATOR: &str = "administrator";

const FILE: &str = include_str!("ready.toml");
/// What the names of groups begin with.
const GROUP: char = '@';

static READY: OnceLock<BTreeMap<String, Role>> = OnceLock::new();

#[derive(Deserialize)]
struct File {
    groups: BTreeMap<String, BTreeSet<String>>,
    common: Common,
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Common {
    modules: BTreeSet<String>,
    rules: Vec<Rule>,
    read_only: BTreeMap<String, BTreeSet<String>>,
}

/// The ready roles by name.
///
/// # Panics
///
/// Never: the file is part of the program, and a test reads it.
#[must_use]
pub fn ready_roles() -> BTreeMap<String, Role> {
    READY
        .get_or_init(|| {
            let File { groups, common, roles } =
                toml::from_str(FILE).expect("the file is part of the program");
            let complete = |mut role: Role| {
                if role.name != ADMINISTRATOR {
                    role.modules.extend(common.modules.iter().cloned());
                    role.rules.extend(common.rules.iter().cloned());
                    role.read_only = common.read_only.clone();
                }
                role.modules = expand(role.modules, &groups);
                for rule in &mut role.rules {
                    rule.entities = expand(std::mem::take(&mut rule.entities), &groups);
                }
                (role.name.clone(), role)
            };
            roles.into_iter().map(complete).collect()
        })
        .clone()
}

/// Names of entities, with those of the groups that are named among them.
fn expand(
    names: BTreeSet<String>,
    groups: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        match name.strip_prefix(GROUP).and_then(|group| groups.get(group)) {
            Some(entities) => all.extend(entities.iter().cloned()),
            None => drop(all.insert(name)),
        }
    }
    all
}
