//! Picklists: the values that one may choose from, and what they mean to the rules.

use serde::{Deserialize, Serialize};

use crate::schema::{entity::Label, names::fold};

/// What a sales stage means for the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageType {
    /// Work goes on.
    Open,
    /// Work rests; not in the forecast.
    Hold,
    /// Closed with success.
    Won,
    /// Closed without.
    Lost,
}

/// One value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is stored.
    pub id: String,
    /// What people read.
    #[serde(flatten)]
    pub label: Label,
    /// Which of several concurrent choices counts, where the field settles by rank: the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Chance of winning in percent, for a sales stage; none keeps the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<u8>,
    /// What a sales stage means for the forecast.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub stage_type: Option<StageType>,
    /// The forecast category that a sales stage falls into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<String>,
    /// Other spellings that an import understands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Whether it can no longer be chosen; records that have it keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// A list of values to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picklist {
    /// Its name in definitions.
    pub name: String,
    /// Its name for people.
    pub label: Label,
    /// Its values in their order on forms.
    pub choices: Vec<Choice>,
}

impl Picklist {
    /// The value with this id.
    #[must_use]
    pub fn choice(&self, id: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.id == id)
    }

    /// The value that a person means: by id, label in either language, or another spelling;
    /// capitals, width and outer spaces do not matter.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Choice> {
        let wanted = fold(text);
        self.choice(text)
            .or_else(|| self.choices.iter().find(|choice| choice.spellings().any(|s| s == wanted)))
    }
}

impl Choice {
    /// All spellings, folded for comparison.
    pub(in crate::schema) fn spellings(&self) -> impl Iterator<Item = String> {
        [&self.id, &self.label.en, &self.label.zh]
            .into_iter()
            .chain(&self.aliases)
            .map(|spelling| fold(spelling))
    }
}
