//! iCalendar: what a record has to do with days, for any calendar.
//!
//! Each dated field (see [`super::agenda`]) is an event of its own, with an id that follows from the
//! record's and the field's, so a calendar that is imported again replaces what it has. Moments are in
//! UTC, which every calendar shows in its reader's zone; days are days. A record whose choice is
//! `task` is a task (`VTODO`). Rows with `minutes_before` are reminders, a `recurrence` in the form of
//! RFC 5545 a series.

use std::io::Write;

use serde_json::{Map, Value as Json};

use super::{
    ExportError, Names, Sink,
    agenda::{When, dated_fields, when},
    days::basic_moment,
    lines::{escape, write_line},
};
use crate::{
    schema::{Entity, Field, Kind, Language, Type},
    time::TimestampMs,
    value::{Address, Value, compound::Compound as _},
};

/// Characters of a rule of recurrence, at most.
const RULE_CHARS_MAX: usize = 500;
/// Reminders of one event, at most.
const ALARMS_MAX: usize = 20;

/// A calendar.
pub(super) struct Calendar<W: Write> {
    out: W,
    stamp: String,
    entity: Option<&'static Entity>,
}

impl<W: Write> Calendar<W> {
    pub(super) fn start(mut out: W, now_ms: TimestampMs) -> Result<Self, ExportError> {
        let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Outrider//Outrider//EN"];
        for line in head {
            write_line(&mut out, line)?;
        }
        let stamp = basic_moment(now_ms).unwrap_or_else(|| "19700101T000000Z".to_owned());
        Ok(Self { out, stamp, entity: None })
    }
}

impl<W: Write> Sink for Calendar<W> {
    fn begin(&mut self, entity: &'static Entity) -> Result<(), ExportError> {
        self.entity = Some(entity);
        Ok(())
    }

    fn write(
        &mut self,
        record: &Map<String, Json>,
        _names: &mut Names<'_>,
    ) -> Result<bool, ExportError> {
        let Some(entity) = self.entity else { return Ok(false) };
        let mut is_dated = false;
        for field in dated_fields(entity) {
            let Some(when) = when(field, record) else { continue };
            is_dated = true;
            for line in (Entry { entity, record, field, when }).lines(&self.stamp) {
                write_line(&mut self.out, &line)?;
            }
        }
        Ok(is_dated)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        write_line(&mut self.out, "END:VCALENDAR")?;
        Ok(self.out.flush()?)
    }
}

/// One dated field of a record.
struct Entry<'r> {
    entity: &'static Entity,
    record: &'r Map<String, Json>,
    field: &'r Field,
    when: When,
}

