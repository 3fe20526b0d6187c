//! Words, numbers and ids replaced by others of the same shape.
//!
//! A letter becomes another letter of its script and width, a digit another digit; marks and spaces
//! stay, so lines break where they broke. The same word becomes the same word within a file. No letter
//! stays what it was, so no word of the original can be in the file by chance.

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::{
    ids::RecordId,
    schema::{Field, Kind, Type, sample},
};

/// Han characters to choose from, of which all have readings.
const HAN: &str = "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长";

/// Replaces what people typed; each file has one of its own.
#[derive(Clone)]
pub struct Mask {
    salt: [u8; 32],
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    /// A mask that nobody can make again without `salt`.
    #[must_use]
    pub fn new(salt: [u8; 32]) -> Self {
        Self { salt }
    }

    fn hash(&self, what: &str, bytes: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(what.as_bytes());
        hash.update([0]);
        hash.update(bytes);
        hash.finalize().into()
    }

    /// Another id, the same for the same one.
    #[must_use]
    pub fn record(&self, record: RecordId) -> RecordId {
        let hash = self.hash("record", record.as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        RecordId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Other words of the same shape.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut word = String::new();
        for c in text.chars().chain(['\0']) {
            if c.is_alphanumeric() {
                word.push(c);
                continue;
            }
            let hash = self.hash("word", word.as_bytes());
            for (at, letter) in word.chars().enumerate() {
                let drawn = hash.get(at % hash.len()).copied().unwrap_or(0);
                // Long words go around; the place keeps letters apart.
                masked.push(other(letter, u32::from(drawn) + (at / hash.len()) as u32));
            }
            word.clear();
            if c != '\0' {
                masked.push(c);
            }
        }
        masked
    }

    /// A value of a field, of the shape in which it is read and written.
    #[must_use]
    pub fn field(&self, field: &Field, value: &Json) -> Json {
        match field.kind {
            Kind::Register | Kind::Once | Kind::Office => self.single(field, value),
            Kind::Counter => self.number(value),
            Kind::Text => value.as_str().map_or(Json::Null, |text| self.text(text).into()),
            Kind::Set => each(value, |member| self.single(field, member)),
            Kind::Rows | Kind::Log => each(value, |row| self.cells(field, row)),
        }
    }

    /// The cells of a row that its columns know.
    #[must_use]
    pub fn cells(&self, field: &Field, row: &Json) -> Json {
        let cells = field.columns.iter().filter_map(|column| {
            let cell = row.get(&column.name).filter(|cell| !cell.is_null())?;
            Some((column.name.clone(), self.single(column, cell)))
        });
        Json::Object(cells.collect())
    }

    /// One value: another one of its type.
    #[must_use]
    pub fn single(&self, field: &Field, value: &Json) -> Json {
        let masked = match &field.ty {
            // Choices are the schema's, not anybody's.
            Type::Bool | Type::Picklist(_) => value.clone(),
            Type::Link(_) => match value.as_str().and_then(|id| id.parse().ok()) {
                Some(record) => self.record(record).to_string().into(),
                None => Json::Null,
            },
            Type::Integer { .. } | Type::Decimal { .. } => self.number(value),
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url => self.words(value),
            Type::Json { .. } | Type::Address | Type::PersonName => self.words(value),
            // Places, times and amounts are made up: their digits alone would be no such thing.
            Type::Money
            | Type::Date
            | Type::DateTime
            | Type::Period
            | Type::Geo
            | Type::TimeSpan
            | Type::Sha256 => Json::Null,
        };
        if !masked.is_null() && field.ty.from_json(&masked).is_ok() {
            return masked;
        }
        self.made_up(field, value)
    }

    /// Valid data of the field's type, always the same for the same value.
    fn made_up(&self, field: &Field, value: &Json) -> Json {
        let seed = self.hash(&field.name, value.to_string().as_bytes());
        let mut at = 0_u32;
        let mut draw = |below: u32| {
            at += 1;
            let drawn = self.hash("draw", &[seed.as_slice(), &at.to_be_bytes()].concat());
            let number = drawn.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            number % below.max(1)
        };
        let made = sample::value(&Field { kind: Kind::Register, ..field.clone() }, &mut draw);
        // An amount keeps its size.
        match (&field.ty, value) {
            (Type::Money, Json::Object(_)) => self.money(field, value).unwrap_or(made),
            _ => made,
        }
    }

    fn money(&self, field: &Field, value: &Json) -> Option<Json> {
        let mut masked = value.as_object()?.clone();
        let minor = self.number(masked.get("minor")?);
        masked.insert("minor".to_owned(), minor);
        masked.retain(|name, _| matches!(name.as_str(), "minor" | "currency"));
        let masked = Json::Object(masked);
        field.ty.from_json(&masked).is_ok().then_some(masked)
    }

    /// Words wherever they stand in a value.
    fn words(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.text(text).into(),
            Json::Number(_) => self.number(value),
            Json::Array(items) => items.iter().map(|item| self.words(item)).collect(),
            Json::Object(members) => {
                let members = members.iter().map(|(name, item)| (name.clone(), self.words(item)));
                Json::Object(members.collect::<Map<_, _>>())
            }
            Json::Null | Json::Bool(_) => value.clone(),
        }
    }

