//! Cards and calendars, read by another parser: what they can hold is what the records say.

use calcard::{
    Entry, Parser,
    icalendar::{ICalendar, ICalendarComponentType, ICalendarProperty, ICalendarValue},
    vcard::{VCard, VCardProperty, VCardValue},
};
use outrider_core::{
    schema::{Entity, Schema},
    transfer::export::{CardVersion, Format, Options},
};
use serde_json::{Map, Value as Json, json};

use crate::{dice::Dice, world::World};

fn cards(text: &str) -> Vec<VCard> {
    let mut parser = Parser::new(text).strict();
    let mut found = Vec::new();
    loop {
        match parser.entry() {
            Entry::VCard(card) => found.push(card),
            Entry::Eof => return found,
            other => panic!("{other:?}"),
        }
    }
}

fn calendar(text: &str) -> ICalendar {
    match Parser::new(text).entry() {
        Entry::ICalendar(calendar) => calendar,
        other => panic!("{other:?}"),
    }
}

/// The texts of all lines of a property.
fn texts(card: &VCard, name: &VCardProperty) -> Vec<String> {
    let lines = card.entries.iter().filter(|entry| entry.name == *name);
    let values = lines.flat_map(|entry| &entry.values);
    values
        .filter_map(|value| match value {
            VCardValue::Text(text) => Some(text.clone()),
            VCardValue::Component(parts) => Some(parts.join(",")),
            _ => None,
        })
        .collect()
}

/// What a card can hold of a text: line ends are all the same, and no control characters.
fn kept(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    text.chars().filter(|char| *char == '\n' || !char.is_control()).collect()
}

fn carded() -> Vec<&'static Entity> {
    Schema::current().entities().filter(|entity| Format::Vcard.takes(entity)).collect()
}

fn dated() -> Vec<&'static Entity> {
    Schema::current().entities().filter(|entity| Format::Ics.takes(entity)).collect()
}

#[test]
fn the_schema_tells_who_has_a_card() {
    let names: Vec<&str> = carded().iter().map(|entity| entity.name.as_str()).collect();
    assert_eq!(names, ["customer", "contact", "lead", "campaign_member", "user", "team"]);
}

#[test]
fn cards_of_random_records_say_what_the_records_say() {
    let mut dice = Dice::new();
    for entity in carded() {
        let mut world = World::new();
        world.fill(entity, 6, &mut dice);
        let records = world.records(&[entity]);
        for card in [CardVersion::V4, CardVersion::V3] {
            let options = Options { card, ..Options::default() };
            let (bytes, written) = world.export(&[entity], Format::Vcard, options);
            let text = String::from_utf8(bytes).unwrap();
            let found = cards(&text);
            assert_eq!(found.len() as u64, written.records, "{text}");
            assert_eq!(written.records, 6);
            for (card, record) in found.iter().zip(records.values()) {
                let id = record["id"].as_str().unwrap();
                assert_eq!(texts(card, &VCardProperty::Uid), [format!("urn:uuid:{id}")]);
                check_card(entity, card, record);
            }
        }
    }
}

fn check_card(entity: &Entity, card: &VCard, record: &Json) {
    for (field, name) in [
        ("phone", VCardProperty::Tel),
        ("mobile", VCardProperty::Tel),
        ("email", VCardProperty::Email),
        ("job_title", VCardProperty::Title),
        ("website", VCardProperty::Url),
        ("notes", VCardProperty::Note),
    ] {
        let Some(text) = record[field].as_str().filter(|_| entity.field(field).is_some()) else {
            continue;
        };
        let found = texts(card, &name);
        assert!(found.contains(&kept(text)), "{field}: {text:?} in {found:?}");
    }
    for phone in record["phones"].as_array().into_iter().flatten() {
        let number = phone["number"].as_str().unwrap();
        assert!(texts(card, &VCardProperty::Tel).iter().any(|found| found == number));
    }
    if let Some(name) = record.get("name").and_then(Json::as_object) {
        let found = texts(card, &VCardProperty::N);
        let part = |part: &str| kept(name.get(part).and_then(Json::as_str).unwrap_or_default());
        assert_eq!(found[..2], [part("family"), part("given")], "{found:?}");
    }
    if let Some(address) = record.get("address").filter(|a| a.is_object()) {
        let found = texts(card, &VCardProperty::Adr);
        let city = address["city"].as_str().unwrap_or_default();
        assert!(found.contains(&kept(city)), "{city:?} in {found:?}");
    }
}

