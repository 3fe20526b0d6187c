//! A device: what it shows, what the server has confirmed, what waits.

use std::collections::BTreeSet;

use outrider_core::{
    crdt::{
        Edit, EncodedChange, Own, State,
        base::{Base, Pending, rewrite},
        next_actor, write,
    },
    ids::ActorId,
};

use super::{
    model::EditId,
    world::{Server, actor, stamp},
};

/// A waiting change and the edits in it.
pub(crate) type Waiting = (Pending, Vec<EditId>);

#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) enrolment: u8,
    pub(crate) draws: u32,
    pub(crate) state: State,
    pub(crate) own: Option<Own>,
    pub(crate) confirmed: State,
    pub(crate) waiting: Vec<Waiting>,
    /// For each value that is on the device the edit that put it.
    pub(crate) known: BTreeSet<EditId>,
}

impl Device {
    pub(crate) fn new(enrolment: u8) -> Self {
        Self {
            enrolment,
            draws: 0,
            state: State::default(),
            own: None,
            confirmed: State::default(),
            waiting: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    pub(crate) fn draw(&mut self) -> ActorId {
        self.draws += 1;
        actor(self.enrolment, self.draws)
    }

    pub(crate) fn actor(&mut self) -> ActorId {
        let (enrolment, mut draws) = (self.enrolment, self.draws);
        let next = next_actor(&self.state, self.own.as_ref(), actor(enrolment, draws), || {
            draws += 1;
            draws.to_be_bytes()
        });
        self.draws = draws;
        next
    }

    pub(crate) fn write(&mut self, edits: Vec<Edit>, ids: Vec<EditId>) -> EncodedChange {
        let by = self.actor();
        let encoded = write(&mut self.state, &mut self.own, stamp(by, 77), edits).unwrap();
        let mut base = Base::new(&self.confirmed, &encoded.change);
        // A store keeps no empty sets.
        base.replaced.retain(|_, ids| !ids.is_empty());
        self.known.extend(&ids);
        let dropped = BTreeSet::new();
        self.waiting.push((Pending { encoded: encoded.clone(), base, dropped }, ids));
        encoded
    }

    /// The server has taken the first waiting change.
    pub(crate) fn acknowledge(&mut self) -> Vec<EditId> {
        let (first, ids) = self.waiting.remove(0);
        self.confirmed.apply(&first.encoded);
        for (later, _) in &mut self.waiting {
            later.base.advance(&first.encoded);
            later.base.replaced.retain(|_, ids| !ids.is_empty());
        }
        ids
    }

    /// Writes everything that waits anew, without `dropped` of the first.
    pub(crate) fn refuse(&mut self, dropped: BTreeSet<String>) {
        self.waiting[0].0.dropped = dropped;
        let fresh = self.draw();
        let pending: Vec<Pending> = self.waiting.iter().map(|(one, _)| one.clone()).collect();
        let rewritten = rewrite(&self.confirmed, &pending, fresh).unwrap();
        self.state = rewritten.state;
        self.own = rewritten.own;
        let mut waiting = Vec::new();
        for ((one, ids), new) in
            std::mem::take(&mut self.waiting).into_iter().zip(rewritten.changes)
        {
            if let Some(encoded) = new {
                let (base, dropped) = (one.base, BTreeSet::new());
                waiting.push((Pending { encoded, base, dropped }, ids));
            }
        }
        self.waiting = waiting;
    }

    pub(crate) fn pull(&mut self, server: &Server) {
        self.confirmed.join(&server.state);
        self.state.join(&server.state);
    }
}
