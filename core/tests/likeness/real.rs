//! Two public sets, where they are found beside the project; the tests say so where they are not.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value as Json, json};

use crate::{
    companies::{Parts, variants},
    measure::{Dice, Known, measure},
};

fn data(file: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = env::var_os("OUTRIDER_SHARED_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let text = fs::read_to_string(shared.join(file)).ok();
    if text.is_none() {
        println!("{file} is not beside the project: nothing is measured on it");
    }
    text
}

/// The persons of the Febrl set as contacts. The number of social security is left out: contacts
/// have none, and it would make the rest too easy.
fn febrl(text: &str) -> Vec<Known> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let mut known = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let cell = |name: &str| row.get(head.iter().position(|h| h == name).unwrap()).unwrap();
        let who = cell("rec_id").split('-').nth(1).unwrap().parse().unwrap();
        let street = [cell("street_number"), cell("address_1"), cell("address_2")].join(" ");
        let fields = json!({
            "name": { "given": cell("given_name"), "family": cell("surname") },
            "birthday": cell("date_of_birth"),
            "address": {
                "street": street,
                "city": cell("suburb"), "province": cell("state"), "postcode": cell("postcode"),
            },
        });
        known.push(Known { who, way: "", fields: fields.as_object().unwrap().clone() });
    }
    known
}

#[test]
fn the_persons_of_febrl_are_found() {
    let Some(text) = data("febrl/dataset1.csv") else { return };
    let measured = measure("febrl", "contact", &febrl(&text));
    assert!(measured.f1 >= 0.95, "{measured:?}");
}

/// The names of the list taken apart by its plain ends, so that they can be written otherwise.
fn parts_of(name: &str, places: &[String]) -> Parts {
    let suffixes = ["有限责任公司", "股份有限公司", "有限公司", "公司"];
    let suffix = suffixes.iter().find(|end| name.ends_with(**end)).copied().unwrap_or("");
    let middle = name.strip_suffix(suffix).unwrap();
    let place =
        places.iter().filter(|place| middle.starts_with(place.as_str())).max_by_key(|p| p.len());
    let place = place.map_or("", String::as_str);
    let middle = middle.strip_prefix(place).unwrap();
    // What is a place alone has no place to move.
    let (place, middle) = if middle.chars().count() < 2
        || name.contains('(')
        || name.contains('（')
        || name.ends_with("分公司")
    {
        ("", name.strip_suffix(suffix).unwrap())
    } else {
        (place, middle)
    };
    Parts { place: place.to_owned(), middle: middle.to_owned(), suffix: suffix.to_owned() }
}

#[test]
fn chinese_companies_are_found_however_they_are_written() {
    let (Some(names), Some(places)) = (data("zh/company_demo.txt"), data("zh/pca.csv")) else {
        return;
    };
    // Provinces and cities of the public list, with and without their ending.
    let mut known_places: Vec<String> = Vec::new();
    for line in places.lines().skip(1) {
        for name in line.split(',').skip(1).take(2).filter(|name| !name.is_empty()) {
            let plain = name.trim_end_matches(['市', '省']).to_owned();
            for place in [name.to_owned(), plain] {
                if place.chars().count() > 1 && !known_places.contains(&place) {
                    known_places.push(place);
                }
            }
        }
    }
    for seed in [1, 2, 3, 4, 5] {
        let mut dice = Dice::new(seed);
        let mut known = Vec::new();
        for (who, name) in names.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate()
        {
            let mut add = |way, name: &str| {
                let fields: Map<String, Json> =
                    Map::from_iter([("company_name".to_owned(), json!(name))]);
                known.push(Known { who, way, fields });
            };
            add("original", name);
            for (way, name) in variants(&parts_of(name, &known_places), &mut dice) {
                add(way, &name);
            }
        }
        let measured = measure(&format!("zh companies, seed {seed}"), "customer", &known);
        assert!(measured.recall >= 0.9, "seed {seed}: {measured:?}");
        assert!(measured.precision >= 0.95, "seed {seed}: {measured:?}");
    }
}
