//! A replica, read into a bundle.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::{
    BUNDLE_BYTES_MAX, Bundle, LOG_BYTES_MAX, MaskedEdit, MaskedRecord, MaskedTap, STRUCTURE,
    Structure,
    mask::Mask,
    structure::{STRUCTURE_VERSION, Shape},
};
use crate::{
    crdt::{Action, State, TextDocument},
    doctor::Finding,
    domain::record::{self, Documents},
    ids::{DocumentId, Part, RecordId},
    replica::{Replica, ReplicaError, decode_own},
    schema::{Entity, Key, Kind, sample},
    store::{
        credentials,
        document::{self, StoredDocument, decode_state},
        meta,
        outbox::{self, OwnChange},
    },
};

/// Changes that wait and go into a bundle, at most.
const WAITING_MAX: usize = 10_000;
/// Words of a log that are nobody's.
const LOG_WORDS: &[&str] = &[
    "applied",
    "bytes",
    "check",
    "cut",
    "debug",
    "device",
    "down",
    "duplicate",
    "end",
    "ended",
    "error",
    "failed",
    "fetch",
    "forked",
    "info",
    "lost",
    "ms",
    "pending",
    "pull",
    "push",
    "refused",
    "request",
    "response",
    "retry",
    "sent",
    "server",
    "session",
    "status",
    "sync",
    "timeout",
    "up",
    "waiting",
    "warn",
];

impl Replica {
    /// Puts a bundle together. `salt` is drawn for it and kept nowhere.
    ///
    /// # Errors
    ///
    /// Fails when the store does; what is damaged in it is left out.
    pub fn bundle(
        &self,
        salt: [u8; 32],
        findings: &[Finding],
        log: Option<&str>,
    ) -> Result<Bundle, ReplicaError> {
        let mask = Mask::new(salt);
        let mut bundle = Bundle::default();
        let pretty = |value: &Json| serde_json::to_vec_pretty(value).unwrap_or_default();
        bundle.add("about.json", pretty(&self.about()?));
        bundle.add("sizes.json", pretty(&json!(self.storage()?)));
        bundle.add("findings.json", pretty(&told(findings)));
        if let Some(log) = log {
            let log = log.as_bytes();
            let end = log.get(log.len().saturating_sub(LOG_BYTES_MAX)..).unwrap_or_default();
            bundle.add("log.txt", of_log(&mask, &String::from_utf8_lossy(end)).into_bytes());
        }
        let used: usize = bundle.parts.iter().map(|part| part.bytes).sum();
        let structure = self.structure(&mask, BUNDLE_BYTES_MAX.saturating_sub(used))?;
        bundle.left_out = structure.left_out;
        bundle.add(STRUCTURE, serde_json::to_vec(&structure).unwrap_or_default());
        Ok(bundle)
    }

    /// Versions and settings, without names, addresses and secrets.
    fn about(&self) -> Result<Json, ReplicaError> {
        let conn = self.store().conn();
        let status = self.status()?;
        let version: u32 = conn
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(crate::store::StoreError::from)?;
        Ok(json!({
            "outrider": env!("CARGO_PKG_VERSION"),
            "system": std::env::consts::OS,
            "machine": std::env::consts::ARCH,
            "schema_version": self.schema().version,
            "store_version": version,
            "is_encrypted": self.store().is_sealed(),
            "is_enrolled": status.server.is_some(),
            "clock_offset_ms": credentials::clock_offset(conn)?,
            "lease_ms": self.lease()?.map(|lease| lease.lease_ms),
            "records": status.records,
            "waiting": status.waiting,
            "kept": status.kept,
            "conflicts": status.conflicts,
            "refusals": status.refusals,
            "position": status.position,
            "backed_up": status.backed_up,
            "last_sync": status.last_sync,
            "damaged": status.damaged,
        }))
    }

