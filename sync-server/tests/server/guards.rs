//! Every route of the office: its headers, and that no other site can send its forms.

use crate::{
    browser::{Browser, routes},
    pages::create,
    world::Office,
};

const HEADERS: &[(&str, &str)] = &[
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn filled(route: &str, id: &str) -> String {
    let path = route.replace("{entity}", "customer").replace("{id}", id).replace("{other}", id);
    let path = path.replace("{position}", "1").replace("{format}", "csv").replace("{digest}", "0");
    path.replace("{file}", "main.automerge").replace("{name}", "office.css")
}

#[test]
fn every_answer_of_every_route_has_the_headers() {
    let office = Office::open(&[]);
    let fields = serde_json::json!({ "company_name": "Acme" });
    let id = create(&office, "customer", fields.as_object().unwrap()).to_string();
    let mut people = [Browser::signed_in(&office), Browser::new(&office)];
    let mut count = 0;
    for (route, is_get, _) in routes() {
        // It stays open.
        if !is_get || route == "/live" {
            continue;
        }
        for browser in &mut people {
            let path = filled(&route, &id);
            let seen = browser.get(&path);
            assert!(seen.status < 500, "{path}: {}", seen.status);
            for (name, value) in HEADERS {
                assert_eq!(seen.header(name), *value, "{path}: {name}");
            }
            let policy = seen.header("content-security-policy");
            assert!(policy.contains("default-src 'none'"), "{path}");
            assert!(policy.contains("frame-ancestors 'none'"), "{path}");
            assert!(!policy.contains("unsafe"), "{path}");
            let permissions = seen.header("permissions-policy");
            assert!(permissions.contains("camera=()") && permissions.contains("geolocation=()"));
            count += 1;
        }
    }
    assert!(count > 50, "the search found next to nothing: {count}");
}

#[test]
fn no_form_is_taken_from_another_site_or_without_its_word() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let fields = serde_json::json!({ "company_name": "Acme" });
    let id = create(&office, "customer", fields.as_object().unwrap()).to_string();
    let mut browser = Browser::signed_in(&office);
    let csrf = browser.csrf();
    let position = office.position();
    // These carry no word: nobody is signed in yet, or it does not matter; the site does.
    let wordless = ["/sign-in", "/sign-in/code", "/send-again", "/language"];
    let mut count = 0;
    for (route, _, is_post) in routes() {
        if !is_post {
            continue;
        }
        let path = filled(&route, &id);
        let with_word = [("_csrf", csrf.as_str()), ("login", "admin")];
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            browser.headers.insert(name, value.to_owned());
            let seen = browser.send(&path, &with_word);
            assert_eq!(seen.status, 403, "{path} with {name}: {value}");
            browser.headers.clear();
        }
        if wordless.contains(&route.as_str()) {
            let seen = browser.silent(&path, &with_word);
            assert_eq!(seen.status, 403, "{path} from who knows where");
        } else {
            for word in ["", &"0".repeat(64)] {
                let seen = browser.send(&path, &[("_csrf", word)]);
                assert!([400, 403].contains(&seen.status), "{path}: {}", seen.status);
                let kept = browser.send(&path, &[("_csrf", word), ("x", "y")]);
                assert!([400, 403].contains(&kept.status), "{path}: {}", kept.status);
            }
        }
        count += 1;
    }
    assert!(count > 25, "the search found next to nothing: {count}");
    assert_eq!(office.position(), position);
    assert_eq!(browser.get("/").status, 200, "still signed in");
}
