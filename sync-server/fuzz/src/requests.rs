//! Requests of a device and of somebody at the office: any path, any query, any form. Each has an
//! answer, none of them is the server's fault.

use std::{
    cell::RefCell,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use outrider_core::{
    access::Policy,
    ids::to_hex,
    sync::{
        key::DeviceKey as _,
        proof::{Asked, PROOF_HEADER, Proof},
    },
    time::ManualClock,
};
use outrider_core_fuzz::frames::{self, compressed};
use outrider_sync_server::{
    accounts::{begin_session, ensure_administrator},
    config::Config,
    enrol::{Applicant, Draw, create_code, enrol},
    keys::ServerKey,
    office,
    router::router,
    state::AppState,
    storage::{Storage, sqlite::SqliteStorage},
};
use p256::ecdsa::SigningKey;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// When everything happens.
const NOW: i64 = 1_700_000_000_000;
/// Inputs after which another server is begun: nonces are kept for a minute that never passes here,
/// and of one device so many and no more.
const INPUTS_OF_A_WORLD: u32 = 5_000;
/// Bytes of an answer that are read, at most.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What the session's cookie holds.
const SESSION: [u8; 32] = [5; 32];

/// Routes that are asked: by what, and with what before the input.
const ROUTES: &[(Way, &str)] = &[
    (Way::Device, "/v1/search?q="),
    (Way::Device, "/v1/search?"),
    (Way::Device, "/v1/near?"),
    (Way::Device, "/v1/export/customer?"),
    (Way::Device, "/v1/export/"),
    (Way::Device, "/v1/records/"),
    (Way::Device, "/v1/"),
    (Way::Message, "/v1/push"),
    (Way::Message, "/v1/pull"),
    (Way::Message, "/v1/check"),
    (Way::Message, "/v1/fetch"),
    (Way::Message, "/v1/review"),
    (Way::Json, "/v1/enroll"),
    (Way::Json, "/v1/enroll/status"),
    (Way::Json, "/v1/token"),
    (Way::Json, "/v1/purged"),
    (Way::Page, "/records/customer?"),
    (Way::Page, "/records/"),
    (Way::Page, "/search?"),
    (Way::Page, "/near?"),
    (Way::Page, "/audit?"),
    (Way::Page, "/duplicates?"),
    (Way::Page, "/suggest/"),
    (Way::Page, "/"),
];

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a device, with the input as the rest of the path.
    Device,
    /// By a device, with the input as a message, compressed.
    Message,
    /// By a stranger with a signature, with the input as JSON.
    Json,
    /// By somebody at the office.
    Page,
}

struct World {
    _folder: TempDir,
    runtime: Runtime,
    router: Router,
    token: String,
    csrf: String,
}

