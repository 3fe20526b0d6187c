//! The program, serving; devices that lie to it, and one that does not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use outrider_core::{
    ids::{ActorId, ActorPrefix, DeviceId, RecordId, to_hex},
    replica::{Options, Replica, session::Session},
    store::{Durability, meta::Enrolment},
    sync::{
        codec::{MESSAGE_BYTES_MAX, pack, unpack},
        frame::{Outcome, PROTOCOL_VERSION, PushGroup, PushRequest, PushResponse},
        key::DeviceKey as _,
        sign,
    },
    time::{Clock as _, SystemClock},
};
use outrider_sync_server::{
    auth::hash_token,
    enrol::{Applicant, Draw, create_code, enrol},
    keys::ServerKey,
    storage::{Storage as _, sqlite::SqliteStorage},
};
use p256::ecdsa::SigningKey;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The media type of the protocol.
pub(crate) const TYPE: &str = "application/vnd.outrider.v1";
/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server process with its data; it ends with the test.
pub(crate) struct Server {
    folder: TempDir,
    child: Child,
    pub(crate) address: String,
    enrolled: std::cell::Cell<u8>,
}

/// A device that was let in: its id, its token and its key.
pub(crate) struct Liar {
    pub(crate) id: DeviceId,
    pub(crate) prefix: ActorPrefix,
    pub(crate) token: String,
    key: SigningKey,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Where a browser is sent.
    pub(crate) location: Option<String>,
}

impl Answer {
    /// The code of a refusal, or of an answer its status.
    pub(crate) fn code(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let code = json.and_then(|json| json["error"]["code"].as_str().map(str::to_owned));
        code.unwrap_or_else(|| self.status.to_string())
    }

    /// The outcomes of a push.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let response: PushResponse = unpack(&self.body, MESSAGE_BYTES_MAX).unwrap();
        response.answers.into_iter().map(|answer| answer.outcome).collect()
    }
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        // Made first, so that devices can be let in beside the program.
        drop(SqliteStorage::open(&data).unwrap());
        let (child, address) = serve(&data, flags);
        Self { folder, child, address, enrolled: std::cell::Cell::new(0) }
    }

    /// The same server after a restart: a process that has done nothing yet.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.child, self.address) = serve(&self.folder.path().join("data"), &[]);
    }

    pub(crate) fn storage(&self) -> SqliteStorage {
        SqliteStorage::open(&self.folder.path().join("data")).unwrap()
    }

    /// Lets a key in under a token.
    fn let_in(
        &self,
        user: &str,
        public_key: Vec<u8>,
    ) -> (outrider_sync_server::storage::Device, String) {
        let number = self.enrolled.get() + 1;
        self.enrolled.set(number);
        let (storage, now_ms) = (self.storage(), SystemClock.now_ms());
        let random = u128::from(number) << 64;
        let (code, _) = create_code(&storage, user, 10, random, now_ms).unwrap();
        let device_name = "Phone".to_owned();
        let applicant = Applicant { code, device_name, public_key, protocol: PROTOCOL_VERSION };
        let device = enrol(&storage, &applicant, &Draw::new().unwrap(), now_ms).unwrap();
        let token = [number; 32];
        let mut write = storage.write().unwrap();
        write.set_token_hash(device.id, &hash_token(&token)).unwrap();
        write.commit().unwrap();
        (device, to_hex(&token))
    }

    /// A device that was let in, and lies.
    pub(crate) fn liar(&self) -> Liar {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let (device, token) = self.let_in("Liar", key.public_key());
        Liar { id: device.id, prefix: device.prefix, token, key }
    }

    /// A device that does what devices do.
    pub(crate) fn phone(&self) -> Phone {
        let options = Options {
            clock: Arc::new(SystemClock),
            seed: Some(3),
            durability: Durability::None,
            keys: None,
        };
        let mut replica = Replica::open(&self.folder.path().join("phone"), options).unwrap();
        let (device, token) = self.let_in("Honest", replica.public_key());
        let enrolment = Enrolment {
            url: String::new(),
            device: device.id,
            user: device.user,
            user_record: None,
            ca: None,
            prefix: device.prefix,
            token: String::new(),
        };
        replica.enroll(&enrolment).unwrap();
        Phone { replica, token, address: self.address.clone() }
    }

    /// What a device seals for the office to decide on.
    pub(crate) fn sealed(&self, liar: &Liar, push: &[u8]) -> Vec<u8> {
        let key = ServerKey::load_or_create(&self.folder.path().join("data")).unwrap();
        let seal = key.seal_key().checked(&key.public_key()).unwrap();
        pack(&seal.seal(liar.id, push).unwrap()).unwrap()
    }

    /// A connection of bare bytes.
    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Sends a body as a device.
    pub(crate) fn post(&self, path: &str, token: &str, body: &[u8]) -> Answer {
        post(&self.address, path, token, TYPE, body)
    }

    /// Pushes what a liar signed.
    pub(crate) fn push(&self, liar: &Liar, groups: Vec<PushGroup>) -> Answer {
        self.post("/v1/push", &liar.token, &pack(&liar.signed(groups)).unwrap())
    }

    /// Bytes of memory that the process has now.
    pub(crate) fn rss(&self) -> u64 {
        self.status("VmRSS")
    }

    /// Forgets the most that the process had.
    pub(crate) fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// The most bytes of memory that the process had since.
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM")
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Milliseconds of CPU that the process has used.
    pub(crate) fn cpu_ms(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // Ticks of ten milliseconds, in user mode and in the kernel.
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
    }
}

