//! Listening to a server: one open channel, which says at which position the server is.
//!
//! A channel that says nothing for too long, not even that it is there, is taken for lost: a
//! phone that changed its network is never told that the old connection is gone.

use std::{
    io::{BufRead, BufReader, Read as _},
    sync::mpsc::Sender,
    thread,
    time::Duration,
};

use crate::{error::ClientError, server::Server};

/// Bytes of one line, at most: more is no announcement.
const LINE_BYTES_MAX: u64 = 4 * 1024;
/// The longest silence of a channel: three of the server's heartbeats.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What happens to a channel.
#[derive(Debug)]
pub enum Heard {
    /// The server is at this position.
    Position(u64),
    /// The channel ended, or never began.
    Lost(ClientError),
}

/// Listens in a thread of its own until the channel ends. What it hears it tells under `number`,
/// so that a channel that was given up can be told from its successor.
pub fn listen<E: Send + 'static>(
    server: Server,
    number: u64,
    to: Sender<E>,
    event: impl Fn(u64, Heard) -> E + Send + 'static,
) {
    thread::spawn(move || {
        let tell = |heard| to.send(event(number, heard)).is_ok();
        let error = hear(&server, &tell).unwrap_or_else(|error| error);
        tell(Heard::Lost(error));
    });
}

/// Tells every position; returns why the channel ended.
fn hear(server: &Server, tell: &dyn Fn(Heard) -> bool) -> Result<ClientError, ClientError> {
    let response = server.accepted(server.listen("/v1/live")?)?;
    let mut lines = BufReader::new(response.body);
    let ended = |cause: String| ClientError::Unreachable { url: server.url().to_owned(), cause };
    loop {
        let mut line = Vec::new();
        let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(ended("the channel ended".to_owned())),
            Ok(_) if !line.ends_with(b"\n") => {
                return Ok(ended("this is no channel of an Outrider server".to_owned()));
            }
            Ok(_) => {}
            Err(error) => return Ok(ended(error.to_string())),
        }
        if let Some(position) = position_of(&line)
            && !tell(Heard::Position(position))
        {
            // Nobody asks any more.
            return Ok(ended("nobody listens".to_owned()));
        }
    }
}

/// The position that a line announces. There is one kind of event, so its name need not be read.
fn position_of(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line).ok()?.strip_prefix("data:")?.trim().parse().ok()
}

#[cfg(all(test, feature = "ureq"))]
mod tests {
    use std::{io::Write as _, net::TcpListener, sync::mpsc};

    use outrider_core::{ids::ActorPrefix, store::meta::Enrolment};

    use super::*;

    fn enrolled(url: String) -> Enrolment {
        Enrolment {
            url,
            device: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            user: "Anna".to_owned(),
            prefix: ActorPrefix([1; 12]),
            token: "none".to_owned(),
            user_record: None,
            ca: None,
        }
    }

    /// A server that sends `head` and `body`, and then keeps quiet or hangs up.
    fn channel(head: &'static str, body: &'static str, hangs_up: bool) -> Vec<Heard> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (quiet, until) = mpsc::channel::<()>();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                request.read_line(&mut line).unwrap();
            }
            write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}").unwrap();
            if !hangs_up {
                // Until the listener has given up.
                let _ = until.recv();
            }
        });
        let (to, heard) = mpsc::channel();
        let http: crate::access::Http = std::sync::Arc::new(crate::Desktop::default());
        let server_of =
            Server::listening(&http, &enrolled(url), None, Duration::from_millis(300)).unwrap();
        listen(server_of, 1, to, |_, heard| heard);
        let found = heard.iter().collect();
        drop(quiet);
        server.join().unwrap();
        found
    }

    fn positions(heard: &[Heard]) -> Vec<u64> {
        let positions = heard.iter().filter_map(|heard| match heard {
            Heard::Position(position) => Some(*position),
            Heard::Lost(_) => None,
        });
        positions.collect()
    }

    const OK: &str = "200 OK\r\ncontent-type: text/event-stream";

    #[test]
    fn positions_are_heard_and_the_end_is_told() {
        let body = "retry: 1000\nevent: position\ndata: 7\n\n:\n\nevent: position\ndata: 12\n\n";
        let heard = channel(OK, body, true);
        assert_eq!(positions(&heard), [7, 12]);
        assert!(matches!(heard.last(), Some(Heard::Lost(ClientError::Unreachable { .. }))));
    }

    #[test]
    fn a_silent_channel_is_lost() {
        let heard = channel(OK, "event: position\ndata: 7\n\n", false);
        assert_eq!(positions(&heard), [7]);
        assert!(matches!(heard.last(), Some(Heard::Lost(ClientError::Unreachable { .. }))));
    }

    #[test]
    fn what_is_no_channel_is_not_read_for_ever() {
        let endless: String = "x".repeat(2 * 4_096);
        let heard = channel(OK, endless.leak(), true);
        assert!(positions(&heard).is_empty() && heard.len() == 1);
        let heard = channel("401 Unauthorized\r\ncontent-length: 0", "", true);
        assert!(
            matches!(heard.as_slice(), [Heard::Lost(ClientError::TokenRefused(_))]),
            "{heard:?}"
        );
    }
}
