//! What the worst inputs cost the program, beyond what it is when it is idle: memory and time.
//!
//! `cargo test --release -p outrider-sync-server --test hostile -- --ignored --nocapture cost` prints
//! the figures. Memory is asserted always, time in an optimised build alone.

use std::{collections::BTreeMap, io::Write as _};

use minicbor::bytes::ByteVec;
use outrider_core::{
    crdt::{EncodedChange, OpId, Own, State, TextDocument, op::CHANGE_OPS_MAX, text::TEXT_OPS_MAX},
    ids::{ActorId, ChangeHash, Part, RecordId},
    sync::{
        codec::{pack, to_cbor},
        frame::{
            FetchRequest, GROUP_CHANGES_MAX, Outcome, PROTOCOL_VERSION, PUSH_CHANGES_MAX,
            PullRequest, PushChange, PushGroup,
        },
    },
    transfer::table::COLUMNS_MAX,
};

use outrider_sync_server::{
    accept::TEXT_CHANGES_MAX,
    imports::UPLOAD_BYTES_MAX,
    web::form::{FORM_BYTES_MAX, FORM_FIELDS_MAX},
};

use crate::{
    changes::{ByHand, apart, many_tags, noise, of_customer, put, record, write},
    clerk::Clerk,
    raw::deflated,
    world::{Answer, Liar, Server},
};

/// Bytes that one input may cost beyond the idle process.
const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// Milliseconds of CPU that one input may cost.
const CPU_MS_MAX: u64 = 1_000;
/// The same of a file of the largest size that somebody at the office brings: it is read several times.
const FILE_CPU_MS_MAX: u64 = 10_000;

/// Prints what each input cost, and remembers what was too much.
#[derive(Default)]
struct Figures {
    too_much: Vec<String>,
    are_files: bool,
}

impl Figures {
    /// Measures one input on a fresh process.
    fn measure(
        &mut self,
        what: &str,
        server: &mut Server,
        send: impl FnOnce(&Server) -> Vec<Answer>,
    ) {
        self.measure_after(what, server, |_| {}, send);
    }

    /// The same, where a process that has done nothing yet does more than the input asks for.
    fn measure_after(
        &mut self,
        what: &str,
        server: &mut Server,
        warm_up: impl FnOnce(&Server),
        send: impl FnOnce(&Server) -> Vec<Answer>,
    ) {
        server.restart();
        // What every process does once is not the input's.
        let _ = server.post("/v1/push", "none", b"x");
        warm_up(server);
        server.forget_peak();
        let (idle, cpu) = (server.rss(), server.cpu_ms());
        let answers = send(server);
        let (memory, cpu) = (server.peak().saturating_sub(idle), server.cpu_ms() - cpu);
        let codes: std::collections::BTreeSet<String> = answers.iter().map(Answer::code).collect();
        eprintln!(
            "{what:<52} {:>6.1} MiB {cpu:>6} ms  {}",
            memory as f64 / f64::from(1 << 20),
            codes.into_iter().collect::<Vec<_>>().join(" ")
        );
        let cpu_max = if self.are_files { FILE_CPU_MS_MAX } else { CPU_MS_MAX };
        let is_slow = cpu > cpu_max && !cfg!(debug_assertions);
        if memory > MEMORY_BYTES_MAX || is_slow {
            self.too_much.push(what.to_owned());
        }
    }
}

fn body(liar: &Liar, groups: Vec<PushGroup>) -> Vec<u8> {
    pack(&liar.signed(groups)).unwrap()
}

#[test]
#[ignore = "measures; minutes"]
fn what_the_worst_inputs_cost() {
    let mut server = Server::start(&[]);
    let liar = server.liar();
    let mut figures = Figures::default();
    bodies(&mut figures, &mut server, &liar);
    questions(&mut figures, &mut server, &liar);
    let clerk = Clerk::sign_in(&server);
    forms(&mut figures, &mut server, &clerk);
    pages(&mut figures, &mut server, &clerk);
    files(&mut figures, &mut server, &clerk);
    flat_changes(&mut figures, &mut server, &liar);
    long_past(&mut figures, &mut server, &liar);
    texts(&mut figures, &mut server, &liar);
    assert_eq!(figures.too_much, Vec::<String>::new());
}

