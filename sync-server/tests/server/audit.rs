//! The audit: what is read leaves a line, and whoever rewrites lines is found.

use outrider_core::{
    ids::DeviceId,
    sync::{
        codec::{self, FrameReader},
        frame::{AuditHead, PullFrame, PullRequest},
    },
};
use outrider_sync_server::{
    audit::{
        heads::{HEAD_EVERY_MS, newest_head},
        prune::prune,
        verify::{Report, verify},
    },
    keys::ServerKey,
    storage::{
        AuditLine, Storage,
        audit::{AuditFilter, StoredAuditLine},
        sqlite::DATABASE_FILE,
    },
};

use crate::{
    browser::Browser,
    world::{NOW, Office},
};

const TYPE: &str = "application/vnd.outrider.v1";

fn key(office: &Office) -> ServerKey {
    ServerKey::load_or_create(office.data()).unwrap()
}

fn check(office: &Office, heads: &[AuditHead]) -> Report {
    let read = office.storage.read().unwrap();
    verify(&*read, &key(office).public_key(), heads).unwrap()
}

fn codes(report: &Report) -> Vec<(&str, u64)> {
    report.problems.iter().map(|problem| (problem.code.as_str(), problem.number)).collect()
}

/// Somebody with the database, and neither the server's key nor the devices.
fn tamper(office: &Office, sql: &str) {
    let conn = rusqlite::Connection::open(office.data().join(DATABASE_FILE)).unwrap();
    conn.execute_batch(sql).unwrap();
}

/// The same, who knows how the chain is made and makes it anew from a line on.
fn rewrite_from(office: &Office, number: u64) {
    let read = office.storage.read().unwrap();
    let mut hash = read.audit_hash(number - 1).unwrap().unwrap_or_default();
    let lines = read.audit_lines(number - 1, 1_000).unwrap();
    drop(read);
    let conn = rusqlite::Connection::open(office.data().join(DATABASE_FILE)).unwrap();
    for line in lines {
        hash = line.link(&hash);
        let id = i64::try_from(line.number).unwrap();
        conn.execute("UPDATE audit SET chain = ?2 WHERE id = ?1", (id, &hash)).unwrap();
    }
}

fn lines(office: &Office) -> Vec<StoredAuditLine> {
    office.storage.read().unwrap().audit_lines(0, 10_000).unwrap()
}

/// What the last line of an action says: account or device, count, code.
fn last(office: &Office, action: &str) -> (Option<Vec<u8>>, Option<u64>, String) {
    let line = lines(office).into_iter().rfind(|line| line.action == action);
    let line = line.unwrap_or_else(|| panic!("no line says {action}"));
    (line.account.or(line.device), line.count, line.code)
}

fn add_lines(office: &Office, count: i64) {
    let mut write = office.storage.write().unwrap();
    for n in 0..count {
        write.add_audit(&AuditLine::new(NOW + n, "record_read")).unwrap();
    }
    write.commit().unwrap();
}

/// Pulls as a device does: reports a head, and returns what it is told.
fn pull(office: &Office, token: &str, audit_head: Option<AuditHead>) -> (u64, Option<AuditHead>) {
    let request = PullRequest {
        version: outrider_core::sync::frame::PROTOCOL_VERSION,
        position: 0,
        digest: [0; 16],
        grant: [0; 16],
        progress: None,
        budget_bytes: u64::MAX,
        held: [0; 16],
        erased: None,
        recovered: None,
        has_tried: None,
        is_cursor_lost: None,
        audit_head,
        pushed: None,
    };
    let answer = office.post("/v1/pull", token, TYPE, &codec::pack(&request).unwrap());
    assert_eq!(answer.status, 200);
    let mut reader = FrameReader::new(answer.body.as_slice()).unwrap();
    let mut documents = 0;
    loop {
        match reader.read::<PullFrame>().unwrap() {
            PullFrame::Document(_) => documents += 1,
            PullFrame::End(end) => return (documents, end.audit_head),
            PullFrame::Hello(_)
            | PullFrame::Author(_)
            | PullFrame::Enter(..)
            | PullFrame::Depart(..)
            | PullFrame::Erase(..)
            | PullFrame::Leave(..) => {}
        }
    }
}

