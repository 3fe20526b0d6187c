//! Accounts as administrators keep them, and looking at the office as somebody else.

use outrider_core::access::Policy;
use outrider_sync_server::{office, storage::Storage};

use crate::{
    browser::{Browser, routes},
    world::{NOW, Office},
};

fn id_of(office: &Office, login: &str) -> uuid::Uuid {
    office.storage.read().unwrap().account_by_login(login).unwrap().unwrap().id
}

/// The password that a page shows once.
fn shown(text: &str) -> String {
    let found = text.split("id=\"password\">").nth(1).unwrap_or_else(|| panic!("{text}"));
    found.split('<').next().unwrap().to_owned()
}

#[test]
fn an_account_is_made_used_switched_off_and_on() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut admin = Browser::signed_in(&office);
    let made =
        admin.post("/accounts", &[("login", "Li.Na"), ("user", "Li Na"), ("role", "office")]);
    let password = shown(&made.text);
    assert!(admin.get("/accounts").text.contains("li.na"));
    assert!(!admin.get("/accounts").text.contains(&password), "shown once");
    let reserved =
        admin.post("/accounts", &[("login", "Office"), ("user", "X"), ("role", "office")]);
    assert!(reserved.text.contains("own name."), "{}", reserved.text);
    let twice = admin.post("/accounts", &[("login", "li.na "), ("role", "office")]);
    assert!(twice.text.contains("already"));
    let unknown = admin.post("/accounts", &[("login", "x"), ("role", "king")]);
    assert_eq!(unknown.status, 400);

    let mut li = Browser::new(&office);
    let form = [("login", "li.na"), ("password", password.as_str())];
    assert_eq!(li.send("/sign-in", &form).status, 303);
    let id = id_of(&office, "li.na");
    let page = |action: &str| format!("/accounts/{id}/{action}");
    assert_eq!(admin.post(&page("disable"), &[]).location(), "/accounts?done");
    assert_eq!(li.get("/").status, 303, "signed out at once");
    let refused = li.send("/sign-in", &form);
    assert!(refused.status == 401 && refused.text.contains("Login or password is wrong"));
    assert_eq!(admin.post(&page("enable"), &[]).location(), "/accounts?done");
    assert_eq!(li.send("/sign-in", &form).status, 303);

    let again = shown(&admin.post(&page("password"), &[]).text);
    assert_ne!(again, password);
    assert_eq!(li.get("/").status, 303);
    assert_eq!(li.send("/sign-in", &form).status, 401);
    let form = [("login", "li.na"), ("password", again.as_str())];
    assert_eq!(li.send("/sign-in", &form).status, 303);
    admin.post(&page("role"), &[("role", "administrator")]);
    assert_eq!(li.send("/sign-in", &form).status, 303, "signs in anew with a new role");
    assert_eq!(li.get("/accounts").status, 200);
    let actions: Vec<&str> = ["account_created", "account_disabled", "account_enabled", "role_set"]
        .into_iter()
        .filter(|action| !office.audit(action).is_empty())
        .collect();
    assert_eq!(actions.len(), 4, "{actions:?}");
}

#[test]
fn nobody_shuts_themselves_or_everybody_out() {
    let office = Office::open(&[]);
    let mut admin = Browser::signed_in(&office);
    let own = id_of(&office, "admin");
    for (action, form) in [("disable", vec![]), ("role", vec![("role", "office")])] {
        let seen = admin.post(&format!("/accounts/{own}/{action}"), &form);
        assert!(seen.text.contains("last administrator"), "{action}: {}", seen.text);
    }
    assert_eq!(admin.get("/accounts").status, 200);
    let nobody = uuid::Uuid::from_u128(77);
    let seen = admin.post(&format!("/accounts/{nobody}/disable"), &[]);
    assert!(seen.text.contains("no such account"));
}

