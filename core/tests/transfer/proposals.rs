//! Mappings that are proposed: keys that tell records apart, systems, currencies, data trees.

use std::fs;

use outrider_core::transfer::{
    ImportError, Mapping, Table, TableOptions,
    propose::{NoNames, Note, Proposal, Wishes, propose, source_of},
};

use crate::world::World;

fn proposed(name: &str, text: &str, wishes: &Wishes) -> Result<Proposal, ImportError> {
    let world = World::new();
    let path = world.path(name);
    fs::write(&path, text).unwrap();
    let proposal = propose(&Table::open(&path, &TableOptions::default())?, wishes, &NoNames)?;
    Mapping::from_toml(&proposal.mapping).unwrap();
    Ok(proposal)
}

#[test]
fn a_link_or_a_name_alone_is_no_key() {
    let contact = Wishes { entity: Some("contact".into()), ..Wishes::default() };
    let tree = r#"{"records":[{"attributes":{"type":"Contact","referenceId":"ContactRef1"},
        "AccountId":"@AccountRef1","LastName":"Smith"}]}"#;
    assert_eq!(proposed("c.json", tree, &contact).unwrap().key, ["referenceId"]);
    let linked = "customer_id,family name\nK1,Smith\nK2,Jones\n";
    assert_eq!(proposed("c.csv", linked, &contact).unwrap().key, ["family name"]);
    // Another John Smith is another person.
    let card =
        "BEGIN:VCARD\nVERSION:3.0\nFN:John Smith\nN:Smith;John;;;\nEMAIL:a@x.example\nEND:VCARD\n";
    let key = proposed("c.vcf", card, &Wishes::default()).unwrap().key;
    assert!(key.iter().any(|name| name.contains("email")) && key.len() > 1, "{key:?}");
}

#[test]
fn a_currency_or_a_region_that_there_is_not_is_refused() {
    let csv = "name,amount\nOne,1\n";
    let wish = |currency: Option<&str>, region: Option<&str>| {
        let (currency, region) = (currency.map(str::to_owned), region.map(str::to_owned));
        proposed("x.csv", csv, &Wishes { currency, region, ..Wishes::default() })
    };
    assert!(wish(Some("EUR"), Some("de")).is_ok());
    assert!(matches!(wish(Some("XXXX"), None), Err(ImportError::Currency(_))));
    for region in ["12345", "ZZ", ""] {
        assert!(matches!(wish(None, Some(region)), Err(ImportError::Region(_))), "{region}");
    }
}

/// Found by fuzzing: the second line of a column's name stood outside the comment.
#[test]
fn a_column_whose_name_has_several_lines_can_be_proposed() {
    let csv = "company_name,\"a\nb\",\"left\u{7f}\r\n\"\"\"out\"\nAcme,1,2\n";
    let mapping = proposed("x.csv", csv, &Wishes::default()).unwrap().mapping;
    let (_, left) = mapping.split_once("# Left out:\n").unwrap();
    assert!(left.lines().all(|line| line.starts_with("# field = ")), "{mapping}");
}

#[test]
fn a_data_tree_says_what_its_records_are_and_which_are_left_out() {
    let tree = r#"{"records":[{"attributes":{"type":"Account","referenceId":"A1"},"Name":"Acme",
        "Phone":"1","Contacts":{"records":[
            {"attributes":{"type":"Contact","referenceId":"C1"},"LastName":"Smith"},
            {"attributes":{"type":"Contact","referenceId":"C2"},"LastName":"Jones"}]}}]}"#;
    let proposal = proposed("Account.json", tree, &Wishes::default()).unwrap();
    assert_eq!(proposal.entity, "customer");
    let left = Note::OtherType { record_type: "Contact".into(), records: 2 };
    assert!(proposal.notes.contains(&left), "{:?}", proposal.notes);
    assert!(proposal.mapping.contains("record_type = \"Account\""), "{}", proposal.mapping);
}

#[test]
fn files_give_their_system_a_name_of_its_own() {
    assert_eq!(source_of(&["/a/Customers.csv"]), "customers");
    assert_eq!(source_of(&["b.csv", "x/a.xlsx"]), source_of(&["a.xlsx", "b.csv"]));
    assert_eq!(source_of(&["b.csv", "a.csv"]), "a_b");
    // Two files of other letters are two systems: the key 1 of one is not that of the other.
    let (one, other) = (source_of(&["客户.csv"]), source_of(&["供应商.csv"]));
    assert!(one.starts_with("file-") && one != other, "{one} {other}");
    let many: Vec<String> = (0..64).map(|at| format!("file-number-{at}.csv")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for name in [source_of(&many), one, source_of(&[""]), source_of(&[&"a".repeat(41)])] {
        let mapping = format!(
            "entity = \"customer\"\nsource = \"{name}\"\nkey = \"no\"\n[fields]\ncompany_name = {{ column = \"n\" }}\n"
        );
        assert!(Mapping::from_toml(&mapping).is_ok(), "{name}");
    }
}
