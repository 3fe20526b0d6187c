//! Records compared with each other in memory: the rows of a file, before any of them is stored.

use std::collections::{BTreeSet, HashMap};

use super::{keys::keys_of, profile::Profile, score};
use crate::{
    likeness::{Likeness, Verdict},
    schema::Entity,
};

/// Records that are found under one key, at most.
///
/// A key that more have is skipped, because it is that of a switchboard or of an everyday name; the
/// records are found by their other keys.
pub const MATCHES_PER_KEY_MAX: usize = 64;

/// Records of one entity, each compared with those before it.
#[derive(Debug)]
pub struct Inside<'a> {
    entity: &'a Entity,
    profiles: Vec<Profile>,
    by_key: HashMap<i64, Vec<usize>>,
}

impl<'a> Inside<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(entity: &'a Entity) -> Self {
        Self { entity, profiles: Vec::new(), by_key: HashMap::new() }
    }

    /// Adds a record; gives those before it that may be the same, by the number of their adding,
    /// the likeliest first.
    pub fn add(&mut self, profile: Profile) -> Vec<(usize, Likeness)> {
        let own = self.profiles.len();
        let mut candidates = BTreeSet::new();
        for key in keys_of(self.entity, &profile) {
            let known = self.by_key.entry(key).or_default();
            if known.len() < MATCHES_PER_KEY_MAX {
                candidates.extend(known.iter().copied());
                known.push(own);
            }
        }
        let mut likely: Vec<(usize, Likeness)> = candidates
            .into_iter()
            .filter_map(|at| Some((at, score::compare(&profile, self.profiles.get(at)?))))
            .filter(|(_, likeness)| likeness.verdict > Verdict::No)
            .collect();
        likely.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
        self.profiles.push(profile);
        likely
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn a_key_that_many_share_finds_nobody_and_hides_nobody() {
        let entity = Schema::builtin().entity("customer").unwrap();
        let roles = entity.likeness.as_ref().unwrap();
        let profile = |name: String| {
            let fields = json!({ "company_name": name, "phone": "021 5555 1234" });
            Profile::of(roles, fields.as_object().unwrap())
        };
        let mut inside = Inside::new(entity);
        let letters = |n: usize| -> String {
            [n / 17, n / 5, n]
                .map(|n| char::from(b'a' + u8::try_from(n % 17).unwrap()))
                .iter()
                .collect()
        };
        for n in 0..MATCHES_PER_KEY_MAX {
            inside.add(profile(format!("{0}{0} {0}", letters(n))));
        }
        assert_eq!(inside.add(profile("zzzyyy xyz".to_owned())).len(), 0);
        let again = inside.add(profile("zzzyyy xyz".to_owned()));
        assert_eq!(again.first().map(|(at, _)| *at), Some(MATCHES_PER_KEY_MAX));
    }
}
