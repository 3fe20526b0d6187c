//! The stories as a page for people: `docs/MERGING.md`.

use std::{collections::BTreeMap, fmt::Write as _};

use outrider_core::schema::{Entity, Schema};
use serde_json::Value as Json;

use crate::story::{EVERYONE, See, Standing, Step, Story, Subject};

const HEAD: &str = "\
# What merges into what

Written by a test from `tests/conformance/stories/`; each story below is played by real devices and the
real server, in several orders of syncing, and every line of its table is checked on every device and in
the office. To change a story, change its file and run `UPDATE_DOCS=1 cargo test -p outrider-conformance`.

In every story the devices are out of reach of the office, except when somebody syncs. At the end
everybody syncs until nothing moves any more, and everyone sees the same: what the table says. Where it
names no conflict, there is none.

| what is edited | what happens when two people edit it at once |
|---|---|
| one value (a phone number) | one value shows, the same everywhere; the other stays beside it as a conflict that anyone may settle |
| one value that matters (money, dates, owners) | the same, and nothing acts on the value until a person has settled it |
| consent (do not call) | yes beats no: who opted out anywhere has opted out |
| done, inactive | what is done anywhere is done |
| priority | the higher one counts |
| stage, status | the one with the higher rank counts; the history keeps every move |
| tags, followers, links | adding beats removing |
| lines, checklists | cell by cell; a line that was edited beside its removal comes back, flagged |
| counts | what each person counted adds up |
| entries of a log | all of them stay |
| what is written once | the first writing counts |
| long texts | both people's words stay, at their places |
| a record that one archives and another edits | comes back, flagged |
| what the office owns | devices cannot write it |

";

/// How a sentence begins that says what there is before the story.
const GIVEN: &str = "Everybody has ";

/// Writes the page.
#[must_use]
pub fn write(subjects: &[Subject]) -> String {
    let mut page = HEAD.to_owned();
    let mut number = 0;
    for subject in subjects {
        let count = subject.stories.len();
        let (en, zh) = (&subject.title.en, &subject.title.zh);
        let _ = writeln!(page, "* [{en} · {zh}](#{}) ({count})", anchor(&format!("{en} · {zh}")));
    }
    for subject in subjects {
        let (en, zh) = (&subject.title.en, &subject.title.zh);
        let _ = write!(page, "\n## {en} · {zh}\n\n{}\n", subject.intro.trim());
        for story in &subject.stories {
            number += 1;
            write_story(&mut page, number, story);
        }
    }
    page
}

/// The anchor that a heading has on the usual sites.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " -".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn write_story(page: &mut String, number: usize, story: &Story) {
    let _ = write!(page, "\n### {number}. {}\n\n*{}*\n\n", story.title.en, story.title.zh);
    for (at, sentence) in sentences(&story.steps).into_iter().enumerate() {
        let _ = writeln!(page, "{}. {sentence}", at + 1);
    }
    let _ = write!(page, "\n**After:** {}\n\n| everyone sees | |\n|---|---|\n", story.then);
    let entities = entities(&story.steps);
    for see in &story.see {
        let entity = entities.get(&see.record).and_then(|name| Schema::current().entity(name));
        for (what, value) in lines(see, entity) {
            let _ = writeln!(page, "| {what} | {value} |");
        }
    }
    for refusal in &story.inbox {
        let record = &refusal.record;
        let entity = entities.get(record).and_then(|name| Schema::current().entity(name));
        let what = label(entity, &refusal.key);
        let _ = writeln!(
            page,
            "| in {}'s inbox: {record} · {what} | {} |",
            refusal.who,
            words(&refusal.value)
        );
    }
}

/// What is said about the steps; sessions speak for themselves.
fn sentences(steps: &[Step]) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for step in steps {
        if !step.say.is_empty() {
            sentences.push(step.say.clone());
        } else if step.sync.iter().any(|name| name == EVERYONE) {
            // How everybody came to have what everybody has is no part of the story.
            if !sentences.iter().all(|said| said.starts_with(GIVEN)) {
                sentences.push("Everybody syncs.".to_owned());
            }
        } else if !step.sync.is_empty() {
            sentences.push(match step.sync.as_slice() {
                [one] => format!("{one} syncs."),
                several => format!("{} sync, in this order.", several.join(", then ")),
            });
        }
    }
    sentences
}

/// The entity of each record that the steps name.
fn entities(steps: &[Step]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for step in steps {
        if let Some(entity) = &step.create {
            found.insert(step.called.clone(), entity.clone());
        }
        found.extend(entities(&step.tap));
    }
    found
}

fn lines(see: &See, entity: Option<&Entity>) -> Vec<(String, String)> {
    let name = |key: &str| format!("{} · {}", see.record, label(entity, key));
    let mut lines = Vec::new();
    match see.is {
        Standing::InUse => {}
        Standing::Archived => lines.push((see.record.clone(), "archived".to_owned())),
        Standing::Revived => {
            lines.push((see.record.clone(), "in use again, flagged".to_owned()));
        }
        Standing::Missing => lines.push((see.record.clone(), "not here".to_owned())),
    }
    lines.extend(see.has.iter().map(|(key, value)| (name(key), words(value))));
    for (key, several) in see.one_of.iter().filter(|(key, _)| !see.conflicts.contains_key(*key)) {
        let several: Vec<String> = several.iter().map(words).collect();
        lines.push((
            name(key),
            format!("{} (one of them, the same everywhere)", several.join(" or ")),
        ));
    }
    lines.extend(see.lacks.iter().map(|key| (name(key), "nothing".to_owned())));
    for (key, several) in &see.conflicts {
        let shown: Vec<String> = several.iter().map(words).collect();
        lines.push((name(key), format!("**conflict:** {}", shown.join(" beside "))));
    }
    lines
}

/// The names of a key for people.
fn label(entity: Option<&Entity>, key: &str) -> String {
    let mut names = key.split('/');
    let field = entity.zip(names.next()).and_then(|(entity, name)| entity.field(name));
    let column = field.zip(names.nth(1)).and_then(|(field, name)| field.column(name));
    let derived = entity.and_then(|entity| entity.derived.iter().find(|one| one.name == key));
    let labels = [
        field.map(|field| &field.label),
        column.map(|column| &column.label),
        derived.map(|derived| &derived.label),
    ];
    let labels: Vec<String> =
        labels.into_iter().flatten().map(|label| format!("{} {}", label.en, label.zh)).collect();
    if labels.is_empty() { key.to_owned() } else { labels.join(", ") }
}

/// A value in words.
fn words(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) if text.is_empty() => "no value".to_owned(),
        Json::String(text) => {
            let text = text.strip_prefix('@').unwrap_or(text);
            text.replace('|', "\\|").replace('\n', " ⏎ ")
        }
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::Array(items) if items.is_empty() => "none".to_owned(),
        Json::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Json::Object(members) => {
            let member = |(name, value): (&String, &Json)| match name.as_str() {
                "id" => None,
                "is_revived" => Some("back, flagged".to_owned()),
                _ => Some(format!("{} {}", name.replace('_', " "), words(value))),
            };
            members.iter().filter_map(member).collect::<Vec<_>>().join(", ")
        }
    }
}
