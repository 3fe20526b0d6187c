//! What of a record is compared: its fields by the part they play, in one form for all ways of
//! writing.

use serde_json::{Map, Value as Json};

use super::{born::Born, company::Company, place::Place, words::words_of};
use crate::{
    schema::Likeness,
    writing::{digits, fold, is_han, pinyin},
};

/// Values of one kind that are looked at, at most: a record with more is found by the first ones.
pub const VALUES_MAX: usize = 4;
/// Digits of the shortest telephone number that tells anything.
const PHONE_DIGITS_MIN: usize = 7;
/// Characters of the shortest number of an authority.
const NUMBER_CHARS_MIN: usize = 4;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Of a company.
    Company(Company),
    /// Of a person.
    Person(Person),
}

/// The name of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Words in Latin letters, in the order of writing; of a name in Han characters its sound.
    pub words: Vec<String>,
    /// The name in Han characters, if it has them.
    pub han: String,
}

impl Person {
    fn parse(json: &Json) -> Option<Self> {
        let part = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default();
        let text = match json.as_str() {
            Some(text) => text.to_owned(),
            None => match part("full") {
                "" => [part("family"), " ", part("given")].concat(),
                full => full.to_owned(),
            },
        };
        let folded = fold(&text);
        let han: String = folded.chars().filter(|c| is_han(*c)).collect();
        let words = if han.is_empty() { words_of(&folded) } else { words_of(&pinyin(&han)) };
        (!words.is_empty()).then_some(Self { words, han })
    }
}

/// What of a record is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Names of companies and persons.
    pub names: Vec<Name>,
    /// Telephone numbers: digits without zeros at the front.
    pub phones: Vec<String>,
    /// E-mail addresses in small letters.
    pub emails: Vec<String>,
    /// Numbers of authorities: letters and digits.
    pub numbers: Vec<String>,
    /// Days of birth.
    pub born: Vec<Born>,
    /// Addresses.
    pub places: Vec<Place>,
    /// What the record belongs to.
    pub within: Vec<String>,
}

impl Profile {
    /// The profile of a record's fields, as people enter them or as records show them. What does
    /// not fit a field is left out: the form says so.
    #[must_use]
    pub fn of(roles: &Likeness, fields: &Map<String, Json>) -> Self {
        let texts = |paths: &[String], form: &dyn Fn(&str) -> Option<String>| {
            each(paths, fields, |json| form(json.as_str()?))
        };
        let company = |json: &Json| Company::parse(json.as_str()?).map(Name::Company);
        let person = |json: &Json| Person::parse(json).map(Name::Person);
        let mut names = each(&roles.organisation, fields, company);
        names.extend(each(&roles.person, fields, person));
        Self {
            names,
            phones: texts(&roles.phone, &phone),
            emails: texts(&roles.email, &|text| {
                let text = fold(text).trim().to_owned();
                text.contains('@').then_some(text)
            }),
            numbers: texts(&roles.number, &|text| {
                let text: String = fold(text).chars().filter(|c| c.is_alphanumeric()).collect();
                (text.chars().count() >= NUMBER_CHARS_MIN).then_some(text)
            }),
            born: each(&roles.born, fields, |json| Born::parse(json.as_str()?)),
            places: each(&roles.address, fields, Place::parse),
            within: texts(&roles.within, &|text| Some(text.to_owned())),
        }
    }

    /// Whether there is nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { within: self.within.clone(), ..Self::default() }
    }
}

/// The digits of a telephone number without zeros at the front: `021 5555 1234` is the end of
/// `+86 21 5555 1234`, whatever the country.
fn phone(text: &str) -> Option<String> {
    // An extension tells people of one house apart, not houses.
    let folded = fold(text);
    let number = folded.split(['x', '#', 'e']).next().unwrap_or_default();
    let digits = digits(number).trim_start_matches('0').to_owned();
    (digits.len() >= PHONE_DIGITS_MIN).then_some(digits)
}

/// The values under paths, without repetitions, at most [`VALUES_MAX`].
fn each<T: PartialEq>(
    paths: &[String],
    fields: &Map<String, Json>,
    read: impl Fn(&Json) -> Option<T>,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    let mut take = |json: &Json| {
        if let Some(value) = read(json)
            && found.len() < VALUES_MAX
            && !found.contains(&value)
        {
            found.push(value);
        }
    };
    for path in paths {
        match path.split_once('.') {
            None => fields.get(path).into_iter().for_each(&mut take),
            Some((field, column)) => {
                let json = fields.get(field);
                // A list of rows, or rows that are added to those that are there.
                let rows =
                    json.and_then(|json| json.as_array().or_else(|| json.get("add")?.as_array()));
                rows.into_iter().flatten().filter_map(|row| row.get(column)).for_each(&mut take);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    fn profile(entity: &str, fields: &Json) -> Profile {
        let entity = Schema::builtin().entity(entity).unwrap();
        Profile::of(entity.likeness.as_ref().unwrap(), fields.as_object().unwrap())
    }

    #[test]
    fn ways_of_writing_make_one_profile() {
        let one = profile(
            "contact",
            &json!({
                "name": { "family": "陳", "given": "小明" },
                "phone": "（０２１）5555-1234", "email": " Chen@Example.COM ",
                "phones": [{ "number": "+86 138 1234 5678" }], "birthday": "05-17",
            }),
        );
        let other = profile(
            "contact",
            &json!({
                "name": "陈小明", "phone": "021 55551234", "email": "chen@example.com",
                "phones": { "add": [{ "number": "8613812345678" }] }, "birthday": "0517",
            }),
        );
        assert_eq!(one, other);
        assert_eq!(one.phones, ["2155551234", "8613812345678"]);
    }

    #[test]
    fn what_tells_nothing_is_left_out() {
        let empty = profile(
            "customer",
            &json!({
                "company_name": "()", "phone": "110", "email": "none", "tax_no": "-", "address": {},
            }),
        );
        assert!(empty.is_empty());
    }

    #[test]
    fn a_record_with_many_values_is_read_in_bounds() {
        let rows: Vec<Json> =
            (0..100).map(|n| json!({ "number": format!("021 5555 {n:04}") })).collect();
        assert_eq!(profile("customer", &json!({ "phones": rows })).phones.len(), VALUES_MAX);
    }
}
