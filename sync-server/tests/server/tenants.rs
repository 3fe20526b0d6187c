//! Two companies on one server, the program itself: nothing of one is anything to the other.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use outrider_core::{
    access::Policy,
    ids::to_hex,
    time::{Clock as _, SystemClock},
};
use outrider_sync_server::{
    enrol::create_code,
    office,
    storage::{Storage, sqlite::SqliteStorage},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    browser::agent,
    world::{NOW, prove, public_key},
};

fn program(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrider-sync-server"));
    command.env("OUTRIDER_DATA", data).args(args);
    command
}

/// Runs a command that must succeed; its JSON.
fn run(data: &Path, args: &[&str]) -> Value {
    let output = program(data, args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The program, serving; ended when dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(data: &Path) -> Self {
        let mut child = program(data, &["serve", "--listen", "127.0.0.1:0"])
            .args(["--sign-ins-per-minute", "1000", "--enrolments-per-minute", "1000"])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(data.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn ask(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Seen {
        let agent = agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if path.starts_with("/v1/") {
            let token = headers.iter().find_map(|(_, value)| value.strip_prefix("Bearer "));
            let asked = (method, path);
            let proof = prove(asked, token.unwrap_or(""), body.as_bytes(), SystemClock.now_ms());
            request = request.header("outrider-proof", proof);
        }
        let mut response = agent.run(request.body(body.as_bytes().to_vec()).unwrap()).unwrap();
        let cookie = response.headers().get("set-cookie");
        let cookie = cookie.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut bytes).unwrap();
        let status = response.status().as_u16();
        Seen { status, cookie, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    fn get(&self, host: &str, path: &str, token: &str) -> Seen {
        self.ask(host, "GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    fn page(&self, host: &str, path: &str, cookie: &str) -> Seen {
        self.ask(host, "GET", path, &[("cookie", cookie), ("accept", "text/html")], "")
    }

    fn enrol(&self, host: &str, code: &str) -> Seen {
        let key = to_hex(&public_key());
        let body = json!({"code": code, "device_name": "Phone", "public_key": key, "protocol": 2});
        let json = [("content-type", "application/json")];
        self.ask(host, "POST", "/v1/enroll", &json, &body.to_string())
    }

    /// Signs in; the session's cookie.
    fn sign_in(&self, host: &str, password: &str) -> Seen {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("login", "admin"), ("password", password)])
            .finish();
        let form_type = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.ask(host, "POST", "/sign-in", &form_type, &form)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Seen {
    status: u16,
    cookie: String,
    text: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?} is no JSON"))
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or("none").to_owned()
    }
}

/// One of the companies, seen from outside.
struct Company {
    host: &'static str,
    data: PathBuf,
    canary: &'static str,
    password: String,
    record: String,
    code: String,
}

impl Company {
    /// A customer with a name that must show nowhere else, and a code.
    fn fill(host: &'static str, data: PathBuf, canary: &'static str, password: String) -> Self {
        let storage = SqliteStorage::open(&data).unwrap();
        let author = office::author_for(&storage, "wang", None, NOW).unwrap();
        let fields = json!({ "company_name": canary, "notes": canary });
        let fields = fields.as_object().unwrap();
        let record =
            office::create(&storage, &Policy::open(), &author, "customer", fields, NOW).unwrap();
        let random = u128::from_be_bytes(*uuid::Uuid::now_v7().as_bytes());
        let now = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(),
        );
        let (code, _) = create_code(&storage, "wang", 10, random, now.unwrap()).unwrap();
        Self { host, data, canary, password, record: record.to_string(), code }
    }
}

fn add(data: &Path, name: &str, host: &str) -> (PathBuf, String) {
    let made = run(data, &["tenant", "add", name, "--host", host, "--json"]);
    let password = made["password"].as_str().unwrap().to_owned();
    (data.join("tenants").join(name), password)
}

fn world() -> (TempDir, Vec<Company>) {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    drop(SqliteStorage::open(&data).unwrap());
    let (acme, acme_password) = add(&data, "acme", "crm.acme.example");
    let (beta, beta_password) = add(&data, "beta", "crm.beta.example");
    let first_password =
        run(&data, &["password", "--user", "admin", "--create", "--json"])["password"]
            .as_str()
            .unwrap()
            .to_owned();
    let companies = vec![
        Company::fill("127.0.0.1", data, "CANARYFIRST", first_password),
        Company::fill("crm.acme.example", acme, "CANARYACME", acme_password),
        Company::fill("beta.localhost", beta, "CANARYBETA", beta_password),
    ];
    (folder, companies)
}

#[test]
fn nothing_of_one_company_is_anything_to_another() {
    let (_folder, companies) = world();
    let server = Running::start(&companies[0].data);
    let mut tokens = Vec::new();
    let mut cookies = Vec::new();
    for company in &companies {
        // A code is good where it was made alone; trying it elsewhere does not use it up.
        for other in companies.iter().filter(|other| other.host != company.host) {
            let refused = server.enrol(other.host, &company.code);
            assert_eq!((refused.status, refused.code().as_str()), (403, "code_unknown"));
            let refused = server.sign_in(other.host, &company.password);
            assert_eq!(refused.status, 401, "{} at {}", company.host, other.host);
        }
        let enrolled = server.enrol(company.host, &company.code);
        assert_eq!(enrolled.status, 200, "{enrolled:?}");
        tokens.push(enrolled.json()["token"].as_str().unwrap().to_owned());
        let signed_in = server.sign_in(company.host, &company.password);
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        assert!(!signed_in.cookie.to_lowercase().contains("domain"), "{}", signed_in.cookie);
        cookies.push(signed_in.cookie.split(';').next().unwrap().to_owned());
    }
    for (n, company) in companies.iter().enumerate() {
        let (token, cookie) = (&tokens[n], &cookies[n]);
        let own = format!("/v1/records/{}", company.record);
        assert_eq!(server.get(company.host, &own, token).status, 200);
        assert_eq!(server.page(company.host, "/", cookie).status, 200);
        for other in companies.iter().filter(|other| other.host != company.host) {
            for path in ["/v1/status", &own, "/v1/search?q=CANARY", "/v1/export/customer"] {
                let refused = server.get(other.host, path, token);
                assert_eq!(refused.status, 401, "{path}: {refused:?}");
            }
            let page = server.page(other.host, "/records/customer", cookie);
            assert!(!page.text.contains("CANARY"), "{page:?}");
            assert!(page.status == 303 || page.text.contains("name=\"password\""), "{page:?}");
            // Ids of the other are like ids of nobody.
            let theirs = server.get(company.host, &format!("/v1/records/{}", other.record), token);
            assert_eq!(theirs.status, 404, "{theirs:?}");
            let path = format!("/records/customer/{}", other.record);
            let theirs = server.page(company.host, &path, cookie);
            assert_eq!(theirs.status, 404, "{}", theirs.status);
        }
        for path in ["/v1/search?q=CANARY", "/v1/export/customer?format=jsonl"] {
            let seen = server.get(company.host, path, token);
            assert_eq!(seen.status, 200, "{path}: {seen:?}");
            // A word typed in part finds nothing of the other, and finds one's own.
            for other in &companies {
                let is_there = seen.text.contains(other.canary);
                let whole = format!("/v1/search?q={}", other.canary);
                let found = server.get(company.host, &whole, token).text.contains(other.canary);
                let is_own = other.host == company.host;
                assert_eq!(found, is_own, "{} searches {}", company.host, other.canary);
                assert!(is_own || !is_there, "{path} at {}: {}", company.host, seen.text);
            }
        }
        for path in ["/records/customer", "/search?q=CANARY", "/duplicates", "/devices"] {
            let seen = server.page(company.host, path, cookie);
            for other in companies.iter().filter(|other| other.host != company.host) {
                assert!(!seen.text.contains(other.canary), "{path} at {}", company.host);
            }
        }
    }
    // Two hosts in one request are nobody's.
    let headers = [("authorization", format!("Bearer {}", tokens[0]))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let twice = server.ask("acme.localhost, x", "GET", "/v1/status", &headers, "");
    assert_eq!(twice.status, 400, "{twice:?}");
    // The log says whose a line is, and what nobody's secret or word is.
    drop(server);
    let log = fs::read_to_string(companies[0].data.join("log")).unwrap();
    assert!(log.contains("\"tenant\":\"acme\"") && log.contains("\"tenant\":\"beta\""), "{log}");
    assert!(!log.contains("CANARY"), "{log}");
    assert!(tokens.iter().all(|token| !log.contains(token)));
}

#[test]
fn each_company_has_a_backup_of_its_own() {
    let (folder, companies) = world();
    let data = &companies[0].data;
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let key = run(data, &["backup-key", "--json", "--out", &at("key")]);
    let key = key["public_key"].as_str().unwrap();
    let server = Running::start(data);
    let made =
        run(data, &["backup", "--all", "--json", "--recipient", key, "--to", &at("backups")]);
    drop(server);
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), 3);
    for (n, (company, backup)) in companies.iter().zip(made).enumerate() {
        let file = backup["file"].as_str().unwrap();
        assert_eq!(backup["tenant"], ["", "acme", "beta"][n]);
        let to = at(&format!("restored-{n}"));
        let args = ["restore", file, "--identity", &at("key"), "--without-ledger", "--data", &to];
        run(data, &[&args[..], &["--json"]].concat());
        let bytes = fs::read(Path::new(&to).join("outrider.db")).unwrap();
        for other in &companies {
            let canary = other.canary.as_bytes();
            let is_there = bytes.windows(canary.len()).any(|window| window == canary);
            assert_eq!(is_there, other.host == company.host, "{n} {}", other.canary);
        }
    }
    // In place, with its ledger, by name.
    let acme = made[1]["file"].as_str().unwrap();
    let args = ["restore", acme, "--identity", &at("key"), "--replace", "--tenant", "acme"];
    run(data, &[&args[..], &["--json"]].concat());
    let count = |data: &Path| {
        SqliteStorage::open(data).unwrap().read().unwrap().counts().unwrap().documents
    };
    assert_eq!(count(&companies[1].data), count(&companies[2].data));
    for tenant in
        [&["--json"][..], &["--tenant", "acme", "--json"], &["--tenant", "beta", "--json"]]
    {
        let found = run(data, &[&["verify"][..], tenant].concat());
        assert_eq!(found["problem_count"], 0, "{found}");
    }
}

#[test]
fn tenants_are_listed_and_mistakes_are_told() {
    let (_folder, companies) = world();
    let data = &companies[0].data;
    let all = run(data, &["tenant", "list", "--json"]);
    assert_eq!(
        all,
        json!([
            {"tenant": "acme", "hosts": ["crm.acme.example", "acme.localhost"]},
            {"tenant": "beta", "hosts": ["crm.beta.example", "beta.localhost"]},
        ])
    );
    let refused = |args: &[&str]| {
        let output = program(data, args).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["tenant", "add", "acme"]).contains("already"));
    assert!(refused(&["tenant", "add", "new", "--host", "crm.acme.example"]).contains("acme"));
    assert!(refused(&["tenant", "add", "../x"]).contains("a-z"));
    assert!(refused(&["code", "--user", "li", "--tenant", "gone"]).contains("tenant list"));
    assert!(run(data, &["code", "--user", "li", "--tenant", "acme", "--json"])["code"].is_string());
}
