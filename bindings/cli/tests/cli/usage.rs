//! What people get wrong, and what they are told.

use crate::support::{Device, finish, program};

#[test]
fn a_folder_without_a_replica_says_what_to_do() {
    let device = Device::bare();
    for args in [&["status"] as &[&str], &["list", "customer"], &["batch"], &["sync"]] {
        assert_eq!(device.fail(args), (3, "not_initialised".to_owned()));
    }
    assert!(device.run(&["status"]).stderr.contains("outrider init"));
    assert!(device.run(&["--language", "zh", "status"]).stderr.contains("请先运行"));
    assert_eq!(device.json(&["init"])["created"], true);
    assert_eq!(device.json(&["init"])["created"], false);
    assert_eq!(device.json(&["status"])["waiting"], 0);
}

#[test]
fn misspelt_names_are_answered_with_near_ones() {
    let device = Device::new();
    let done = device.run(&["create", "customer", "compny_name=Acme"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("near it: company_name"), "{}", done.stderr);
    let done = device.run(&["list", "custmer"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("customer"), "{}", done.stderr);
    assert_eq!(device.fail(&["schema", "custmer"]), (2, "unknown_entity".to_owned()));
    let fields = ["list", "customer", "--sort", "annual_revenue"];
    let done = device.run(&fields);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("annual_revenue_minor"), "{}", done.stderr);
    for args in [
        &["list", "customer", "--where", "nothing=1"] as &[&str],
        &["list", "customer", "--columns", "nothing"],
    ] {
        assert_eq!(device.fail(args), (2, "unknown_field".to_owned()));
    }
}

#[test]
fn values_that_do_not_fit_are_refused_with_the_reason() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme"]);
    let usage = (2, "usage".to_owned());
    for field in ["employees=many", "tier=zz", "company_name+=x", "visits=3", "phone", "tags=a"] {
        let done = device.run(&["--json", "edit", &id, field, "tags+=b"]);
        assert_eq!(done.failure(), usage, "{field}");
    }
    assert_eq!(device.fail(&["edit", &id]), usage);
    assert_eq!(device.fail(&["edit", &id, "customer_no=1"]), (2, "office_owned".to_owned()));
    assert_eq!(device.fail(&["create", "customer", "short_name=x"]), (2, "required".to_owned()));
    let done = device.run(&["edit", &id, "tier=zz"]);
    assert!(done.stderr.contains("key_account"), "{}", done.stderr);
    assert!(device.field(&id, "tags").is_null());
}

#[test]
fn what_is_not_there_has_a_code_of_its_own() {
    let device = Device::new();
    let id = device.create(&["customer", "company_name=Acme"]);
    let nobody = "0199b2c4-0000-7000-8000-000000000001";
    for args in [
        &["get", nobody] as &[&str],
        &["edit", nobody, "short_name=x"],
        &["archive", nobody],
        &["restore", nobody],
        &["links", nobody],
        &["conflicts", nobody],
    ] {
        assert_eq!(device.fail(args), (3, "unknown_record".to_owned()), "{args:?}");
    }
    let settle = ["settle", &id, "phone", "--choose", "1"];
    assert_eq!(device.fail(&settle), (3, "no_conflict".to_owned()));
    let settle = ["settle", &id, "phone", "--value", "021-1111"];
    assert_eq!(device.fail(&settle), (3, "no_conflict".to_owned()));
    assert_eq!(device.fail(&["dismiss", "7"]), (3, "no_refusal".to_owned()));
    assert_eq!(device.fail(&["sync"]), (4, "not_enrolled".to_owned()));
}

#[test]
fn wrong_usage_is_told_in_json_too() {
    let device = Device::new();
    assert_eq!(device.fail(&["lst"]), (2, "usage".to_owned()));
    assert_eq!(device.fail(&["settle", "x", "y"]), (2, "usage".to_owned()));
    assert_eq!(device.run(&["lst"]).code, 2);
    assert_eq!(device.fail(&["enroll", "ftp://x", "code"]), (2, "usage".to_owned()));
}

#[test]
fn help_names_the_exit_codes() {
    let device = Device::bare();
    let help = device.run(&["--help"]);
    assert_eq!(help.code, 0);
    for line in ["not enrolled", "cannot be reached", "not found"] {
        assert!(help.stdout.contains(line), "{}", help.stdout);
    }
    let help = device.run(&["serve", "--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("--listen"), "{}", help.stdout);
}

#[test]
fn the_language_comes_from_the_environment() {
    let device = Device::bare();
    let say = |name: &str, value: &str| {
        finish(program(device.home.path()).env(name, value).arg("status"), "").stderr
    };
    assert!(say("LANG", "zh_CN.UTF-8").contains("本地数据库"));
    assert!(say("OUTRIDER_LANG", "zh").contains("本地数据库"));
    assert!(say("LANG", "de_DE.UTF-8").contains("there is no replica"));
}
