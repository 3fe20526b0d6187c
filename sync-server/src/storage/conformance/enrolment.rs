//! Devices, one-time codes, the audit.

use outrider_core::ids::ChangeHash;

use super::{Case, world::*};
use crate::storage::{AuditLine, Device, EnrolmentCode, Storage};

pub(super) const CASES: &[Case] = &[
    ("a device is found by token and by id", devices),
    ("authors come by the position of their enrolment", authors),
    ("what stands for a user at the office is found by the user, and is no device", of_office),
    ("a code is taken once", codes),
    ("the audit takes lines with and without a document", audit),
];

fn devices(storage: &dyn Storage) {
    let mut known = device(1);
    known.user_record = Some(record(5));
    let mut write = storage.write().unwrap();
    write.add_device(&known).unwrap();
    write.add_device(&device(2)).unwrap();
    write.commit().unwrap();
    let read = storage.read().unwrap();
    assert_eq!(read.device_by_token(&[1; 32]).unwrap(), Some(known.clone()));
    assert_eq!(read.device(known.id).unwrap(), Some(known));
    assert_eq!(read.device_by_token(&[3; 32]).unwrap(), None);
    assert_eq!(read.counts().unwrap().devices, 2);
    drop(read);

    let mut write = storage.write().unwrap();
    let mut other = device(3);
    other.prefix = device(1).prefix;
    assert!(write.add_device(&other).is_err(), "a prefix is given once");
}

fn authors(storage: &dyn Storage) {
    for n in [2, 1] {
        let mut write = storage.write().unwrap();
        write.add_device(&device(n)).unwrap();
        write.commit().unwrap();
    }
    let read = storage.read().unwrap();
    let since = |position: u64| -> Vec<_> {
        let found = read.authors_since(position).unwrap();
        found.into_iter().map(|author| author.device).collect()
    };
    assert_eq!(since(0), [device(2).id, device(1).id]);
    assert_eq!(since(1), [device(1).id]);
    assert!(since(2).is_empty());
    let first = read.authors_since(0).unwrap().remove(0);
    assert_eq!((first.user.as_str(), first.device_name.as_str()), ("Wang", "phone 2"));
    assert_eq!(first.prefix, device(2).prefix);
}

fn of_office(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    write.add_device(&device(1)).unwrap();
    let mut known = Device { is_office: true, ..device(2) };
    write.add_device(&known).unwrap();
    write.commit().unwrap();
    let read = storage.read().unwrap();
    assert_eq!(read.office_device("Wang").unwrap(), Some(known.clone()));
    assert_eq!(read.office_device("Li").unwrap(), None);
    assert_eq!(read.counts().unwrap().devices, 1);
    assert_eq!(read.authors_since(0).unwrap().len(), 2, "devices learn who writes there");
    drop(read);

    let mut write = storage.write().unwrap();
    write.set_user_record(known.id, record(7)).unwrap();
    known.user_record = Some(record(7));
    assert_eq!(write.device(known.id).unwrap(), Some(known));
    write.commit().unwrap();
    let mut write = storage.write().unwrap();
    let second = Device { is_office: true, ..device(3) };
    assert!(write.add_device(&second).is_err(), "one for each user");
}

fn codes(storage: &dyn Storage) {
    let user = "Li".to_owned();
    let code = EnrolmentCode { code_hash: [1; 32], user, expires_at: NOW, approves: false };
    let mut write = storage.write().unwrap();
    write.add_code(&code).unwrap();
    assert_eq!(write.commit().unwrap(), 0, "a code is no news");

    let mut dropped = storage.write().unwrap();
    assert_eq!(dropped.take_code(&[1; 32]).unwrap(), Some(code.clone()));
    drop(dropped);

    let mut write = storage.write().unwrap();
    assert_eq!(write.take_code(&[2; 32]).unwrap(), None);
    assert_eq!(write.take_code(&[1; 32]).unwrap(), Some(code), "there after a rollback");
    assert_eq!(write.take_code(&[1; 32]).unwrap(), None);
    write.commit().unwrap();
    assert_eq!(storage.write().unwrap().take_code(&[1; 32]).unwrap(), None);
}

fn audit(storage: &dyn Storage) {
    let mut write = storage.write().unwrap();
    let mut line = AuditLine::new(NOW, "code_created");
    write.add_audit(&line).unwrap();
    line.device = Some(device(1).id);
    line.document = Some(main_of(1));
    line.hash = Some(ChangeHash([1; 32]));
    line.action = "refused";
    line.code = "unknown_field".to_owned();
    write.add_audit(&line).unwrap();
    assert_eq!(write.commit().unwrap(), 0);
    let tip = storage.read().unwrap().audit_tip().unwrap();
    assert_eq!(tip.number, 2);

    let mut dropped = storage.write().unwrap();
    dropped.add_audit(&line).unwrap();
    assert_eq!(dropped.audit_tip().unwrap().number, 3, "its own lines are seen");
    drop(dropped);
    let mut write = storage.write().unwrap();
    write.add_audit(&line).unwrap();
    write.commit().unwrap();
    let read = storage.read().unwrap();
    let lines = read.audit_lines(0, 10).unwrap();
    assert_eq!(lines.len(), 3, "what was dropped left no gap");
    let mut hash = [0; 32];
    for line in &lines {
        hash = line.link(&hash);
        assert_eq!(line.chain, hash, "{}", line.number);
    }
    assert_eq!(read.audit_hash(2).unwrap(), Some(tip.hash));
    assert_eq!(read.audit_hash(4).unwrap(), None);
    assert_eq!(read.audit_number_before(NOW).unwrap(), 0);
    assert_eq!(read.audit_number_before(NOW + 1).unwrap(), 3);
}
