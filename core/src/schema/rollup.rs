//! Rollups: values computed from the records that link to a record, never stored in it.
//!
//! Declared with the entity; [`crate::store::rollup`] computes them from the rows, by the same
//! code on device and server.

use serde::{Deserialize, Serialize};

use crate::schema::entity::Label;

/// How the values of the linking records become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollupHow {
    /// How many records there are.
    Count,
    /// The sum of a number or an amount; none where amounts are of several currencies.
    Sum,
    /// The mean of a number, of the latest records if so said.
    Average,
    /// The value of the first record in time.
    First,
    /// The value of the last record in time.
    Last,
}

/// A condition: the linking record's field has one of these values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupWhen {
    /// A picklist, or yes and no (an empty one counts as `false`).
    pub field: String,
    /// Ids of choices, or `true` and `false`.
    pub is: Vec<String>,
}

/// One value computed from the records of another entity that link here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Its name in the API and in reports.
    pub name: String,
    /// Its name for people.
    #[serde(flatten)]
    pub label: Label,
    /// The entity whose records are counted.
    pub of: String,
    /// Their field that links here.
    pub by: String,
    /// What is done with them.
    pub how: RollupHow,
    /// Their field that is summed or shown; not for a count.
    #[serde(default)]
    pub field: Option<String>,
    /// Their field that says which is first and last; the shown one unless said.
    #[serde(default)]
    pub order: Option<String>,
    /// Of an average: how many of the latest records count.
    #[serde(default)]
    pub latest: Option<u32>,
    /// Their link by which the sum is told apart: a list of `{<link>, <field>}` then.
    #[serde(default)]
    pub per: Option<String>,
    /// Conditions; all must hold.
    #[serde(default)]
    pub when: Vec<RollupWhen>,
}

impl Rollup {
    /// How it is computed, in words.
    #[must_use]
    pub fn formula(&self) -> String {
        let Self { of, by, how, field, order, latest, per, when, .. } = self;
        let field = field.as_deref().unwrap_or("records");
        let mut text = match how {
            RollupHow::Count => format!("number of `{of}` records"),
            RollupHow::Sum => format!("sum of `{field}` over `{of}` records"),
            RollupHow::Average => match latest {
                Some(latest) => {
                    format!("mean of `{field}` over the latest {latest} `{of}` records")
                }
                None => format!("mean of `{field}` over `{of}` records"),
            },
            RollupHow::First => format!("`{field}` of the first `{of}` record"),
            RollupHow::Last => format!("`{field}` of the last `{of}` record"),
        };
        if let Some(order) = order.as_deref().filter(|order| *order != field) {
            text.push_str(&format!(" by `{order}`"));
        }
        text.push_str(&format!(" whose `{by}` is this record"));
        for RollupWhen { field, is } in when {
            text.push_str(&format!(", `{field}` being {}", is.join(" or ")));
        }
        if let Some(per) = per {
            text.push_str(&format!(", for each `{per}`"));
        }
        text.push_str("; archived ones apart");
        text
    }
}
