//! Persons with English names, drawn from a seed, each written again with slips and gaps.

use serde_json::{Map, Value as Json, json};

use crate::measure::{Dice, Known, measure};

const SEEDS: [u64; 3] = [2, 40, 600];
const PERSONS: usize = 2_000;

const GIVEN: &[&str] = &[
    "oliver",
    "amelia",
    "jack",
    "isla",
    "harry",
    "ava",
    "george",
    "mia",
    "noah",
    "grace",
    "charlie",
    "sophie",
    "jacob",
    "lily",
    "alfie",
    "ella",
    "freddie",
    "emily",
    "oscar",
    "ruby",
    "william",
    "chloe",
    "thomas",
    "lucy",
    "james",
    "hannah",
    "daniel",
    "katherine",
    "matthew",
    "rebecca",
];
const FAMILY: &[&str] = &[
    "smith",
    "jones",
    "taylor",
    "brown",
    "walker",
    "wright",
    "robinson",
    "thompson",
    "white",
    "hughes",
    "edwards",
    "green",
    "hall",
    "wood",
    "harris",
    "lewis",
    "martin",
    "jackson",
    "clarke",
    "o'brien",
    "mac donald",
    "fitzgerald",
    "st john",
    "pemberton",
    "whitmore",
    "ashdown",
    "blackwood",
    "cartwright",
    "drummond",
    "ellingham",
];
const STREETS: &[&str] = &[
    "high",
    "station",
    "church",
    "victoria",
    "mill",
    "green",
    "king",
    "queen",
    "manor",
    "park",
    "orchard",
    "windsor",
    "albert",
    "grange",
    "springfield",
    "mitchell",
    "barlow",
    "kingsley",
];
const TOWNS: &[&str] =
    &["ashford", "bolton", "camborne", "dudley", "ely", "frome", "goole", "hexham"];

fn person(dice: &mut Dice) -> Map<String, Json> {
    let town = dice.below(TOWNS.len());
    let fields = json!({
        "name": { "given": dice.pick(GIVEN), "family": dice.pick(FAMILY) },
        "birthday": format!("{}-{:02}-{:02}", 1930 + dice.below(75), 1 + dice.below(12), 1 + dice.below(28)),
        "address": {
            "street": format!("{} {} {}", 1 + dice.below(150), dice.pick(STREETS), dice.pick(&["street", "road", "lane"])),
            "city": TOWNS[town], "postcode": format!("{}{:02}", 11 + town, dice.below(100)),
        },
    });
    fields.as_object().unwrap().clone()
}

fn slip(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.len() < 3 {
        return text.to_owned();
    }
    let at = dice.below(chars.len() - 1);
    match dice.below(4) {
        0 => chars[at] = char::from(b'a' + u8::try_from(dice.below(26)).unwrap()),
        1 => chars.swap(at, at + 1),
        2 => chars.insert(at, chars[at]),
        _ => {
            chars.remove(at);
        }
    }
    chars.into_iter().collect()
}

/// Writes a person again, with one or two of the usual differences.
fn again(fields: &Map<String, Json>, dice: &mut Dice) -> (&'static str, Map<String, Json>) {
    let mut fields = fields.clone();
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let way = match dice.below(8) {
        0 => {
            let name = &mut fields["name"];
            (name["given"], name["family"]) = (name["family"].clone(), name["given"].clone());
            "name parts changed over"
        }
        1 => {
            let part = if dice.below(2) == 0 { "given" } else { "family" };
            fields["name"][part] = json!(slip(&text(&fields["name"][part]), dice));
            "slip in the name"
        }
        2 => {
            fields["address"]["street"] = json!(slip(&text(&fields["address"]["street"]), dice));
            "slip in the street"
        }
        3 => {
            fields.remove(dice.pick(&["birthday", "address"]));
            "a field missing"
        }
        4 => {
            fields["name"]["given"] = json!("");
            "given name missing"
        }
        5 => {
            let mut digits: Vec<char> = text(&fields["birthday"]).chars().collect();
            let at = [2, 3, 6, 8, 9][dice.below(5)];
            digits[at] = char::from(b'0' + u8::try_from(dice.below(10)).unwrap());
            fields.insert("birthday".to_owned(), digits.into_iter().collect::<String>().into());
            "slip in the birthday"
        }
        6 => {
            let name = &fields["name"];
            let run_together = [text(&name["given"]), text(&name["family"])].concat();
            fields.insert("name".to_owned(), json!(run_together));
            "name run together"
        }
        _ => {
            fields["address"]["postcode"] = json!("9999");
            fields["address"]["city"] = json!("");
            "another postal code"
        }
    };
    (way, fields)
}

fn drawn(seed: u64) -> Vec<Known> {
    let mut dice = Dice::new(seed);
    let mut known = Vec::new();
    for who in 0..PERSONS {
        let fields = person(&mut dice);
        if dice.below(2) == 0 {
            let (way, fields) = again(&fields, &mut dice);
            known.push(Known { who, way, fields });
        }
        known.push(Known { who, way: "original", fields });
    }
    known
}

#[test]
fn persons_are_found_with_slips_and_gaps() {
    for seed in SEEDS {
        let measured = measure(&format!("drawn persons, seed {seed}"), "contact", &drawn(seed));
        assert!(measured.f1 >= 0.95, "seed {seed}: {measured:?}");
    }
}
