//! A lead becomes a customer with a contact and an opportunity.

use serde_json::{Value as Json, json};

use super::{Record, Write, copy, put, text, update};
use crate::{
    ids::RecordId,
    schema::RowId,
    time::{TimestampMs, to_rfc3339},
};

/// Products of a lead that become lines of the opportunity, at most.
const LINES_MAX: usize = 100;

/// The records that a lead becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The customer.
    pub customer: RecordId,
    /// Its contact.
    pub contact: RecordId,
    /// The opportunity.
    pub opportunity: RecordId,
}

impl Converted {
    /// The records that `lead` becomes on whatever device.
    #[must_use]
    pub fn of(lead: RecordId) -> Self {
        Self {
            customer: RecordId::derived(lead, "customer"),
            contact: RecordId::derived(lead, "contact"),
            opportunity: RecordId::derived(lead, "opportunity"),
        }
    }
}

/// Plans the conversion of a lead; the lead is marked last.
///
/// Fields that the three records hold follow from the lead alone. Its description stays with it:
/// a long text written on two devices would stand there twice.
#[must_use]
pub fn convert_lead(id: RecordId, lead: &Record, now_ms: TimestampMs) -> (Converted, Vec<Write>) {
    let made = Converted::of(id);
    let records = [
        create("customer", made.customer, customer(lead)),
        create("contact", made.contact, contact(id, &made, lead)),
        create("opportunity", made.opportunity, opportunity(id, &made, lead)),
    ];
    let marked = update(id, lead, marks(&made, lead, now_ms));
    (made, records.into_iter().chain(marked).collect())
}

fn create(entity: &'static str, record: RecordId, fields: Record) -> Write {
    Write::Create { entity, record, fields }
}

/// What all three take over. A lead that is nobody's makes records that are nobody's: if whoever
/// converts became the owner, two converting it would disagree about a field that they never set.
fn common(lead: &Record) -> Record {
    let mut fields = copy(lead, &[("team_id", "team_id"), ("tags", "tags")]);
    put(&mut fields, "owner_id", lead.get("owner_id").cloned().unwrap_or(Json::Null));
    fields
}

fn customer(lead: &Record) -> Record {
    let mut fields = common(lead);
    let company = text(lead, "company_name");
    put(&mut fields, "company_name", company.or(text(lead, "name")).unwrap_or_default());
    put(&mut fields, "customer_kind", if company.is_some() { "company" } else { "person" });
    put(&mut fields, "customer_type", "prospect");
    put(&mut fields, "lifecycle", "active");
    fields.extend(copy(
        lead,
        &[
            ("phone", "phone"),
            ("email", "email"),
            ("wechat", "wechat"),
            ("website", "website"),
            ("address", "address"),
            ("geo", "geo"),
            ("industry", "industry"),
            ("company_size", "company_size"),
            ("annual_revenue", "annual_revenue"),
            ("source", "source"),
            ("campaign_id", "source_campaign_id"),
            ("next_contact_at", "next_contact_at"),
        ],
    ));
    fields
}

fn contact(id: RecordId, made: &Converted, lead: &Record) -> Record {
    let mut fields = common(lead);
    let name = lead.get("contact_name").or_else(|| lead.get("name"));
    put(&mut fields, "name", name.cloned().unwrap_or(Json::Null));
    put(&mut fields, "customer_id", made.customer.to_string());
    put(&mut fields, "source_lead_id", id.to_string());
    let same = [
        "job_title",
        "phone",
        "mobile",
        "email",
        "decision_role",
        "do_not_call",
        "email_opt_out",
        "sms_opt_out",
    ];
    fields.extend(copy(lead, &same.map(|name| (name, name))));
    fields
}

fn opportunity(id: RecordId, made: &Converted, lead: &Record) -> Record {
    let mut fields = common(lead);
    put(&mut fields, "name", text(lead, "name").unwrap_or_default());
    put(&mut fields, "customer_id", made.customer.to_string());
    put(&mut fields, "source_lead_id", id.to_string());
    put(&mut fields, "sales_stage", "qualification");
    let same = ["expected_amount", "expected_close_date", "source", "campaign_id"];
    fields.extend(copy(lead, &same.map(|name| (name, name))));
    let mut person = json!({ "id": row_of(made.contact), "contact_id": made.contact });
    if let (Some(role), Some(person)) = (lead.get("decision_role"), person.as_object_mut()) {
        put(person, "decision_role", role.clone());
    }
    put(&mut fields, "contacts", json!([person]));
    let products = lead.get("products").and_then(Json::as_array).into_iter().flatten();
    let ids = products.filter_map(|product| product.as_str()?.parse::<RecordId>().ok());
    let lines: Vec<Json> = ids
        .take(LINES_MAX)
        .map(|product| json!({ "id": row_of(product), "product_id": product, "qty": "1" }))
        .collect();
    if !lines.is_empty() {
        put(&mut fields, "lines", lines);
    }
    fields
}

/// The row that stands for a record, the same on every device.
fn row_of(record: RecordId) -> RowId {
    let mut bytes = [0; 10];
    for (to, from) in bytes.iter_mut().zip(record.as_bytes().iter().rev()) {
        *to = *from;
    }
    RowId::new(bytes)
}

fn marks(made: &Converted, lead: &Record, now_ms: TimestampMs) -> Record {
    let mut fields = Record::new();
    put(&mut fields, "status", "converted");
    put(&mut fields, "converted_customer_id", made.customer.to_string());
    put(&mut fields, "converted_contact_id", made.contact.to_string());
    put(&mut fields, "converted_opportunity_id", made.opportunity.to_string());
    if !lead.contains_key("converted_at") {
        put(&mut fields, "converted_at", to_rfc3339(now_ms));
    }
    fields
}