impl Entry<'_> {
    fn lines(&self, stamp: &str) -> Vec<String> {
        let is_moment = self.field.name == self.entity.moment;
        let is_task = is_moment && self.has_choice("task");
        let kind = if is_task { "VTODO" } else { "VEVENT" };
        let id = self.text("id").unwrap_or_default();
        let mut lines = vec![format!("BEGIN:{kind}")];
        lines.push(if is_moment {
            format!("UID:urn:uuid:{id}")
        } else {
            format!("UID:urn:uuid:{id}#{}", self.field.name)
        });
        lines.push(format!("DTSTAMP:{stamp}"));
        self.push_when(&mut lines, is_task);
        lines.push(format!("SUMMARY:{}", escape(&self.summary(is_moment))));
        lines.push(format!("CATEGORIES:{}", escape(&self.entity.name)));
        let texts = self.entity.texts().find_map(|field| self.text(&field.name));
        lines.extend(texts.map(|text| format!("DESCRIPTION:{}", escape(text))));
        lines.extend(self.place().map(|place| format!("LOCATION:{}", escape(&place))));
        lines.extend(self.position());
        lines.extend(self.status(is_task).map(|status| format!("STATUS:{status}")));
        if is_moment {
            let rule = self.text("recurrence").filter(|rule| is_rule(rule));
            if let Some(rule) = rule {
                lines.push(format!("RRULE:{rule}"));
                lines.extend(self.exceptions());
            }
            self.push_alarms(&mut lines);
        }
        lines.push(format!("END:{kind}"));
        lines
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.record.get(field).and_then(Json::as_str)
    }

    /// Whether one of the record's choices is this.
    fn has_choice(&self, id: &str) -> bool {
        let mut choices = self
            .entity
            .fields
            .iter()
            .filter(|field| field.kind.is_single() && matches!(field.ty, Type::Picklist(_)));
        choices.any(|field| self.text(&field.name) == Some(id))
    }

    fn push_when(&self, lines: &mut Vec<String>, is_task: bool) {
        let When { start, end, is_days } = &self.when;
        let kind = if *is_days { ";VALUE=DATE" } else { "" };
        lines.push(format!("DTSTART{kind}:{start}"));
        let name = if is_task { "DUE" } else { "DTEND" };
        lines.extend(end.as_ref().map(|end| format!("{name}{kind}:{end}")));
    }

    /// The record's name; of a field beside its moment, with the field's.
    fn summary(&self, is_moment: bool) -> String {
        let title = self.entity.title_field().and_then(|field| {
            let value = field.ty.from_json(self.record.get(&field.name)?).ok()?;
            (value != Value::Null).then(|| field.ty.display(&value, Language::En))
        });
        let title = title.unwrap_or_else(|| self.entity.label.en.clone());
        if is_moment { title } else { format!("{}: {title}", self.field.label.en) }
    }

    /// Where it is: a text named `place`, else the first address.
    fn place(&self) -> Option<String> {
        if let Some(place) = self.text("place") {
            return Some(place.to_owned());
        }
        let is_address = |field: &&Field| field.kind.is_single() && field.ty == Type::Address;
        let field = self.entity.fields.iter().find(is_address)?;
        let address: Address =
            serde_json::from_value(self.record.get(&field.name)?.clone()).ok()?;
        Some(address.display())
    }

    fn position(&self) -> Option<String> {
        let is_geo = |field: &&Field| field.kind.is_single() && field.ty == Type::Geo;
        let geo = self.record.get(&self.entity.fields.iter().find(is_geo)?.name)?;
        let degree = |name| geo.get(name).and_then(Json::as_str);
        Some(format!("GEO:{};{}", degree("lat")?, degree("lon")?))
    }

    fn status(&self, is_task: bool) -> Option<&'static str> {
        let status = self.text("status")?;
        Some(match status {
            "cancelled" | "canceled" => "CANCELLED",
            "completed" | "done" if is_task => "COMPLETED",
            "in_progress" if is_task => "IN-PROCESS",
            _ if is_task => "NEEDS-ACTION",
            _ => "CONFIRMED",
        })
    }

    /// Days on which a series of whole days, or one at a time of day, does not take place.
    fn exceptions(&self) -> Option<String> {
        let days = self.record.get("recurrence_exceptions")?.as_array()?;
        let is_day = |day: &String| day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit());
        let days = days.iter().filter_map(Json::as_str).map(|day| day.replace('-', ""));
        let days: Vec<String> = days.filter(is_day).collect();
        if days.is_empty() {
            return None;
        }
        if self.when.is_days {
            return Some(format!("EXDATE;VALUE=DATE:{}", days.join(",")));
        }
        // The series goes on at the same time of day in UTC.
        let (_, time) = self.when.start.split_once('T')?;
        let moments: Vec<String> = days.into_iter().map(|day| format!("{day}T{time}")).collect();
        Some(format!("EXDATE:{}", moments.join(",")))
    }

    fn push_alarms(&self, lines: &mut Vec<String>) {
        let rows =
            self.entity.fields.iter().filter(|field| {
                field.kind == Kind::Rows && field.column("minutes_before").is_some()
            });
        let rows = rows.filter_map(|field| self.record.get(&field.name)?.as_array()).flatten();
        let minutes = rows.filter_map(|row| row.get("minutes_before")?.as_u64());
        for minutes in minutes.take(ALARMS_MAX) {
            lines.push("BEGIN:VALARM".to_owned());
            lines.push("ACTION:DISPLAY".to_owned());
            lines.push(format!("DESCRIPTION:{}", escape(&self.summary(true))));
            lines.push(format!("TRIGGER:-PT{minutes}M"));
            lines.push("END:VALARM".to_owned());
        }
    }
}

/// Whether a text may be a rule of recurrence: nothing in it could end the line.
fn is_rule(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"=;,+-".contains(&byte);
    text.len() <= RULE_CHARS_MAX && text.starts_with("FREQ=") && text.bytes().all(is_letter)
}
