//! Merge stories as data: who did what where, and what everyone sees after.
//!
//! One TOML file per subject, in `stories/`. The words (`say`, `then`) are for readers, the data
//! beside them for the test; each step has both, so that they stay together. Every value is
//! written as a person would enter it. `"@Acme"` is a link to the record that a step named so.
//!
//! Devices are out of reach of the office all the time, except when a step syncs them. When the
//! story has ended everybody syncs until nothing moves any more.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::Failure;

/// Who syncs when everybody does.
pub const EVERYONE: &str = "everyone";

/// Words in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// Stories about one subject.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What they are about.
    pub title: Words,
    /// What holds in all of them.
    pub intro: String,
    /// Which devices there are, unless a story says otherwise: `Li's phone`.
    pub people: Vec<String>,
    /// The stories.
    #[serde(rename = "story")]
    pub stories: Vec<Story>,
}

/// One story.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What it is about.
    pub title: Words,
    /// Which devices there are.
    #[serde(default)]
    pub people: Vec<String>,
    /// Devices that enrol in a step of the story.
    #[serde(default)]
    pub later: Vec<String>,
    /// What happens.
    pub steps: Vec<Step>,
    /// What everyone sees, in words.
    pub then: String,
    /// What everyone sees.
    pub see: Vec<See>,
    /// What came back to its author; nothing else may have.
    #[serde(default)]
    pub inbox: Vec<Refusal>,
}

/// One thing that happens: exactly one of the verbs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// What happens, in words; without them it belongs to what was said before.
    pub say: String,
    /// On which device: `Li`, or `Li's phone` where Li has several; `Zhao at the office` for
    /// somebody at a page of the server.
    pub who: String,
    /// Creates a record of this entity.
    pub create: Option<String>,
    /// How the story calls the new record, or the copy.
    #[serde(rename = "as")]
    pub called: String,
    /// Changes this record.
    pub edit: Option<String>,
    /// The fields of what is created or changed.
    pub with: Map<String, Json>,
    /// Does all of these in one group: they count together or not at all.
    pub tap: Vec<Self>,
    /// Archives this record.
    pub archive: Option<String>,
    /// Brings this record back.
    pub restore: Option<String>,
    /// Merges this record into another.
    pub merge: Option<String>,
    /// Into which.
    pub into: String,
    /// The fields that it takes from the record that goes, although it has its own.
    pub take_fields: Vec<String>,
    /// Takes the merge of this record back.
    pub unmerge: Option<String>,
    /// Settles a conflict of this record.
    pub settle: Option<String>,
    /// Under which key.
    pub key: String,
    /// With which value.
    pub take: Json,
    /// At the office: a page is opened and left open under this name.
    pub opens: Option<String>,
    /// At the office: the edit is made on this open page.
    pub form: Option<String>,
    /// These sync, in this order; [`EVERYONE`] until nothing moves any more.
    pub sync: Vec<String>,
    /// This device syncs, and the connection breaks before the office's first answer arrives.
    pub cut: Option<String>,
    /// A file is imported.
    pub import: Option<Import>,
    /// This device enrols.
    pub enrol: Option<String>,
    /// The office withholds this field (`entity.field`) from devices.
    pub withhold: Option<String>,
    /// The office lets devices write this field again.
    pub permit: Option<String>,
    /// The clock of `who` jumps by so many days.
    pub clock_days: Option<i64>,
    /// The program on this device ends and begins again.
    pub restart: Option<String>,
    /// This device is copied, as a backup does, or `whole`; the copy is called `as`.
    pub copy: Option<String>,
    /// Whether a copy takes everything with it, the token that tells copies apart too.
    pub whole: bool,
    /// `who` goes on from this copy.
    pub return_to: Option<String>,
    /// This copy becomes a second device of `who`, called `as`.
    pub twin: Option<String>,
    /// The server's data are copied under this name.
    pub back_up_office: Option<String>,
    /// The server goes on from this copy.
    pub restore_office: Option<String>,
    /// `who` looks at these.
    pub sees: Vec<See>,
    /// The step fails, and says this.
    pub fails: Option<String>,
}

/// What is to be seen of one record. What is not mentioned must be as usual: no conflict, in use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct See {
    /// The record.
    pub record: String,
    /// Fields and their values.
    pub has: Map<String, Json>,
    /// Fields that show one of these values, the same everywhere.
    pub one_of: BTreeMap<String, Vec<Json>>,
    /// Fields without a value.
    pub lacks: Vec<String>,
    /// All conflicts: by key the values that stand beside each other; an empty text is "no value".
    pub conflicts: BTreeMap<String, Vec<Json>>,
    /// Where the record stands.
    pub is: Standing,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In use.
    #[default]
    InUse,
    /// Archived.
    Archived,
    /// Archived by one while another wrote: in use, flagged.
    Revived,
    /// Not here.
    Missing,
}

/// A file and what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The CSV file.
    pub file: String,
    /// The mapping, as its file says it.
    pub mapping: String,
    /// How the story calls the rows of this entity: the name beside the row's key.
    pub calls: BTreeMap<String, String>,
}

/// What the office refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// In whose inbox it is.
    pub who: String,
    /// Of which record.
    pub record: String,
    /// Which key.
    pub key: String,
    /// The refused value as it is stored.
    pub value: Json,
}

/// Where the stories are.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("stories")
}

/// Reads all stories, subjects in the order of their files' names.
///
/// # Errors
///
/// Says which file is wrong.
pub fn load() -> Result<Vec<Subject>, Failure> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder())?.map(|entry| Ok(entry?.path())).collect::<Result<_, Failure>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &std::path::Path) -> Result<Subject, Failure> {
    let wrong = |error: toml::de::Error| format!("{}: {error}", path.display());
    let mut subject: Subject = toml::from_str(&fs::read_to_string(path)?).map_err(wrong)?;
    for story in &mut subject.stories {
        if story.people.is_empty() {
            story.people.clone_from(&subject.people);
        }
    }
    Ok(subject)
}
