//! Erasures that a device is told again: a server that was put back numbers them anew.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use outrider_core::{
    replica::{Options, Replica},
    store::Durability,
    sync::tokens::ErasedAnswer,
};
use serde_json::json;

/// A device ignored an erasure whose number it had heard before, of another record, from the server
/// before it was put back; and what erasing had left of a record stayed for ever on devices when the
/// server had nothing of it any more.
#[test]
fn a_server_that_was_put_back_is_heard_although_its_numbers_begin_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: Some(1), durability: Durability::None, ..Options::default() };
    let mut replica = Replica::open(folder.path(), options).unwrap();
    let mut create = |name: &str| {
        let fields = json!({ "company_name": name });
        replica.create("customer", fields.as_object().unwrap()).unwrap()
    };
    let (acme, brown) = (create("Acme"), create("Brown"));
    let erased = |number, record| [ErasedAnswer { number, record }];
    assert!(replica.take_erasures(&erased(1, acme)).unwrap() > 0);
    let told = replica.inbox(10).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(replica.take_erasures(&erased(1, brown)).unwrap(), 0, "the number was heard before");
    assert!(replica.get(brown).unwrap().is_some());
    replica.reset_cursor().unwrap();
    assert_eq!(replica.erased_through().unwrap(), 0);
    replica.take_erasures(&erased(1, brown)).unwrap();
    assert!(replica.get(brown).unwrap().is_none());
    replica.take_erasures(&erased(2, acme)).unwrap();
    assert_eq!(replica.erased_through().unwrap(), 2);
    let inbox = replica.inbox(10).unwrap();
    assert!(inbox.contains(&told[0]), "what went is told until somebody has read it: {inbox:?}");
}