/// Bodies that are no push, or one of nothing.
fn bodies(figures: &mut Figures, server: &mut Server, liar: &Liar) {
    let mut push = |what: &str, body: Vec<u8>| {
        figures.measure(what, server, |server| vec![server.post("/v1/push", &liar.token, &body)]);
        let body = server.sealed(liar, &body);
        figures.measure(&format!("sealed: {what}"), server, |server| {
            vec![server.post("/v1/review", &liar.token, &body)]
        });
    };
    push("8 MiB of noise", noise(8 << 20, 1));
    push("a bomb of 1 GiB", pack(&ByteVec::from(vec![0; 1 << 30])).unwrap());
    push("16 MiB that are one byte string", pack(&ByteVec::from(noise(7 << 20, 1))).unwrap());
    push("arrays within arrays, 10,000 deep", zstd(&vec![0x81; 10_000]));
    push("arrays within arrays, 8 Mi deep", zstd(&vec![0x81; 8 << 20]));
    push(
        "unknown fields, 8 Mi deep",
        zstd(&[vec![0x98, 30], vec![0x02, 0x80], vec![0x81; 8 << 20]].concat()),
    );
    push("10,000 groups of nothing", body(liar, vec![PushGroup { changes: Vec::new() }; 10_000]));
    let nothing = of_customer(record(1), Part::Main, Vec::new());
    let group = PushGroup { changes: vec![nothing.clone(); 60_000] };
    push("300,000 changes of nothing", body(liar, vec![group; 5]));
    let group = PushGroup { changes: vec![nothing; GROUP_CHANGES_MAX] };
    push("1,000 groups of 64", body(liar, vec![group; 1_000]));
    let large = |n: u64| of_customer(record(n), Part::Main, noise(16 << 10, n));
    push("500 changes of 16 KiB that are none", body(liar, apart((0..500).map(large))));
    let long = PushChange { entity: "x".repeat(8 << 20), ..large(1) };
    push("an entity's name of 8 MiB", body(liar, apart([long])));
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 1).unwrap()
}