#[test]
fn an_account_is_linked_to_a_users_record() {
    let office = Office::open(&[]);
    let mut admin = Browser::signed_in(&office);
    let policy = Policy::open();
    let user = office::ensure_user(office.storage.as_ref(), &policy, "Li Na", NOW).unwrap();
    let customer = office.customer("Acme", "+44 113 496 0000");
    let own = id_of(&office, "admin");
    let link = |admin: &mut Browser<'_>, record: String| {
        admin.post(&format!("/accounts/{own}/user"), &[("record", &record)])
    };
    assert!(link(&mut admin, customer.to_string()).text.contains("no such account or user"));
    assert_eq!(link(&mut admin, "x".to_owned()).status, 400);
    assert_eq!(link(&mut admin, user.to_string()).location(), "/accounts?done");
    let linked = office.storage.read().unwrap().account(own).unwrap().unwrap().user_record;
    assert_eq!(linked, Some(user));
    assert!(admin.get("/accounts").text.contains(&format!("/records/user/{user}")));
    link(&mut admin, String::new());
    assert_eq!(office.storage.read().unwrap().account(own).unwrap().unwrap().user_record, None);
}

#[test]
fn who_works_with_records_keeps_no_accounts() {
    let office = Office::open(&[]);
    let mut clerk = Browser::clerk(&office, "li");
    let own = id_of(&office, "li");
    assert_eq!(clerk.get("/accounts").status, 403);
    assert!(!clerk.get("/").text.contains("href=\"/accounts\""));
    let posts = [
        "/accounts".to_owned(),
        "/see-as".to_owned(),
        format!("/accounts/{own}/role"),
        format!("/accounts/{own}/password"),
        format!("/accounts/{own}/second-factor"),
        format!("/accounts/{own}/user"),
        format!("/accounts/{own}/disable"),
        format!("/accounts/{own}/enable"),
    ];
    for path in posts {
        let form = [("role", "administrator"), ("login", "x"), ("account", "y")];
        assert_eq!(clerk.post(&path, &form).status, 403, "{path}");
    }
}

#[test]
fn looking_as_somebody_is_read_only_said_on_every_page_and_noted() {
    let office = Office::open(&["--sign-ins-per-minute", "1000"]);
    let mut admin = Browser::signed_in(&office);
    let mut li = Browser::clerk(&office, "li");
    let id = office.customer("Acme", "+44 113 496 0000");
    let li_id = id_of(&office, "li");
    assert_eq!(admin.post("/see-as", &[("account", &li_id.to_string())]).location(), "/");
    let banner = "You are looking as li";
    for path in ["/", "/records/customer", "/me", "/search?q=acme", "/reports/pipeline"] {
        assert!(admin.get(path).text.contains(banner), "{path}");
    }
    assert!(!li.get("/").text.contains(banner));
    for path in ["/accounts", "/audit", "/devices"] {
        assert_eq!(admin.get(path).status, 403, "{path}: as that person sees it");
    }
    admin.get(&format!("/records/customer/{id}"));
    let line = office.storage.read().unwrap().audit_lines(0, 10_000).unwrap().pop().unwrap();
    assert_eq!(line.account.unwrap(), uuid::Uuid::from_u128(1).as_bytes());
    assert_eq!(line.subject.unwrap(), li_id.as_bytes(), "who looked, and as whom");

    let csrf = admin.csrf();
    let position = office.position();
    let mut refused = 0;
    for (route, _, is_post) in routes() {
        let open = ["/sign-in", "/sign-in/code", "/sign-out", "/see-as/stop"];
        if !is_post || open.contains(&route.as_str()) {
            continue;
        }
        let path = route.replace("{entity}", "customer").replace("{id}", &id.to_string());
        let path = path.replace("{other}", &id.to_string());
        let seen = admin.send(&path, &[("_csrf", csrf.as_str()), ("language", "zh")]);
        assert_eq!(seen.status, 403, "{path}");
        assert!(seen.text.contains("nothing can be written"), "{path}: {}", seen.text);
        refused += 1;
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(office.position(), position);

    assert_eq!(admin.post("/see-as/stop", &[]).location(), "/accounts");
    assert!(!admin.get("/").text.contains("You are looking as"));
    assert_eq!(admin.get("/accounts").status, 200);
    assert_eq!(office.audit("see_as_begun").len(), 1);
    assert_eq!(office.audit("see_as_ended").len(), 1);

    let policy = Policy::open();
    let user = office::ensure_user(office.storage.as_ref(), &policy, "Wang Wei", NOW).unwrap();
    assert_eq!(admin.post("/see-as", &[("user", &user.to_string())]).location(), "/");
    assert!(admin.get("/").text.contains("You are looking as Wang Wei"));
    assert_eq!(admin.get("/devices").status, 403);
    admin.post("/see-as/stop", &[]);
    assert_eq!(admin.post("/see-as", &[("user", &id.to_string())]).status, 404, "a customer");
}
