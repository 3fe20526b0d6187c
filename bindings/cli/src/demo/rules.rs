//! The last chapter: access rules are switched on, something is refused, a customer changes hands.

use outrider_core::{
    ids::RecordId,
    replica::{Options, Replica},
};
use serde_json::{Value as Json, json};

use super::{
    device::{DemoError, Device, run_well},
    say::Voice,
    server::Server,
};

/// How the chapter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chapter {
    /// Why each edit stands in the rep's inbox.
    pub(super) inbox: Vec<String>,
    /// Whether the customer left the rep's device, and is whole on the manager's.
    pub(super) is_handed_over: bool,
}

impl Chapter {
    /// Whether everything went as it should.
    pub(super) fn is_good(&self) -> bool {
        self.is_handed_over && self.inbox == ["not_assignable", "in_review"]
    }

    pub(super) fn to_json(&self) -> Json {
        json!({ "inbox": self.inbox, "handed_over": self.is_handed_over })
    }
}

/// Gives roles, switches the rules on, and hands a customer over while its owner is offline. Where the
/// server runs on (`is_served`), it says where to decide.
pub(super) fn tell(
    voice: &Voice,
    server: &Server,
    devices: &[Device],
    customer: RecordId,
    is_served: bool,
) -> Result<Chapter, DemoError> {
    let [rep, manager, technician] = devices else {
        return Ok(Chapter { inbox: Vec::new(), is_handed_over: false });
    };
    voice.step("Who may see and do what:", "谁能查看和操作什么：");
    let data = server.data.to_string_lossy();
    let at_server =
        |args: &[&str]| run_well(&[&["server"], args, &["--data", &data]].concat(), "").map(drop);
    let id = customer.to_string();
    let me = user_of(rep)?;
    rep.json(&["edit", &id, &format!("owner_id={me}")])?;
    rep.json(&["sync"])?;
    for (device, role) in
        [(rep, "sales_rep"), (manager, "administrator"), (technician, "technician")]
    {
        at_server(&["role", "--user", device.user, "--role", role])?;
    }
    at_server(&["rules", "on"])?;
    for device in devices {
        device.json(&["sync"])?;
        let count = records(device)?;
        voice.line(
            &format!("{} holds {count} records now", device.user),
            &format!("{} 的设备现有 {count} 条记录", device.user),
        );
    }
    voice.step(
        "Refused and asked for: a rep may not give customers away.",
        "拒绝与申请：销售代表不能转交客户。",
    );
    let other = user_of(manager)?;
    let refused = rep.attempt(&["edit", &id, &format!("owner_id={other}")])?;
    voice.line(
        &format!("said while typing: {}", !refused.status.success()),
        &format!("输入时即提示：{}", !refused.status.success()),
    );
    rep.json(&["edit", "--anyway", &id, &format!("owner_id={other}")])?;
    // It says that something was refused.
    rep.attempt(&["sync"])?;
    let first = inbox(rep)?;
    if let Some(number) = first.first().and_then(|one| one.get("id")).and_then(Json::as_i64) {
        rep.json(&["ask", &number.to_string(), "--reason", "moves to her region"])?;
        rep.json(&["sync"])?;
    }
    voice.step("Handed over while the old owner is offline.", "原负责人离线期间，客户被转交。");
    rep.json(&["edit", &id, "short_name=typed without a network"])?;
    manager.json(&["edit", &id, &format!("owner_id={other}")])?;
    manager.json(&["sync"])?;
    rep.attempt(&["sync"])?;
    let has_left = !rep.attempt(&["get", &id])?.status.success();
    let arrived = manager.attempt(&["get", &id])?.status.success();
    let inbox = inbox(rep)?;
    let code = |one: &Json| one.get("code").and_then(Json::as_str).unwrap_or("?").to_owned();
    let inbox: Vec<String> = inbox.iter().map(code).collect();
    voice.line(
        &format!("it left the old owner's device: {has_left}; what he typed waits at the office"),
        &format!("记录已离开原负责人的设备：{has_left}；其输入的内容在公司等待审批"),
    );
    if is_served {
        let page = format!("http://{}/reviews", server.address);
        voice.line(&format!("decide there: {page}"), &format!("审批页面：{page}"));
    }
    Ok(Chapter { inbox, is_handed_over: has_left && arrived })
}

fn inbox(device: &Device) -> Result<Vec<Json>, DemoError> {
    Ok(device.json(&["inbox"])?.as_array().cloned().unwrap_or_default())
}

fn records(device: &Device) -> Result<u64, DemoError> {
    let status = device.json(&["status"])?;
    let counts = status.get("records").and_then(Json::as_array).cloned().unwrap_or_default();
    Ok(counts.iter().filter_map(|one| one.get(1)?.as_u64()).sum())
}

/// The record of the user of a device.
fn user_of(device: &Device) -> Result<String, DemoError> {
    let enrolment = Replica::open(&device.home, Options::default())?.enrolment()?;
    let record = enrolment.and_then(|enrolment| enrolment.user_record);
    record.map(|record| record.to_string()).ok_or_else(|| DemoError::Command {
        command: "outrider status".to_owned(),
        words: "the user has no record".to_owned(),
    })
}
