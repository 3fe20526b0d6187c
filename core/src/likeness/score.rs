//! How much speaks for two records being the same.
//!
//! Each field that both have adds bits: the logarithm, to the base 2, of how much likelier its
//! agreement is among records of the same than among others (Fellegi and Sunter). A field that one
//! of them leaves empty says nothing. The sum is compared with two thresholds.

mod name;
pub mod weights;

use serde::Serialize;

use super::{born::BornAgreement, profile::Profile};
use weights as w;

/// From so many bits on two records may be the same, and a person is asked.
///
/// One strong sign that nothing contradicts is enough, or one with a contradiction: a telephone
/// number under another name (13 - 4). Two weak signs are not: a common name alone has 8.
pub const POSSIBLE_FROM: f64 = 9.0;
/// From so many bits on they are the same as far as anybody can tell from what is written.
///
/// No single field reaches it but the whole name of a company with its place: a number, an address
/// and a telephone line can be mistyped or shared.
pub const SURE_FROM: f64 = 15.0;

/// What the score means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Others.
    No,
    /// A person should look.
    Possible,
    /// The same, as far as anybody can tell.
    Sure,
}

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Names of companies and persons.
    Name,
    /// Telephone numbers.
    Phone,
    /// E-mail addresses.
    Email,
    /// Numbers of authorities.
    Number,
    /// Days of birth.
    Born,
    /// Addresses.
    Address,
    /// What they belong to.
    Within,
}

/// What one feature says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reason {
    /// The feature.
    pub feature: Feature,
    /// Bits for (above 0) or against.
    pub bits: f64,
}

/// How alike two records are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likeness {
    /// Bits in all.
    pub score: f64,
    /// What that means.
    pub verdict: Verdict,
    /// What each feature says that both have, the strongest first.
    pub reasons: Vec<Reason>,
}

/// Compares two records. The order makes no difference.
#[must_use]
pub fn compare(left: &Profile, right: &Profile) -> Likeness {
    let best_name = best(&left.names, &right.names, name::bits);
    let found = [
        (Feature::Name, best_name),
        (Feature::Phone, best(&left.phones, &right.phones, phone)),
        (
            Feature::Email,
            best(&left.emails, &right.emails, |a, b| {
                Some(if a == b { w::EMAIL_SAME } else { w::EMAIL_OTHER })
            }),
        ),
        (Feature::Number, best(&left.numbers, &right.numbers, number)),
        (Feature::Born, best(&left.born, &right.born, |a, b| Some(born(a.compare(b))))),
        (Feature::Address, best(&left.places, &right.places, address)),
        (
            Feature::Within,
            best(&left.within, &right.within, |a, b| {
                Some(if a == b { w::WITHIN_SAME } else { w::WITHIN_OTHER })
            }),
        ),
    ];
    let reasons =
        found.into_iter().filter_map(|(feature, bits)| Some(Reason { feature, bits: bits? }));
    let mut reasons: Vec<Reason> = reasons.filter(|reason| reason.bits != 0.0).collect();
    reasons.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.feature.cmp(&b.feature)));
    let score: f64 = reasons.iter().map(|reason| reason.bits).sum();
    Likeness { score, verdict: verdict(score), reasons }
}

/// What a score means.
#[must_use]
pub fn verdict(score: f64) -> Verdict {
    match score {
        _ if score >= SURE_FROM => Verdict::Sure,
        _ if score >= POSSIBLE_FROM => Verdict::Possible,
        _ => Verdict::No,
    }
}

/// The most that any pair of values says; `None` where one side has none.
fn best<T>(left: &[T], right: &[T], bits: impl Fn(&T, &T) -> Option<f64>) -> Option<f64> {
    let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
    pairs.filter_map(|(a, b)| bits(a, b)).reduce(f64::max)
}

/// Numbers are the same where the shorter one ends the longer one: with and without codes.
#[expect(clippy::ptr_arg, reason = "what lists of texts hand over")]
fn phone(left: &String, right: &String) -> Option<f64> {
    let is_same = left.ends_with(right.as_str()) || right.ends_with(left.as_str());
    Some(if is_same { w::PHONE_SAME } else { w::PHONE_OTHER })
}

#[expect(clippy::ptr_arg, reason = "what lists of texts hand over")]
fn number(left: &String, right: &String) -> Option<f64> {
    Some(match strsim::osa_distance(left, right) {
        0 => w::NUMBER_SAME,
        1 if left.len() >= w::NUMBER_SLIP_FROM => w::NUMBER_NEAR,
        _ => w::NUMBER_OTHER,
    })
}