    fn structure(&self, mask: &Mask, bytes_max: usize) -> Result<Structure, ReplicaError> {
        let conn = self.store().conn();
        let mut structure = Structure {
            version: STRUCTURE_VERSION,
            position: meta::cursor(conn).map_or(0, |cursor| cursor.position),
            records: Vec::new(),
            taps: Vec::new(),
            left_out: 0,
        };
        let waiting = outbox::waiting(conn, 0, WAITING_MAX)?;
        structure.taps = self.taps(mask, &waiting)?;
        let mut bytes = size_of(&structure.taps);
        // Records in which something waits first.
        let mut order: Vec<RecordId> = waiting.iter().map(|own| own.document.record).collect();
        order.extend(document::ids(conn)?.into_iter().map(|id| id.record));
        let mut met = BTreeSet::new();
        for record in order.into_iter().filter(|record| met.insert(*record)) {
            // What is damaged is the doctor's to tell.
            let Ok(Some(masked)) = self.masked(mask, record) else { continue };
            bytes += size_of(&masked);
            if bytes > bytes_max {
                structure.left_out += 1;
                continue;
            }
            structure.records.push(masked);
        }
        Ok(structure)
    }

    /// A record as the office confirmed it.
    fn masked(&self, mask: &Mask, record: RecordId) -> Result<Option<MaskedRecord>, ReplicaError> {
        let conn = self.store().conn();
        let mut documents = Documents::default();
        let (mut shapes, mut entity) = (Vec::new(), None);
        for (part, stored) in document::load_all(conn, record)? {
            let id = DocumentId { record, part };
            let confirmed = stored.confirmed.as_ref().unwrap_or(&stored.state);
            let mut shape = shape_of(conn, &id, &stored)?;
            if id.part.is_flat() {
                let state = decode_state(&id, confirmed)?;
                fill(&mut shape, &state);
                documents.flat.insert(id.part.clone(), state);
            } else {
                let text = TextDocument::load(confirmed)?;
                (shape.actors, shape.heads) =
                    (text.clock().len() as u64, text.heads().len() as u64);
                documents.texts.insert(id.part.as_str().to_owned(), text.text()?);
            }
            shapes.push(shape);
            entity = Some(stored.entity);
        }
        let Some(entity) = entity.and_then(|name| self.schema().entity(&name)) else {
            return Ok(None);
        };
        let json = record::to_json(entity, record, &documents);
        let fields = json.as_object().map(|json| of_record(mask, entity, json));
        let fields = fields.unwrap_or_default();
        let (record, entity) = (mask.record(record), entity.name.clone());
        Ok(Some(MaskedRecord { record, entity, fields, shapes }))
    }

    fn taps(&self, mask: &Mask, waiting: &[OwnChange]) -> Result<Vec<MaskedTap>, ReplicaError> {
        let mut taps: BTreeMap<i64, MaskedTap> = BTreeMap::new();
        for own in waiting {
            let Some(entity) = self.schema().entity(&own.entity) else { continue };
            let Some(edit) = self.edit(mask, entity, own)? else { continue };
            let tap = taps.entry(own.group_id).or_insert_with(|| MaskedTap { edits: Vec::new() });
            tap.edits.push(edit);
        }
        Ok(taps.into_values().collect())
    }

    fn edit(
        &self,
        mask: &Mask,
        entity: &Entity,
        own: &OwnChange,
    ) -> Result<Option<MaskedEdit>, ReplicaError> {
        let id = &own.document;
        let Ok(Some(stored)) = document::load(self.store().conn(), id) else { return Ok(None) };
        let mut edit = MaskedEdit {
            record: mask.record(id.record),
            entity: entity.name.clone(),
            is_new: stored.digest.is_none() && id.part == Part::Main,
            fields: Map::new(),
            beside: Vec::new(),
        };
        if !id.part.is_flat() {
            let text = TextDocument::load(&stored.state)?.text()?;
            edit.fields.insert(id.part.as_str().to_owned(), mask.text(&text).into());
            return Ok(Some(edit));
        }
        let confirmed = decode_state(id, stored.confirmed.as_ref().unwrap_or(&stored.state))?;
        let encoded = decode_own(own)?;
        for op in &encoded.change.ops {
            let seen = own.base.replaced.get(&op.key);
            let is_news = |id| seen.is_none_or(|seen| !seen.contains(id));
            let field = op.key.split('/').next().unwrap_or_default();
            if confirmed.survivor_ids(&op.key).iter().any(is_news) {
                edit.beside.push(field.to_owned());
            }
            of_op(mask, entity, id, (&op.key, &op.action), own, &mut edit.fields);
        }
        edit.beside.dedup();
        Ok(Some(edit))
    }
}

