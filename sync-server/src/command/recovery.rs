//! `recovery`: who came back after a backup was put back, and the end of waiting for the others.

use std::error::Error;

use clap::Args;
use outrider_core::time::{Clock as _, SystemClock, to_rfc3339};
use serde_json::{Value as Json, json};

use super::{DataArgs, say};
use crate::{
    recovery::{Progress, close, progress},
    storage::DeviceContact,
};

/// What `recovery` can be told.
#[derive(Debug, Clone, Args)]
pub struct RecoveryArgs {
    /// Whose data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Wait for nobody any more: devices then write anew what came back from nobody
    #[arg(long)]
    pub close: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Says how the last recovery stands, and ends it if it is asked to.
///
/// # Errors
///
/// Fails when there is no data, or none is open that could be ended.
pub(super) fn look_after(args: &RecoveryArgs) -> Result<(), Box<dyn Error>> {
    let storage = args.data.place()?.open()?;
    if args.close {
        close(&storage, SystemClock.now_ms())?;
    }
    let Some(known) = progress(&storage)? else {
        return say(args.json, &Json::Null, "this data was never put back to a backup");
    };
    say(args.json, &in_json(&known), &in_words(&known))
}

fn in_json(known: &Progress) -> Json {
    let named = |devices: &[DeviceContact]| -> Vec<Json> {
        let one = |one: &DeviceContact| {
            json!({
                "device": one.device.id.to_string(),
                "user": one.device.user,
                "name": one.device.name,
                "last_contact": (one.last_contact_at > 0).then(|| to_rfc3339(one.last_contact_at)),
            })
        };
        devices.iter().map(one).collect()
    };
    let recovery = &known.recovery;
    json!({
        "number": recovery.number,
        "position": recovery.position,
        "opened_at": to_rfc3339(recovery.opened_at),
        "announced": recovery.is_announced,
        "closed_at": (!recovery.is_open()).then(|| to_rfc3339(recovery.closed_at)),
        "returned": named(&known.returned),
        "again": named(&known.again),
        "expected": named(&known.expected),
    })
}

fn in_words(known: &Progress) -> String {
    let recovery = &known.recovery;
    let how = if recovery.is_announced { "was put back" } else { "was found to be an older one" };
    let mut text = format!("the data {how} {}", to_rfc3339(recovery.opened_at));
    if !recovery.is_open() {
        let since = to_rfc3339(recovery.closed_at);
        return format!("{text}; nothing is expected any more since {since}");
    }
    text.push_str(&format!(
        "; {} devices came back, {} of them may bring more with their next sync, {} are waited for",
        known.returned.len() + known.again.len(),
        known.again.len(),
        known.expected.len()
    ));
    for DeviceContact { device, .. } in known.expected.iter().chain(&known.again) {
        text.push_str(&format!("\n  {}  {}  {}", device.id, device.user, device.name));
    }
    text.push_str(
        "\nwhat only they hold is still missing; --close ends the waiting, and devices write anew \
         what came back from nobody",
    );
    text
}
