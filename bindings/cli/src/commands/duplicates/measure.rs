//! Precision and recall against a field that says who is who.

use std::collections::HashMap;

use outrider_core::{replica::Replica, store::query::Query};
use serde_json::{Value as Json, json};

use crate::error::CliError;

/// Records that are read at once.
const PAGE: usize = 1_000;

/// What was found of what there is.
#[derive(Debug, Default)]
pub(super) struct Measured {
    keys: HashMap<String, String>,
    right: u64,
    found: u64,
}

impl Measured {
    /// Reads the answer key of all records of the store.
    pub(super) fn of_store(
        replica: &Replica,
        entity: &str,
        field: &str,
        pattern: Option<&str>,
    ) -> Result<Self, CliError> {
        let mut measured = Self::default();
        let mut query = Query { limit: PAGE, ..Query::default() };
        if replica.entity(entity)?.field(field).is_none() {
            return Err(crate::near::unknown_field(entity.to_owned(), field.to_owned()));
        }
        loop {
            let page = replica.list(entity, &query)?;
            for record in &page.records {
                let text = |name: &str| record.get(name).and_then(Json::as_str).unwrap_or_default();
                measured.know(text("id"), text(field), pattern);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(measured),
            }
        }
    }

    /// Notes who a record is; one without an answer is nobody's pair.
    pub(super) fn know(&mut self, record: &str, answer: &str, pattern: Option<&str>) {
        let key = pattern.map_or(Some(answer), |pattern| part_of(answer, pattern));
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            self.keys.insert(record.to_owned(), key.to_owned());
        }
    }

    /// Notes a pair that was found.
    pub(super) fn found(&mut self, one: &str, other: &str) {
        self.found += 1;
        let (one, other) = (self.keys.get(one), self.keys.get(other));
        self.right += u64::from(one.is_some() && one == other);
    }

    fn wanted(&self) -> u64 {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for key in self.keys.values() {
            *counts.entry(key).or_default() += 1;
        }
        counts.values().map(|count| count * (count - 1) / 2).sum()
    }

    /// Precision, recall and F1.
    fn ratios(&self) -> (f64, f64, f64) {
        let ratio =
            |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        let (precision, recall) = (ratio(self.right, self.found), ratio(self.right, self.wanted()));
        let sum = precision + recall;
        (precision, recall, if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 })
    }

    /// The figures for programs.
    pub(super) fn told(&self) -> Json {
        let (precision, recall, f1) = self.ratios();
        json!({
            "pairs": self.wanted(), "found": self.found, "right": self.right,
            "precision": precision, "recall": recall, "f1": f1,
        })
    }

    /// The figures for people.
    pub(super) fn in_words(&self) -> String {
        let (precision, recall, f1) = self.ratios();
        format!(
            "pairs {}, found {}, right {}; precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}",
            self.wanted(),
            self.found,
            self.right
        )
    }
}

/// The text in place of the star: `223` of `febrl:rec-223-org` by `rec-*-`.
fn part_of<'a>(text: &'a str, pattern: &str) -> Option<&'a str> {
    let (before, after) = pattern.split_once('*')?;
    let (_, rest) = text.split_once(before)?;
    if after.is_empty() { Some(rest) } else { rest.split_once(after).map(|(part, _)| part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_star_says_which_part_counts() {
        assert_eq!(part_of("febrl:rec-223-org", "rec-*-"), Some("223"));
        assert_eq!(part_of("rec-223", "rec-*"), Some("223"));
        assert_eq!(part_of("other", "rec-*-"), None);
    }

    #[test]
    fn figures_come_from_pairs() {
        let mut measured = Measured::default();
        for (record, who) in [("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"), ("e", "")] {
            measured.know(record, who, None);
        }
        measured.found("a", "b");
        measured.found("a", "d");
        let told = measured.told();
        assert_eq!(
            (&told["pairs"], &told["right"], &told["found"]),
            (&json!(3), &json!(1), &json!(2))
        );
        assert_eq!(told["precision"], json!(0.5));
    }
}
