//! Records that are the same, from the shell.

use std::fs;

use serde_json::json;

use crate::support::Device;

#[test]
fn a_new_record_that_may_be_here_already_is_said_and_made_all_the_same() {
    let device = Device::new();
    let old =
        device.create(&["customer", "company_name=上海三川实业有限公司", "phone=021 5555 1234"]);
    let done = device.run(&[
        "create",
        "customer",
        "company_name=三川實業（上海）",
        "phone=（０２１）5555-1234",
    ]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains(&old) && done.stderr.contains("sure"), "{}", done.stderr);
    let answer = device.json(&["create", "customer", "company_name=三川实业"]);
    assert_eq!(answer["likely"].as_array().unwrap().len(), 2);
    assert!(device.json(&["create", "customer", "company_name=Zenith"]).get("likely").is_none());
}

#[test]
fn pairs_are_shown_merged_parted_and_told_apart() {
    let device = Device::new();
    let one = device.create(&["customer", "company_name=Acme Pumps Ltd", "phone=021 5555 1234"]);
    let other = device.create(&["customer", "company_name=Acme Pumps", "phone=+86 21 5555 1234"]);
    let pairs = device.json(&["duplicates", "customer"])["pairs"].clone();
    assert_eq!(
        (pairs[0]["one"].clone(), pairs[0]["other"].clone()),
        (json!(one.clone().min(other.clone())), json!(one.clone().max(other.clone())))
    );
    assert_eq!(pairs[0]["verdict"], "sure");
    let words = device.run(&["duplicates"]).stdout;
    assert!(words.contains("phone +13.0") && words.contains("Acme Pumps Ltd"), "{words}");

    let dry = device.run(&["merge", &one, &other, "--take", "company_name", "--dry-run"]).stdout;
    assert!(dry.contains("nothing was written") && dry.contains("taken over"), "{dry}");
    assert!(device.field(&one, "redirect_to").is_null());
    device.run(&["merge", &one, &other, "--take", "company_name=loser"]);
    assert_eq!(device.field(&other, "company_name"), "Acme Pumps Ltd");
    assert_eq!(device.field(&other, "merged_from"), json!([one]));
    assert_eq!(device.json(&["list", "customer"])["records"].as_array().unwrap().len(), 1);
    let (code, said) = device.fail(&["merge", &one, &other]);
    assert_eq!(code, 6, "{said}");
    let back = device.json(&["unmerge", &one]);
    assert_eq!(back["given_back"], json!(["company_name"]));
    assert_eq!(device.fail(&["unmerge", &one]).0, 6);

    device.run(&["distinct", &one, &other]);
    assert_eq!(device.json(&["duplicates", "customer"])["pairs"], json!([]));
    assert_eq!(device.fail(&["duplicates", "customer", "--threshold", "2"]).0, 2);
}

#[test]
fn a_file_is_compared_and_measured_before_it_is_imported() {
    let device = Device::new();
    let known =
        device.create(&["customer", "company_name=Blue Whale Logistics", "phone=021 5555 1234"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.csv");
    fs::write(
        &file,
        "key,firma,tel\nrec-1-a,Blue Whale Logistics Ltd,2155551234\nrec-2-a,Zenith Tools,\n\
                      rec-1-b,Bluewhale Logistics GmbH,021-55551234\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let answer = device.json(&[
        "duplicates",
        "customer",
        "--file",
        file,
        "--map",
        "company_name=firma",
        "--map",
        "phone=tel",
        "--answer-key",
        "key",
        "--key-pattern",
        "rec-*-",
    ]);
    assert_eq!(answer["measured"]["f1"], json!(1.0));
    let pairs = answer["pairs"].as_array().unwrap();
    assert_eq!(pairs.iter().filter(|pair| pair["other"] == json!(known)).count(), 2);
    assert_eq!(pairs.iter().filter(|pair| pair["other_row"] == json!(1)).count(), 1);
    // A part that an address has not is no reason to compare without addresses.
    let wrong = ["duplicates", "customer", "--file", file, "--map", "address.line=tel"];
    assert_eq!(device.fail(&wrong), (2, "usage".to_owned()));
    assert_eq!(device.json(&["list", "customer"])["records"].as_array().unwrap().len(), 1);
}
