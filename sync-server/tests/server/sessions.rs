//! Signing in and out; what forms must bring along; what strangers see.

use outrider_sync_server::{
    accounts::{SESSION_AGE_MS_MAX, SESSION_IDLE_MS},
    storage::Storage,
};

use crate::{
    browser::{Browser, PASSWORD, create_administrator},
    world::Office,
};

#[test]
fn strangers_are_sent_to_sign_in_and_come_back() {
    let office = Office::open(&[]);
    create_administrator(&office);
    let mut browser = Browser::new(&office);
    assert_eq!(browser.get("/").location(), "/sign-in");
    let asked = browser.get("/records/customer?q=%E4%B8%89");
    assert_eq!(asked.location(), "/sign-in?next=%2Frecords%2Fcustomer%3Fq%3D%25E4%25B8%2589");
    let location = asked.location().to_owned();
    let mut form = browser.get(&location).fields();
    form.retain(|(name, _)| name == "next");
    form.push(("login".to_owned(), "Admin".to_owned()));
    form.push(("password".to_owned(), PASSWORD.to_owned()));
    let seen = browser.send("/sign-in", &form);
    assert_eq!(seen.location(), "/records/customer?q=%E4%B8%89");
    let cookie = seen.header("set-cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    assert_eq!(browser.get("/records/customer").status, 200);
    for away in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let form = [("login", "admin"), ("password", PASSWORD), ("next", away)];
        assert_eq!(browser.send("/sign-in", &form).location(), "/", "{away}");
    }
}

#[test]
fn a_wrong_password_and_an_unknown_login_are_told_the_same() {
    let office = Office::open(&[]);
    create_administrator(&office);
    let mut browser = Browser::new(&office);
    let mut words = Vec::new();
    for (login, password) in [("admin", "wrong"), ("nobody", PASSWORD), ("admin", "")] {
        let seen = browser.send("/sign-in", &[("login", login), ("password", password)]);
        assert_eq!(seen.status, 401);
        assert!(browser.cookies.is_empty());
        words.push(seen.text.replace(login, "LOGIN"));
    }
    assert!(words.iter().all(|page| page.contains("Login or password is wrong")));
    assert_eq!(words[0].replace(" autofocus", ""), words[1].replace(" autofocus", ""));
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    create_administrator(&office);
    let mut browser = Browser::new(&office);
    let mut attempt =
        |login: &str| browser.send("/sign-in", &[("login", login), ("password", "guess")]).status;
    let statuses: Vec<u16> = (0..11).map(|_| attempt("admin")).collect();
    assert_eq!(statuses[9..], [401, 429], "{statuses:?}");
    assert_eq!(attempt("another"), 401, "others are not slowed down");
    let office = Office::open(&["--sign-ins-per-minute", "3"]);
    let mut browser = Browser::new(&office);
    let statuses: Vec<u16> =
        (0..4).map(|n| browser.send("/sign-in", &[("login", format!("user{n}"))]).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429]);
}

#[test]
fn a_session_ends_by_signing_out_by_idleness_and_with_a_new_password() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let before = browser.cookies.clone();
    browser.sign_in();
    assert_ne!(browser.cookies, before, "a fresh token for each sign-in");
    let mut old = Browser::new(&office);
    old.cookies = before;
    assert_eq!(old.get("/").status, 303, "the token before is worth nothing");

    let kept = browser.cookies.clone();
    assert_eq!(browser.post("/sign-out", &[]).location(), "/sign-in");
    assert_eq!(browser.cookies["outrider_session"], "");
    browser.cookies = kept;
    assert_eq!(browser.get("/").status, 303, "signed out at the server, not in the browser alone");

    browser.sign_in();
    office.clock.advance(SESSION_IDLE_MS);
    assert_eq!(browser.get("/").status, 303);
    browser.sign_in();
    for _ in 0..(SESSION_AGE_MS_MAX / SESSION_IDLE_MS * 2 - 1) {
        office.clock.advance(SESSION_IDLE_MS / 2);
        assert_eq!(browser.get("/").status, 200, "in use");
    }
    office.clock.advance(SESSION_IDLE_MS / 2);
    assert_eq!(browser.get("/").status, 303, "in use, but too old");
}

