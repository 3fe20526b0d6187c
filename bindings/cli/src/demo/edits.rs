//! What people do while they have no network, and how it can be found again afterwards.

use std::collections::BTreeSet;

use outrider_core::ids::RecordId;
use serde_json::{Value as Json, json};

use super::{dice::Dice, sample::CUSTOMERS};

/// Customers that the story itself is about; chance leaves them alone.
const STORY_CUSTOMERS: usize = 5;

/// Where something that was typed must be found.
#[derive(Debug, Clone)]
pub(super) enum Trace {
    /// As the value of a field, or beside it as a conflict.
    Value { field: String, value: Json },
    /// As a member of a set.
    Member { field: String, member: String },
    /// In a cell of some row.
    Cell { field: String, column: String, value: Json },
    /// In a long text.
    Words { field: String, words: String },
    /// As part of a sum.
    Sum { field: String, total: i64 },
    /// In the history of the stage.
    Stage { to: String },
}

/// One thing that somebody typed.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) record: RecordId,
    pub(super) trace: Trace,
}

/// What one device does while it is offline.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Commands for `outrider batch`.
    pub(super) commands: Vec<Json>,
    pub(super) typed: Vec<Typed>,
}

impl Work {
    /// Changes fields of a record; `trace` tells where to look for each value.
    pub(super) fn edit(&mut self, record: RecordId, fields: &Json, traces: Vec<Trace>) {
        self.commands.push(json!({ "do": "edit", "record": record.to_string(), "fields": fields }));
        self.typed.extend(traces.into_iter().map(|trace| Typed { record, trace }));
    }

    /// Sets one field that has one value.
    pub(super) fn set(&mut self, record: RecordId, field: &str, value: &Json) {
        let trace = Trace::Value { field: field.to_owned(), value: value.clone() };
        self.edit(record, &json!({ field: value }), vec![trace]);
    }
}

/// The id of an imported record of the demo.
pub(super) fn imported(entity: &str, key: &str) -> RecordId {
    RecordId::external(entity, "demo", key)
}

/// The n-th customer.
pub(super) fn customer(number: usize) -> RecordId {
    imported("customer", &format!("C{number:04}"))
}

/// Adds `count` edits by chance, each of another field, with values that nobody else types.
pub(super) fn add_random(work: &mut Work, who: &str, count: u32, dice: &mut Dice) {
    let mut done: BTreeSet<(RecordId, &str)> = BTreeSet::new();
    for number in 0..count {
        let mark = format!("{who} {number}");
        let (record, field, value) = match dice.below(6) {
            0 => (
                customer(STORY_CUSTOMERS + 1 + dice.below(CUSTOMERS - STORY_CUSTOMERS)),
                "short_name",
                json!(mark),
            ),
            1 => {
                let employees = 10_000 + dice.below(900_000);
                (
                    customer(STORY_CUSTOMERS + 1 + dice.below(CUSTOMERS - STORY_CUSTOMERS)),
                    "employees",
                    json!(employees),
                )
            }
            2 => {
                let phone = format!("+86 10 {:04} {number:04}", dice.below(10_000));
                (
                    customer(STORY_CUSTOMERS + 1 + dice.below(CUSTOMERS - STORY_CUSTOMERS)),
                    "phone",
                    json!(phone),
                )
            }
            3 => {
                let key = format!("P{:04}", 1 + dice.below(300));
                (imported("contact", &key), "job_title", json!(mark))
            }
            4 => {
                let key = format!("O{:04}", 1 + dice.below(300));
                (imported("opportunity", &key), "next_step", json!(mark))
            }
            _ => {
                let key = format!("I{:04}", 1 + dice.below(200));
                (imported("interaction", &key), "outcome", json!(mark))
            }
        };
        if done.insert((record, field)) {
            work.set(record, field, &value);
        }
    }
}
