//! What was acknowledged, and what may have happened although nobody heard of it.

use std::collections::BTreeMap;

/// Something that was asked of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// A word that nobody else writes: it must be found.
    Word(String),
    /// A visit was counted in the shared record.
    Visit,
    /// A field of a record has this value, until the same hand writes the next one.
    Value(String, String),
    /// The first record leads to the second.
    Merge(String, String),
    /// A person was erased, of whom this word told.
    Erase(String),
    /// A device of this name was let in, by this code.
    Enrol(String, String),
    /// The device of this name was turned away.
    Revoke(String),
}

/// What must hold.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// How many deeds were acknowledged.
    pub(super) count: u64,
    pub(super) words: Vec<String>,
    /// Visits that were counted, and those that may have been.
    pub(super) visits: (i64, i64),
    /// By record: the value that was acknowledged last, and those that were asked for after it.
    pub(super) values: BTreeMap<String, Vec<String>>,
    pub(super) merged: Vec<(String, String)>,
    pub(super) erased: Vec<String>,
    pub(super) enrolled: Vec<String>,
    /// Devices that may have been let in: whoever shows the code again must be.
    pub(super) half_enrolled: Vec<(String, String)>,
    pub(super) revoked: Vec<String>,
}

impl Promises {
    /// Notes a deed, and whether it was acknowledged.
    pub(super) fn note(&mut self, deed: Deed, is_sure: bool) {
        self.count += u64::from(is_sure);
        match (deed, is_sure) {
            (Deed::Word(word), true) => self.words.push(word),
            (Deed::Visit, true) => self.visits.0 += 1,
            (Deed::Visit, false) => self.visits.1 += 1,
            (Deed::Value(record, value), true) => {
                self.values.insert(record, vec![value]);
            }
            (Deed::Value(record, value), false) => {
                self.values.entry(record).or_default().push(value);
            }
            (Deed::Merge(loser, survivor), true) => self.merged.push((loser, survivor)),
            (Deed::Erase(word), true) => self.erased.push(word),
            (Deed::Enrol(name, _), true) => self.enrolled.push(name),
            (Deed::Enrol(name, code), false) => self.half_enrolled.push((name, code)),
            (Deed::Revoke(name), true) => self.revoked.push(name),
            (Deed::Word(_) | Deed::Merge(..) | Deed::Erase(_) | Deed::Revoke(_), false) => {}
        }
    }
}
