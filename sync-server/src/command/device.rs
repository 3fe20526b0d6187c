//! `device`: at the server, whether it runs or not, who is let in and who is not.

use std::{
    error::Error,
    io::{self, Write as _},
};

use clap::{Args, Subcommand};
use outrider_core::{
    ids::{DeviceId, RecordId},
    sync::sign::fingerprint,
    time::{Clock as _, SystemClock, TimestampMs, to_rfc3339},
};
use serde_json::{Value as Json, json};

use crate::{
    config::StorageConfig,
    devices::{
        Bar,
        standing::{approve, decline, order_wipe, revoke, set_user_disabled},
    },
    office,
    storage::{Storage, StorageError},
};

/// What `device` can be told.
#[derive(Debug, Clone, Args)]
pub struct DeviceArgs {
    /// Where the data is.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub act: Act,
}

/// What can be done to devices.
#[derive(Debug, Clone, Subcommand)]
pub enum Act {
    /// List devices, also those that wait
    List,
    /// List the devices that hold a record, and whether they still may
    Holders {
        /// The record's id
        record: RecordId,
    },
    /// Let in a device that waits
    Approve {
        /// Its id
        id: String,
    },
    /// Say no to a device that waits
    Decline {
        /// Its id
        id: String,
    },
    /// Turn a device away for good; open channels end within seconds
    Revoke {
        /// Its id
        id: String,
    },
    /// Have a device wipe itself at its next contact, after sending what waits
    Wipe {
        /// Its id
        id: String,
    },
    /// Turn a user away with all devices
    DisableUser {
        /// The user's name
        name: String,
    },
    /// Let a user in again
    EnableUser {
        /// The user's name
        name: String,
    },
}

/// Does what was asked and prints what came of it.
///
/// # Errors
///
/// Fails when the data cannot be opened, or nothing of this id can be done that with.
pub(super) fn run(storage: &dyn Storage, args: &DeviceArgs) -> Result<(), Box<dyn Error>> {
    let now_ms = SystemClock.now_ms();
    let (done, id) = match &args.act {
        Act::List => return list(storage, args.json),
        Act::Holders { record } => return list_holders(storage, *record, args.json, now_ms),
        Act::Approve { id } => (approve(storage, id_of(id)?, now_ms)?, id),
        Act::Decline { id } => (decline(storage, id_of(id)?, now_ms)?, id),
        Act::Revoke { id } => (revoke(storage, id_of(id)?, now_ms)?, id),
        Act::Wipe { id } => (order_wipe(storage, id_of(id)?, now_ms)?, id),
        Act::DisableUser { name } => (set_user_disabled(storage, name, true, now_ms)?, name),
        Act::EnableUser { name } => (set_user_disabled(storage, name, false, now_ms)?, name),
    };
    let () = done;
    let text = if args.json { json!({ "done": id }).to_string() } else { format!("done: {id}") };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

fn id_of(text: &str) -> Result<DeviceId, String> {
    let wrong = |_| format!("`{text}` is no device's id; `device list` shows them");
    text.parse().map(DeviceId).map_err(wrong)
}

fn list(storage: &dyn Storage, is_json: bool) -> Result<(), Box<dyn Error>> {
    let lines = lines(storage)?;
    let mut stdout = io::stdout();
    if is_json {
        writeln!(stdout, "{}", Json::from(lines))?;
        return Ok(());
    }
    for line in &lines {
        let text = |name: &str| line.get(name).and_then(Json::as_str).unwrap_or("–").to_owned();
        let shown = ["device", "standing", "user", "name", "fingerprint", "last_contact"].map(text);
        writeln!(stdout, "{}", shown.join("  "))?;
    }
    Ok(())
}

fn list_holders(
    storage: &dyn Storage,
    record: RecordId,
    is_json: bool,
    now_ms: TimestampMs,
) -> Result<(), Box<dyn Error>> {
    let holders = office::holders(&*storage.read()?, record, now_ms)?;
    let mut stdout = io::stdout();
    if is_json {
        writeln!(stdout, "{}", serde_json::to_string(&holders)?)?;
        return Ok(());
    }
    for one in &holders {
        let may = if one.may_hold { "may hold it" } else { "should go" };
        let since = one.since.map_or_else(|| "–".to_owned(), to_rfc3339);
        let said = to_rfc3339(one.said_at);
        writeln!(stdout, "{}  {may}  {since}  {}  {}  {said}", one.device, one.user, one.name)?;
    }
    Ok(())
}

/// All devices, those that wait first.
fn lines(storage: &dyn Storage) -> Result<Vec<Json>, StorageError> {
    let read = storage.read()?;
    let time = |at: i64| (at > 0).then(|| to_rfc3339(at));
    let mut lines = Vec::new();
    for request in read.enrolment_requests()? {
        lines.push(json!({
            "device": request.device, "standing": "pending", "user": request.user,
            "name": request.name, "fingerprint": fingerprint(&request.public_key),
            "asked": to_rfc3339(request.asked_at),
        }));
    }
    for contact in read.devices()?.into_iter().filter(|contact| !contact.device.is_office) {
        let Some(standing) = read.standing(contact.device.id)? else { continue };
        lines.push(json!({
            "device": contact.device.id,
            "standing": Bar::of(&standing).map_or("active", Bar::code),
            "reason": standing.reason,
            "user": contact.device.user,
            "name": contact.device.name,
            "fingerprint": fingerprint(&contact.device.public_key),
            "last_contact": time(contact.last_contact_at),
            "wipe_ordered": time(standing.wipe_ordered_at),
            "wiped": time(standing.wiped_at),
        }));
    }
    Ok(lines)
}
