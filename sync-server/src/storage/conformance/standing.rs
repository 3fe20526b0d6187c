//! How devices stand, their tokens, who waits for the office.

use super::{Case, world::*};
use crate::{
    devices::tokens::unclaimed,
    storage::{
        Storage,
        standing::{EnrolmentRequest, Standing},
    },
};

pub(super) const CASES: &[Case] = &[
    ("a device is let in until somebody says otherwise, which is no news", standings),
    ("users are turned away with all their devices", users),
    ("tokens are found by the last one and by the one before", tokens),
    ("who waits for the office is found until it is over", requests),
];

fn standings(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    write.add_device(&device(1)).unwrap();
    write.add_device(&device(2)).unwrap();
    let position = write.commit().unwrap();
    let read = storage.read().unwrap();
    let mut known = read.standing(device(1).id).unwrap().unwrap();
    assert_eq!((known.standing, known.is_user_disabled), (Standing::Active, false));
    assert_eq!(read.standing(device(3).id).unwrap(), None);
    assert!(read.barred().unwrap().is_empty());
    drop(read);
    for standing in [Standing::Suspended, Standing::Revoked] {
        (known.standing, known.reason, known.since) = (standing, "why".to_owned(), NOW);
        let mut write = storage.write().unwrap();
        write.set_standing(device(1).id, &known).unwrap();
        assert_eq!(write.commit().unwrap(), position);
        let read = storage.read().unwrap();
        assert_eq!(read.standing(device(1).id).unwrap(), Some(known.clone()));
        assert!(read.barred().unwrap().into_iter().eq([device(1).id]));
    }
    let mut write = storage.write().unwrap();
    known.standing = Standing::Active;
    known.wipe_ordered_at = NOW;
    write.set_standing(device(1).id, &known).unwrap();
    assert!(write.barred().unwrap().contains(&device(1).id), "one that is to be wiped too");
}

fn users(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    write.add_device(&device(1)).unwrap();
    write.set_user_disabled("Wang", Some(NOW)).unwrap();
    write.set_user_disabled("Wang", Some(NOW + 1)).unwrap();
    write.set_user_disabled("Li", Some(NOW)).unwrap();
    assert!(write.standing(device(1).id).unwrap().unwrap().is_user_disabled);
    assert!(write.barred().unwrap().contains(&device(1).id));
    let both = [("Li".to_owned(), NOW), ("Wang".to_owned(), NOW)];
    assert_eq!(write.disabled_users().unwrap(), both);
    write.set_user_disabled("Wang", None).unwrap();
    assert!(write.barred().unwrap().is_empty());
}

fn tokens(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    for n in [1, 2] {
        write.add_device(&device(n)).unwrap();
    }
    let mut known = unclaimed(device(1).id, 1, NOW);
    write.put_tokens(&known).unwrap();
    write.put_tokens(&unclaimed(device(2).id, 1, NOW)).unwrap();
    (known.generation, known.access_hash, known.previous_hash) = (7, [1; 32], [2; 32]);
    write.put_tokens(&known).unwrap();
    for (hash, expected) in [([1; 32], true), ([2; 32], true), ([3; 32], false)] {
        assert_eq!(write.tokens_by_access(&hash).unwrap().is_some(), expected);
    }
    write.use_tokens(known.device).unwrap();
    known.is_used = true;
    assert_eq!(write.tokens(known.device).unwrap(), Some(known));
    assert!(!write.tokens(device(2).id).unwrap().unwrap().is_used);
    write.set_token_hash(device(1).id, &[9; 32]).unwrap();
    assert_eq!(write.device_by_token(&[9; 32]).unwrap().unwrap().id, device(1).id);
    assert_eq!(write.device_by_code(&[8; 32]).unwrap(), None);
    write.set_code_hash(device(1).id, &[8; 32]).unwrap();
    assert_eq!(write.device_by_code(&[8; 32]).unwrap().unwrap().id, device(1).id);
}

fn requests(storage: &dyn Storage) {
    let request = |n: u8| EnrolmentRequest {
        device: device(n).id,
        name: "phone".to_owned(),
        user: "Wang".to_owned(),
        public_key: vec![n; 33],
        code_hash: [n; 32],
        asked_at: NOW + i64::from(n),
        declined_at: 0,
    };
    let mut write = storage.write().unwrap();
    for n in [3, 1, 2] {
        write.add_request(&request(n)).unwrap();
    }
    assert_eq!(write.commit().unwrap(), 0, "who waits is no news");
    let mut write = storage.write().unwrap();
    assert_eq!(write.enrolment_requests().unwrap(), [request(1), request(2), request(3)]);
    assert_eq!(write.request_by_code(&[2; 32]).unwrap(), Some(request(2)));
    write.decline_request(request(1).device, NOW + 9).unwrap();
    assert_eq!(write.enrolment_request(request(1).device).unwrap().unwrap().declined_at, NOW + 9);
    write.remove_old_requests(NOW + 3).unwrap();
    assert_eq!(write.enrolment_requests().unwrap(), [request(3)]);
    assert_eq!(write.enrolment_request(request(1).device).unwrap(), None);
    write.remove_request(request(3).device).unwrap();
    assert!(write.enrolment_requests().unwrap().is_empty());
}