#[test]
fn what_people_and_devices_read_leaves_a_line() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let id = office.customer("Acme Pumps", "+44 113 496 0000");
    let own = Some(uuid::Uuid::from_u128(1).as_bytes().to_vec());

    let before = lines(&office).len();
    assert_eq!(browser.get("/static/x/office.css").status, 404);
    assert_eq!(browser.get("/me").status, 200);
    assert_eq!(browser.get("/records/customer/nothing").status, 404);
    assert_eq!(lines(&office).len(), before, "what shows no records leaves no line");

    assert_eq!(browser.get(&format!("/records/customer/{id}")).status, 200);
    let line = lines(&office).pop().unwrap();
    assert_eq!((line.action.as_str(), line.code.as_str()), ("record_read", "customer"));
    assert_eq!((line.account, line.record), (own.clone(), Some(id.as_bytes().to_vec())));
    browser.get(&format!("/records/customer/{id}/history"));
    assert_eq!(lines(&office).pop().unwrap().record, Some(id.as_bytes().to_vec()));
    assert_eq!(last(&office, "history_read"), (own.clone(), None, "customer".to_owned()));
    browser.get("/records/customer?q=acme");
    assert_eq!(last(&office, "list_read"), (own.clone(), Some(1), "customer".to_owned()));
    browser.get("/search?q=SECRET-word");
    assert_eq!(last(&office, "search_read"), (own.clone(), Some(0), String::new()));
    browser.get("/records/customer/export/csv");
    assert_eq!(last(&office, "exported"), (own.clone(), Some(1), "customer csv".to_owned()));
    browser.get(&format!("/records/customer/{id}/record.json"));
    assert_eq!(last(&office, "exported"), (own, None, "customer json".to_owned()));

    let (token, device) = office.enrolled();
    let device = Some(device.parse::<uuid::Uuid>().unwrap().as_bytes().to_vec());
    assert_eq!(office.get(&format!("/v1/records/{id}"), &token).status, 200);
    assert_eq!(last(&office, "record_read"), (device.clone(), None, String::new()));
    assert_eq!(office.get("/v1/search?q=acme", &token).status, 200);
    assert_eq!(last(&office, "search_read"), (device.clone(), Some(1), String::new()));
    let (documents, _) = pull(&office, &token, None);
    assert!(documents > 0);
    assert_eq!(last(&office, "pulled"), (device, Some(documents), "customer,user".to_owned()));
    let text = format!("{:?}", lines(&office));
    assert!(!text.contains("SECRET-word") && !text.contains("Acme"), "no values");
    assert_eq!(codes(&check(&office, &[])), []);
}

#[test]
fn devices_are_told_where_the_audit_stands_and_say_it_back() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let (_, first) = pull(&office, &token, None);
    let first = first.unwrap();
    assert!(first.is_signed_by(&key(&office).public_key()));
    add_lines(&office, 3);
    assert_eq!(pull(&office, &token, Some(first.clone())).1, Some(first.clone()), "once a minute");
    office.clock.advance(HEAD_EVERY_MS);
    let (_, second) = pull(&office, &token, Some(first.clone()));
    let second = second.unwrap();
    assert!(second.number > first.number);
    office.clock.advance(HEAD_EVERY_MS);
    let tip = office.storage.read().unwrap().audit_tip().unwrap().number;
    let last = newest_head(office.storage.as_ref(), &key(&office), NOW + 10 * HEAD_EVERY_MS);
    assert_eq!(last.unwrap().unwrap().number, tip, "made when there are new lines");
    assert_eq!(office.audit("audit_rewritten"), []);
    assert_eq!(codes(&check(&office, &[first, second])), []);
}

