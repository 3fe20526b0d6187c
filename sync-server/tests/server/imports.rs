//! Files imported on office pages: brought, looked at, tried, imported, taken back.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use outrider_core::{access::Policy, ids::RecordId};
use outrider_sync_server::{imports::UPLOAD_BYTES_MAX, office, storage::Storage as _};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Seen},
    pages::json_of,
    world::{NOW, Office},
};

/// How long an import of the tests may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

const CUSTOMERS: &str = "编号,公司名称,所属行业,联系电话\n\
    1,三川实业有限公司,制造业,13812345678\n2,四海贸易,零售,\n3,,零售,\n";

/// Waits until a file is no longer worked on.
fn wait(browser: &mut Browser<'_>, page: &str) -> Seen {
    let begin = Instant::now();
    loop {
        let seen = browser.get(page);
        if !seen.text.contains("<progress") {
            return seen;
        }
        assert!(begin.elapsed() < PATIENCE, "{}", seen.text);
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn bring(browser: &mut Browser<'_>, name: &str, bytes: &[u8]) -> String {
    let csrf = browser.csrf();
    browser.upload("/import", name, bytes, &csrf).location().to_owned()
}

/// Sends the form of a file as it stands, with one of its buttons.
fn press(browser: &mut Browser<'_>, page: &str, change: &[(&str, &str)], button: &str) -> Seen {
    let mut form = browser.get(page).fields();
    for (name, value) in change {
        let field = form.iter_mut().find(|(found, _)| found == name).unwrap();
        field.1 = (*value).to_owned();
    }
    form.push(("do".to_owned(), button.to_owned()));
    assert_eq!(browser.send(page, &form).location(), page);
    wait(browser, page)
}

/// Somebody at the pages of an office where roles are asked for.
fn clerk_with_role<'a>(office: &'a Office, name: &str, role: &str) -> Browser<'a> {
    let storage = office.storage.as_ref();
    let policy = Policy::open();
    let user = office::ensure_user(storage, &policy, name, NOW).unwrap();
    let system = office::author_for(storage, office::SYSTEM_USER, None, NOW).unwrap();
    let role = json!({ "role": role });
    office::update(storage, &policy, &system, user, role.as_object().unwrap(), None, NOW).unwrap();
    let mut write = storage.write().unwrap();
    let mut rules = write.rules().unwrap();
    (rules.is_on, rules.number) = (true, rules.number + 1);
    write.add_rules(&rules, NOW, "test").unwrap();
    write.commit().unwrap();
    Browser::clerk(office, name)
}

#[test]
fn a_file_is_looked_at_tried_imported_and_taken_back() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let page = bring(&mut browser, "客户.csv", CUSTOMERS.as_bytes());
    let seen = browser.get(&page);
    assert!(seen.text.contains("客户.csv") && seen.text.contains("value=\"customer\" selected"));
    assert!(seen.text.contains("value=\"company_name\" selected"), "{}", seen.text);

    let seen = press(&mut browser, &page, &[("region", "CN")], "try");
    assert!(seen.text.contains("What importing would do"), "{}", seen.text);
    assert!(!browser.get("/records/customer").text.contains("三川实业"));

    let seen = press(&mut browser, &page, &[], "import");
    assert!(seen.text.contains("What was imported") && seen.text.contains("phone tidied"));
    let list = browser.get("/records/customer");
    assert!(list.text.contains("三川实业有限公司") && list.text.contains("四海贸易"));
    let errors = browser.get(&format!("{page}/errors.csv"));
    assert_eq!(errors.status, 200);
    assert!(errors.text.starts_with("row,column,reason,编号"), "{}", errors.text);

    assert_eq!(browser.post(&format!("{page}/undo"), &[]).location(), page);
    assert!(!browser.get("/records/customer").text.contains("三川实业"));
    assert!(!browser.get(&page).text.contains("/undo"));
    assert!(browser.get("/import").text.contains("客户.csv"));
    assert_eq!(browser.post(&format!("{page}/remove"), &[]).location(), "/import");
    assert_eq!(browser.get(&page).status, 404);
}