fn born(agreement: BornAgreement) -> f64 {
    match agreement {
        BornAgreement::Same => w::BORN_SAME,
        BornAgreement::SameDay => w::BORN_SAME_DAY,
        BornAgreement::Near => w::BORN_NEAR,
        BornAgreement::Unsure => 0.0,
        BornAgreement::Different => w::BORN_OTHER,
    }
}

fn address(left: &super::place::Place, right: &super::place::Place) -> Option<f64> {
    let mut bits = 0.0;
    match left.street_likeness(right) {
        Some(likeness) if likeness >= w::STREET_SAME_FROM => bits += w::STREET_SAME,
        Some(likeness) if likeness >= w::STREET_NEAR_FROM => bits += w::STREET_NEAR,
        Some(_) => bits += w::STREET_OTHER,
        None => {}
    }
    match left.number_agrees(right) {
        Some(true) => bits += w::HOUSE_SAME,
        Some(false) => bits += w::HOUSE_OTHER,
        None => {}
    }
    if !left.postcode.is_empty() && !right.postcode.is_empty() {
        bits += match strsim::osa_distance(&left.postcode, &right.postcode) {
            0 => w::POSTCODE_SAME,
            1 => w::POSTCODE_NEAR,
            _ => w::POSTCODE_OTHER,
        };
    }
    let towns = best(&left.town, &right.town, |a, b| {
        let is_near = super::words::closeness(a, b) >= super::words::Closeness::Near;
        Some(if is_near { w::TOWN_SAME } else { 0.0 })
    });
    bits += towns.unwrap_or(0.0);
    Some(bits.clamp(w::ADDRESS_MIN, w::ADDRESS_MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::schema::Schema;

    fn of(entity: &str, left: &Json, right: &Json) -> Likeness {
        let roles = Schema::builtin().entity(entity).unwrap().likeness.as_ref().unwrap();
        let profile = |json: &Json| Profile::of(roles, json.as_object().unwrap());
        let (left, right) = (profile(left), profile(right));
        let likeness = compare(&left, &right);
        assert_eq!(likeness, compare(&right, &left), "the order makes no difference");
        likeness
    }

    #[test]
    fn fields_add_up_to_a_verdict() {
        let acme = json!({ "company_name": "Acme Pumps", "phone": "021 5555 1234" });
        for (other, wanted) in [
            (
                json!({ "company_name": "ACME Pumps Ltd", "phone": "+86 21 5555 1234" }),
                Verdict::Sure,
            ),
            (json!({ "company_name": "ACME Pumps Ltd" }), Verdict::Possible),
            (json!({ "company_name": "Zenith Tools", "phone": "5555 1234" }), Verdict::Possible),
            (json!({ "phone": "(021) 5555-1234" }), Verdict::Possible),
            (json!({ "company_name": "Zenith Tools", "phone": "021 5555 4321" }), Verdict::No),
            (json!({ "company_name": "Zenith Pumps" }), Verdict::No),
        ] {
            let likeness = of("customer", &acme, &other);
            assert_eq!(likeness.verdict, wanted, "{other} {likeness:?}");
        }
    }

    #[test]
    fn no_single_number_decides_alone() {
        let one = json!({ "company_name": "Acme", "tax_no": "91310000MA1K" });
        let other = json!({ "tax_no": "9131 0000 MA1K" });
        assert_eq!(of("customer", &one, &other).verdict, Verdict::Possible);
        let other = json!({ "company_name": "Zenith Tools", "tax_no": "91310000ma1k" });
        assert_eq!(of("customer", &one, &other).verdict, Verdict::Possible);
        let anna = json!({ "name": "Anna Bell", "email": "team@example.com" });
        let otto = json!({ "name": "Otto Marsh", "email": "team@example.com" });
        assert_eq!(of("contact", &anna, &otto).verdict, Verdict::Possible);
        let otto =
            json!({ "name": "Otto Marsh", "email": "team@example.com", "birthday": "05-17" });
        let anna = json!({ "name": "Anna Bell", "email": "team@example.com", "birthday": "12-01" });
        assert_eq!(of("contact", &anna, &otto).verdict, Verdict::No);
    }

    #[test]
    fn a_common_name_alone_is_not_enough() {
        let contact = |customer: &str| json!({ "name": "Li Wei", "customer_id": customer });
        assert_eq!(of("contact", &contact("a"), &contact("b")).verdict, Verdict::No);
        assert_eq!(of("contact", &contact("a"), &contact("a")).verdict, Verdict::Possible);
    }
}
