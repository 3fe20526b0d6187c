//! Traces that people can read.

use crate::{
    change::{ChangeId, EditId, OFFICE},
    event::Event,
    server::Stored,
    world::{Model, World},
};

impl Model {
    /// The name of an edit.
    #[must_use]
    pub fn name_of(&self, edit: EditId) -> String {
        let edit = self.facts.edits.get(edit);
        format!("edit {}.{}", edit.slot, edit.number)
    }

    /// A change in words.
    #[must_use]
    pub fn show_change(&self, id: ChangeId) -> String {
        let change = self.facts.changes.get(id);
        let actor = change.actor;
        let who = if actor.prefix == OFFICE {
            "office".to_owned()
        } else {
            format!("{}:{}.{}", actor.prefix, actor.slot, actor.draw)
        };
        let edits = change.ops.iter().filter_map(|op| op.edit);
        let mut edits: Vec<String> = edits.map(|edit| self.name_of(edit)).collect();
        edits.dedup();
        format!(
            "{}{who}/{} of document {} ({})",
            if change.generation > 0 { "anew " } else { "" },
            change.seq,
            change.document,
            edits.join(", "),
        )
    }

    /// What is where, in one line.
    #[must_use]
    pub fn show_world(&self, world: &World) -> String {
        let mut words = Vec::new();
        for (slot, id) in world.placed() {
            let device = self.devices.get(id);
            let held: usize =
                device.documents.iter().flatten().map(|held| held.confirmed.len()).sum();
            let (waiting, known) = (device.waiting().count(), device.acknowledged().count());
            let inbox = device.inbox.len();
            words.push(format!(
                "device {slot}: waiting {waiting}, acknowledged {known}, confirmed {held}, inbox {inbox}, at {}",
                device.position
            ));
        }
        let server = self.servers.get(world.server);
        let history: usize =
            server.documents.iter().flatten().map(|one: &Stored| one.history.len()).sum();
        words.push(format!("server: {history} changes, at {}", server.position));
        words.join(" | ")
    }
}

/// An event in words.
#[must_use]
pub fn show_event(event: Event) -> String {
    let token = |has_token: bool| if has_token { "with its token" } else { "without its token" };
    match event {
        Event::Write { slot, document, kind } => {
            format!("device {slot} writes into document {document} ({kind:?})")
        }
        Event::WriteDuring { slot, document, kind } => format!(
            "device {slot} writes into document {document} ({kind:?}) while a pull is on its way"
        ),
        Event::Sync { slot } => format!("device {slot} talks to the server"),
        Event::Cut { slot, after } => {
            format!("device {slot} talks to the server, cut after {after} answers")
        }
        Event::Lost { slot, at } => {
            format!("device {slot} talks to the server; the answer to request {at} is lost")
        }
        Event::Late { slot } => format!("device {slot} sends a push, which is on its way for long"),
        Event::Arrive => "the push that was on its way arrives".to_owned(),
        Event::BackUp => "the server is backed up".to_owned(),
        Event::Restore { is_marked: true } => {
            "the server is put back to its backup, and says so".to_owned()
        }
        Event::Restore { is_marked: false } => {
            "the server is put back to its backup, unannounced".to_owned()
        }
        Event::Snapshot { slot } => format!("device {slot} is copied"),
        Event::RollBack { has_token } => {
            format!("the device that was copied goes on from its copy, {}", token(has_token))
        }
        Event::Clone { has_token } => {
            format!("the copy goes on beside the device, {}", token(has_token))
        }
        Event::Enrol { slot } => format!("device {slot} is enrolled"),
        Event::Revoke { slot } => format!("device {slot} is turned away"),
        Event::Erase { document } => format!("the office erases document {document}"),
        Event::Toggle => "the office changes what it withholds".to_owned(),
    }
}