#[test]
fn a_column_is_given_another_field_and_the_mapping_is_changed_as_text() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let page = bring(&mut browser, "x.csv", b"no,name,remark\n1,Acme,VIP\n");
    let seen = press(&mut browser, &page, &[("entity", "customer")], "look");
    assert!(seen.text.contains("value=\"company_name\" selected"), "{}", seen.text);
    let at = seen.text.split(">remark</label>").next().unwrap().rsplit("for=\"").next().unwrap();
    let input = at.split('"').next().unwrap().to_owned();
    let seen = press(&mut browser, &page, &[(&input, "short_name")], "look");
    let mapping = seen.fields().into_iter().find(|(name, _)| name == "mapping").unwrap().1;
    assert!(mapping.contains("short_name = { column = \"remark\" }"), "{mapping}");
    let other = mapping.replace("short_name", "pool_reason");
    let seen = press(&mut browser, &page, &[("mapping", &other)], "import");
    assert!(seen.text.contains("What was imported"), "{}", seen.text);
    let wrong = bring(&mut browser, "x.csv", b"no,name\n1,Acme\n");
    let seen = press(&mut browser, &wrong, &[("mapping", "entity = 1")], "import");
    assert!(seen.text.contains("class=\"problem\" role=\"alert\""), "{}", seen.text);
}

#[test]
fn files_that_cannot_be_read_say_why_and_strangers_bring_nothing() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for (bytes, expected) in [
        (&b"a,b\n1,\"open\n2,3\n"[..], "is never closed"),
        (b"a,b\n1,\0\n", "zero byte"),
        (b"PK\x03\x04 nothing", "no workbook"),
        (b"", "is empty"),
    ] {
        let page = bring(&mut browser, "bad.bin", bytes);
        let seen = browser.get(&page);
        assert!(seen.text.contains(expected), "{expected}: {}", seen.text);
        assert!(seen.text.contains("bad.bin") && !seen.text.contains("/file"), "{}", seen.text);
    }
    assert_eq!(browser.upload("/import", "x.csv", b"a\n1\n", "another session's").status, 403);
    let csrf = browser.csrf();
    let large = vec![b'x'; UPLOAD_BYTES_MAX + (5 << 20)];
    let status = browser.upload("/import", "large.csv", &large, &csrf).status;
    assert_eq!(status, 413);
    let mut nobody = Browser::new(&office);
    assert_eq!(nobody.get("/import").location(), "/sign-in?next=%2Fimport");
    assert_eq!(nobody.upload("/import", "x.csv", b"a\n", "").location(), "/sign-in?next=%2Fimport");
}

#[test]
fn a_file_brought_again_writes_into_the_record_that_its_own_was_merged_into() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let mapping = "entity = \"customer\"\nsource = \"erp\"\nkey = \"no\"\n[fields]\n\
        company_name = { column = \"name\" }\nwebsite = { column = \"web\" }\n";
    let mut import = |text: &str| {
        let page = bring(&mut browser, "x.csv", text.as_bytes());
        let seen = press(&mut browser, &page, &[("mapping", mapping)], "import");
        assert!(seen.text.contains("What was imported"), "{}", seen.text);
        page
    };
    import("no,name,web\n1,Acme,https://a.example\n");
    let gone = RecordId::external("customer", "erp", "1");
    let stays = office.customer("Acme Pumps", "021 5555 1234");
    let storage = office.storage.as_ref();
    let author = office::author_for(storage, "wang", None, NOW).unwrap();
    office::merge(storage, &Policy::open(), &author, (gone, stays), &BTreeSet::new(), NOW).unwrap();
    let page = import("no,name,web\n1,Acme,https://b.example\n");
    assert_eq!(json_of(&office, stays)["website"], "https://b.example");
    assert_eq!(json_of(&office, gone)["website"], "https://a.example");
    browser.post(&format!("{page}/undo"), &[]);
    assert_eq!(json_of(&office, stays)["website"], "https://a.example");
}

#[test]
fn an_import_that_broke_off_can_be_taken_back() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let page = bring(&mut browser, "x.csv", b"no,company name\n1,Acme\n2,Bolt\n");
    let seen = press(&mut browser, &page, &[("entity", "customer")], "import");
    assert!(seen.text.contains("What was imported"), "{}", seen.text);
    // What a server that is killed while it writes rows has on its disk.
    let job = office.data().join("imports").join(page.rsplit('/').next().unwrap()).join("job.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&job).unwrap()).unwrap();
    assert_eq!(kept["batches"].as_array().unwrap().len(), 1);
    (kept["report"], kept["stage"]) = (Value::Null, json!("importing"));
    std::fs::write(&job, kept.to_string()).unwrap();
    assert!(browser.get(&page).text.contains("/undo"));
    browser.post(&format!("{page}/undo"), &[]);
    assert!(!browser.get("/records/customer").text.contains("Acme"));
    assert!(!browser.get(&page).text.contains("/undo"));
}

