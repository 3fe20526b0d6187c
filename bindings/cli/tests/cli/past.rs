//! What happened: timelines.

use serde_json::json;

use crate::support::Device;

#[test]
fn a_timeline_tells_what_happened_in_words_and_json() {
    let device = Device::new();
    let acme = device.create(&["customer", "company_name=Acme"]);
    let customer = format!("customer_id={acme}");
    let deal = device.create(&["opportunity", "name=Pumps", "sales_stage=proposal", &customer]);
    let call = ["interaction", "subject=Call", "channel=call", "occurred_at=2020-05-04T08:00:00Z"];
    device.create(&[&call[..], &[&customer]].concat());
    device.json(&["edit", &deal, "sales_stage=won"]);
    let page = device.json(&["timeline", &acme]);
    let kinds: Vec<_> = page["entries"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
    assert_eq!(
        kinds,
        [
            &json!("opportunity.stages"),
            &json!("opportunity.stages"),
            &json!("opportunity"),
            &json!("customer"),
            &json!("interaction"),
        ]
    );
    let words = device.run(&["timeline", &acme, "--kind", "opportunity.stages"]).stdout;
    assert!(words.contains("Stage history  Pumps  From: Proposal; To: "), "{words}");
    let words = device.run(&["--language", "zh", "timeline", &acme, "--to", "2021-01-01"]).stdout;
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.starts_with("2020-05-04T08:00:00.000Z  交互记录  Call"), "{words}");
    let first = device.json(&["timeline", &acme, "--limit", "2"]);
    let next = first["next"].as_str().unwrap();
    let rest = device.json(&["timeline", &acme, "--after", next]);
    assert_eq!(rest["entries"].as_array().unwrap().len(), 3);
    assert_eq!(device.fail(&["timeline", &acme, "--kind", "planet"]), (2, "bad_query".to_owned()));
    assert_eq!(device.fail(&["timeline", &acme, "--from", "soon"]).0, 2);
}
