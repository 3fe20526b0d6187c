//! TLS from end to end: a server with an authority of its own, devices that pin it, and those who
//! stand between.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    watch::Watching,
    world::{Device, OUTRIDER},
};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that speaks TLS; it ends with the test.
struct Office {
    folder: TempDir,
    child: Child,
    said: BufReader<ChildStdout>,
    url: String,
}

impl Office {
    /// With an authority of its own, at an address.
    fn start(address: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), address, &["--tls", "auto"])
    }

    fn start_in(folder: TempDir, address: &str, settings: &[&str]) -> Self {
        let mut child = Command::new(OUTRIDER)
            .args(["serve", "--listen", address, "--enrolments-per-minute", "1000"])
            .args(settings)
            .arg("--data")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("its address").to_owned();
        assert!(url.starts_with("https://"), "{url}");
        Self { folder, child, said, url }
    }

    fn address(&self) -> String {
        self.url.strip_prefix("https://").unwrap().to_owned()
    }

    /// A code, and the fingerprint that stands beside it.
    fn code(&self, user: &str) -> (String, Option<String>) {
        let output = Command::new(OUTRIDER)
            .args(["code", "--json", "--user", user, "--data"])
            .arg(self.folder.path())
            .output()
            .unwrap();
        let told: Json = serde_json::from_slice(&output.stdout).unwrap();
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        (text("code").unwrap(), text("ca_fingerprint"))
    }

    fn device(&self, user: &str) -> Device {
        let device = bare(&self.folder, user);
        let (code, ca) = self.code(user);
        device.json(&[
            "enroll",
            &self.url,
            &code,
            "--ca-fingerprint",
            &ca.unwrap(),
            "--name",
            user,
        ]);
        device
    }

    fn stop(&mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bare(folder: &TempDir, user: &str) -> Device {
    let device = Device { home: folder.path().join("devices").join(user) };
    device.json(&["init"]);
    device
}

fn failure(output: &Output) -> (i32, String, String) {
    let error: Json = serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |name: &str| error["error"][name].as_str().unwrap().to_owned();
    (output.status.code().unwrap(), text("code"), text("message"))
}

fn created(device: &Device, name: &str) -> String {
    let made = device.json(&["create", "customer", &format!("company_name={name}")]);
    made["record"].as_str().unwrap().to_owned()
}

#[test]
fn devices_talk_to_the_authority_that_they_pinned_and_to_no_other() {
    let mut office = Office::start("127.0.0.1:0");
    let (anna, ben) = (office.device("anna"), office.device("ben"));
    let first = created(&anna, "Acme");
    anna.sync();
    // The live channel goes the same way.
    let watching = Watching::start(&ben);
    watching.synced("the first exchange", |_| true);
    assert_eq!(ben.json(&["get", &first])["company_name"], "Acme");
    let second = created(&anna, "Brown");
    anna.sync();
    watching.synced("news by TLS", |summary| summary["pulled"].as_u64() > Some(0));
    assert_eq!(ben.json(&["get", &second])["company_name"], "Brown");
    watching.stop();

    // Somebody else answers at the address: nothing is told to them, nothing is lost here.
    office.stop();
    let address = office.address();
    let impostor = Office::start(&address);
    let waiting = created(&anna, "Chen");
    let (exit, code, words) = failure(&anna.attempt(&["sync"]));
    assert_eq!((exit, code.as_str()), (5, "untrusted"), "{words}");
    assert!(words.contains("everything is kept here"), "{words}");
    assert_eq!(anna.json(&["status"])["waiting"], 1);
    assert_eq!(hits(impostor.folder.path(), "Chen"), 0, "the impostor got nothing");

    // With the office back everything goes on, its authority is the same after a restart.
    drop(impostor);
    let folder = std::mem::replace(&mut office.folder, tempfile::tempdir().unwrap());
    let again = Office::start_in(folder, &address, &["--tls", "auto"]);
    anna.sync();
    ben.sync();
    assert_eq!(ben.json(&["get", &waiting])["company_name"], "Chen");
    assert!(hits(again.folder.path(), "Chen") > 0, "what it gets would be found");
}

/// How often a server's files hold a text.
fn hits(folder: &Path, text: &str) -> usize {
    ["outrider.db", "outrider.db-wal"]
        .map(|name| fs::read(folder.join(name)).unwrap_or_default())
        .iter()
        .map(|bytes| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count())
        .sum()
}

#[test]
fn a_fingerprint_that_is_not_the_servers_enrolls_nobody() {
    let office = Office::start("127.0.0.1:0");
    let device = bare(&office.folder, "anna");
    let (code, ca) = office.code("anna");
    let ca = ca.unwrap();
    let wrong = ca.replace(char::is_alphanumeric, "0");
    let enroll = |args: &[&str]| {
        device.attempt(&[&["enroll", &office.url, &code, "--name", "a"], args].concat())
    };
    let (exit, error, words) = failure(&enroll(&["--ca-fingerprint", &wrong]));
    assert_eq!((exit, error.as_str()), (6, "fingerprint"), "{words}");
    assert!(words.contains(&ca) && words.contains(&wrong), "{words}");
    let (exit, error, _) = failure(&enroll(&["--ca-fingerprint", "12:34"]));
    assert_eq!((exit, error.as_str()), (2, "usage"));
    // Without it this authority is one that nobody knows.
    let (exit, error, words) = failure(&enroll(&[]));
    assert_eq!((exit, error.as_str()), (5, "untrusted"));
    assert!(words.contains("--ca-fingerprint"), "{words}");
    assert!(device.json(&["status"])["server"].is_null());
    // The code was told to nobody and is still good; people may write the digits as they like.
    let grouped: String = ca
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| format!("{}:", std::str::from_utf8(pair).unwrap()))
        .collect();
    assert!(enroll(&["--ca-fingerprint", grouped.trim_end_matches(':')]).status.success());
}

