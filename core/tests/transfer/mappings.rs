//! Mapping files say what is wrong with them, and where.

use outrider_core::transfer::Mapping;

fn error(text: &str) -> String {
    Mapping::from_toml(text).unwrap_err().to_string()
}

/// The error of a mapping of customers with one more field, which stands on line 7.
fn field_error(line: &str) -> String {
    let head = "entity = \"customer\"\nsource = \"erp\"\nkey = \"no\"\n\n[fields]\n";
    error(&format!("{head}company_name = {{ column = \"name\" }}\n{line}\n"))
}

fn check(line: &str, expected: &str) {
    assert_eq!(
        field_error(line),
        format!("the mapping is wrong at line 7, column 1: {expected}"),
        "{line}"
    );
}

#[test]
fn syntax_and_shape_show_the_place() {
    let words = error("entity = \"customer\"\nsource = erp\n");
    assert!(words.contains("line 2, column 10"), "{words}");
    let words = error("entity = \"customer\"\ncolour = 1\n");
    assert!(words.contains("unknown field `colour`"), "{words}");
    assert!(words.contains("line 2"), "{words}");
    let words = field_error("short_name = { colunm = \"x\" }");
    assert!(words.contains("unknown field `colunm`") && words.contains("line 7"), "{words}");
}

#[test]
fn what_does_not_fit_the_data_model_is_said_with_its_place() {
    let words = error("source = \"erp\"\nentity = \"client\"\nkey = \"no\"\n[fields]\n");
    assert!(words.contains("line 2, column 10: there is no entity `client`"), "{words}");
    let words = error("entity = \"customer\"\nsource = \"ERP 1\"\nkey = \"no\"\n[fields]\n");
    assert!(words.contains("line 2, column 10: `ERP 1` cannot name a source"), "{words}");
    let words = error("entity = \"customer\"\nsource = \"erp\"\nkey = \"no\"\n[fields]\n");
    assert!(words.contains("customer requires `company_name`; map it"), "{words}");
    let words = error("entity = \"customer\"\nsource = \"erp\"\nkey = []\n[fields]\n");
    assert!(words.contains("line 3, column 7: the key needs at least one column"), "{words}");
    let words = field_error("nmae = { column = \"x\" }");
    assert!(words.contains("customer has no field `nmae`; it has company_name"), "{words}");
}

#[test]
fn settings_must_go_with_their_fields() {
    check(
        "customer_no = { column = \"x\" }",
        "`customer_no` cannot be imported: the office alone writes it; leave it out",
    );
    check("phone = {}", "`phone` needs exactly one of `column`, `const`, `template` and `sum`");
    check(
        "phone = { column = \"x\", const = \"y\" }",
        "`phone` needs exactly one of `column`, `const`, `template` and `sum`",
    );
    check(
        "phone = { column = \"x\", times = 3 }",
        "`phone`: `times` is for numbers and amounts; leave it out",
    );
    check(
        "phone = { column = \"x\", ref = { by = \"key\" } }",
        "`phone`: `ref` is for single links; leave it out",
    );
    check("\"address.planet\" = { column = \"x\" }", "`address` has no part `planet`");
    check(
        "industry = { const = \"spaceships\" }",
        "`industry`: the constant does not fit: the list industry has no such choice",
    );
    check(
        "annual_revenue = { column = \"x\", currency = \"XYZ\" }",
        "`XYZ` is no currency; write an ISO code such as CNY or USD",
    );
    check(
        "parent_id = { column = \"x\", ref = { missing = \"reject\" } }",
        "`parent_id` refers to rows of the same file, which may come later; only `missing = \
         \"leave_empty\"` is possible",
    );
    check(
        "parent_id = { column = \"x\", ref = { entity = \"user\" } }",
        "`parent_id` links to customer, not to `user`",
    );
    check(
        "short_name = { template = \"no columns\" }",
        "`short_name`: write a template as text with columns in braces, such as \"{name} {city}\"",
    );
    let words = field_error("parent_id = { column = \"x\", ref = { by = \"short_name\" } }");
    assert!(words.contains("customer cannot be looked up by `short_name`; use `key`"), "{words}");
    let words = error(
        "entity = \"customer\"\nsource = \"erp\"\nkey = \"no\"\n[fields]\n\
         company_name = { column = \"a\", map = { x = \"y\" } }\n\
         short_name = { column = \"a\", map = { x = \"z\" } }\n",
    );
    assert!(words.contains("line 6, column 1: column `a` has two maps"), "{words}");
}