#[test]
fn a_head_that_does_not_fit_is_noted_with_its_device() {
    let office = Office::open(&[]);
    let (token, device) = office.enrolled();
    add_lines(&office, 5);
    // The server signs heads of its own, a minute from each other: its first one may be of before these lines.
    let later = NOW + 10 * HEAD_EVERY_MS;
    let head = newest_head(office.storage.as_ref(), &key(&office), later).unwrap().unwrap();
    assert!(head.number >= 5);
    tamper(&office, "UPDATE audit SET code = 'nothing happened' WHERE id = 3");
    rewrite_from(&office, 3);
    pull(&office, &token, Some(head.clone()));
    // It is noted when the answer has gone out.
    let found = |n| office.until("a finding", |_| office.audit("audit_rewritten").len() >= n);
    found(1);
    assert_eq!(office.audit("audit_rewritten"), [(Some(device.clone()), "hash".to_owned())]);
    let mut beyond = head.clone();
    beyond.number += 1_000;
    pull(&office, &token, Some(beyond.clone()));
    found(2);
    assert_eq!(office.audit("audit_rewritten")[1].1, "signature", "nobody makes one up");
    let bytes = AuditHead::signed_bytes(beyond.number, &beyond.hash, beyond.at);
    beyond.signature = key(&office).sign(outrider_core::sync::head::AUDIT_HEAD_KIND, &bytes);
    pull(&office, &token, Some(beyond));
    found(3);
    assert_eq!(office.audit("audit_rewritten")[2], (Some(device.clone()), "cut".to_owned()));
    let told = check(&office, &[]);
    assert!(codes(&told).contains(&("head_differs", head.number)), "its own head tells it too");
    assert!(device.parse::<uuid::Uuid>().map(DeviceId).is_ok());
}

/// An office whose server has stopped: it signs heads of its own, a minute from each other.
fn closed() -> Office {
    let mut office = Office::open(&[]);
    office.tell_to_stop();
    office.wait();
    office
}

/// Ten lines, a head that a device has, ten more lines.
fn witnessed() -> (Office, AuditHead) {
    let office = closed();
    add_lines(&office, 10);
    let head = newest_head(office.storage.as_ref(), &key(&office), NOW).unwrap().unwrap();
    assert_eq!(head.number, 10);
    add_lines(&office, 10);
    assert_eq!(codes(&check(&office, std::slice::from_ref(&head))), []);
    (office, head)
}

#[test]
fn a_changed_line_is_found() {
    for column in ["at = at + 1", "action = 'x'", "code = 'x'", "count = 1", "subject = x'00'"] {
        let (office, _) = witnessed();
        tamper(&office, &format!("UPDATE audit SET {column} WHERE id = 7"));
        assert_eq!(codes(&check(&office, &[])), [("line_changed", 7)], "{column}");
    }
}

#[test]
fn a_line_that_is_taken_out_put_in_or_moved_is_found() {
    let (office, _) = witnessed();
    tamper(&office, "DELETE FROM audit WHERE id = 7");
    assert_eq!(codes(&check(&office, &[])), [("line_missing", 7), ("line_changed", 8)]);

    let (office, _) = witnessed();
    tamper(&office, "DELETE FROM audit WHERE id = 7; UPDATE audit SET id = 7 WHERE id = 8");
    assert!(!check(&office, &[]).ok, "a gap that is closed by another line");

    let (office, _) = witnessed();
    tamper(
        &office,
        "INSERT INTO audit (id, at, action, chain) SELECT 21, at, 'signed_in', chain
         FROM audit WHERE id = 20",
    );
    assert_eq!(codes(&check(&office, &[])), [("line_changed", 21)]);

    let (office, _) = witnessed();
    tamper(
        &office,
        "UPDATE audit SET id = -1 WHERE id = 7; UPDATE audit SET id = 7 WHERE id = 8;
         UPDATE audit SET id = 8 WHERE id = -1",
    );
    assert_eq!(codes(&check(&office, &[]))[0], ("line_changed", 7));
}

#[test]
fn a_chain_that_is_made_anew_is_found_by_heads_alone() {
    let (office, head) = witnessed();
    tamper(&office, "UPDATE audit SET action = 'x' WHERE id = 5");
    rewrite_from(&office, 5);
    assert_eq!(codes(&check(&office, &[])), [("head_differs", 10)]);
    tamper(&office, "DELETE FROM audit_head");
    assert!(check(&office, &[]).ok, "who has the server alone can hide it there");
    assert_eq!(codes(&check(&office, &[head])), [("device_head_differs", 10)], "but not here");
}

#[test]
fn a_tail_that_is_cut_is_found_by_heads_alone() {
    let (office, head) = witnessed();
    tamper(&office, "DELETE FROM audit WHERE id > 8");
    assert_eq!(codes(&check(&office, &[])), [("head_beyond_the_end", 10)]);
    tamper(&office, "DELETE FROM audit_head");
    assert!(check(&office, &[]).ok);
    assert_eq!(
        codes(&check(&office, std::slice::from_ref(&head))),
        [("device_head_beyond_the_end", 10)]
    );
    add_lines(&office, 5);
    assert_eq!(codes(&check(&office, &[head])), [("device_head_differs", 10)], "grown over");
}

