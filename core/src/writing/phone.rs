//! Telephone numbers in one form.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use super::fold::fold;

/// The number as E.164 has it, such as `+8613812345678`; `None` if it is no number that could be
/// dialled. Numbers without a country's code are read as those of `region` (ISO 3166, such as CN).
#[must_use]
pub fn to_e164(number: &str, region: Option<&str>) -> Option<String> {
    let region = region.and_then(|region| region.to_ascii_uppercase().parse::<Region>().ok());
    let parsed = PHONE_NUMBER_UTIL.parse(fold(number), region).ok()?;
    // An extension is part of what people wrote; the form has no place for it.
    if parsed.extension.as_ref().is_some_and(|extension| !extension.is_empty()) {
        return None;
    }
    let is_possible = PHONE_NUMBER_UTIL.is_possible_number(&parsed);
    is_possible.then(|| PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned())
}

/// The digits of a text, full-width ones among them.
#[must_use]
pub fn digits(text: &str) -> String {
    fold(text).chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::{digits, to_e164};

    #[test]
    fn numbers_come_to_one_form() {
        for (number, region, form) in [
            ("138 1234 5678", Some("CN"), Some("+8613812345678")),
            ("１３８-1234-5678", Some("cn"), Some("+8613812345678")),
            ("(0113) 496 0000", Some("GB"), Some("+441134960000")),
            ("+44 113 496 0000", None, Some("+441134960000")),
            ("0044 113 496 0000", Some("DE"), Some("+441134960000")),
            ("138 1234 5678", None, None),
            ("ask Anna", Some("CN"), None),
            ("12", Some("CN"), None),
            ("+44 113 496 0000 ext. 12", None, None),
            ("", Some("CN"), None),
        ] {
            assert_eq!(to_e164(number, region).as_deref(), form, "{number} {region:?}");
        }
    }

    #[test]
    fn digits_are_told_in_any_width() {
        assert_eq!(digits("(０１０) 88-x"), "01088");
    }
}
