//! Plans of taps, from records as JSON.

use serde_json::{Value as Json, json};

use super::{
    Arrival, CheckEvent, Completion, PartUsed, Record, TapError, Write, check_in,
    complete_activity, convert_lead, use_part,
};
use crate::{
    domain::edit::EDIT_ITEMS_MAX,
    ids::RecordId,
    schema::{Kind, Schema},
    value::Value,
};

const NOW_MS: i64 = 1_795_000_000_000;

fn id(n: u128) -> RecordId {
    RecordId(uuid::Uuid::from_u128(n))
}

fn record(json: Json) -> Record {
    json.as_object().unwrap().clone()
}

/// The fields that a tap writes of one entity.
fn fields_of<'a>(writes: &'a [Write], wanted: &str) -> &'a Record {
    let found = writes.iter().find_map(|write| match write {
        Write::Create { entity, fields, .. } if *entity == wanted => Some(fields),
        Write::Update { fields, .. } if wanted == "update" => Some(fields),
        Write::Create { .. } | Write::Update { .. } => None,
    });
    found.unwrap_or_else(|| panic!("no {wanted} in {writes:?}"))
}

/// Every field that a tap names is one of its entity, and every value fits.
fn assert_fits(writes: &[Write], updated: &str) {
    for write in writes {
        let (entity, fields) = match write {
            Write::Create { entity, fields, .. } => (*entity, fields),
            Write::Update { fields, .. } => (updated, fields),
        };
        let entity = Schema::current().entity(entity).unwrap();
        for (name, value) in fields {
            let field = entity.field(name).unwrap_or_else(|| panic!("{}.{name}", entity.name));
            assert_ne!(field.kind, Kind::Office, "{}.{name}", entity.name);
            if field.kind.is_single() {
                let read = field.ty.from_json(value);
                assert!(read.is_ok(), "{}.{name}: {value}: {read:?}", entity.name);
            }
        }
    }
}

#[test]
fn a_lead_gives_the_same_records_whoever_converts_it() {
    let lead = record(json!({ "name": "Acme", "phone": "120", "status": "new" }));
    let (made, writes) = convert_lead(id(1), &lead, NOW_MS);
    let (again, later) = convert_lead(id(1), &lead, NOW_MS + 1_000);
    assert_eq!(made, again);
    // Only the moment at which the lead was converted differs, and that is written once.
    assert_eq!(writes[..3], later[..3]);
    assert_ne!(convert_lead(id(2), &lead, NOW_MS).0, made);
    assert_fits(&writes, "lead");
    assert_eq!(fields_of(&writes, "contact")["name"], "Acme");
    assert_eq!(fields_of(&writes, "customer")["customer_kind"], "person");
    assert_eq!(fields_of(&writes, "customer")["owner_id"], Json::Null);
    let again = record(json!({ "name": "Acme", "converted_at": "2026-01-01T00:00:00.000Z" }));
    let (_, writes) = convert_lead(id(1), &again, NOW_MS);
    assert!(!fields_of(&writes, "update").contains_key("converted_at"));
}

#[test]
fn a_lead_with_many_products_stays_within_one_edit() {
    let products: Vec<String> = (0..500).map(|n| id(n).to_string()).collect();
    let lead = record(json!({ "name": "Acme", "products": products }));
    let (_, writes) = convert_lead(id(1), &lead, NOW_MS);
    let lines = fields_of(&writes, "opportunity")["lines"].as_array().unwrap();
    assert!(lines.len() == 100 && lines.len() <= EDIT_ITEMS_MAX);
    let rows: std::collections::BTreeSet<&str> =
        lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert!(rows.len() > 1, "each product has a row of its own");
}

#[test]
fn what_was_done_is_told_once() {
    let activity = record(json!({
        "subject": "Call", "customer_id": id(9).to_string(), "activity_type": "demo",
        "content": "长".repeat(5_000),
    }));
    let said = Completion::default();
    let (told, writes) = complete_activity(id(1), &activity, &said, false, NOW_MS);
    assert_eq!(told, Some(RecordId::derived(id(1), "done")));
    assert_fits(&writes, "activity");
    let interaction = fields_of(&writes, "interaction");
    assert_eq!(interaction["channel"], "meeting");
    assert_eq!(interaction["summary"].as_str().unwrap().chars().count(), 4_000);
    let (_, writes) = complete_activity(id(1), &activity, &said, true, NOW_MS);
    assert_eq!(writes.len(), 1, "nothing is added to what was told");
    let nobody = record(json!({ "subject": "Tidy up", "activity_type": "task" }));
    let (told, writes) = complete_activity(id(1), &nobody, &said, false, NOW_MS);
    assert_eq!((told, writes.len()), (None, 1));
}