#[test]
fn plain_http_leaves_no_machine() {
    let folder = tempfile::tempdir().unwrap();
    let device = bare(&folder, "anna");
    for url in ["http://192.0.2.1:8480", "http://crm.example.com"] {
        let (exit, code, words) = failure(&device.attempt(&["enroll", url, "CODE"]));
        assert_eq!((exit, code.as_str()), (2, "plain_http"), "{words}");
    }
    let serve = |settings: &[&str]| {
        Command::new(OUTRIDER)
            .args(["serve", "--listen", "0.0.0.0:0", "--stop-with-input", "--data"])
            .arg(folder.path().join("server"))
            .args(settings)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let refused = serve(&[]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    for hint in ["--tls auto", "--tls-cert", "--behind-proxy"] {
        assert!(words.contains(hint), "{words}");
    }
    for settings in [&["--behind-proxy"] as &[&str], &["--tls", "auto", "--tls-name", "crm.test"]] {
        let served = serve(settings);
        let words = String::from_utf8_lossy(&served.stderr).into_owned();
        assert!(served.status.success(), "{settings:?}: {words}");
        let said = String::from_utf8_lossy(&served.stdout).into_owned();
        // The start that was refused made no account, whose password nobody would have seen.
        assert_eq!(said.contains("sign in as admin"), settings.len() == 1, "{said}");
        let scheme = if settings.len() > 1 { "https://0.0.0.0" } else { "http://0.0.0.0" };
        assert!(said.contains(scheme), "{said}");
    }
    let wrong = serve(&["--tls", "auto", "--tls-name", "no name é"]);
    let words = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && words.contains("correct --tls-name"), "{words}");
}

#[test]
fn keys_are_for_their_owner_and_plain_talk_gets_no_answer() {
    let office = Office::start("127.0.0.1:0");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name: &str| {
            fs::metadata(office.folder.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("tls"), mode("tls/ca.key"), mode("tls/ca.pem")), (0o700, 0o600, 0o644));
    }
    let mut stream = TcpStream::connect(office.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    // Who says nothing at all keeps no place for long: others are served meanwhile.
    let _silent = TcpStream::connect(office.address()).unwrap();
    office.device("anna").sync();
}

#[test]
fn the_page_with_a_code_names_the_authority() {
    let mut office = Office::start("127.0.0.1:0");
    let fingerprint = office.code("x").1.unwrap();
    let mut line = String::new();
    office.said.read_line(&mut line).unwrap();
    assert!(line.contains(&fingerprint), "{line}");
    line.clear();
    office.said.read_line(&mut line).unwrap();
    let password = line.trim().rsplit(' ').next().unwrap().to_owned();
    let agent = agent_for(&fs::read(office.folder.path().join("pinned-ca.der")).unwrap());
    let post = |path: &str, cookie: &str, form: &str| {
        agent
            .post([&office.url, path].concat())
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .send(form)
            .unwrap()
    };
    let form = format!("login=admin&password={password}&_csrf=");
    let answer = post("/sign-in", "", &form);
    let cookie = answer.headers().get("set-cookie").unwrap().to_str().unwrap().to_owned();
    assert!(cookie.contains("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let url = [&office.url, "/devices"].concat();
    let page = agent.get(url).header("cookie", cookie).call().unwrap();
    let page = page.into_body().read_to_string().unwrap();
    let csrf = page.split("name=\"_csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("user=Anna&minutes=5&_csrf={csrf}");
    let page = post("/devices/codes", cookie, &form).into_body().read_to_string().unwrap();
    assert!(page.contains(&format!("enroll {}", office.url)), "{page}");
    assert!(page.contains(&format!("--ca-fingerprint {fingerprint}")), "{page}");
    assert!(page.contains(&format!("ca={fingerprint}")), "{page}");
}

fn agent_for(ca: &[u8]) -> ureq::Agent {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let certificate = Certificate::from_der(ca).to_owned();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate])).build();
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.max_redirects_will_error(false).tls_config(tls).build().into()
}

/// Asks a server for something, trusting one authority; status, headers and body.
fn ask(url: &str, ca: &[u8], path: &str) -> Result<(u16, Option<String>, Vec<u8>), String> {
    let mut answer =
        agent_for(ca).get([url, path].concat()).call().map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let header = answer.headers().get("strict-transport-security");
    let header = header.map(|value| value.to_str().unwrap().to_owned());
    let body = answer.body_mut().read_to_vec().map_err(|error| error.to_string())?;
    Ok((status, header, body))
}

#[test]
fn certificates_from_files_are_read_again_when_told() {
    // Two authorities, made by two servers that are gone again.
    let files = tempfile::tempdir().unwrap();
    let (one, two) = (authority(), authority());
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
    let place = |made: &Made| {
        fs::write(&cert, &made.chain).unwrap();
        fs::write(&key, &made.key).unwrap();
        fs::write(&ca, &made.ca_pem).unwrap();
    };
    place(&one);
    let settings = ["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &ca];
    let office = Office::start_in(tempfile::tempdir().unwrap(), "127.0.0.1:0", &settings);
    let (status, strict, _) = ask(&office.url, &one.ca, "/health").unwrap();
    assert_eq!((status, strict.as_deref()), (200, Some("max-age=31536000")));
    assert_eq!(ask(&office.url, &one.ca, "/v1/ca").unwrap().2, one.ca);
    assert!(ask(&office.url, &two.ca, "/health").is_err());
    let anna = office.device("anna");
    anna.sync();
    // A broken file changes nothing; a good one counts from the next connection on.
    fs::write(&cert, "no certificate").unwrap();
    hang_up(&office);
    std::thread::sleep(Duration::from_millis(300));
    assert!(ask(&office.url, &one.ca, "/health").is_ok());
    place(&two);
    hang_up(&office);
    let begun = Instant::now();
    while ask(&office.url, &two.ca, "/health").is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new certificate is never used");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (_, code, _) = failure(&anna.attempt(&["sync"]));
    assert_eq!(code, "untrusted");
}

#[test]
fn a_server_without_an_authority_of_its_own_pins_nothing() {
    let office = crate::world::Office::start();
    let folder = tempfile::tempdir().unwrap();
    let device = bare(&folder, "anna");
    let fingerprint = "0".repeat(64);
    let tried = device.attempt(&["enroll", &office.url, "X", "--ca-fingerprint", &fingerprint]);
    let (exit, code, words) = failure(&tried);
    assert_eq!((exit, code.as_str()), (3, "no_authority"), "{words}");
    // And somebody who is no server at all.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let (exit, code, _) =
        failure(&device.attempt(&["enroll", &url, "X", "--ca-fingerprint", &fingerprint]));
    assert_eq!((exit, code.as_str()), (5, "unreachable"));
    answers.join().unwrap();
}

/// A certificate for 127.0.0.1, with its key and authority.
struct Made {
    chain: String,
    key: String,
    ca: Vec<u8>,
    ca_pem: String,
}

fn authority() -> Made {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let cert = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    Made { chain: cert.pem(), key: key.serialize_pem(), ca: ca.der().to_vec(), ca_pem: ca.pem() }
}

fn hang_up(office: &Office) {
    let id = office.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
}
