//! Lists: filtered, sorted, in pages, as tables.

use serde_json::Value as Json;

use crate::support::Device;

fn sample() -> Device {
    let device = Device::new();
    for (name, employees) in [("Anchor", 10), ("Brook", 300), ("上海远行", 45), ("Dune", 0)] {
        let employees = format!("employees={employees}");
        device.create(&["customer", &format!("company_name={name}"), &employees]);
    }
    device.create(&["customer", "company_name=Empty"]);
    device
}

fn names(answer: &Json) -> Vec<&str> {
    let records = answer["records"].as_array().unwrap();
    records.iter().map(|record| record["company_name"].as_str().unwrap()).collect()
}

#[test]
fn conditions_and_order_hold() {
    let device = sample();
    let list = |args: &[&str]| device.json(&[&["list", "customer"], args].concat());
    let found = list(&["--from", "employees=10", "--to", "employees=100", "--sort", "employees"]);
    assert_eq!(names(&found), ["Anchor", "上海远行"]);
    let found = list(&["--where", "employees!=10", "--sort", "employees", "--desc"]);
    assert_eq!(names(&found), ["Brook", "上海远行", "Dune", "Empty"]);
    assert_eq!(names(&list(&["--where", "employees="])), ["Empty"]);
    assert_eq!(names(&list(&["--contains", "company_name=br"])), ["Brook"]);
}

#[test]
fn pages_follow_one_another() {
    let device = sample();
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["list", "customer", "--sort", "company_name", "--limit", "2"];
        if let Some(cursor) = &after {
            args.extend(["--after", cursor]);
        }
        let page = device.json(&args);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(seen, ["Anchor", "Brook", "Dune", "Empty", "上海远行"]);
}

#[test]
fn tables_stand_in_columns() {
    let device = sample();
    let args =
        ["list", "customer", "--columns", "company_name,employees", "--sort", "company_name"];
    let table = device.run(&args).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("id "), "{table}");
    assert!(lines[0].ends_with("Company name  Employees"), "{table}");
    assert!(lines[1].ends_with("  Anchor        10"), "{table}");
    // Four Chinese characters take eight places.
    assert!(lines[5].ends_with("  上海远行      45"), "{table}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::{io::Read as _, process::Stdio};
    let device = sample();
    let mut child = crate::support::program(device.home.path())
        .args(["schema", "--json"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(words, "");
    assert!(output.status.success());
}
