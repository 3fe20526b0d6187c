//! Clients that are slow on purpose, and a server that is told to stop.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use crate::world::{Office, read_all, send};

#[test]
fn a_header_that_does_not_arrive_costs_the_connection() {
    let office = Office::open(&["--header-timeout-ms", "300"]);
    for begin in ["", "GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = office.connect();
        let begun = Instant::now();
        send(&mut stream, begin);
        let answer = read_all(&mut stream);
        assert!(begun.elapsed() < Duration::from_secs(5), "closed after {:?}", begun.elapsed());
        assert!(!answer.contains("200"), "{answer}");
    }
}

#[test]
fn a_header_sent_drop_by_drop_does_not_keep_the_connection() {
    let office = Office::open(&["--header-timeout-ms", "300"]);
    let mut stream = office.connect();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    send(&mut stream, "GET /health HTTP/1.1\r\n");
    let begun = Instant::now();
    let mut byte = [0];
    loop {
        send(&mut stream, "x: y\r\n");
        match stream.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => break,
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "still open");
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let office = Office::open(&["--header-timeout-ms", "300"]);
    let mut stream = office.connect();
    send(&mut stream, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    let begun = Instant::now();
    assert!(read_all(&mut stream).starts_with("HTTP/1.1 200"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

const ENROL: &str = "POST /v1/enroll HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

#[test]
fn a_body_that_pauses_is_cut() {
    let office = Office::open(&["--body-pause-ms", "300"]);
    let mut stream = office.connect();
    send(&mut stream, &format!("{ENROL}content-length: 100\r\n\r\n{{"));
    let begun = Instant::now();
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_incomplete"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_sent_drop_by_drop_is_cut() {
    let office = Office::open(&["--body-timeout-ms", "500"]);
    let mut stream = office.connect();
    send(&mut stream, &format!("{ENROL}content-length: 10000\r\n\r\n"));
    let mut drops = stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        for _ in 0..40 {
            send(&mut drops, " ");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let begun = Instant::now();
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    dripping.join().unwrap();
}

#[test]
fn one_address_has_so_many_connections() {
    let office = Office::open(&["--connections-per-address-max", "2"]);
    let mut first = office.connect();
    let _second = office.connect();
    // The places are taken once the server has looked at the connections.
    std::thread::sleep(Duration::from_millis(200));
    let mut third = office.connect();
    send(&mut third, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(read_all(&mut third), "", "closed without an answer");

    send(&mut first, "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(read_all(&mut first).starts_with("HTTP/1.1 200"));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(office.get("/health", "").status, 200, "a place is free again");
}

#[test]
fn a_server_that_stops_ends_what_it_has_begun() {
    let mut office = Office::open(&[]);
    let mut stream = office.connect();
    let body = "{\"code\":\"none\"}";
    let header = format!("{ENROL}content-length: {}\r\n\r\n", body.len());
    send(&mut stream, &header);
    std::thread::sleep(Duration::from_millis(200));
    office.tell_to_stop();
    std::thread::sleep(Duration::from_millis(200));
    assert!(std::net::TcpStream::connect(office.address).is_err(), "nobody new is let in");
    send(&mut stream, body);
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("body_malformed"), "{answer}");
    office.wait();
}

#[test]
fn a_server_that_stops_does_not_wait_for_ever() {
    let mut office = Office::open(&["--stop-timeout-ms", "300"]);
    let mut stream = office.connect();
    send(&mut stream, &format!("{ENROL}content-length: 100\r\n\r\n"));
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    office.tell_to_stop();
    office.wait();
    assert!(begun.elapsed() < Duration::from_secs(5));
}
