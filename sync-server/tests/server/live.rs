//! The live channel over real sockets.

use std::{
    io::{
        BufRead, BufReader,
        ErrorKind::{TimedOut, WouldBlock},
        Read,
    },
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::world::{Office, send};

/// An open channel, or what the server said instead.
pub(crate) struct Channel {
    reader: BufReader<TcpStream>,
    head: String,
}

pub(crate) fn listen(office: &Office, token: &str) -> Channel {
    let mut stream = office.connect();
    let proof = office.proof(("GET", "/v1/live"), token, b"");
    let request = format!(
        "GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\noutrider-proof: {proof}\r\naccept: text/event-stream\r\n\r\n"
    );
    send(&mut stream, &request);
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    Channel { reader, head: head.to_lowercase() }
}

impl Channel {
    /// The next line that begins with `beginning`, without it; `None` at the end.
    fn next(&mut self, beginning: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    let is_silence = matches!(error.kind(), WouldBlock | TimedOut);
                    assert!(!is_silence, "neither news nor the end came");
                    return None;
                }
            }
            if let Some(rest) = line.strip_prefix(beginning) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    pub(crate) fn position(&mut self) -> Option<u64> {
        self.next("data:").map(|text| text.parse().unwrap())
    }

    fn is_open(&self) -> bool {
        self.head.starts_with("http/1.1 200")
    }
}

#[test]
fn a_channel_tells_where_the_server_is_and_then_of_each_commit() {
    let office = Office::open(&[]);
    let (token, _) = office.enrolled();
    let mut channel = listen(&office, &token);
    assert!(channel.is_open(), "{}", channel.head);
    for header in
        ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"]
    {
        assert!(channel.head.contains(header), "{}", channel.head);
    }
    let first = channel.position().unwrap();
    assert_eq!(first, office.position());
    for name in ["Acme", "Brown", "Chen"] {
        office.customer(name, "110");
        let position = office.position();
        // One commit may be told with the next one.
        while channel.position().unwrap() < position {}
    }
    assert_eq!(listen(&office, "").head.split(' ').nth(1), Some("401"));
}

#[test]
fn silence_is_filled_with_comments() {
    let office = Office::open(&["--live-heartbeat-ms", "20"]);
    let (token, _) = office.enrolled();
    let mut channel = listen(&office, &token);
    for _ in 0..3 {
        assert!(channel.next(":").is_some());
    }
}

#[test]
fn there_are_as_many_channels_as_are_allowed() {
    let office = Office::open(&["--live-max", "3", "--live-each-max", "2"]);
    let (anna, _) = office.enrolled();
    let ben = office.enrol(&office.code(7)).json()["token"].as_str().unwrap().to_owned();
    let first = listen(&office, &anna);
    let second = listen(&office, &anna);
    assert!(first.is_open() && second.is_open());
    let mut full = listen(&office, &anna);
    assert!(full.head.starts_with("http/1.1 503"), "{}", full.head);
    assert!(full.head.contains("retry-after:"), "{}", full.head);
    let mut body = vec![0; 200];
    let length = full.reader.read(&mut body).unwrap();
    assert!(String::from_utf8_lossy(&body[..length]).contains("\"busy\""));
    let third = listen(&office, &ben);
    assert!(third.is_open(), "each device has its own");
    assert!(!listen(&office, &ben).is_open(), "three in all");
    assert_eq!(office.get("/v1/status", &anna).status, 200, "other requests find their place");

    drop(first);
    let begun = Instant::now();
    while !listen(&office, &anna).is_open() {
        assert!(begun.elapsed() < crate::world::PATIENCE, "a closed channel gives its place back");
        std::thread::sleep(Duration::from_millis(10));
        office.customer("noise that finds the closed connection", "110");
    }
    drop((second, third));
}

#[test]
fn a_channel_ends_in_time_so_that_access_is_checked_again() {
    let office = Office::open(&["--live-duration-ms", "50"]);
    let (token, _) = office.enrolled();
    let mut channel = listen(&office, &token);
    assert!(channel.position().is_some());
    assert_eq!(channel.next("0"), Some(String::new()), "the answer ends whole");
    assert!(listen(&office, &token).is_open());
}

#[test]
fn a_server_that_stops_ends_its_channels() {
    // Nobody waits for the patience of the server to end.
    let mut office = Office::open(&["--stop-timeout-ms", "3600000"]);
    let (token, _) = office.enrolled();
    let mut channel = listen(&office, &token);
    assert!(channel.position().is_some());
    office.tell_to_stop();
    assert_eq!(channel.position(), None);
    office.wait();
}
