//! The records: made by the program, the same in every run.

use serde_json::{Map, Value as Json, json};

/// The entity that is measured.
pub(crate) const ENTITY: &str = "customer";
/// The field that edits change; it has no index, on either side.
pub(crate) const EDITED: &str = "employees";
/// The time at which every run begins.
pub(crate) const START_MS: i64 = 1_780_000_000_000;

const CITIES: [&str; 6] = ["Shanghai", "Chengdu", "Lyon", "Austin", "Nairobi", "Recife"];
const TRADES: [&str; 5] = ["Machining", "Logistics", "Foods", "Instruments", "Textiles"];
const INDUSTRIES: [&str; 3] = ["technology", "manufacturing", "energy"];
const SIZES: [&str; 2] = ["1_10", "11_50"];
const SYLLABLES: [&str; 16] = [
    "ba", "chen", "dor", "fu", "gil", "hua", "kir", "lo", "mei", "nor", "pan", "qui", "ras",
    "shan", "tel", "wu",
];

/// A small generator: what it draws must never change with a library.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Numbers that depend on `seed` alone.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) % end.max(1) as u64;
        usize::try_from(drawn).unwrap_or_default()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    /// A word that few records share.
    fn word(&mut self) -> String {
        let mut word: String = (0..3).map(|_| self.pick(&SYLLABLES)).collect();
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        word
    }
}

/// The `at`-th customer: 17 fields of about 400 bytes, and the time of creation that the device
/// adds.
pub(crate) fn customer(at: usize) -> Map<String, Json> {
    let mut dice = Dice::new(at as u64);
    let (city, trade) = (dice.pick(&CITIES), dice.pick(&TRADES));
    let (word, other) = (dice.word(), dice.word());
    let name = format!("{word} {other} {trade} {city}");
    let host = format!("{word}-{other}.example").to_lowercase();
    let street = format!("{} {} Road", 1 + dice.below(999), dice.word());
    let record = json!({
        "company_name": name,
        "short_name": format!("{word} {trade}"),
        "customer_kind": "company",
        "address": {"country": "CN", "city": city, "street": street, "postcode": format!("{:06}", dice.below(1_000_000))},
        "phone": format!("+86 21 {:08}", dice.below(100_000_000)),
        "email": format!("office@{host}"),
        "website": format!("https://www.{host}/about/contact"),
        "wechat": format!("wx_{}_{}", dice.word().to_lowercase(), dice.below(10_000)),
        "industry": dice.pick(&INDUSTRIES),
        "company_size": dice.pick(&SIZES),
        "customer_type": "prospect",
        "tier": "key_account",
        "lifecycle": "lead",
        "source": "call",
        "annual_revenue": format!("{} CNY", 100_000 + dice.below(90_000_000)),
        "founded_year": 1950 + dice.below(70),
        "employees": 1 + dice.below(5_000),
    });
    match record {
        Json::Object(fields) => fields,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Map::new()
        }
    }
}

/// An edit of one field.
pub(crate) fn edit(value: usize) -> Map<String, Json> {
    Map::from_iter([(EDITED.to_owned(), Json::from(10_000 + value))])
}
