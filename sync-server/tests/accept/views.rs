//! What its author is known to have held, by which late edits are measured.

use outrider_core::{
    access::Policy,
    crdt::State,
    sync::frame::{HeldView, Outcome, PushRequest},
};
use outrider_sync_server::{accept::push, storage::Storage as _};

use crate::world::{World, change, device, world, write};

const ONE: [u8; 16] = [1; 16];
const TWO: [u8; 16] = [2; 16];

/// A server with three places in its feed, that sent two grants.
fn served() -> World {
    let world = world();
    let (mut state, mut own) = (State::default(), None);
    for name in ["Acme", "Beta", "Gamma"] {
        let bytes = write(&mut state, &mut own, 1, "company_name", name);
        assert_eq!(
            world.push(1, vec![vec![change("customer", "main", bytes)]]),
            [Outcome::Applied]
        );
    }
    let mut storage = world.storage.write().unwrap();
    storage.add_device(&device(2)).unwrap();
    storage.keep_grant(&ONE, b"one").unwrap();
    storage.keep_grant(&TWO, b"two").unwrap();
    storage.commit().unwrap();
    world
}

impl World {
    /// Pushes nothing, and says what its author held; what is noted then.
    fn hold(
        &self,
        position: u64,
        digest: Option<[u8; 16]>,
        grant: [u8; 16],
    ) -> Option<(u64, Vec<u8>)> {
        let known =
            || self.storage.read().unwrap().feed_digest(position).unwrap().unwrap_or_default();
        let held = HeldView { position, digest: digest.unwrap_or_else(known), grant };
        let device = device(2);
        let mut request = PushRequest::new(device.id, Vec::new(), Vec::new());
        request.held = Some(held);
        push(&self.storage, &Policy::open(), &device, &request, 0).unwrap();
        let view = self.storage.read().unwrap().device_view(device.id).unwrap();
        view.map(|view| (view.position, view.grant))
    }
}

#[test]
fn what_an_author_held_is_noted_unless_something_later_is() {
    let world = served();
    let is = |position, grant: &[u8]| Some((position, grant.to_vec()));
    assert_eq!(world.hold(0, None, ONE), None, "nothing was held");
    assert_eq!(world.hold(2, Some([9; 16]), ONE), None, "there is no such place");
    assert_eq!(world.hold(2, None, [9; 16]), None, "no such grant was sent");
    assert_eq!(world.hold(2, None, ONE), is(2, b"one"));
    assert_eq!(world.hold(1, None, TWO), is(2, b"one"), "an earlier place came late");
    assert_eq!(world.hold(2, None, TWO), is(2, b"two"), "the grant changed");
    assert_eq!(world.hold(3, None, TWO), is(3, b"two"), "more was seen");
    assert_eq!(world.hold(u64::MAX, None, TWO), is(3, b"two"), "no feed is so long");
}