/// Questions of the largest size.
fn questions(figures: &mut Figures, server: &mut Server, liar: &Liar) {
    let name =
        |n: u64| outrider_core::sync::frame::DocumentName { record: record(n), part: Part::Main };
    let fetch =
        |count: u64| pack(&FetchRequest { documents: (0..count).map(name).collect() }).unwrap();
    let (few, many) = (fetch(1_000), fetch(40_000));
    for (what, body) in [("a fetch of 1,000 that are not there", few), ("a fetch of 40,000", many)]
    {
        figures.measure(what, server, |server| vec![server.post("/v1/fetch", &liar.token, &body)]);
    }
    let pull = PullRequest {
        pushed: None,
        recovered: None,
        has_tried: None,
        is_cursor_lost: None,
        version: PROTOCOL_VERSION,
        position: 0,
        digest: [0; 16],
        progress: None,
        budget_bytes: u64::MAX,
        held: [1; 16],
        grant: [0; 16],
        erased: None,
        audit_head: None,
    };
    let deep = zstd(&[to_cbor(&pull), vec![0x81; 900_000]].concat());
    for (what, body) in
        [("a pull of everything", pack(&pull).unwrap()), ("a pull with a tail", deep)]
    {
        figures.measure(what, server, |server| vec![server.post("/v1/pull", &liar.token, &body)]);
    }
    let json = format!("{}{}", r#"{"code":"#, "[".repeat(10_000));
    figures.measure("JSON, 10,000 deep", server, |server| {
        let kind = "application/json";
        vec![crate::world::post(&server.address, "/v1/enroll", "", kind, json.as_bytes())]
    });
}

/// Forms of the largest size.
fn forms(figures: &mut Figures, server: &mut Server, clerk: &Clerk) {
    let most = FORM_BYTES_MAX as usize - 1_000;
    let new = "/records/customer/new";
    let tags: String = "tags=x&".repeat(FORM_FIELDS_MAX - 10);
    for (what, path, form) in [
        ("a form with as many fields as there is room for", new, "x=&".repeat(most / 3)),
        ("a form with 9,990 tags", new, format!("company_name=x&{tags}")),
        ("a form with one value", new, format!("notes={}", "x".repeat(most - 6))),
        ("a form of escapes", new, format!("notes={}", "%E4%B8%89".repeat(most / 9 - 1))),
        ("a password of 4 MiB", "/sign-in", format!("login=admin&password={}", "x".repeat(most))),
        (
            "a filter's name of 4 MiB",
            "/records/customer/filters",
            format!("name={}", "x".repeat(most - 6)),
        ),
    ] {
        let warm = |server: &Server| drop(clerk.get(server, new));
        figures.measure_after(what, server, warm, |server| vec![clerk.send(server, path, &form)]);
    }
}

/// Questions in addresses, as long as one may be.
fn pages(figures: &mut Figures, server: &mut Server, clerk: &Clerk) {
    let long = "%E4%B8%89".repeat(6_000);
    let words = "%E4%B8%89+".repeat(5_000);
    let quotes = "%22%28".repeat(9_000);
    for (what, path) in [
        ("a search for 6,000 signs", format!("/search?q={long}")),
        ("a search for 5,000 words", format!("/search?q={words}")),
        ("a search for quotes and brackets", format!("/search?q={quotes}")),
        ("a list asked for 6,000 signs", format!("/records/customer?q={long}")),
        ("a list with 9,000 filters", format!("/records/customer?{}", "f=x&".repeat(9_000))),
        ("suggestions for 6,000 signs", format!("/suggest/customer?q={long}")),
    ] {
        let warm = |server: &Server| drop(clerk.get(server, "/records/customer"));
        figures.measure_after(what, server, warm, |server| vec![clerk.get(server, &path)]);
    }
}

/// Files of the largest size that are none, or of nothing; they are looked at, not imported.
fn files(figures: &mut Figures, server: &mut Server, clerk: &Clerk) {
    let most = UPLOAD_BYTES_MAX;
    let of = |unit: &str| unit.repeat(most / unit.len()).into_bytes();
    let header = |rest: &str| {
        let head = "company_name,phone\n";
        [head.as_bytes(), &rest.repeat((most - head.len()) / rest.len()).into_bytes()].concat()
    };
    let deep = format!("{}1", "[".repeat(most - 1));
    let list = |unit: &str| format!("[{}{{}}]", unit.repeat((most - 4) / unit.len())).into_bytes();
    let long = format!(r#"{{"a":[{}0]}},"#, "0,".repeat(500_000));
    figures.are_files = true;
    for (what, name, file) in [
        ("a table of one line of commas", "a.csv", of(",")),
        ("a table of empty lines", "a.csv", of("\n")),
        ("a table of short lines", "a.csv", header("a,1\n")),
        ("a table of one value", "a.csv", header("x")),
        ("a table with a quote that never ends", "a.csv", header("\"x\n")),
        ("a card that never ends", "a.vcf", of("BEGIN:VCARD\nFN:x\n")),
        ("a tree, 64 Mi deep", "a.json", deep.into_bytes()),
        ("lines of JSON", "a.jsonl", of("{\"company_name\":\"x\"}\n")),
        ("a list of empty objects", "a.json", list("{},")),
        ("a list of objects with long lists", "a.json", list(&long)),
        ("a table of different values", "a.csv", different(most)),
        ("64 MiB of noise that say they are a sheet", "a.xlsx", noise(most, 3)),
        ("a sheet that is a bomb", "a.xlsx", sheet_of_nothing()),
    ] {
        let warm = |server: &Server| drop(clerk.bring(server, "a.csv", b"company_name\nx\n"));
        figures.measure_after(what, server, warm, |server| clerk.bring(server, name, &file));
    }
    figures.are_files = false;
}

/// A table as wide as one may be, in which no value comes twice.
fn different(bytes: usize) -> Vec<u8> {
    let mut csv = Vec::with_capacity(bytes + 100);
    let mut number = 0_u64;
    while csv.len() < bytes - 20 {
        let end = if (number + 1).is_multiple_of(COLUMNS_MAX as u64) { '\n' } else { ',' };
        write!(csv, "{number:x}{end}").unwrap();
        number += 1;
    }
    let whole = csv.iter().rposition(|byte| *byte == b'\n').unwrap();
    csv.truncate(whole + 1);
    csv
}

/// A workbook that unpacks to as much as one may, and says nothing.
fn sheet_of_nothing() -> Vec<u8> {
    const PART: usize = 1 << 20;
    let begin = "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>";
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in WORKBOOK {
        zip.start_file(*name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    zip.write_all(begin.as_bytes()).unwrap();
    let nothing = vec![b' '; PART];
    for _ in 0..(1 << 30) / PART - 1 {
        zip.write_all(&nothing).unwrap();
    }
    zip.write_all(b"</sheetData></worksheet>").unwrap();
    zip.finish().unwrap().into_inner()
}

/// The files of a workbook with one sheet, without that.
const WORKBOOK: &[(&str, &str)] = &[
    (
        "[Content_Types].xml",
        r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#,
    ),
    (
        "_rels/.rels",
        r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="客户" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
    ),
];

/// A change that fills a document with tags.
fn filling(actor: ActorId) -> (State, Option<Own>, EncodedChange) {
    let (mut state, mut own) = (State::default(), None);
    let mut edits = many_tags(CHANGE_OPS_MAX - 1);
    edits.push(put("company_name", "Full"));
    let change = write(&mut state, &mut own, actor, edits);
    (state, own, change)
}

/// Genuine changes: large, compressed, many on one document, many documents.
fn flat_changes(figures: &mut Figures, server: &mut Server, liar: &Liar) {
    let (mut state, mut own, full) = filling(liar.actor(1));
    let plain = full.bytes.len() as u64;
    let per_push = (8 << 20) / plain;
    let packed = deflated(body_of(&full.bytes));
    eprintln!("a full document is a change of {plain} bytes, compressed {}", packed.len());
    let bomb = (0..PUSH_CHANGES_MAX as u64)
        .map(|n| of_customer(record(10_000 + n), Part::Main, packed.clone()));
    let bomb = body(liar, apart(bomb));
    let send =
        |body: Vec<u8>| move |server: &Server| vec![server.post("/v1/push", &liar.token, &body)];
    figures.measure("1,000 compressed changes, each a full document", server, send(bomb));
    let fills = |from: u64, count: u64| {
        let changes =
            (from..from + count).map(|n| of_customer(record(n), Part::Main, packed.clone()));
        body(liar, apart(changes))
    };
    figures.measure(
        "as many full documents as a push may have",
        server,
        send(fills(100, per_push)),
    );
    for batch in 0..8 {
        let answer =
            server.post("/v1/push", &liar.token, &fills(1_000 + batch * per_push, per_push));
        assert_eq!(answer.status, 200, "{}", answer.code());
    }
    // The liar's document is the same everywhere: one change fits on each.
    let before = (state.clone(), own);
    let next = write(&mut state, &mut own, liar.actor(1), vec![put("company_name", "Next")]);
    let touch = |from: u64, count: u64| {
        let changes =
            (from..from + count).map(|n| of_customer(record(n), Part::Main, next.bytes.clone()));
        body(liar, apart(changes))
    };
    let count = (8 * per_push).min(PUSH_CHANGES_MAX as u64);
    figures.measure("one change on each of the full documents", server, send(touch(1_000, count)));
    let (mut state, mut own) = before;
    let edits = (0..PUSH_CHANGES_MAX).map(|n| {
        let edit = put("company_name", format!("Edit {n}"));
        of_customer(
            record(100),
            Part::Main,
            write(&mut state, &mut own, liar.actor(1), vec![edit]).bytes,
        )
    });
    let edits = body(liar, apart(edits));
    figures.measure("1,000 changes of one full document", server, send(edits));
    let orphans = (0..PUSH_CHANGES_MAX as u32).map(|n| {
        let deps = (0..250_u8).map(|dep| ChangeHash([dep; 32])).collect();
        let orphan = ByHand { deps, start_op: 9, ..ByHand::named(liar.actor(n), "Orphan") };
        of_customer(record(100), Part::Main, orphan.bytes())
    });
    let orphans = body(liar, apart(orphans));
    figures.measure("1,000 changes with 250 dependencies that never come", server, send(orphans));
    let (_, _, other) = filling(liar.actor(2));
    let bytes = deflated(body_of(&other.bytes));
    let groups = (0..per_push / 8).map(|group| {
        let changes =
            (0..8).map(|n| of_customer(record(20_000 + group * 8 + n), Part::Main, bytes.clone()));
        PushGroup { changes: changes.collect() }
    });
    let groups = body(liar, groups.collect());
    figures.measure("groups of full documents", server, send(groups));
}

/// Changes that name as much of a long past as they can.
fn long_past(figures: &mut Figures, server: &mut Server, liar: &Liar) {
    const WRITERS: u32 = 40;
    let document: RecordId = record(50);
    let (mut state, _, first) = filling(liar.actor(100));
    let mut log = vec![first];
    for n in 1..WRITERS {
        let edits = many_tags(CHANGE_OPS_MAX - 1);
        log.push(write(&mut state, &mut None, liar.actor(100 + n), edits));
    }
    for batch in log.chunks(20) {
        let changes = batch
            .iter()
            .map(|change| of_customer(document, Part::Main, deflated(body_of(&change.bytes))));
        let answer = server.post("/v1/push", &liar.token, &body(liar, apart(changes)));
        assert_eq!(answer.status, 200, "{}", answer.code());
    }
    // Every tag with every operation that ever put it: all of them replaced but the last.
    let hostile = |actor: ActorId| {
        let mut beside = State::default();
        let mut change = write(&mut beside, &mut None, actor, many_tags(CHANGE_OPS_MAX - 1)).change;
        change.deps = vec![log.last().unwrap().hash];
        change.start_op = log.last().unwrap().change.max_op() + 1;
        let mut puts: BTreeMap<&str, Vec<OpId>> = BTreeMap::new();
        for (id, op) in log.iter().flat_map(|known| known.change.ops_with_ids()) {
            puts.entry(&op.key).or_default().push(id);
        }
        for op in &mut change.ops {
            op.pred.clone_from(&puts[op.key.as_str()]);
            op.pred.sort_unstable();
        }
        outrider_core::crdt::encode(change)
    };
    // Making one is slow; the same content under another actor would be as slow.
    let one = hostile(liar.actor(500));
    let bytes = deflated(body_of(&one.bytes));
    eprintln!(
        "80,000 predecessors are a change of {} bytes, compressed {}",
        one.bytes.len(),
        bytes.len()
    );
    let push = body(liar, apart([of_customer(document, Part::Main, bytes)]));
    figures.measure("a change with 80,000 replaced predecessors", server, |server| {
        vec![server.post("/v1/push", &liar.token, &push)]
    });
    let deps: Vec<ChangeHash> = {
        let mut deps: Vec<ChangeHash> = log.iter().map(|change| change.hash).collect();
        deps.sort_unstable();
        deps
    };
    let followers = (0..PUSH_CHANGES_MAX as u32).map(|n| {
        let start_op = log.last().unwrap().change.max_op() + 1;
        let named = ByHand::named(liar.actor(1_000 + n), "Follower");
        of_customer(document, Part::Main, ByHand { deps: deps.clone(), start_op, ..named }.bytes())
    });
    let push = body(liar, apart(followers));
    figures.measure("1,000 changes that follow 40 large ones each", server, |server| {
        vec![server.post("/v1/push", &liar.token, &push)]
    });
}

/// Long texts at their limits.
fn texts(figures: &mut Figures, server: &mut Server, liar: &Liar) {
    let part = || Part::Text("notes".to_owned());
    let mut text = TextDocument::new().unwrap();
    let mut ops = 0;
    // Typed and taken out again until the text has as many operations as it may, nearly.
    for round in 0..52 {
        let typed = if round % 2 == 0 { "x".repeat(9_000) } else { String::new() };
        for change in text.edit_in_steps(liar.actor(1), 5, &typed).unwrap() {
            ops += change.op_count;
            let change = of_customer(record(60), part(), change.bytes);
            let answer = server.push(liar, apart([change]));
            assert_eq!(answer.outcomes(), [Outcome::Applied]);
        }
    }
    assert!(ops as u64 > TEXT_OPS_MAX / 10 * 9, "{ops}");
    let mut typed = 0;
    let mut edits = |count: usize| -> Vec<PushChange> {
        let edit = |_| {
            typed += 1;
            let change = text.edit(liar.actor(1), 5, &"y".repeat(typed)).unwrap().unwrap();
            of_customer(record(60), part(), change.bytes)
        };
        (0..count).map(edit).collect()
    };
    let pasted = body(liar, vec![PushGroup { changes: edits(TEXT_CHANGES_MAX as usize) }]);
    let keystrokes = body(liar, apart(edits(40)));
    let pushes = [("a paste of 32 changes into", pasted, 32), ("40 keystrokes of", keystrokes, 1)];
    for (what, push, taken) in pushes {
        figures.measure(&format!("{what} a text of {ops} operations"), server, |server| {
            let answer = server.post("/v1/push", &liar.token, &push);
            let applied = answer.outcomes().into_iter().filter(|one| *one == Outcome::Applied);
            assert!(applied.count() >= taken, "{what}");
            vec![answer]
        });
    }
}

/// What is inside a chunk.
fn body_of(bytes: &[u8]) -> &[u8] {
    let length = bytes[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &bytes[9 + length..]
}