#[test]
fn uploads_that_do_not_become_files_leave_nothing() {
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    let csrf = browser.csrf();
    assert_eq!(browser.upload("/import", "", b"a\n1\n", &csrf).header("location"), "");
    // A little more than what goes together with the rest of a form, and much more.
    for (more, answers) in [(4 << 20, &[413][..]), (5 << 20, &[413, 0])] {
        let large = vec![b'x'; UPLOAD_BYTES_MAX + more];
        let answered = browser.upload("/import", "large.csv", &large, &csrf).status;
        assert!(answers.contains(&answered), "{more}: {answered}");
    }
    office.until("nothing is left", |_| {
        std::fs::read_dir(office.data().join("imports")).unwrap().count() == 0
    });
}

fn data_folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("OUTRIDER_SHARED_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from);
    Some(shared.join("maven")).filter(|folder| folder.is_dir())
}

#[test]
fn the_maven_set_gives_its_golden_numbers_on_the_page() {
    let Some(data) = data_folder() else {
        eprintln!("skipped: the Maven set is not here; OUTRIDER_SHARED_DATA says where it is");
        return;
    };
    let office = Office::open(&[]);
    let mut browser = Browser::signed_in(&office);
    for name in ["accounts", "products", "sales_teams", "sales_pipeline"] {
        let file = std::fs::read(data.join(name).with_extension("csv")).unwrap();
        let page = bring(&mut browser, &format!("{name}.csv"), &file);
        let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/maven").join(name);
        let mapping = std::fs::read_to_string(mapping.with_extension("toml")).unwrap();
        let seen = press(&mut browser, &page, &[("mapping", &mapping)], "import");
        assert!(seen.text.contains("What was imported"), "{name}: {}", seen.text);
    }
    let page = browser.get("/reports/pipeline").text;
    for golden in ["10,005,534", "4238", "2473", "63.15", "3,568,647", "3,346,293", "3,090,594"] {
        assert!(page.contains(golden), "{golden}: {page}");
    }
    assert!(page.contains("Darcel Schlecht") && page.contains("1,153,214"), "{page}");
    assert!(page.contains("4,966,215"), "{page}");
}

#[test]
fn who_may_not_import_is_told_and_sees_no_files_of_others() {
    let office = Office::open(&[]);
    let mut boss = Browser::signed_in(&office);
    let theirs = bring(&mut boss, "客户.csv", CUSTOMERS.as_bytes());
    let mut tom = clerk_with_role(&office, "Tom", "technician");
    let menu = tom.get("/").text;
    assert!(!menu.contains("href=\"/import\""), "no module that he may do nothing in");
    assert!(
        menu.contains("href=\"/records/visit\"") && !menu.contains("href=\"/records/payment\"")
    );
    assert_eq!(tom.get(&theirs).status, 404);
    assert_eq!(tom.get(&format!("{theirs}/errors.csv")).status, 404);
    assert!(!tom.get("/import").text.contains("客户.csv"));
    let own = bring(&mut tom, "mine.csv", CUSTOMERS.as_bytes());
    let seen = press(&mut tom, &own, &[], "import");
    assert!(seen.text.contains("Your role may not import"), "{}", seen.text);
    assert!(!boss.get("/records/customer").text.contains("三川实业"));
    assert_eq!(boss.get(&own).status, 200, "an administrator sees all");
}

/// Not even by what an import says of a row that changes nothing.
#[test]
fn a_row_about_a_record_that_its_author_may_not_read_is_refused_where_it_changes_nothing_too() {
    let office = Office::open(&[]);
    let mut boss = Browser::signed_in(&office);
    let mapping = "entity = \"customer\"\nsource = \"erp\"\nkey = \"no\"\n[fields]\n\
        company_name = { column = \"name\" }\n";
    let import = |browser: &mut Browser<'_>| {
        let page = bring(browser, "x.csv", b"no,name\n1,Acme\n");
        press(browser, &page, &[("mapping", mapping)], "import");
        browser.get(&format!("{page}/errors.csv")).text
    };
    assert_eq!(import(&mut boss).lines().count(), 1, "the head alone");
    let mut li = clerk_with_role(&office, "Li", "sales_rep");
    let errors = import(&mut li);
    assert!(errors.contains("Acme") && errors.contains("not_permitted"), "{errors}");
}
