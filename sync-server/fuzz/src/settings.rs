//! What operators tell the server: flags, and rules as a document. A server that can run, or a
//! sentence.

use outrider_sync_server::{access::admin::read_rules, config::Config};

/// The first byte says whether the rest is flags, one on each line, or rules.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if kind % 2 == 0 {
        match Config::from_flags(text.lines()) {
            Ok(config) => {
                let _ = config.is_https();
                assert!(config.limits.requests_burst.get() > 0);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    } else if let Ok(rules) = read_rules(text) {
        let again = serde_json::to_string(&rules).unwrap();
        assert_eq!(read_rules(&again).unwrap(), rules);
    }
}

/// Flags and rules.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, text: &str| [&[kind], text.as_bytes()].concat();
    vec![
        seed(0, "--listen\n127.0.0.1:0\n--data\nd\n--body-bytes-max\n65536"),
        seed(0, "--public-url\nhttps://crm.example.com\n--requests-burst\n5"),
        seed(
            1,
            r#"{"number":1,"is_on":true,"roles":{"rep":{"name":"rep","modules":["customer"],"rules":[],"denials":[],"read_only":{}}}}"#,
        ),
    ]
}
