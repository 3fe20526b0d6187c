//! vCard: people and companies for address books, version 4.0, and 3.0 for older telephones.
//!
//! Which entities have cards, and what stands in them, follows from types, so a company's own
//! entities have cards too: the field that is a person's name, telephone numbers, e-mail
//! addresses, addresses, web addresses and the position, alone or in rows. A few values are known
//! by their names, because a type does not tell them: `job_title`, `department`, `birthday`,
//! `company_name`, `tags`, and `notes` or else the first long text, which becomes the note.
//!
//! A card keeps what cards can hold; the CSV and JSON files keep everything.

use std::io::Write;

use serde_json::{Map, Value as Json};

use super::{
    ExportError, Names, Sink,
    lines::{escape, quote, write_line},
};
use crate::{
    schema::{Entity, Family, Field, Kind, Language, Type},
    value::{Address, PersonName, Value, compound::Compound as _},
};

/// The version of cards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CardVersion {
    /// RFC 6350.
    #[default]
    V4,
    /// RFC 2426: what older telephones read.
    V3,
}

/// Cards, one after another.
pub(super) struct Cards<W: Write> {
    out: W,
    version: CardVersion,
    entity: Option<&'static Entity>,
}

impl<W: Write> Cards<W> {
    pub(super) fn start(out: W, version: CardVersion) -> Self {
        Self { out, version, entity: None }
    }
}

/// Whether records of an entity are somebody who can be reached.
pub(super) fn has_card(entity: &Entity) -> bool {
    let is_reached = |field: &Field| {
        field.kind.is_single() && matches!(field.ty, Type::PersonName | Type::Email)
    };
    entity.fields.iter().any(is_reached)
}

impl<W: Write> Sink for Cards<W> {
    fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError> {
        self.entity = Some(entity);
        Ok(())
    }

    fn write(
        &mut self,
        record: &Map<String, Json>,
        names: &mut Names<'_>,
    ) -> Result<bool, ExportError> {
        let Some(entity) = self.entity else { return Ok(false) };
        let Some(lines) = (Card { entity, record, version: self.version }).lines(names) else {
            return Ok(false);
        };
        for line in lines {
            write_line(&mut self.out, &line)?;
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        Ok(self.out.flush()?)
    }
}

/// A record that becomes a card.
struct Card<'r> {
    entity: &'static Entity,
    record: &'r Map<String, Json>,
    version: CardVersion,
}

