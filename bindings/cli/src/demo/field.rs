//! A technician's morning in a pump room, and the people around it: the plan that the office made,
//! what each of them does offline, and what must be true afterwards.

use outrider_core::ids::{RecordId, to_hex};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    device::{DemoError, Device},
    edits::{Trace, Work, customer, imported},
};

/// The records of the morning, all made before the network goes.
#[derive(Debug)]
pub(super) struct Morning {
    pub(super) visit: RecordId,
    pub(super) request: RecordId,
    pub(super) lead: RecordId,
    pub(super) call: RecordId,
    pub(super) van: RecordId,
    pub(super) part: RecordId,
    campaign: RecordId,
    asset: RecordId,
    warehouse: RecordId,
}

/// Pieces of the part in the van before the morning.
const IN_VAN: i64 = 6;
/// Where the pump room is.
const SITE: &str = r#"{"lat": "31.2304", "lon": "121.4737", "source": "map"}"#;
/// Where the technician stands when he checks in.
const AT_THE_DOOR: &str = "31.23051,121.47381";

impl Morning {
    pub(super) fn new() -> Self {
        let of = |what: &str| RecordId::derived(customer(1), what);
        Self {
            visit: of("visit"),
            request: of("request"),
            lead: of("lead"),
            call: of("call"),
            van: of("van"),
            part: imported("product", "OR-1001"),
            campaign: of("campaign"),
            asset: of("asset"),
            warehouse: of("warehouse"),
        }
    }

    /// What the office and the reps put in before: stock, equipment, a request, a planned visit, a
    /// lead from a fair, a call to make.
    pub(super) fn plan(&self, device: &Device) -> Result<(), DemoError> {
        let site: Json = serde_json::from_str(SITE).unwrap_or_default();
        let create = |entity: &str, id: RecordId, fields: Json| json!({ "do": "create", "entity": entity, "id": id.to_string(), "fields": fields });
        let made = |what: &str| RecordId::derived(self.visit, what);
        let customer_id = customer(1).to_string();
        let stock = |qty: i64, location: RecordId, kind: &str| {
            json!({ "product_id": self.part.to_string(), "qty": qty.to_string(),
                    "location_id": location.to_string(), "move_kind": kind,
                    "moved_at": "2026-11-20T08:00:00+08:00" })
        };
        device.batch(&[
            create(
                "stock_location",
                self.warehouse,
                json!({ "name": "上海中心仓", "location_kind": "warehouse" }),
            ),
            create(
                "stock_location",
                self.van,
                json!({ "name": "魏强的服务车", "location_kind": "van" }),
            ),
            create("stock_move", made("received"), stock(40, self.warehouse, "receipt")),
            create("stock_move", made("taken"), stock(-IN_VAN, self.warehouse, "transfer")),
            create("stock_move", made("loaded"), stock(IN_VAN, self.van, "transfer")),
            create(
                "asset",
                self.asset,
                json!({ "name": "2 号泵站 / Pump station 2", "customer_id": customer_id,
                        "serial_no": "P100-2019-0417", "geo": site }),
            ),
            create(
                "service_request",
                self.request,
                json!({ "subject": "泵房有异响 / Noise in the pump room", "customer_id": customer_id,
                        "request_type": "repair", "status": "assigned", "priority": "high",
                        "asset_id": self.asset.to_string() }),
            ),
            create(
                "visit",
                self.visit,
                json!({ "subject": "检修 2 号泵 / Repair pump 2", "customer_id": customer_id,
                        "visit_kind": "repair", "status": "dispatched", "geo": site,
                        "request_id": self.request.to_string(), "asset_id": self.asset.to_string(),
                        "scheduled": { "start": "2026-11-23T09:00:00+08:00",
                                       "end": "2026-11-23T11:00:00+08:00",
                                       "time_zone": "Asia/Shanghai" },
                        "checklist": [
                            { "id": "check00001", "name": "断电并挂牌 / Power off and tag", "required": true, "position": "1" },
                            { "id": "check00002", "name": "检查机械密封 / Look at the seal", "required": true, "position": "2" },
                            { "id": "check00003", "name": "试运行 / Test run", "required": true, "position": "3" } ] }),
            ),
            create(
                "campaign",
                self.campaign,
                json!({ "name": "上海泵阀展 2026", "campaign_type": "event", "status": "active",
                        "budget": "50000 CNY" }),
            ),
            create(
                "campaign_member",
                made("member"),
                json!({ "name": "周总", "campaign_id": self.campaign.to_string(), "status": "sent" }),
            ),
            create(
                "lead",
                self.lead,
                json!({ "name": "苏州恒达水处理有限公司", "company_name": "苏州恒达水处理有限公司",
                        "contact_name": "周建国", "mobile": "+86 139 1234 5678",
                        "status": "in_process", "source": "exhibition",
                        "campaign_id": self.campaign.to_string(),
                        "expected_amount": "86000 CNY" }),
            ),
            create(
                "activity",
                self.call,
                json!({ "subject": "回访电话 / Call back", "customer_id": customer(2).to_string(),
                        "activity_type": "call", "status": "planned" }),
            ),
        ])?;
        Ok(())
    }

