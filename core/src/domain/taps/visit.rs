//! On site: coming and going, parts used.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::{ACCURACY_MAX_M, GEOFENCE_M, Record, TapError, Write, copy, put, text};
use crate::{
    ids::RecordId,
    schema::{RowId, Type},
    time::{TimestampMs, to_rfc3339},
    value::{Geo, Value},
};

/// What a person does on site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckEvent {
    /// Comes.
    In,
    /// Rests or leaves for a while.
    Pause,
    /// Goes on.
    Resume,
    /// Leaves.
    Out,
    /// Is checked out although required rows are open, or by somebody else.
    ForcedOut,
}

impl CheckEvent {
    /// Its choice in `check_event`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Out => "out",
            Self::ForcedOut => "forced_out",
        }
    }
}

/// What a person and the device say at a check-in or check-out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrival {
    /// Who comes or goes, if that is a record.
    pub user: Option<RecordId>,
    /// Where the device is, as JSON.
    pub geo: Option<Json>,
    /// Where the customer is, for visits that do not say where they are.
    pub customer_geo: Option<Json>,
    /// On leaving: a choice of `visit_outcome`.
    pub outcome: Option<String>,
    /// A remark.
    pub note: Option<String>,
}

/// Plans a check-in, a pause or a check-out: one record of it, and the visit's status.
///
/// # Errors
///
/// [`TapError::ChecklistLeft`] when leaving a visit as done while required rows are open.
pub fn check_in(
    (visit, check_in): (RecordId, RecordId),
    shown: &Record,
    event: CheckEvent,
    said: &Arrival,
    now_ms: TimestampMs,
) -> Result<Vec<Write>, TapError> {
    let status = status_after(shown, event, said)?;
    let mut fields = copy(shown, &[("customer_id", "customer_id")]);
    put(&mut fields, "visit_id", visit.to_string());
    put(&mut fields, "event", event.id());
    put(&mut fields, "at", to_rfc3339(now_ms));
    if let Some(user) = said.user {
        put(&mut fields, "user_id", user.to_string());
    }
    if let Some(note) = &said.note {
        put(&mut fields, "note", note.as_str());
    }
    let site = shown.get("geo").or(said.customer_geo.as_ref()).and_then(read_geo);
    let here = said.geo.as_ref().and_then(read_geo);
    if let Some(geo) = &said.geo {
        put(&mut fields, "geo", geo.clone());
    }
    let distance_m = here.as_ref().zip(site.as_ref()).map(|(here, site)| here.distance_m(site));
    if let Some(distance_m) = distance_m {
        put(&mut fields, "distance_m", distance_m);
    }
    put(&mut fields, "verdict", verdict(here.as_ref(), distance_m));
    let mut writes = vec![Write::Create { entity: "check_in", record: check_in, fields }];
    let mut changed = Record::new();
    if let Some(status) = status.filter(|status| text(shown, "status") != Some(status)) {
        put(&mut changed, "status", status);
    }
    if let Some(outcome) = &said.outcome {
        put(&mut changed, "outcome", outcome.as_str());
    }
    if !changed.is_empty() {
        writes.push(Write::Update { record: visit, fields: changed });
    }
    Ok(writes)
}

/// The status that the visit has afterwards; none if it stays.
fn status_after(
    shown: &Record,
    event: CheckEvent,
    said: &Arrival,
) -> Result<Option<&'static str>, TapError> {
    // Who comes back after the end looks something up; the work is as done as it was.
    if matches!(text(shown, "status"), Some("completed" | "closed")) {
        return Ok(None);
    }
    Ok(Some(match event {
        CheckEvent::In | CheckEvent::Resume => "in_progress",
        CheckEvent::Pause => "on_hold",
        CheckEvent::Out | CheckEvent::ForcedOut => match said.outcome.as_deref() {
            Some("part_missing" | "not_there" | "refused") => "cannot_complete",
            Some(_) | None => {
                let left = shown.get("checklist_left").and_then(Json::as_u64).unwrap_or(0);
                if left > 0 && event == CheckEvent::Out {
                    return Err(TapError::ChecklistLeft { left });
                }
                "completed"
            }
        },
    }))
}

/// Whether the position proves that somebody was there.
fn verdict(here: Option<&Geo>, distance_m: Option<u32>) -> &'static str {
    let (Some(here), Some(distance_m)) = (here, distance_m) else { return "unverified" };
    let accuracy_m = here.accuracy_m().unwrap_or(0);
    if accuracy_m > ACCURACY_MAX_M {
        "unverified"
    } else if distance_m <= GEOFENCE_M + accuracy_m {
        "verified"
    } else {
        "invalid"
    }
}

fn read_geo(json: &Json) -> Option<Geo> {
    match Type::Geo.from_json(json).ok()? {
        Value::Text(text) => Geo::from_canonical(&text),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Bytes(_) => None,
    }
}

/// A part that was used on a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartUsed {
    /// Which product.
    pub product: RecordId,
    /// How much, as a decimal number.
    pub qty: String,
    /// Where it was taken from.
    pub location: Option<RecordId>,
    /// Its serial number.
    pub serial_no: Option<String>,
}

/// Plans the use of a part: a row of the visit, and a stock move whose id follows from that row.
///
/// # Errors
///
/// [`TapError::Quantity`] for what is no number above 0.
pub fn use_part(
    visit: RecordId,
    row: RowId,
    part: &PartUsed,
    now_ms: TimestampMs,
) -> Result<(RecordId, Vec<Write>), TapError> {
    let wrong = || TapError::Quantity(part.qty.chars().take(40).collect());
    let qty: Decimal = part.qty.trim().parse().map_err(|_| wrong())?;
    if qty <= Decimal::ZERO {
        return Err(wrong());
    }
    let stock_move = RecordId::derived(visit, &format!("part/{row}"));
    let mut cells = json!({
        "id": row, "product_id": part.product, "qty": qty.normalize().to_string(),
        "stock_move_id": stock_move,
    });
    let mut fields = Record::new();
    put(&mut fields, "product_id", part.product.to_string());
    put(&mut fields, "qty", (-qty).normalize().to_string());
    put(&mut fields, "move_kind", "used");
    put(&mut fields, "moved_at", to_rfc3339(now_ms));
    put(&mut fields, "visit_id", visit.to_string());
    if let Some(cells) = cells.as_object_mut() {
        for fields in [cells, &mut fields] {
            if let Some(location) = part.location {
                put(fields, "location_id", location.to_string());
            }
            if let Some(serial_no) = &part.serial_no {
                put(fields, "serial_no", serial_no.as_str());
            }
        }
    }
    let mut changed = Record::new();
    put(&mut changed, "parts", json!({ "add": [cells] }));
    let writes = vec![
        Write::Update { record: visit, fields: changed },
        Write::Create { entity: "stock_move", record: stock_move, fields },
    ];
    Ok((stock_move, writes))
}