#[test]
fn a_card_of_a_chinese_contact_names_the_company() {
    let mut world = World::new();
    let company = map(json!({ "company_name": "三川实业, 有限公司" }));
    let company = world.replica.create("customer", &company).unwrap();
    let contact = map(json!({
        "name": {"family": "王", "given": "小明"}, "customer_id": company.to_string(),
        "mobile": "+86 138 0000 0000", "job_title": "总经理", "department": "销售",
        "birthday": "05-17", "tags": ["vip"],
        "emails": [{"address": "w@example.com", "is_primary": true}],
        "social_accounts": [{"platform": "wechat", "account": "wang;1"}],
        "address": {"province": "广东省", "city": "深圳市", "district": "南山区", "street": "1号"},
    }));
    let id = world.replica.create("contact", &contact).unwrap();
    let contact = Schema::current().entity("contact").unwrap();
    let (bytes, _) = world.export(&[contact], Format::Vcard, Options::default());
    let expected = format!(
        "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:{id}\r\nFN:王小明\r\nN:王;小明;;;\r\n\
         ORG:三川实业\\, 有限公司;销售\r\nTITLE:总经理\r\nTEL;TYPE=cell:+86 138 0000 0000\r\n\
         EMAIL;TYPE=work;PREF=1:w@example.com\r\n\
         SOCIALPROFILE;SERVICE-TYPE=\"wechat\";VALUE=text:wang\\;1\r\n\
         ADR;TYPE=work:;;南山区 1号;深圳市;广东省;;\r\nBDAY:--0517\r\nCATEGORIES:vip\r\nEND:VCARD\r\n"
    );
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn calendars_of_random_records_have_their_days() {
    let mut dice = Dice::new();
    for entity in dated() {
        let mut world = World::new();
        world.fill(entity, 4, &mut dice);
        let (bytes, written) = world.export(&[entity], Format::Ics, Options::default());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        let calendar = calendar(&text);
        let entries: Vec<_> = calendar
            .components
            .iter()
            .filter(|component| {
                matches!(
                    component.component_type,
                    ICalendarComponentType::VEvent | ICalendarComponentType::VTodo
                )
            })
            .collect();
        assert!(entries.len() as u64 >= written.records, "{}", entity.name);
        let records = world.records(&[entity]);
        let mut ids: Vec<String> = Vec::new();
        for entry in entries {
            let value = |name: ICalendarProperty| {
                let line = entry.entries.iter().find(|line| line.name == name);
                line.and_then(|line| line.values.first()).cloned()
            };
            assert!(
                matches!(
                    value(ICalendarProperty::Dtstart),
                    Some(ICalendarValue::PartialDateTime(_))
                ),
                "{text}"
            );
            let Some(ICalendarValue::Text(uid)) = value(ICalendarProperty::Uid) else {
                panic!("{text}")
            };
            let id = uid.strip_prefix("urn:uuid:").unwrap().split('#').next().unwrap();
            assert!(records.contains_key(&id.parse().unwrap()));
            ids.push(uid.clone());
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "each entry has an id of its own");
    }
}

#[test]
fn an_activity_has_its_span_its_place_and_its_reminder() {
    let mut world = World::new();
    let fields = map(json!({
        "subject": "拜访; 客户", "activity_type": "task", "status": "planned", "place": "上海",
        "activity_date": {"start": "2026-11-23T08:30:00Z", "end": "2026-11-23T10:00:00Z"},
        "reminders": [{"minutes_before": 15}], "content": "a\nb",
        "recurrence": "FREQ=WEEKLY;BYDAY=MO", "recurrence_exceptions": ["2026-11-30"],
    }));
    let id = world.replica.create("activity", &fields).unwrap();
    let activity = Schema::current().entity("activity").unwrap();
    let (bytes, _) = world.export(&[activity], Format::Ics, Options::default());
    let expected = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Outrider//Outrider//EN\r\nBEGIN:VTODO\r\n\
         UID:urn:uuid:{id}\r\nDTSTAMP:20260921T141320Z\r\nDTSTART:20261123T083000Z\r\n\
         DUE:20261123T100000Z\r\nSUMMARY:拜访\\; 客户\r\nCATEGORIES:activity\r\n\
         DESCRIPTION:a\\nb\r\nLOCATION:上海\r\nSTATUS:NEEDS-ACTION\r\nRRULE:FREQ=WEEKLY;BYDAY=MO\r\n\
         EXDATE:20261130T083000Z\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:拜访\\; 客户\r\n\
         TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    );
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

fn map(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}
