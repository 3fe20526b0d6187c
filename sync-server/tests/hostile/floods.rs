//! Floods against the program, on the loopback: while they last an honest device syncs, and every one
//! of its requests is answered.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use minicbor::bytes::ByteVec;
use outrider_core::{
    ids::{ChangeHash, Part},
    sync::codec::pack,
};

use crate::{
    changes::{ByHand, apart, of_customer, record},
    world::{Server, TYPE, post},
};

/// Conversations of the honest device during a flood.
const SYNCS: usize = 5;
/// Threads of a flood.
const THREADS: usize = 4;
/// What a flood holds open, at most.
const HELD_MAX: usize = 150;
/// How often the same is tried, where one thing may overtake another.
const TRIES: usize = 20;
/// Pause of a flood between two of its acts: it shares the machine with what it attacks.
const PAUSE: Duration = Duration::from_millis(2);

/// Lets `act` run on several threads while an honest device edits and syncs. Returns how often it ran.
fn flood(server: &Server, act: impl Fn(&str, &mut Vec<TcpStream>) + Send + Sync + 'static) -> u64 {
    let mut phone = server.phone();
    let known = phone.create("Before");
    phone.sync();
    let (act, is_over) = (Arc::new(act), Arc::new(AtomicBool::new(false)));
    let acts = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (act, is_over, acts) = (Arc::clone(&act), Arc::clone(&is_over), Arc::clone(&acts));
            let address = server.address.clone();
            thread::spawn(move || {
                let mut held = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    act(&address, &mut held);
                    acts.fetch_add(1, Ordering::Relaxed);
                    if held.len() > HELD_MAX / THREADS {
                        held.remove(0);
                    }
                    thread::sleep(PAUSE);
                }
            })
        })
        .collect();
    while acts.load(Ordering::Relaxed) < 50 {
        thread::sleep(PAUSE);
    }
    for n in 0..SYNCS {
        phone.rename(known, &format!("During {n}"));
        phone.create(&format!("New {n}"));
        phone.sync();
    }
    is_over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let acts = acts.load(Ordering::Relaxed);
    assert!(acts >= 50, "{acts}");
    acts
}

fn hold(address: &str, held: &mut Vec<TcpStream>, begin: &str) {
    // A server that is full turns connections away.
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
    let _ = stream.write_all(begin.as_bytes());
    held.push(stream);
}

#[test]
fn headers_that_never_end() {
    let server = Server::start(&[]);
    flood(&server, |address, held| {
        hold(address, held, "GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ");
        for stream in held {
            let _ = stream.write_all(b"y");
        }
    });
}

#[test]
fn bodies_that_never_end() {
    let server = Server::start(&[]);
    let token = server.liar().token;
    flood(&server, move |address, held| {
        let begin = format!(
            "POST /v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: {TYPE}\r\ncontent-length: 1000000\r\n\r\n"
        );
        hold(address, held, &begin);
        for stream in held {
            let _ = stream.write_all(b"y");
        }
    });
}

/// Each announces the largest body and sends nothing of it: one device gets no room but its own.
#[test]
fn bodies_that_are_announced_and_never_sent() {
    let server = Server::start(&["--body-pause-ms", "60000", "--turn-timeout-ms", "2000"]);
    let token = server.liar().token;
    flood(&server, move |address, held| {
        let begin = format!(
            "POST /v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: {TYPE}\r\ncontent-length: 8000000\r\n\r\n"
        );
        // Those that are open stay so.
        if held.len() < HELD_MAX / THREADS {
            hold(address, held, &begin);
        }
    });
}

/// One more body than a device may send at once is told to come back; when one ends, another is taken.
#[test]
fn bodies_of_one_device_are_bounded() {
    let server = Server::start(&["--bodies-each-max", "2", "--body-pause-ms", "60000"]);
    let token = server.liar().token;
    let begin = format!(
        "POST /v1/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: {TYPE}\r\ncontent-length: 9\r\n\r\n"
    );
    let mut held = Vec::new();
    let answer = || {
        let code = post(&server.address, "/v1/push", &token, TYPE, b"x").code();
        thread::sleep(Duration::from_millis(20));
        code
    };
    // Where the short body comes before one that is held, that one is turned away: it comes again.
    let taken = (0..TRIES).take_while(|_| {
        hold(&server.address, &mut held, &begin);
        answer() != "busy"
    });
    assert!((1..TRIES).contains(&taken.count()), "one fits beside a short body, and not many do");
    held.clear();
    assert!((0..200).any(|_| answer() == "message_malformed"));
}

/// Strangers take every place that one address has; a device behind another address would be let in,
/// and here the places are enough for one more.
#[test]
fn connections_that_say_nothing() {
    let server =
        Server::start(&["--connections-per-address-max", "200", "--header-timeout-ms", "1000"]);
    flood(&server, |address, held| hold(address, held, ""));
}