/// One operation as an edit of a field.
fn of_op(
    mask: &Mask,
    entity: &Entity,
    id: &DocumentId,
    (key, action): (&str, &Action),
    own: &OwnChange,
    fields: &mut Map<String, Json>,
) {
    let Ok(key_of) = entity.parse_key(&id.part, key) else { return };
    match (key_of, action) {
        (Key::Register(field), Action::Put(value)) if sample::is_by_person(field) => {
            let masked = mask.single(field, &field.ty.to_json(value));
            fields.insert(field.name.clone(), masked);
        }
        (Key::Counter { field, .. }, Action::Put(crate::value::Value::Int(count))) => {
            let before = own.base.counts.get(key).copied().unwrap_or(0);
            fields.insert(field.name.clone(), json!({ "add": count.saturating_sub(before) }));
        }
        (Key::Member { field, value }, action) => {
            let what = if matches!(action, Action::Delete) { "remove" } else { "add" };
            let member = mask.single(field, &Json::from(value));
            let edit = fields.entry(field.name.clone()).or_insert_with(|| json!({}));
            if let Json::Object(edit) = edit
                && let Json::Array(list) = edit.entry(what).or_insert_with(|| json!([]))
            {
                list.push(member);
            }
        }
        // Cells are told by how many there are: a row is added for those of each change.
        (Key::Cell { field, column, .. }, Action::Put(value)) => {
            let cell = mask.single(column, &column.ty.to_json(value));
            let edit = fields.entry(field.name.clone()).or_insert_with(|| json!({ "add": [{}] }));
            if let Some(row) = edit.pointer_mut("/add/0").and_then(Json::as_object_mut) {
                row.insert(column.name.clone(), cell);
            }
        }
        (
            Key::Register(_)
            | Key::Counter { .. }
            | Key::Cell { .. }
            | Key::RowGone { .. }
            | Key::Entry { .. },
            Action::Put(_) | Action::Delete,
        ) => {}
    }
}

fn of_record(mask: &Mask, entity: &Entity, json: &Map<String, Json>) -> Map<String, Json> {
    let fields = entity.fields.iter().filter(|field| sample::is_by_person(field));
    fields
        .filter(|field| field.kind != Kind::Log)
        .filter_map(|field| Some((field.name.clone(), mask.field(field, json.get(&field.name)?))))
        .collect()
}

fn shape_of(
    conn: &rusqlite::Connection,
    id: &DocumentId,
    stored: &StoredDocument,
) -> Result<Shape, ReplicaError> {
    Ok(Shape {
        // Parts are named by the schema.
        part: id.part.as_str().to_owned(),
        bytes: stored.state.len() as u64,
        generation: 0,
        actors: 0,
        heads: 0,
        keys: 0,
        conflicts: 0,
        max_op: 0,
        waiting: outbox::waiting_rows(conn, id)?.len() as u64,
    })
}

fn fill(shape: &mut Shape, state: &State) {
    shape.generation = state.generation;
    shape.actors = state.clock.len() as u64;
    shape.heads = state.heads.len() as u64;
    shape.keys = state.keys.len() as u64;
    shape.conflicts = state.keys.values().filter(|ops| ops.len() > 1).count() as u64;
    shape.max_op = state.max_op;
}

/// What the doctor found, by kind and number: names say which records.
fn told(findings: &[Finding]) -> Json {
    let told = findings.iter().map(|found| {
        json!({
            "kind": found.kind, "level": found.level, "count": found.count,
            "reason": found.reason, "fix": found.fix,
        })
    });
    told.collect()
}

/// A log of which only the words that programs write are left.
fn of_log(mask: &Mask, log: &str) -> String {
    let mut masked = String::with_capacity(log.len());
    for line in log.split_inclusive('\n') {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric();
            let end = rest.find(|other: char| is_word(other) != is_word(c)).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            if is_word(c) && !LOG_WORDS.contains(&piece.to_lowercase().as_str()) {
                masked.push_str(&mask.text(piece));
            } else {
                masked.push_str(piece);
            }
            rest = after;
        }
    }
    masked
}

fn size_of(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len() + 1)
}