#[test]
fn a_position_proves_as_much_as_it_can() {
    let visit = record(json!({ "geo": { "lat": "31.2304", "lon": "121.4737" } }));
    let verdict = |geo: Option<Json>| {
        let said = Arrival { geo, ..Arrival::default() };
        let writes = check_in((id(1), id(2)), &visit, CheckEvent::In, &said, NOW_MS).unwrap();
        assert_fits(&writes, "visit");
        fields_of(&writes, "check_in")["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(None), "unverified");
    assert_eq!(verdict(Some(json!({ "lat": "31.2313", "lon": "121.4737" }))), "verified");
    assert_eq!(verdict(Some(json!({ "lat": "31.24", "lon": "121.4737" }))), "invalid");
    let wide = json!({ "lat": "31.24", "lon": "121.4737", "accuracy_m": 1_000 });
    assert_eq!(verdict(Some(wide)), "verified");
    let useless = json!({ "lat": "31.24", "lon": "121.4737", "accuracy_m": 1_001 });
    assert_eq!(verdict(Some(useless)), "unverified");
}

#[test]
fn the_status_of_a_visit_follows_who_comes_and_goes() {
    let status = |shown: Json, event, outcome: Option<&str>| {
        let said = Arrival { outcome: outcome.map(str::to_owned), ..Arrival::default() };
        let writes = check_in((id(1), id(2)), &record(shown), event, &said, NOW_MS)?;
        Ok::<_, TapError>(writes.iter().find_map(|write| match write {
            Write::Update { fields, .. } => fields.get("status")?.as_str().map(str::to_owned),
            Write::Create { .. } => None,
        }))
    };
    let is = |status: &str| Ok(Some(status.to_owned()));
    let open = json!({ "status": "dispatched", "checklist_left": 2 });
    assert_eq!(status(open.clone(), CheckEvent::In, None), is("in_progress"));
    assert_eq!(status(open.clone(), CheckEvent::Pause, None), is("on_hold"));
    assert_eq!(status(open.clone(), CheckEvent::Resume, None), is("in_progress"));
    let left = Err(TapError::ChecklistLeft { left: 2 });
    assert_eq!(status(open.clone(), CheckEvent::Out, Some("done")), left);
    assert_eq!(status(open.clone(), CheckEvent::Out, Some("part_missing")), is("cannot_complete"));
    assert_eq!(status(open, CheckEvent::ForcedOut, None), is("completed"));
    assert_eq!(status(json!({ "status": "completed" }), CheckEvent::In, None), Ok(None));
}

#[test]
fn a_part_leaves_stock_as_much_as_was_used() {
    let part = |qty: &str| PartUsed {
        product: id(5),
        qty: qty.to_owned(),
        location: Some(id(6)),
        serial_no: None,
    };
    let row = "0a1b2c3d4e".parse().unwrap();
    let (stock_move, writes) = use_part(id(1), row, &part("2.50"), NOW_MS).unwrap();
    assert_eq!(stock_move, RecordId::derived(id(1), "part/0a1b2c3d4e"));
    assert_fits(&writes, "visit");
    assert_eq!(fields_of(&writes, "stock_move")["qty"], "-2.5");
    assert_eq!(fields_of(&writes, "update")["parts"]["add"][0]["qty"], "2.5");
    for qty in ["0", "-1", "two", ""] {
        assert_eq!(
            use_part(id(1), row, &part(qty), NOW_MS).unwrap_err(),
            TapError::Quantity(qty.to_owned())
        );
    }
    let field = Schema::current().entity("stock_move").unwrap().field("qty").unwrap();
    assert_eq!(field.ty.from_json(&json!("-2.5")), Ok(Value::from("-2.5")));
}
