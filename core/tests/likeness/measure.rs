//! Precision and recall of the detection over a list of records of which it is known who is whom.

use std::collections::{BTreeMap, HashSet};

use outrider_core::{
    likeness::{Inside, Profile, Verdict},
    schema::Schema,
};
use serde_json::{Map, Value as Json};

/// A small generator (`SplitMix64`): what it draws must never change with a library.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// One record, and who it is.
pub(crate) struct Known {
    pub(crate) who: usize,
    /// In what way it was made from the original; for the print alone.
    pub(crate) way: &'static str,
    pub(crate) fields: Map<String, Json>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
}

/// Compares all records with each other and prints what was found, and what of each way was.
pub(crate) fn measure(what: &str, entity: &str, records: &[Known]) -> Measured {
    let entity = Schema::builtin().entity(entity).unwrap();
    let roles = entity.likeness.as_ref().unwrap();
    let mut inside = Inside::new(entity);
    let mut found: HashSet<(usize, usize)> = HashSet::new();
    let mut sure = (0, 0);
    for (own, record) in records.iter().enumerate() {
        for (other, likeness) in inside.add(Profile::of(roles, &record.fields)) {
            found.insert((other, own));
            let is_right = records[other].who == record.who;
            if likeness.verdict == Verdict::Sure {
                sure.0 += usize::from(is_right);
                sure.1 += 1;
            }
            if !is_right && std::env::var_os("OUTRIDER_SHOW").is_some() {
                println!(
                    "wrong {:?}\n      {:?}\n {likeness:?}",
                    records[other].fields, record.fields
                );
            }
        }
    }
    let mut by_way: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut right, mut wanted) = (0, 0);
    for own in 0..records.len() {
        for other in (0..own).filter(|other| records[*other].who == records[own].who) {
            let is_found = found.contains(&(other, own));
            wanted += 1;
            right += usize::from(is_found);
            let way = by_way.entry(records[own].way).or_default();
            way.0 += usize::from(is_found);
            way.1 += 1;
            if !is_found && std::env::var_os("OUTRIDER_SHOW").is_some() {
                println!("missed {:?}\n       {:?}", records[other].fields, records[own].fields);
            }
        }
    }
    let ratio =
        |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let (precision, recall) = (ratio(right, found.len()), ratio(right, wanted));
    let f1 = 2.0 * precision * recall / (precision + recall);
    println!(
        "{what}: {} records, {wanted} pairs; precision {precision:.4}, recall {recall:.4}, \
         F1 {f1:.4}; sure: {} of {} right; by way {by_way:?}",
        records.len(),
        sure.0,
        sure.1
    );
    Measured { precision, recall, f1 }
}
