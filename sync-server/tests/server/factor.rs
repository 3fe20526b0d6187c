//! Signing in with a second factor; what one does with one's own account.

use outrider_sync_server::{
    accounts::factor::{self, FactorDraw, RECOVERY_CODES, STEP_S},
    keys::{NONCE_BYTES, ServerKey},
    storage::Storage,
};
use totp_rs::{Builder, Secret, Totp};

use crate::{
    browser::{Browser, PASSWORD, Seen, create_administrator},
    world::{NOW, Office},
};

const STEP_MS: i64 = STEP_S as i64 * 1_000;

fn app(secret: Secret) -> Totp {
    Builder::new().with_secret(secret).build().unwrap()
}

fn code(app: &Totp, at: i64) -> String {
    app.generate(u64::try_from(at / 1_000).unwrap()).to_string()
}

fn field(seen: &Seen, name: &str) -> String {
    let found = seen.fields().into_iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("no field {name}: {}", seen.text)).1
}

/// Sets up an app as a person does on the page; returns it with the recovery codes.
fn set_up(office: &Office, browser: &mut Browser<'_>) -> (Totp, Vec<String>) {
    let seen = browser.post("/me/second-factor", &[("password", PASSWORD)]);
    assert!(seen.text.contains("otpauth://totp/Outrider:admin?secret="), "{}", seen.text);
    assert!(seen.text.contains("<svg"));
    let secret = seen.text.split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    let app = app(Secret::try_from_base32(secret).unwrap());
    let wrong = browser.post("/me/second-factor/confirm", &[("code", "000000")]);
    assert!(wrong.text.contains("nothing has changed"));
    let now = outrider_core::time::Clock::now_ms(&*office.clock);
    let seen = browser.post("/me/second-factor/confirm", &[("code", &code(&app, now))]);
    let codes: Vec<String> = seen
        .text
        .split("<li>")
        .filter_map(|rest| rest.split("</li>").next())
        .filter(|text| text.len() == 19 && text.matches('-').count() == 3)
        .map(str::to_owned)
        .collect();
    assert_eq!(codes.len(), RECOVERY_CODES, "{}", seen.text);
    (app, codes)
}

/// Types login and password; the page that asks for the code.
fn knock(browser: &mut Browser<'_>) -> (Seen, String) {
    let form = [("login", "admin"), ("password", PASSWORD), ("next", "/records/customer")];
    let seen = browser.send("/sign-in", &form);
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(browser.cookies.is_empty(), "a password alone signs nobody in");
    let ticket = field(&seen, "ticket");
    (seen, ticket)
}

#[test]
fn signing_in_asks_for_a_code_and_takes_each_once() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut owner = Browser::signed_in(&office);
    let (app, recovery) = set_up(&office, &mut owner);
    assert!(owner.get("/me").text.contains("10 recovery codes are left"));
    let mut at = NOW + STEP_MS;
    office.clock.advance(STEP_MS);

    let mut browser = Browser::new(&office);
    let (seen, ticket) = knock(&mut browser);
    assert!(seen.text.contains("authenticator app"));
    let enter = |browser: &mut Browser<'_>, ticket: &str, code: &str| {
        let form = [("ticket", ticket), ("code", code), ("next", "/records/customer")];
        browser.send("/sign-in/code", &form)
    };
    let refused = enter(&mut browser, &ticket, "000000");
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("wrong, or was used"));
    let good = code(&app, at);
    assert_eq!(enter(&mut browser, &ticket, &good).location(), "/records/customer");
    assert_eq!(browser.get("/records/customer").status, 200);

    let mut second = Browser::new(&office);
    let (_, ticket) = knock(&mut second);
    assert_eq!(enter(&mut second, &ticket, &good).status, 401, "used");
    at += STEP_MS;
    let ahead = code(&app, at);
    assert_eq!(enter(&mut second, &ticket, &ahead).status, 303, "a phone that is ahead");
    let mut third = Browser::new(&office);
    let (_, ticket) = knock(&mut third);
    let seen = enter(&mut third, &ticket, &recovery[0]);
    assert_eq!(seen.status, 303);
    let (_, ticket) = knock(&mut Browser::new(&office));
    assert_eq!(enter(&mut Browser::new(&office), &ticket, &recovery[0]).status, 401);
    for _ in 0..4 {
        enter(&mut Browser::new(&office), &ticket, "111111");
    }
    let seen = enter(&mut Browser::new(&office), &ticket, &recovery[1]);
    assert!(seen.text.contains("Sign in again"), "five tries, then the password: {}", seen.text);
    assert!(office.audit("sign_in_failed").iter().all(|(_, code)| code == "second_factor"));
    assert_eq!(office.audit("recovery_code_used").len(), 1);
}

#[test]
fn guessing_codes_is_slowed_down_and_forged_tickets_are_none() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut owner = Browser::signed_in(&office);
    set_up(&office, &mut owner);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new(&office);
        let (_, ticket) = knock(&mut browser);
        for _ in 0..5 {
            let form = [("ticket", ticket.as_str()), ("code", "000000")];
            statuses.push(browser.send("/sign-in/code", &form).text.contains("Too many codes"));
        }
    }
    assert!(statuses.iter().any(|is_too_many| *is_too_many), "{statuses:?}");
    for ticket in ["", "zz", &"00".repeat(16)] {
        let form = [("ticket", ticket), ("code", "000000")];
        assert_eq!(Browser::new(&office).send("/sign-in/code", &form).status, 401);
    }
}