    /// Another number of as many digits.
    fn number(&self, value: &Json) -> Json {
        let Some(number) = value.as_i64() else {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let masked = self.text(&text);
            return if value.is_string() {
                masked.into()
            } else {
                serde_json::from_str(&masked).unwrap_or(Json::Null)
            };
        };
        let digits = self.text(&number.unsigned_abs().to_string());
        let digits = match digits.strip_prefix('0') {
            Some(rest) => ["1", rest].concat(),
            None => digits,
        };
        let masked = digits.parse::<i64>().unwrap_or(number / 2);
        if number < 0 { (-masked).into() } else { masked.into() }
    }
}

fn each(value: &Json, mask: impl Fn(&Json) -> Json) -> Json {
    let items = value.as_array().map_or(&[] as &[Json], Vec::as_slice);
    items.iter().map(mask).collect()
}

/// Another letter of the same script and width.
fn other(c: char, drawn: u32) -> char {
    let within = |first: char, count: u32| {
        let (first, at) = (u32::from(first), u32::from(c));
        char::from_u32(first + (at - first + 1 + drawn % (count - 1)) % count).unwrap_or('x')
    };
    match c {
        '0'..='9' => within('0', 10),
        'a'..='z' => within('a', 26),
        'A'..='Z' => within('A', 26),
        '０'..='９' => within('０', 10),
        'ａ'..='ｚ' => within('ａ', 26),
        'Ａ'..='Ｚ' => within('Ａ', 26),
        'ぁ'..='ゖ' => within('ぁ', 86),
        'ァ'..='ヺ' => within('ァ', 90),
        '가'..='힣' => within('가', 11_172),
        'а'..='я' => within('а', 32),
        'А'..='Я' => within('А', 32),
        'α'..='ω' => within('α', 25),
        '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
            let count = HAN.chars().count();
            let mut choice = HAN.chars().cycle().skip(drawn as usize % count);
            choice.find(|other| *other != c).unwrap_or('的')
        }
        'À'..='ÿ' | 'Ā'..='ž' => {
            let choice = ['é', 'ö', 'ü', 'à', 'ñ'];
            let at = drawn as usize % choice.len();
            let mut choice = choice.iter().cycle().skip(at);
            choice.find(|other| **other != c).copied().unwrap_or('x')
        }
        _ => 'x',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_letter_stays_and_shapes_do() {
        let mask = Mask::new([7; 32]);
        let text = "Acme 三川实业 GmbH, 021-5555 ＡＢＣ été かな Ж x 한국";
        let masked = mask.text(text);
        assert_eq!(masked.chars().count(), text.chars().count());
        for (old, new) in text.chars().zip(masked.chars()) {
            assert_eq!(old.is_alphanumeric(), new.is_alphanumeric(), "{old} {new}");
            assert_eq!(old.is_alphanumeric(), old != new, "{old} {new}");
            assert_eq!(old.len_utf8(), new.len_utf8(), "{old} {new}");
        }
        assert_eq!(mask.text(text), masked, "the same word becomes the same word");
        assert_ne!(Mask::new([8; 32]).text(text), masked);
        let long = "a".repeat(10_000);
        assert!(!mask.text(&long).contains('a'));
        for number in [0_i64, 7, -12, 1_000_000, i64::MAX] {
            let masked = mask.number(&number.into()).as_i64().unwrap();
            let digits = |number: i64| number.unsigned_abs().to_string().len();
            assert_eq!(digits(masked), digits(number), "{number} {masked}");
        }
    }
}