    /// What a person does by commands that do several things at once.
    pub(super) fn tap(&self, device: &Device, place: usize) -> Result<(), DemoError> {
        let (visit, lead, call) =
            (self.visit.to_string(), self.lead.to_string(), self.call.to_string());
        match place {
            // Both reps come back from the fair and convert the same lead; both make the call.
            0 | 1 => {
                device.json(&["convert", &lead])?;
                device.json(&["complete", &call])?;
            }
            _ => {
                device.json(&["check-in", &visit, "--at", AT_THE_DOOR])?;
                let (part, van) = (self.part.to_string(), self.van.to_string());
                device.json(&["use-part", &visit, &part, "--qty", "2", "--from", &van])?;
                device.json(&["check-out", &visit, "--at", AT_THE_DOOR])?;
            }
        }
        Ok(())
    }

    /// What a person types.
    pub(super) fn edit(&self, work: &mut Work, place: usize, user: &str) {
        let done = |row: &str| json!({ "edit": { row: { "done": true } } });
        let words = format!("{user}: ");
        match place {
            0 => {
                // In the office of the customer: the plan gets a remark, the visit another date.
                let said = format!("{words}钥匙在门卫处。");
                self.note(work, &said);
                work.set(self.request, "root_cause", &json!("part"));
            }
            1 => {
                let said = format!("{words}the customer wants photos.");
                self.note(work, &said);
                work.set(self.request, "severity", &json!("urgent"));
            }
            _ => {
                for row in ["check00001", "check00002", "check00003"] {
                    let traces = vec![Trace::Cell {
                        field: "checklist".to_owned(),
                        column: "done".to_owned(),
                        value: json!(true),
                    }];
                    work.edit(self.visit, &json!({ "checklist": done(row) }), traces);
                }
                let said = format!("{words}机械密封磨损，已更换两件。Seal replaced, runs quietly.");
                self.note(work, &said);
                work.edit(
                    self.visit,
                    &json!({
                        "outcome": "done",
                        "photos": { "add": [{ "sha256": digest("before.jpg"), "mime": "image/jpeg",
                            "size_bytes": 184_233, "caption": "更换前 / Before", "stage": "before" }] },
                        "signatures": { "add": [{ "role": "customer", "signer": "王主管",
                            "sha256": digest("signature"), "mime": "image/png" }] },
                    }),
                    vec![
                        Trace::Value { field: "outcome".to_owned(), value: json!("done") },
                        Trace::Cell {
                            field: "signatures".to_owned(),
                            column: "signer".to_owned(),
                            value: json!("王主管"),
                        },
                    ],
                );
                work.set(self.request, "status", &json!("resolved"));
            }
        }
    }

    /// What is not as it must be, seen from one device once everybody has synced.
    pub(super) fn faults(&self, device: &Device) -> Result<Vec<String>, DemoError> {
        let get = |record: RecordId| device.json(&["get", &record.to_string()]);
        let mut faults = Vec::new();
        let mut must = |what: &str, found: Option<&Json>, wanted: Json| {
            if found != Some(&wanted) {
                faults.push(format!("{what}: {found:?} instead of {wanted} on {}", device.key));
            }
        };
        let visit = get(self.visit)?;
        must("the visit is completed", visit.get("status"), json!("completed"));
        must("no check is left", visit.get("checklist_left"), json!(0));
        must("the position was verified", visit.get("check_in_verdict"), json!("verified"));
        let van = get(self.van)?;
        let left = van.get("stock_by_product").and_then(|stock| stock.get(self.part.to_string()));
        must("two parts left the van", left, json!((IN_VAN - 2).to_string()));
        let lead = get(self.lead)?;
        must("the lead is converted", lead.get("status"), json!("converted"));
        must("nobody disagrees about it", lead.get("conflicts"), Json::Null);
        must("the call is held", get(self.call)?.get("status"), json!("held"));
        let calls = ["list", "interaction", "--where", &format!("activity_id={}", self.call)];
        let calls = device.json(&calls)?;
        let calls = calls.get("records").and_then(Json::as_array).map(Vec::len);
        must("two completions are one call", calls.map(Json::from).as_ref(), json!(1));
        Ok(faults)
    }

    fn note(&self, work: &mut Work, words: &str) {
        let trace = Trace::Words { field: "notes".to_owned(), words: words.to_owned() };
        work.edit(self.visit, &json!({ "notes": words }), vec![trace]);
    }
}

/// The hash by which a record names a photo or a signature.
fn digest(content: &str) -> String {
    to_hex(&Sha256::digest(content))
}