/// Starts the program, and waits until it listens.
fn serve(data: &std::path::Path, flags: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_outrider-sync-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--requests-per-second", "100000"])
        .args(["--requests-burst", "1000000"])
        .args(flags)
        .env("OUTRIDER_DATA", data)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the log ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"] == "listening" {
            break line["address"].as_str().unwrap().to_owned();
        }
    };
    // A log that nobody reads would stop the program.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (child, address)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Liar {
    /// Any actor of the device's own.
    pub(crate) fn actor(&self, suffix: u32) -> ActorId {
        ActorId::new(self.prefix, suffix.to_be_bytes())
    }

    /// A push of these groups, signed as it must be.
    pub(crate) fn signed(&self, groups: Vec<PushGroup>) -> PushRequest {
        let signature = sign::sign(&self.key, self.id, &groups).unwrap();
        PushRequest::new(self.id, groups, signature)
    }
}

/// A device that does what devices do.
pub(crate) struct Phone {
    pub(crate) replica: Replica,
    token: String,
    address: String,
}

impl Phone {
    /// Makes a customer of this name.
    pub(crate) fn create(&mut self, name: &str) -> RecordId {
        let fields = fields(json!({ "company_name": name, "notes": "Typed in the field." }));
        self.replica.create("customer", &fields).unwrap()
    }

    /// Edits it.
    pub(crate) fn rename(&mut self, record: RecordId, name: &str) {
        self.replica.update(record, &fields(json!({ "company_name": name }))).unwrap();
    }

    /// One conversation with the server: every request is answered.
    pub(crate) fn sync(&mut self) {
        let mut session = Session::new();
        while let Some(request) = session.next(&mut self.replica).unwrap() {
            let answer = post(&self.address, request.path, &self.token, TYPE, &request.body);
            assert_eq!(answer.status, 200, "{} {}", request.path, answer.code());
            session.receive(&mut self.replica, &mut answer.body.as_slice()).unwrap();
        }
        assert_eq!(self.replica.status().unwrap().waiting, 0, "everything arrived");
    }
}

fn fields(json: Value) -> Map<String, Value> {
    let Value::Object(fields) = json else { panic!("{json} has no fields") };
    fields
}

/// Sends a body with a token (none if it is empty).
pub(crate) fn post(address: &str, path: &str, token: &str, kind: &str, body: &[u8]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let mut request = ureq::http::Request::builder()
        .method("POST")
        .uri(format!("http://{address}{path}"))
        .header("content-type", kind);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut response = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
    Answer { status, body, location: None }
}