#[test]
fn a_head_made_while_another_waited_to_make_one_stands_for_both() {
    let office = closed();
    add_lines(&office, 10);
    let (key, later) = (key(&office), NOW + 10 * HEAD_EVERY_MS);
    let mut write = office.storage.write().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| newest_head(office.storage.as_ref(), &key, later).unwrap());
        // Long enough to find that one is due and to wait for its turn to write.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let tip = write.audit_tip().unwrap();
        let bytes = AuditHead::signed_bytes(tip.number, &tip.hash, later);
        let signature = key.sign(outrider_core::sync::head::AUDIT_HEAD_KIND, &bytes);
        let head = AuditHead { number: tip.number, hash: tip.hash, at: later, signature };
        write.add_audit_head(&head).unwrap();
        write.add_audit(&AuditLine::new(later, "record_read")).unwrap();
        write.commit().unwrap();
        assert_eq!(waiting.join().unwrap(), Some(head));
    });
}

#[test]
fn old_lines_go_and_the_chain_stays_checkable() {
    let (office, head) = witnessed();
    // Lines 1 to 10 and 11 to 20 have the same times: NOW to NOW + 9.
    assert_eq!(prune(office.storage.as_ref(), &key(&office), NOW, NOW).unwrap(), 0);
    assert_eq!(prune(office.storage.as_ref(), &key(&office), NOW + 5, NOW + 100).unwrap(), 5);
    let report = check(&office, std::slice::from_ref(&head));
    assert_eq!((report.first, report.last, report.lines), (6, 21, 16));
    assert_eq!(codes(&report), []);
    assert_eq!(last(&office, "audit_pruned").1, Some(5));
    let all = prune(office.storage.as_ref(), &key(&office), NOW + 1_000, NOW + 1_001).unwrap();
    assert_eq!(all, 16);
    let report = check(&office, &[head]);
    assert_eq!((report.first, report.last, report.older_heads), (22, 22, 1));
    assert_eq!(codes(&report), [], "a head from before can be checked no more, and is no problem");
    add_lines(&office, 2);
    assert!(check(&office, &[]).ok);
    tamper(&office, "UPDATE audit_anchor SET hash = zeroblob(32)");
    assert_eq!(codes(&check(&office, &[])), [("anchor_signature", 21), ("line_changed", 22)]);
}

#[test]
fn the_page_filters_and_turns_pages_for_administrators_alone() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let id = office.customer("Acme", "+44 113 496 0001");
    add_lines(&office, 250);
    browser.get(&format!("/records/customer/{id}"));
    let seen = browser.get("/audit");
    assert_eq!(seen.status, 200);
    assert!(seen.text.contains("record opened") && seen.text.contains("Older"));
    let of_record = browser.get(&format!("/audit?record={id}"));
    assert!(of_record.text.contains("Acme") && of_record.text.contains("Administrator (admin)"));
    let rows = |text: &str| text.matches("class=\"right number\"").count() / 2;
    let signed_in = browser.get("/audit?user=admin&action=signed_in");
    assert_eq!(rows(&signed_in.text), 1, "{}", signed_in.text);
    let mut found = 0;
    let mut next = Some("/audit?action=record_read".to_owned());
    while let Some(path) = next {
        let page = browser.get(&path);
        found += rows(&page.text);
        let link = page.text.split("rel=\"next\" href=\"").nth(1);
        next = link.map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"));
    }
    assert_eq!(found, 251);
    assert_eq!(browser.get("/audit?who=nobody").status, 400);
    browser.headers.insert("accept-language", "zh-CN".to_owned());
    assert!(browser.get("/audit").text.contains("打开记录"));
    let mut clerk = Browser::clerk(&office, "li");
    assert_eq!(clerk.get("/audit").status, 403);
    let page = office.storage.read().unwrap().audit_page(&AuditFilter {
        action: Some("audit_read".to_owned()),
        limit: 10,
        ..AuditFilter::default()
    });
    assert!(!page.unwrap().lines.is_empty(), "who looks at the audit is in it");
}
