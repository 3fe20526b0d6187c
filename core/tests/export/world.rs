//! Replicas with random records, hostile ones among them, and ways to export them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use outrider_core::{
    ids::RecordId,
    replica::{Options as ReplicaOptions, Replica},
    schema::{Entity, Field, Kind, Type, member_key, sample},
    store::{
        Durability,
        query::{PAGE_MAX, Query},
    },
    time::ManualClock,
    transfer::{
        export::{Export, Format, Options, Written},
        own::{OwnReport, take_back},
    },
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;

use crate::dice::Dice;

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// What people, other programs and attackers put into texts.
pub(crate) const HOSTILE: &[&str] = &[
    "=1+1",
    "+86 138",
    "-5",
    "-1+1",
    "@SUM(A1)",
    "＝HYPERLINK(\"http://x\")",
    "－1",
    "'plain",
    "'=x",
    "''",
    "''=x",
    "a\nb",
    "a\r\nb\rc",
    "\t=x",
    "\0nul\u{1}",
    "\"quoted\",;\"",
    "🙂👩‍👩‍👧",
    "\u{202e}عكس",
    "[\"x\"]",
    "[",
    "a; b",
    ";",
    "{\"a\":1}",
    "true",
    "1e5",
    "00123",
    "_x0041_ _x000D_",
    " lead ",
    "\u{feff}bom",
    "\u{a0}=x",
    "12345678901234567890",
    "2026-01-01",
    "END:VCARD",
    "</t>&amp;<b>",
    "\r",
    "\\n\\,",
    "\u{fffe}\u{ffff}",
    "a\tb",
    "名\u{3000}字",
    "#REF!",
    "%2F",
    "NULL",
    "\u{85}x",
];

/// Characters of a long text that its document takes whatever they are.
const TEXT_CHARS_MAX: usize = 40_000;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) replica: Replica,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ReplicaOptions {
            clock: Arc::new(ManualClock::at(NOW_MS)),
            seed: None,
            durability: Durability::None,
            keys: None,
        };
        let replica = Replica::open(&folder.path().join("replica"), options).unwrap();
        Self { folder, replica }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes records of an entity, some archived.
    pub(crate) fn fill(&mut self, entity: &Entity, count: usize, dice: &mut Dice) -> Vec<RecordId> {
        (0..count)
            .map(|number| {
                let mut draw = |limit: u32| dice.below(limit as usize) as u32;
                let mut fields = sample::record(entity, &mut draw);
                spoil(entity, &mut fields, dice);
                let id = self.replica.create(&entity.name, &fields).unwrap();
                if number % 3 == 2 {
                    self.replica.archive(id).unwrap();
                }
                id
            })
            .collect()
    }

    /// Exports all records of entities into one file's bytes.
    pub(crate) fn export(
        &self,
        entities: &[&'static Entity],
        format: Format,
        options: Options,
    ) -> (Vec<u8>, Written) {
        let mut bytes = Vec::new();
        let find_name = |id| self.replica.title(id).ok().flatten().map(|(_, title)| title);
        let options = Options { now_ms: NOW_MS, ..options };
        let mut export = Export::start(format, options, Box::new(&mut bytes), &find_name).unwrap();
        for entity in entities {
            export.begin(entity).unwrap();
            let query = Query { with_archived: true, limit: PAGE_MAX, ..Query::default() };
            for record in self.replica.list(&entity.name, &query).unwrap().records {
                export.write(record.as_object().unwrap()).unwrap();
            }
        }
        let written = export.finish().unwrap();
        (bytes, written)
    }

    pub(crate) fn take_back(&mut self, file: &Path) -> OwnReport {
        take_back(&mut self.replica, file, &mut |_| {}).unwrap()
    }

    /// Every record as JSON, without what the program writes as an effect.
    pub(crate) fn records(&self, entities: &[&'static Entity]) -> BTreeMap<RecordId, Json> {
        let mut found = BTreeMap::new();
        for entity in entities {
            let query = Query { with_archived: true, limit: PAGE_MAX, ..Query::default() };
            for record in self.replica.list(&entity.name, &query).unwrap().records {
                let id = record["id"].as_str().unwrap().parse().unwrap();
                // With all that is computed from other records, too.
                let mut record = self.replica.get(id).unwrap().unwrap();
                for field in entity.fields.iter().filter(|field| field.by_program) {
                    record.as_object_mut().unwrap().remove(&field.name);
                }
                found.insert(id, record);
            }
        }
        found
    }
}

/// Puts hostile texts into half of the texts.
pub(crate) fn spoil(entity: &Entity, fields: &mut Map<String, Json>, dice: &mut Dice) {
    for (name, json) in fields {
        let field = entity.field(name).unwrap();
        match field.kind {
            Kind::Register | Kind::Once | Kind::Text => spoil_value(field, json, dice),
            Kind::Set => {
                let clean = json.clone();
                let members = json.as_array_mut().unwrap();
                members.iter_mut().for_each(|member| spoil_value(field, member, dice));
                // Not every text can be a member.
                members.retain(|member| member_key(field, member.as_str().unwrap()).is_ok());
                if members.is_empty() {
                    *json = clean;
                }
            }
            Kind::Rows | Kind::Log => {
                for row in json.as_array_mut().unwrap() {
                    for column in &field.columns {
                        spoil_value(column, &mut row[&column.name], dice);
                    }
                }
            }
            Kind::Counter | Kind::Office => {}
        }
    }
}

fn spoil_value(field: &Field, json: &mut Json, dice: &mut Dice) {
    if dice.below(2) == 0 {
        return;
    }
    let text = HOSTILE[dice.below(HOSTILE.len())];
    match &field.ty {
        Type::Text { max } => {
            let max = (*max).min(TEXT_CHARS_MAX);
            let times = if dice.below(20) == 0 { 1 + max / text.chars().count() } else { 1 };
            let long = text.repeat(times);
            let cut: String = long.chars().take(max).collect();
            // A required text is one of which something is left.
            if cut.chars().any(|char| !char.is_control() && !char.is_whitespace()) {
                *json = cut.into();
            }
        }
        Type::PersonName => *json = serde_json::json!({ "family": text, "given": "x" }),
        Type::Address => *json = serde_json::json!({ "street": text, "city": "x" }),
        _ => {}
    }
}