impl Card<'_> {
    /// The lines of the card; none for a record without a name.
    fn lines(&self, names: &mut Names<'_>) -> Option<Vec<String>> {
        let is_v4 = self.version == CardVersion::V4;
        let person = self.person();
        let title = self.title();
        let company = self.company(names);
        let full = person.as_ref().map(PersonName::display).or_else(|| title.clone())?;
        let mut lines = vec!["BEGIN:VCARD".to_owned()];
        lines.push(if is_v4 { "VERSION:4.0" } else { "VERSION:3.0" }.to_owned());
        let id = self.text("id").unwrap_or_default();
        lines.push(format!("UID:urn:uuid:{id}"));
        lines.push(format!("FN:{}", escape(&full)));
        match &person {
            Some(name) => lines.push(name_line(name)),
            None if is_v4 => lines.push("KIND:org".to_owned()),
            // Without a person, older telephones want the name's parts all the same.
            None => lines.push(format!("N:{};;;;", escape(&full))),
        }
        let organisation = company.or_else(|| person.is_none().then_some(full));
        if let Some(organisation) = organisation {
            let department = self.text("department").map(|text| format!(";{}", escape(text)));
            lines.push(format!("ORG:{}{}", escape(&organisation), department.unwrap_or_default()));
        }
        lines.extend(self.text("job_title").map(|text| format!("TITLE:{}", escape(text))));
        for (field, found) in self.values() {
            lines.extend(self.line(field, &found));
        }
        lines.extend(self.text("birthday").and_then(|day| birthday_line(day, is_v4)));
        let tags = self.record.get("tags").and_then(Json::as_array).into_iter().flatten();
        let tags: Vec<String> = tags.filter_map(Json::as_str).map(escape).collect();
        if !tags.is_empty() {
            lines.push(format!("CATEGORIES:{}", tags.join(",")));
        }
        let note = self.text("notes");
        let note = note.or_else(|| self.entity.texts().find_map(|field| self.text(&field.name)));
        lines.extend(note.map(|text| format!("NOTE:{}", escape(text))));
        lines.push("END:VCARD".to_owned());
        Some(lines)
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.record.get(field).and_then(Json::as_str)
    }

    fn person(&self) -> Option<PersonName> {
        let is_name = |field: &&Field| field.kind.is_single() && field.ty == Type::PersonName;
        let field = self.entity.fields.iter().find(is_name)?;
        serde_json::from_value(self.record.get(&field.name)?.clone()).ok()
    }

    fn title(&self) -> Option<String> {
        let field = self.entity.title_field()?;
        let value = field.ty.from_json(self.record.get(&field.name)?).ok()?;
        (value != Value::Null).then(|| field.ty.display(&value, Language::En))
    }

    /// The company of a person: its own field, or the head of the record's family.
    fn company(&self, names: &mut Names<'_>) -> Option<String> {
        if let Some(name) = self.text("company_name") {
            return Some(name.to_owned());
        }
        let Family::Link(field) = &self.entity.family else { return None };
        names.of_link(self.record.get(field)?)
    }

    /// Every value of the record that a card may hold, from fields and from rows.
    fn values(&self) -> Vec<(&'static Field, Found<'_>)> {
        let mut all = Vec::new();
        for field in &self.entity.fields {
            let Some(json) = self.record.get(&field.name) else { continue };
            if field.kind.is_single() {
                let kind = if field.name.contains("mobile") { Some("cell") } else { None };
                all.push((field, Found { json, kind, platform: None, is_primary: false }));
            }
            if field.kind != Kind::Rows {
                continue;
            }
            for row in json.as_array().into_iter().flatten() {
                let text = |name: &str| row.get(name).and_then(Json::as_str);
                for column in &field.columns {
                    let Some(json) = row.get(&column.name) else { continue };
                    let is_account = column.name == "account" && text("platform").is_some();
                    if is_account || is_reachable(&column.ty) {
                        let found = Found {
                            json,
                            kind: text("label"),
                            platform: if is_account { text("platform") } else { None },
                            is_primary: row.get("is_primary") == Some(&Json::Bool(true)),
                        };
                        all.push((column, found));
                    }
                }
            }
        }
        all
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a card holds few of the types")]
    fn line(&self, field: &Field, found: &Found<'_>) -> Option<String> {
        let is_v4 = self.version == CardVersion::V4;
        let text = found.json.as_str();
        if let Some(platform) = found.platform {
            let (platform, text) = (quote(platform), escape(text?));
            return Some(if is_v4 {
                format!("SOCIALPROFILE;SERVICE-TYPE={platform};VALUE=text:{text}")
            } else {
                format!("X-SOCIALPROFILE;TYPE={platform}:{text}")
            });
        }
        let preferred = match (found.is_primary, is_v4) {
            (false, _) => "",
            (true, true) => ";PREF=1",
            (true, false) => ";TYPE=pref",
        };
        Some(match &field.ty {
            Type::Phone => {
                let kind = phone_kind(found.kind);
                format!("TEL;TYPE={kind}{preferred}:{}", escape(text?))
            }
            Type::Email => {
                let kind = if found.kind == Some("private") { "home" } else { "work" };
                let kind = if is_v4 { kind.to_owned() } else { format!("internet,{kind}") };
                format!("EMAIL;TYPE={kind}{preferred}:{}", escape(text?))
            }
            // Its characters are those of a web address, none of which is escaped.
            Type::Url => format!("URL:{}", text?),
            Type::Address => {
                let address: Address = serde_json::from_value(found.json.clone()).ok()?;
                address_line(&address)
            }
            Type::Geo => {
                let degree = |name| found.json.get(name).and_then(Json::as_str);
                let (lat, lon) = (degree("lat")?, degree("lon")?);
                if is_v4 { format!("GEO:geo:{lat},{lon}") } else { format!("GEO:{lat};{lon}") }
            }
            Type::Text { .. } if field.name == "wechat" => {
                let text = escape(text?);
                if is_v4 {
                    format!("SOCIALPROFILE;SERVICE-TYPE=\"wechat\";VALUE=text:{text}")
                } else {
                    format!("X-SOCIALPROFILE;TYPE=\"wechat\":{text}")
                }
            }
            _ => return None,
        })
    }
}

/// A value and what a row says beside it.
struct Found<'r> {
    json: &'r Json,
    /// What sort of number or address it is.
    kind: Option<&'r str>,
    /// Where the account is.
    platform: Option<&'r str>,
    is_primary: bool,
}

fn is_reachable(ty: &Type) -> bool {
    matches!(ty, Type::Phone | Type::Email | Type::Url | Type::Address)
}

fn name_line(name: &PersonName) -> String {
    let PersonName { family, given, full, salutation } = name;
    let (family, given) = match (family.is_empty(), given.is_empty()) {
        // All that is known is the whole; the first part is what lists are sorted by.
        (true, true) => (full, given),
        (_, _) => (family, given),
    };
    format!("N:{};{};;{};", escape(family), escape(given), escape(salutation))
}

/// PO box and extension stay empty, as the standard asks; a district stands before the street.
fn address_line(address: &Address) -> String {
    let Address { country, province, city, district, street, postcode } = address;
    let between = if district.is_empty() || street.is_empty() { "" } else { " " };
    let street = [district, between, street].concat();
    let parts = [&street, city, province, postcode, country].map(|part| escape(part));
    format!("ADR;TYPE=work:;;{}", parts.join(";"))
}

fn phone_kind(kind: Option<&str>) -> &'static str {
    match kind {
        Some("mobile" | "cell") => "cell",
        Some("fax") => "fax",
        Some("home" | "private") => "home,voice",
        Some(_) | None => "work,voice",
    }
}

/// `05-17` or `1980-05-17`. Version 3.0 has no birthday without a year.
fn birthday_line(day: &str, is_v4: bool) -> Option<String> {
    let parts: Vec<&str> = day.trim().split('-').collect();
    let are_digits = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    match (lengths.as_slice(), are_digits) {
        ([2, 2], true) if is_v4 => Some(format!("BDAY:--{}", parts.concat())),
        ([4, 2, 2], true) if is_v4 => Some(format!("BDAY:{}", parts.concat())),
        ([4, 2, 2], true) => Some(format!("BDAY:{day}")),
        (_, _) => None,
    }
}