#[test]
fn forms_of_others_are_refused() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let form = [("f.company_name", "Nordlicht")];
    let position = || office.storage.read().unwrap().position().unwrap();
    let before = position();
    for csrf in ["", "00", "no"] {
        let mut form = form.to_vec();
        form.push(("_csrf", csrf));
        let seen = browser.send("/records/customer/new", &form);
        assert_eq!(seen.status, 403);
        assert!(seen.text.contains("Nordlicht"), "what was typed is kept");
    }
    let csrf = browser.csrf();
    for site in ["cross-site", "same-site"] {
        browser.headers.insert("sec-fetch-site", site.to_owned());
        let seen = browser.send("/records/customer/new", &[("_csrf", csrf.as_str()), form[0]]);
        assert_eq!(seen.status, 403, "{site}");
        assert!(!seen.text.contains("Nordlicht"), "another site's words are not shown");
    }
    browser.headers.clear();
    browser.headers.insert("origin", "https://evil.example".to_owned());
    assert_eq!(browser.post("/records/customer/new", &form).status, 403);
    assert_eq!(browser.post("/sign-out", &[]).status, 403);
    browser.headers.clear();
    assert_eq!(position(), before, "nothing was written");
    assert_eq!(browser.post("/records/customer/new", &form).status, 303);
    assert!(position() > before);
}

#[test]
fn a_form_outlives_its_session() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let typed = "Three lines:\n  \"quoted\" & <b>\n三川";
    let mut form = browser.get("/records/customer/new").fields();
    for (name, value) in &mut form {
        match name.as_str() {
            "f.company_name" => "Nordlicht".clone_into(value),
            "f.notes" => typed.clone_into(value),
            _ => {}
        }
    }
    office.clock.advance(SESSION_IDLE_MS);
    let asked = browser.send("/records/customer/new", &form);
    assert_eq!(asked.status, 401);
    assert!(asked.text.contains("type=\"password\""));
    // The browser sends what the page to sign in holds, with login and password.
    let mut again = asked.fields();
    again.retain(|(name, _)| name != "login" && name != "password");
    again.push(("login".to_owned(), "admin".to_owned()));
    again.push(("password".to_owned(), "wrong".to_owned()));
    let asked = browser.send("/sign-in", &again);
    assert_eq!(asked.status, 401, "kept over a wrong password too");
    let mut again = asked.fields();
    again.retain(|(name, _)| name != "password");
    again.push(("password".to_owned(), PASSWORD.to_owned()));
    let filled = browser.send("/sign-in", &again);
    assert_eq!(filled.status, 200);
    assert!(filled.text.contains("action=\"/records/customer/new\""));
    let fields = filled.fields();
    assert!(fields.contains(&("f.company_name".to_owned(), "Nordlicht".to_owned())));
    assert!(fields.contains(&("f.notes".to_owned(), typed.to_owned())));
    let saved = browser.send("/records/customer/new", &fields).location().to_owned();
    assert!(browser.get(&saved).text.contains("Nordlicht"));
}

#[test]
fn forms_have_limits() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let csrf = browser.csrf();
    let large = "x".repeat(4 * 1024 * 1024 + 70_000);
    let seen =
        browser.send("/records/customer/new", &[("_csrf", csrf.as_str()), ("f.notes", &large)]);
    assert_eq!(seen.status, 413);
    let many: Vec<(&str, &str)> = vec![("f.x", ""); 10_001];
    assert_eq!(browser.send("/records/customer/new", &many).status, 413);
    let mut most = vec![("f.x", ""); 9_999];
    most.push(("_csrf", csrf.as_str()));
    assert_eq!(
        browser.send("/records/customer/new", &most).status,
        422,
        "read, and refused in words"
    );
}