/// The first byte chooses the route, and what of an office's pages is sent as a form.
pub fn run(data: &[u8]) {
    thread_local! {
        static WORLD: RefCell<(World, u32)> = RefCell::new((World::open(), 0));
    }
    WORLD.with_borrow_mut(|(world, inputs)| {
        if *inputs >= INPUTS_OF_A_WORLD {
            (*world, *inputs) = (World::open(), 0);
        }
        *inputs += 1;
        world.ask(data);
    });
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

impl World {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let storage = SqliteStorage::open_for_test(folder.path(), true).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let author = office::author_for(&*storage, "wang", None, NOW).unwrap();
        for name in ["Acme", "上海长城", "Müller & Söhne"] {
            let fields = json!({ "company_name": name, "phone": "110" });
            let fields = fields.as_object().unwrap();
            office::create(&*storage, &Policy::open(), &author, "customer", fields, NOW).unwrap();
        }
        let token = enrolled(&*storage);
        ensure_administrator(&*storage, "马 to 成功, 42!", &[4; 16], uuid::Uuid::nil(), NOW)
            .unwrap();
        begin_session(&*storage, uuid::Uuid::nil(), &SESSION, None, "", NOW).unwrap();
        let data = folder.path().to_str().unwrap();
        let flags = [
            "--data",
            data,
            "--requests-burst",
            "4000000000",
            "--requests-per-second",
            "1000000000",
        ];
        let flags = flags.into_iter().chain([
            "--enrolments-per-minute",
            "4000000000",
            "--enrolment-tries",
            "4000000000",
        ]);
        let config = Arc::new(Config::from_flags(flags).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let clock = Arc::new(ManualClock::at(NOW));
        let router =
            router(AppState::new(storage, clock, config, ServerKey::from_bytes(&[7; 32]).unwrap()));
        drop(guard);
        let mut world = Self { _folder: folder, runtime, router, token, csrf: String::new() };
        let (status, page) = world.page("GET", "/reports/pipeline", Vec::new());
        assert_eq!(status, StatusCode::OK);
        let page = String::from_utf8(page).unwrap();
        let csrf =
            page.split("name=\"_csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        world.csrf = csrf.unwrap().to_owned();
        world
    }

    fn ask(&self, data: &[u8]) {
        let Some((kind, rest)) = data.split_first() else { return };
        let (way, path) = ROUTES[usize::from(kind & 0x7f) % ROUTES.len()];
        let (status, body) = match way {
            Way::Device => self.device("GET", &with(path, rest), "", Vec::new()),
            Way::Message => {
                let packed = if kind & 0x80 == 0 { compressed(rest) } else { rest.to_vec() };
                self.device("POST", path, "application/vnd.outrider.v1", packed)
            }
            Way::Json => self.device("POST", path, "application/json", rest.to_vec()),
            Way::Page if kind & 0x80 == 0 => self.page("GET", &with(path, rest), Vec::new()),
            Way::Page => {
                let cut = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                let (rest, form) = rest.split_at(cut);
                let form = [format!("_csrf={}&", self.csrf).as_bytes(), form].concat();
                self.page("POST", &with(path, rest), form)
            }
        };
        let is_ours = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
        assert!(!is_ours, "{status} for {path}: {}", String::from_utf8_lossy(&body));
        let (status, _) = self.device("GET", "/v1/status", "", Vec::new());
        assert_eq!(status, StatusCode::OK, "the next one is answered");
    }

    fn device(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        static NONCES: AtomicU64 = AtomicU64::new(1);
        let nonce = u128::from(NONCES.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
        let is_unnamed = kind == "application/json" && path != "/v1/purged";
        let token = if is_unnamed { "" } else { self.token.as_str() };
        let asked = Asked { method, path, token };
        let proof = Proof::new(&key(), &asked, &body, NOW, nonce).unwrap().to_string();
        let mut request = Request::builder().method(method).uri(path).header(PROOF_HEADER, proof);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        self.answer(request.body(Body::from(body)).unwrap())
    }

    fn page(&self, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, format!("outrider_session={}", to_hex(&SESSION)))
            .header(header::HOST, "x")
            .header(header::ORIGIN, "http://x")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.answer(request.body(Body::from(body)).unwrap())
    }

    fn answer(&self, mut request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let address: SocketAddr = ([127, 0, 0, 1], 9).into();
        request.extensions_mut().insert(ConnectInfo(address));
        let router = self.router.clone();
        self.runtime.block_on(async move {
            let response = router.oneshot(request).await.unwrap();
            let status = response.status();
            if response
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| kind == "text/event-stream")
            {
                return (status, Vec::new());
            }
            // An answer that breaks off is the server's fault too.
            let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap();
            (status, body.to_vec())
        })
    }
}

/// Enrols a device; its token.
fn enrolled(storage: &dyn Storage) -> String {
    let (code, _) = create_code(storage, "Wang Wei", 10, 0xfeed, NOW).unwrap();
    let applicant = Applicant {
        code,
        device_name: "Phone".to_owned(),
        public_key: key().public_key(),
        protocol: 2,
    };
    let device = enrol(storage, &applicant, &Draw::new().unwrap(), NOW).unwrap();
    let mut write = storage.write().unwrap();
    let token = [6; 32];
    write.set_token_hash(device.id, &outrider_sync_server::auth::hash_token(&token)).unwrap();
    write.commit().unwrap();
    to_hex(&token)
}

/// The input behind a path, as far as it can stand there.
fn with(path: &str, rest: &[u8]) -> String {
    let mut whole = path.to_owned();
    for byte in rest {
        match byte {
            b'!'..=b'~' if !b"\"<>\\^`{|}#".contains(byte) => whole.push(char::from(*byte)),
            _ => whole.push_str(&format!("%{byte:02X}")),
        }
    }
    whole
}

/// One request to each route.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let texts: &[&str] = &[
        "acme&limit=5",
        "entity=customer,contact&archived=true&q=x",
        "lat=31.2&lon=121.4&radius_m=100",
        "where=company_name=Acme&sort=company_name&format=csv",
        "customer?format=xlsx&headers=zh",
        "01900000-0000-7000-8000-000000000001/changes?field=phone",
        "status",
    ];
    let mut seeds: Vec<Vec<u8>> =
        (0_u8..).zip(texts).map(|(kind, text)| [&[kind], text.as_bytes()].concat()).collect();
    for (kind, message) in (7_u8..12).zip([0_usize, 2, 3, 5, 6]) {
        let seed = &frames::seeds()[message];
        seeds.push([&[kind], &seed[1..]].concat());
    }
    let json: &[&str] = &[
        r#"{"code":"x","device_name":"Phone","public_key":"00","protocol":2}"#,
        r#"{"device":"01900000-0000-7000-8000-000000000001","nonce":"00"}"#,
        r#"{"device":"01900000-0000-7000-8000-000000000001","refresh_token":"00","nonce":"00"}"#,
        r#"{"number":1}"#,
        "q=acme&sort=company_name&where=phone",
        "contact/new?customer=x",
        "q=%E5%9F%8E",
        "near=31,121",
        "action=applied&from=2020-01-01",
        "entity=customer",
        "customer?q=a",
        "records/customer/new",
    ];
    seeds.extend((12_u8..).zip(json).map(|(kind, text)| [&[kind], text.as_bytes()].concat()));
    seeds.push(b"\x91customer/new\ncompany_name=Acme&phones.new.number=1".to_vec());
    seeds
}
