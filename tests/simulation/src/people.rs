//! What people do with their phones.
//!
//! Every value that is typed is unique, where the field leaves room for that, and several people
//! work on the same few records, so that concurrent edits are the rule.

use outrider_core::{
    domain::record::Documents,
    ids::{DocumentId, Part, RecordId},
    replica::{ReplicaError, Writer},
    schema::{Entity, Kind},
};
use serde_json::{Map, Value as Json, json};

use crate::{Failure, device::Device, dice::Dice, ledger::Ledger};

const STAGES: &[&str] =
    &["prospecting", "qualification", "proposal", "negotiation", "won", "lost", "on_hold"];
const INDUSTRIES: &[&str] = &["technology", "software", "retail", "finance", "medical"];
const LIFECYCLES: &[&str] = &["lead", "active", "dormant", "lost"];
const ORDER_STATES: &[&str] = &["draft", "submitted", "confirmed", "cancelled"];
const TAGS: &[&str] = &["vip", "north", "cold", "expo", "bulk"];
/// Where the unique characters of texts are taken from.
const FIRST_LETTER: u32 = 0x4e00;
/// How many there are.
const LETTERS_MAX: u32 = 20_000;

/// What an edit is made with.
pub(crate) struct Desk<'a> {
    pub(crate) device: &'a mut Device,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) dice: &'a mut Dice,
    /// Records that people know of.
    pub(crate) records: &'a mut Vec<RecordId>,
    /// The number of this edit.
    pub(crate) number: u32,
    /// How many characters were typed so far.
    pub(crate) letters: &'a mut u32,
}