#[test]
fn a_second_factor_needs_the_password_to_come_and_to_go() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut browser = Browser::signed_in(&office);
    let seen = browser.post("/me/second-factor", &[("password", "wrong")]);
    assert!(seen.text.contains("The password is wrong") && !seen.text.contains("otpauth"));
    set_up(&office, &mut browser);
    assert!(browser.post("/me/second-factor", &[("password", PASSWORD)]).text.contains("already"));
    let kept = browser.post("/me/second-factor/remove", &[("password", "wrong")]);
    assert!(kept.text.contains("The password is wrong"));
    let gone = browser.post("/me/second-factor/remove", &[("password", PASSWORD)]);
    assert_eq!(gone.location(), "/me?done=removed");
    let mut other = Browser::new(&office);
    other.sign_in();
    assert_eq!(office.audit("second_factor_removed").len(), 1);
}

#[test]
fn the_command_removes_a_second_factor_with_the_password() {
    let folder = tempfile::TempDir::new().unwrap();
    let storage =
        outrider_sync_server::storage::sqlite::SqliteStorage::open(folder.path()).unwrap();
    let id = uuid::Uuid::from_u128(1);
    outrider_sync_server::accounts::ensure_administrator(&storage, "x", &[3; 16], id, NOW).unwrap();
    let key = ServerKey::load_or_create(folder.path()).unwrap();
    let account = storage.read().unwrap().account(id).unwrap().unwrap();
    let draw = FactorDraw { secret: [1; 20], nonce: [2; NONCE_BYTES] };
    factor::begin(&storage, &key, &account, &draw, NOW).unwrap();
    let code = code(&app(Secret::from(vec![1; 20])), NOW);
    factor::confirm(&storage, &key, id, &code, &[7; RECOVERY_CODES], NOW).unwrap_err();
    let random = std::array::from_fn(|n| (n as u128) << 64 | 1 << 127);
    factor::confirm(&storage, &key, id, &code, &random, NOW).unwrap();
    let run = |flags: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_outrider-sync-server"))
            .env("OUTRIDER_DATA", folder.path())
            .args(["password", "--user", "admin", "--json"])
            .args(flags)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(&[])["second_factor_removed"], false);
    assert!(storage.read().unwrap().second_factor(id).unwrap().is_some(), "stays unless asked");
    assert_eq!(run(&["--reset-second-factor"])["second_factor_removed"], true);
    assert!(storage.read().unwrap().second_factor(id).unwrap().is_none());
}

#[test]
fn a_password_of_ones_own_signs_out_everything_else() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut browser = Browser::signed_in(&office);
    let mut other = Browser::new(&office);
    other.headers.insert("user-agent", "Mozilla/5.0 (X11; Linux) Firefox/130.0".to_owned());
    other.sign_in();
    assert!(browser.get("/me").text.contains("Firefox, Linux"));
    let change = |browser: &mut Browser<'_>, old: &str, new: &str, again: &str| {
        browser.post("/me/password", &[("password", old), ("new", new), ("again", again)])
    };
    let good = "a long new password";
    assert!(change(&mut browser, PASSWORD, good, "another").text.contains("differ"));
    assert!(change(&mut browser, PASSWORD, "short", "short").text.contains("12 characters"));
    assert!(change(&mut browser, "wrong", good, good).text.contains("The password is wrong"));
    assert_eq!(other.get("/").status, 200, "nothing has changed yet");
    assert_eq!(change(&mut browser, PASSWORD, good, good).location(), "/me?done=password");
    assert_eq!(other.get("/").status, 303);
    assert_eq!(browser.get("/").status, 200);
    let form = [("login", "admin"), ("password", good)];
    assert_eq!(other.send("/sign-in", &form).status, 303);
    assert_eq!(browser.post("/me/sessions/end", &[]).location(), "/me?done=sessions");
    assert_eq!((browser.get("/").status, other.get("/").status), (200, 303));
}

#[test]
fn a_refused_sign_in_is_noted_without_what_was_typed() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    create_administrator(&office);
    let mut browser = Browser::new(&office);
    for login in
        ["admin", "hunter2-typed-into-the-wrong-field", " HUNTER2-typed-into-the-wrong-field"]
    {
        browser.send("/sign-in", &[("login", login), ("password", "SECRET-guess")]);
    }
    let lines = office.storage.read().unwrap().audit_lines(0, 1_000).unwrap();
    let lines: Vec<_> = lines.iter().filter(|line| line.action == "sign_in_failed").collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].subject.as_deref(), Some(&uuid::Uuid::from_u128(1).as_bytes()[..]));
    assert_eq!((lines[1].subject.as_ref(), &lines[1].hash), (None, &lines[2].hash), "told apart");
    assert_ne!(lines[0].hash, lines[1].hash);
    let bytes = std::fs::read(office.data().join("outrider.db")).unwrap();
    let bytes = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(!bytes.contains("hunter2") && !bytes.contains("secret-guess"));
}

#[test]
fn a_thousand_refused_sign_ins_do_not_keep_a_device_at_the_same_address_from_syncing() {
    let office = Office::open(&[]);
    create_administrator(&office);
    let (token, _) = office.enrolled();
    let mut browser = Browser::new(&office);
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for n in 0..1_000 {
        let form = [("login", format!("user{n}")), ("password", "guess".to_owned())];
        *statuses.entry(browser.send("/sign-in", &form).status).or_default() += 1;
    }
    assert!(statuses[&429] > 900, "{statuses:?}");
    assert_eq!(statuses.values().sum::<u32>(), 1_000);
    for _ in 0..20 {
        assert_eq!(office.get("/v1/status", &token).status, 200);
    }
}