#[test]
fn connections_that_come_and_go() {
    let server = Server::start(&[]);
    flood(&server, |address, _| {
        let mut held = Vec::new();
        for _ in 0..5 {
            hold(address, &mut held, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
        }
    });
}

#[test]
fn live_channels_without_end() {
    let server = Server::start(&[]);
    let token = server.liar().token;
    flood(&server, move |address, held| {
        let begin = format!(
            "GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             accept: text/event-stream\r\n\r\n"
        );
        hold(address, held, &begin);
    });
}

/// Channels that nobody reads while commits are told of.
#[test]
fn live_channels_are_bounded_for_each_device() {
    let server = Server::start(&["--live-each-max", "4"]);
    let token = server.liar().token;
    let request = format!(
        "GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    let mut held = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..8 {
        let mut stream = server.connect().unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        answers.push(String::from_utf8_lossy(&status[9..]).into_owned());
        held.push(stream);
    }
    assert_eq!(answers.iter().filter(|status| *status == "200").count(), 4, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| *status == "503").count(), 4, "{answers:?}");
}

#[test]
fn decompression_bombs() {
    let server = Server::start(&[]);
    let token = server.liar().token;
    let bomb = pack(&ByteVec::from(vec![0; 256 << 20])).unwrap();
    flood(&server, move |address, _| {
        let answer = post(address, "/v1/push", &token, TYPE, &bomb);
        assert!(matches!(answer.code().as_str(), "message_too_large" | "busy"), "{answer:?}");
    });
}

/// Whoever guesses tokens is told no, and costs no turn of those who have one.
#[test]
fn strangers_with_invented_tokens() {
    let server = Server::start(&[]);
    flood(&server, |address, _| {
        let answer = post(address, "/v1/push", &"ab".repeat(32), TYPE, b"x");
        assert_eq!(answer.status, 401);
    });
}

#[test]
fn readers_that_do_not_read() {
    let server = Server::start(&["--reader-pause-ms", "1000"]);
    let token = server.liar().token;
    flood(&server, move |address, held| {
        let begin = format!(
            "GET /v1/export/customer?format=json HTTP/1.1\r\nhost: x\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        hold(address, held, &begin);
    });
}

/// Each is kept for nobody, and is answered that it waits.
#[test]
fn changes_whose_dependencies_never_come() {
    const AT_ONCE: u64 = 400;
    let server = Server::start(&[]);
    let liar = server.liar();
    let numbers = AtomicU64::new(0);
    let pushed = flood(&server, move |address, _| {
        let from = numbers.fetch_add(AT_ONCE, Ordering::Relaxed);
        let orphans = (from..from + AT_ONCE).map(|number| {
            let mut hash = [0xdd; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            let by_hand = ByHand::named(liar.actor(number as u32), "Orphan");
            let orphan = ByHand { deps: vec![ChangeHash(hash)], start_op: 9, ..by_hand };
            of_customer(record(1), Part::Main, orphan.bytes())
        });
        let body = pack(&liar.signed(apart(orphans))).unwrap();
        let answer = post(address, "/v1/push", &liar.token, TYPE, &body);
        assert!(answer.status == 200 || answer.code() == "busy", "{answer:?}");
    });
    assert!(pushed * AT_ONCE >= 20_000, "{pushed}");
}

/// Ten thousand of anything within one another.
#[test]
fn messages_within_messages() {
    let server = Server::start(&[]);
    let token = server.liar().token;
    let zstd = |plain: &[u8]| zstd::bulk::compress(plain, 1).unwrap();
    let arrays = zstd(&[0x81; 10_000]);
    let unknown = zstd(&[vec![0x98, 30], vec![0x02, 0x80], vec![0x81; 10_000]].concat());
    let json = format!("{}{}", r#"{"code":"#, "[".repeat(10_000));
    flood(&server, move |address, _| {
        for path in ["/v1/push", "/v1/pull", "/v1/check", "/v1/fetch"] {
            for body in [&arrays, &unknown] {
                let answer = post(address, path, &token, TYPE, body);
                assert!(
                    matches!(answer.code().as_str(), "message_malformed" | "busy"),
                    "{answer:?}"
                );
            }
        }
        let answer = post(address, "/v1/enroll", "", "application/json", json.as_bytes());
        assert!((400..500).contains(&answer.status), "{answer:?}");
    });
}

/// A head at its limits is read; one field or some bytes more are refused with words, and nobody waits.
#[test]
fn heads_of_requests_have_limits() {
    const FIELDS_MAX: usize = 64;
    const BYTES_MAX: usize = 64 * 1024;
    let server = Server::start(&[]);
    let status = |fields: usize, bytes: usize| {
        let mut stream = server.connect().unwrap();
        let mut head = "GET /health HTTP/1.1\r\nhost: office\r\nconnection: close\r\n".to_owned();
        for number in 3..fields {
            head.push_str(&format!("x-{number}: y\r\n"));
        }
        head.push_str("x-last: ");
        head.push_str(&"y".repeat(bytes.saturating_sub(head.len() + 4)));
        head.push_str("\r\n\r\n");
        // It may hang up before all was sent.
        let _ = stream.write_all(head.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status(FIELDS_MAX, 0), "200");
    assert_eq!(status(FIELDS_MAX + 1, 0), "431");
    assert_eq!(status(4, BYTES_MAX - 16), "200");
    // It is looked at after each piece that was read, of which the last may be as long again.
    assert_eq!(status(4, 2 * BYTES_MAX + 1_024), "431");
    assert_eq!(status(4, 100), "200", "and goes on");
}
