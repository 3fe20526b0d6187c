//! A running server, and devices that talk to it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use outrider_core::{
    access::Policy,
    ids::{RecordId, to_hex},
    sync::proof::{Asked, PROOF_HEADER, Proof},
    time::{Clock as _, ManualClock},
};
use outrider_sync_server::{
    config::Config,
    enrol::create_code,
    keys::ServerKey,
    office,
    serve::run_with,
    storage::{Read as StorageRead, Storage, sqlite::SqliteStorage},
};
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// When everything happens.
pub(crate) const NOW: i64 = 1_700_000_000_000;
/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process.
pub(crate) struct Office {
    pub(crate) address: SocketAddr,
    pub(crate) storage: Arc<SqliteStorage>,
    pub(crate) clock: Arc<ManualClock>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Office {
    /// Opens an office with more flags than the defaults.
    pub(crate) fn open(flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().to_str().unwrap();
        let flags =
            ["--listen", "127.0.0.1:0", "--data", data].into_iter().chain(flags.iter().copied());
        let config = Config::from_flags(flags).unwrap();
        let storage = Arc::new(SqliteStorage::open_for_test(folder.path(), true).unwrap());
        let clock = Arc::new(ManualClock::at(NOW));
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = mpsc::channel();
        let (kept, moved) = (Arc::clone(&storage), Arc::clone(&clock));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let until = async {
                let _ = stopped.await;
            };
            let ready = |address| ready.send(address).unwrap();
            runtime.block_on(run_with(config, kept, moved, until, ready)).unwrap();
        });
        Self {
            address: address.recv_timeout(PATIENCE).unwrap(),
            storage,
            clock,
            stop: Some(stop),
            thread: Some(thread),
            folder,
        }
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until the server has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// A connection of bare bytes.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks with a token (none if empty).
    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, "", &[])
    }

    /// Sends a body with a token (none if empty).
    pub(crate) fn post(&self, path: &str, token: &str, content_type: &str, body: &[u8]) -> Answer {
        self.ask("POST", path, token, content_type, body)
    }

    /// The server's own key.
    pub(crate) fn key(&self) -> ServerKey {
        ServerKey::load_or_create(self.folder.path()).unwrap()
    }

    /// What the key of all devices here signs for a request, now.
    pub(crate) fn proof(&self, (method, path): (&str, &str), token: &str, body: &[u8]) -> String {
        prove((method, path), token, body, self.clock.now_ms())
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        content_type: &str,
        body: &[u8],
    ) -> Answer {
        let is_api = path.starts_with("/v1/");
        let proof = if is_api { self.proof((method, path), token, body) } else { String::new() };
        self.request((method, path), (token, &proof), content_type, body)
    }

    /// Sends a request with a token and a proof of the caller's (none where they are empty).
    pub(crate) fn send(
        &self,
        (method, path): (&str, &str),
        who: (&str, &str),
        body: &[u8],
    ) -> Answer {
        let content_type = if method == "POST" { "application/json" } else { "" };
        self.request((method, path), who, content_type, body)
    }

    pub(crate) fn request(
        &self,
        (method, path): (&str, &str),
        (token, proof): (&str, &str),
        content_type: &str,
        body: &[u8],
    ) -> Answer {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !proof.is_empty() {
            request = request.header(PROOF_HEADER, proof);
        }
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let mut response = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        Answer {
            status: response.status().as_u16(),
            content_type: header("content-type"),
            request_id: header("x-request-id"),
            retry_after: header("retry-after"),
            body: response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap(),
        }
    }

    /// A customer that somebody at the office enters.
    pub(crate) fn customer(&self, name: &str, phone: &str) -> RecordId {
        let storage = self.storage.as_ref();
        let author = office::author_for(storage, "wang", None, NOW).unwrap();
        let fields = json!({ "company_name": name, "phone": phone });
        let fields = fields.as_object().unwrap();
        office::create(storage, &Policy::open(), &author, "customer", fields, NOW).unwrap()
    }

    /// Where the server is.
    pub(crate) fn position(&self) -> u64 {
        self.storage.read().unwrap().position().unwrap()
    }

    /// The devices and codes of the audit's lines of one action, in order.
    pub(crate) fn audit(&self, action: &str) -> Vec<(Option<String>, String)> {
        let file = self.folder.path().join(outrider_sync_server::storage::sqlite::DATABASE_FILE);
        let conn = rusqlite::Connection::open(file).unwrap();
        let sql = "SELECT device, code FROM audit WHERE action = ?1 ORDER BY rowid";
        let mut statement = conn.prepare(sql).unwrap();
        let lines = statement.query_map([action], |row| {
            let device: Option<[u8; 16]> = row.get(0)?;
            Ok((device.map(|id| uuid::Uuid::from_bytes(id).to_string()), row.get(1)?))
        });
        lines.unwrap().map(Result::unwrap).collect()
    }

    /// Waits until something holds of what is stored.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&dyn StorageRead) -> bool) {
        let begun = Instant::now();
        while !holds(self.storage.read().unwrap().as_ref()) {
            assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A one-time code for a user, good for ten minutes.
    pub(crate) fn code(&self, random: u128) -> String {
        create_code(self.storage.as_ref(), "Wang Wei", 10, random, NOW).unwrap().0
    }

    /// Asks to be enrolled.
    pub(crate) fn enrol(&self, code: &str) -> Answer {
        let key = to_hex(&public_key());
        let body =
            json!({ "code": code, "device_name": "Phone", "public_key": key, "protocol": 2 });
        self.post("/v1/enroll", "", "application/json", body.to_string().as_bytes())
    }

    /// Enrols a device; returns its token and id.
    pub(crate) fn enrolled(&self) -> (String, String) {
        let answer = self.enrol(&self.code(0xfeed)).json();
        (
            answer["token"].as_str().unwrap().to_owned(),
            answer["device"].as_str().unwrap().to_owned(),
        )
    }

    /// How many of everything there are.
    pub(crate) fn devices(&self) -> u64 {
        self.storage.read().unwrap().counts().unwrap().devices
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the key of all devices here signs for a request at a time.
pub(crate) fn prove(
    (method, path): (&str, &str),
    token: &str,
    body: &[u8],
    time_ms: i64,
) -> String {
    static NONCES: AtomicU64 = AtomicU64::new(1);
    let nonce = u128::from(NONCES.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    let asked = Asked { method, path, token };
    Proof::new(&signing_key(), &asked, body, time_ms, nonce).unwrap().to_string()
}

/// The key of all devices here.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

/// SEC1 bytes of its public half.
pub(crate) fn public_key() -> Vec<u8> {
    signing_key().verifying_key().to_sec1_point(true).as_bytes().to_vec()
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) request_id: String,
    pub(crate) retry_after: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?} is no JSON"))
    }

    /// Status and code of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap_or("none").to_owned();
        (self.status, code)
    }
}

/// Sends bytes and reads until the other side closes.
pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset had said what it had to say.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes, whether or not anybody listens.
pub(crate) fn send(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}