impl Desk<'_> {
    /// Makes one edit; returns what it was, for the trace.
    pub(crate) fn edit(&mut self) -> Result<String, Failure> {
        self.device.tell_time(self.number);
        let what = match self.dice.below(100) {
            0..12 => self.create()?,
            12..18 => self.write_group()?,
            18..24 => self.archive_or_restore()?,
            24..32 => self.settle()?,
            _ => self.update()?,
        };
        self.ledger.scan(self.device.replica()?)?;
        Ok(what)
    }

    fn create(&mut self) -> Result<String, Failure> {
        let entity = self.draw_entity();
        let fields = self.new_fields(entity);
        let record = self.device.replica_mut()?.create(entity, &fields)?;
        self.records.push(record);
        self.note_new_texts(record, &fields);
        Ok(format!("creates {entity} {record}"))
    }

    fn draw_entity(&mut self) -> &'static str {
        let entities = ["customer", "customer", "opportunity", "interaction", "product"];
        let more = [entities.as_slice(), &["sales_order", "contact"]].concat();
        self.dice.pick(&more).copied().unwrap_or("customer")
    }

    /// Creates a customer with what belongs to it, and touches another record, in one group.
    fn write_group(&mut self) -> Result<String, Failure> {
        let customer = self.new_fields("customer");
        let mut children = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let entity = self.draw_entity();
            children.push((entity, self.new_fields(entity)));
        }
        let other = self.draw_record()?;
        let touched = other
            .as_ref()
            .map(|(record, entity, documents)| (*record, self.flat_fields(entity, documents)));
        let write = |writer: &mut Writer<'_>| -> Result<Vec<RecordId>, ReplicaError> {
            let id = writer.create("customer", None, &customer)?;
            let mut made = vec![id];
            for (entity, fields) in &children {
                let mut fields = fields.clone();
                if fields.contains_key("customer_id") {
                    fields.insert("customer_id".to_owned(), id.to_string().into());
                }
                made.push(writer.create(entity, None, &fields)?);
            }
            if let Some((record, fields)) = &touched {
                writer.update(*record, fields)?;
            }
            Ok(made)
        };
        let replica = self.device.replica_mut()?;
        let made = replica.transaction(|writer| writer.group(write))?;
        let fields = std::iter::once(&customer).chain(children.iter().map(|(_, fields)| fields));
        let fields: Vec<Map<String, Json>> = fields.cloned().collect();
        for (record, fields) in made.iter().zip(&fields) {
            self.note_new_texts(*record, fields);
        }
        let count = made.len();
        self.records.extend(made);
        Ok(format!("writes a group of {count} records"))
    }

    fn note_new_texts(&mut self, record: RecordId, fields: &Map<String, Json>) {
        for name in ["notes", "minutes", "description"] {
            let Some(text) = fields.get(name).and_then(Json::as_str) else { continue };
            if text.is_ascii() {
                // The product's description is a register.
                continue;
            }
            let document = DocumentId { record, part: Part::Text(name.to_owned()) };
            self.ledger.note_text(&document, "", text);
        }
    }

    fn archive_or_restore(&mut self) -> Result<String, Failure> {
        let Some((record, ..)) = self.draw_record()? else { return self.create() };
        if self.dice.percent(50) {
            self.device.replica_mut()?.archive(record)?;
            Ok(format!("archives {record}"))
        } else {
            self.device.replica_mut()?.restore(record)?;
            Ok(format!("restores {record}"))
        }
    }

    fn settle(&mut self) -> Result<String, Failure> {
        let conflicts = self.device.replica()?.conflicts(None)?;
        let Some(conflict) = self.dice.pick(&conflicts) else { return self.update() };
        let Some(chosen) = self.dice.pick(&conflict.values) else { return self.update() };
        let (record, key) = (conflict.record, conflict.key.clone());
        self.device.replica_mut()?.settle(record, &key, &chosen.value)?;
        Ok(format!("settles {key} of {record}"))
    }

    fn update(&mut self) -> Result<String, Failure> {
        let Some((record, entity, documents)) = self.draw_record()? else { return self.create() };
        let text = entity.fields.iter().find(|field| field.kind == Kind::Text);
        if let Some(field) = text
            && self.dice.percent(25)
        {
            return self.edit_text(record, &field.name, &documents);
        }
        let fields = self.flat_fields(entity, &documents);
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let what = format!("changes {} of {} {record}", names.join(", "), entity.name);
        self.device.replica_mut()?.update(record, &fields)?;
        Ok(what)
    }

    /// Puts new characters anywhere into a text, or takes some out.
    fn edit_text(
        &mut self,
        record: RecordId,
        field: &str,
        documents: &Documents,
    ) -> Result<String, Failure> {
        let before = documents.texts.get(field).cloned().unwrap_or_default();
        let mut letters: Vec<char> = before.chars().collect();
        let at = self.dice.below(letters.len() + 1);
        if self.dice.percent(25) && !letters.is_empty() {
            let until = letters.len().min(at + 1 + self.dice.below(5));
            letters.drain(at.min(until)..until);
        }
        if self.dice.percent(85) {
            let at = at.min(letters.len());
            letters.splice(at..at, self.type_letters().chars());
        }
        let after: String = letters.into_iter().collect();
        let fields = Map::from_iter([(field.to_owned(), after.as_str().into())]);
        self.device.replica_mut()?.update(record, &fields)?;
        let document = DocumentId { record, part: Part::Text(field.to_owned()) };
        self.ledger.note_text(&document, &before, &after);
        Ok(format!("edits {field} of {record}"))
    }

    fn type_letters(&mut self) -> String {
        let count = if self.dice.percent(4) { 500 } else { 1 + self.dice.below(8) };
        let typed: String = (0..count)
            .filter_map(|_| {
                *self.letters += 1;
                if *self.letters >= LETTERS_MAX {
                    return None;
                }
                char::from_u32(FIRST_LETTER + *self.letters)
            })
            .collect();
        typed
    }

    /// A record that this device holds, with its documents: mostly one of the newest.
    fn draw_record(&mut self) -> Result<Option<(RecordId, &'static Entity, Documents)>, Failure> {
        let count = self.records.len();
        let recent = if self.dice.percent(60) { 4 } else { count };
        let at = count.saturating_sub(1 + self.dice.below(recent));
        for _ in 0..4 {
            let Some(record) = self.records.get(at).copied() else { break };
            if let Some((entity, documents)) = self.device.replica()?.documents(record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        for _ in 0..4 {
            let Some(record) = self.dice.pick(self.records).copied() else { break };
            if let Some((entity, documents)) = self.device.replica()?.documents(record)?
                && documents.flat.contains_key(&Part::Main)
            {
                return Ok(Some((record, entity, documents)));
            }
        }
        Ok(None)
    }

    fn any_record(&mut self) -> Json {
        self.dice.pick(self.records).map_or(Json::Null, |record| record.to_string().into())
    }

    fn money(&mut self) -> Json {
        format!("{} CNY", self.number).into()
    }

    fn text(&mut self) -> Json {
        format!("typed {}", self.number).into()
    }

    fn choice(&mut self, choices: &[&str]) -> Json {
        self.dice.pick(choices).copied().into()
    }

    fn line(&mut self) -> Json {
        json!({ "name": self.text(), "qty": self.number.to_string(), "unit_price": self.money() })
    }

    fn new_fields(&mut self, entity: &str) -> Map<String, Json> {
        let fields = match entity {
            "customer" => json!({
                "company_name": self.text(), "industry": self.choice(INDUSTRIES),
                "tags": [self.choice(TAGS)], "visits": self.dice.below(3),
                "credit_limit": if self.dice.percent(40) { self.money() } else { Json::Null },
                "notes": if self.dice.percent(40) { self.type_letters() } else { String::new() },
            }),
            "contact" => json!({
                "name": self.text(), "customer_id": self.link(), "phone": "+86 21 5555 0000",
            }),
            "opportunity" => json!({
                "name": self.text(), "customer_id": self.link(),
                "sales_stage": self.choice(STAGES), "expected_amount": self.money(),
                "lines": [self.line()],
                "description": if self.dice.percent(40) { self.type_letters() } else { String::new() },
            }),
            "interaction" => json!({
                "customer_id": self.link(), "channel": "visit", "summary": self.text(),
                "occurred_at": "2026-06-01T08:00:00Z",
                "minutes": if self.dice.percent(60) { self.type_letters() } else { String::new() },
            }),
            "product" => json!({
                "name": self.text(), "price": self.money(), "cost": self.money(),
                "description": self.text(),
            }),
            _ => json!({
                "customer_id": self.link(), "status": "draft",
                "lines": [self.line(), self.line()], "remarks": self.text(),
            }),
        };
        fields.as_object().cloned().unwrap_or_default()
    }

    /// A link that is always there, to a record or to one that nobody has.
    fn link(&mut self) -> Json {
        let link = self.any_record();
        if link.is_null() { RecordId::new(1, [7; 10]).to_string().into() } else { link }
    }

    /// Changes of one to three fields of flat parts.
    fn flat_fields(&mut self, entity: &Entity, documents: &Documents) -> Map<String, Json> {
        let mut fields = Map::new();
        for _ in 0..=self.dice.below(3) {
            let (name, value) = self.flat_field(entity, documents);
            fields.insert(name.to_owned(), value);
        }
        fields
    }

    fn flat_field(&mut self, entity: &Entity, documents: &Documents) -> (&'static str, Json) {
        if self.dice.percent(20) {
            return ("tags", self.tags(documents));
        }
        let roll = self.dice.below(6);
        match (entity.name.as_str(), roll) {
            ("customer", 0) => ("company_name", self.text()),
            ("customer", 1) => ("industry", self.choice(INDUSTRIES)),
            ("customer", 2) => ("credit_limit", self.money()),
            ("customer", 3) => ("lifecycle", self.choice(LIFECYCLES)),
            ("customer", _) => ("visits", json!({ "add": 1 + self.dice.below(4) })),
            ("contact", 0..3) => ("name", self.text()),
            ("contact", 3) => ("customer_id", self.link()),
            ("contact", _) => ("job_title", self.clearable()),
            ("opportunity", 0) => ("name", self.text()),
            ("opportunity", 1 | 2) => ("sales_stage", self.choice(STAGES)),
            ("opportunity", 3) => ("expected_amount", self.clearable_money()),
            ("opportunity" | "sales_order", 4 | 5) => ("lines", self.lines(documents)),
            ("interaction", 0..4) => ("summary", self.clearable()),
            ("interaction", _) => ("customer_id", self.link()),
            ("product", 0 | 1) => ("price", self.money()),
            ("product", 2 | 3) => ("cost", self.clearable_money()),
            ("product", _) => ("description", self.clearable()),
            ("sales_order", 0) => ("status", self.choice(ORDER_STATES)),
            ("sales_order", 1) => ("customer_id", self.link()),
            ("sales_order", 2) => ("shipping_fee", self.clearable_money()),
            _ => ("remarks", self.text()),
        }
    }

    fn clearable(&mut self) -> Json {
        if self.dice.percent(15) { Json::Null } else { self.text() }
    }

    fn clearable_money(&mut self) -> Json {
        if self.dice.percent(15) { Json::Null } else { self.money() }
    }

    fn tags(&mut self, documents: &Documents) -> Json {
        let main = documents.flat.get(&Part::Main);
        let present: Vec<String> = main.map_or_else(Vec::new, |main| {
            main.members("tags").into_iter().map(str::to_owned).collect()
        });
        let mut add = Vec::new();
        let mut remove = Vec::new();
        if self.dice.percent(60) {
            add.push(self.choice(TAGS));
        }
        if self.dice.percent(30) {
            add.push(format!("t{}", self.number).into());
        }
        if self.dice.percent(50) {
            remove.extend(self.dice.pick(&present).map(|tag| Json::from(tag.as_str())));
        }
        json!({ "add": add, "remove": remove })
    }

    fn lines(&mut self, documents: &Documents) -> Json {
        let main = documents.flat.get(&Part::Main);
        let rows: Vec<String> = main.map_or_else(Vec::new, |main| {
            main.rows("lines").into_iter().map(|row| row.id.to_owned()).collect()
        });
        let row = self.dice.pick(&rows).cloned();
        match (row, self.dice.below(4)) {
            (Some(row), 0 | 1) => {
                json!({ "edit": { row: { "qty": self.number.to_string(), "note": self.text() } } })
            }
            (Some(row), 2) => json!({ "remove": [row] }),
            _ => json!({ "add": [self.line()] }),
        }
    }
}
