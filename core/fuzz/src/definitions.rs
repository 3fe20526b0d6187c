//! What companies write themselves: definitions of entities, mappings of imports, rules. A sentence
//! or something that works.

use outrider_core::{
    access::{Policy, Rules},
    schema::Schema,
    transfer::Mapping,
};

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 3 {
        0 => {
            if let Ok(schema) = Schema::extended(1, &[text]) {
                assert!(schema.to_markdown().len() > 100);
                for entity in schema.entities() {
                    assert!(schema.entity(&entity.name).is_some());
                }
            }
        }
        1 => match Mapping::from_toml(text) {
            Ok(mapping) => assert!(!mapping.entity().is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        _ => {
            let Ok(rules) = serde_json::from_str::<Rules>(text) else { return };
            let policy = Policy { rules, ..Policy::open() };
            let grant = policy.grant(None, 0);
            let _ = grant.narrowed_to(outrider_core::access::Operation::Export, Schema::builtin());
        }
    }
}

const THING: &str = r#"
name = "thing"
label = { en = "Thing", zh = "物" }
plural = { en = "Things", zh = "物" }
title = "name"
family = "itself"
fields = [
  { name = "name", en = "Name", zh = "名", max = 100 },
  { name = "amount", en = "Amount", zh = "额", type = "money", settle = "person" },
  { name = "lines", en = "Lines", zh = "行", kind = "rows", columns = [ { name = "qty", en = "Quantity", zh = "量" } ] },
]
"#;
const MAPPING: &str = r#"
entity = "customer"
source = "erp"
key = "no"
currency = "CNY"

[fields]
company_name = { column = "name" }
industry = { column = "industry", map = { technolgy = "technology" } }
"#;

/// One of each.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, text: &str| [&[kind], text.as_bytes()].concat();
    let roles = outrider_core::access::ready::ready_roles();
    let rules = Rules { roles, ..Rules::default() };
    let mut rules = serde_json::to_string(&rules).unwrap();
    // Small seeds are mutated well.
    if rules.len() > 20_000 {
        rules = serde_json::to_string(&Rules::default()).unwrap();
    }
    vec![seed(0, THING), seed(1, MAPPING), seed(2, &rules)]
}
