//! Numbers and amounts as people write them.

use rust_decimal::Decimal;

use super::{TextHints, narrow};
use crate::{
    schema::types::{ValueError, parse_decimal},
    value::{Money, money::MoneyError},
};

/// Signs of currencies: the one that is meant if nothing else is said, and the others it may mean.
const SIGNS: &[(&str, &str, &[&str])] = &[
    ("¥", "CNY", &["JPY"]),
    ("元", "CNY", &["HKD", "TWD"]),
    ("€", "EUR", &[]),
    ("£", "GBP", &[]),
    ("$", "USD", &["AUD", "CAD", "HKD", "NZD", "SGD", "TWD", "MXN"]),
];

pub(super) fn parse_integer(text: &str) -> Result<i64, ValueError> {
    let number = parse_number(text)?.normalize();
    if number.scale() > 0 {
        return Err(ValueError::Malformed("a whole number"));
    }
    number.try_into().map_err(|_| ValueError::Malformed("a whole number"))
}

/// Reads `12345.5`, `12,345.50`, full-width digits, and `1.2万` or `3亿`.
pub(super) fn parse_number(text: &str) -> Result<Decimal, ValueError> {
    let text = narrow(text);
    let (digits, factor) = if let Some(digits) = text.strip_suffix('万') {
        (digits, 10_000)
    } else if let Some(digits) = text.strip_suffix('亿') {
        (digits, 100_000_000)
    } else {
        (text.as_str(), 1)
    };
    let number = parse_decimal(&without_grouping(digits.trim())?)?;
    number.checked_mul(Decimal::from(factor)).ok_or(ValueError::Malformed("a decimal number"))
}

/// Drops commas between groups of three digits; any other comma could be a decimal point.
fn without_grouping(digits: &str) -> Result<String, ValueError> {
    let whole = digits.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default().trim_start_matches(['-', '+']);
    let is_grouped = groups.all(|group| group.len() == 3);
    let comma_after_point = digits.split('.').skip(1).any(|part| part.contains(','));
    if digits.contains(',') && !(is_grouped && (1..=3).contains(&first.len())) || comma_after_point
    {
        return Err(ValueError::Malformed("a number with a comma before each three digits"));
    }
    Ok(digits.replace(',', ""))
}

/// Reads `12345.00 CNY`, `CNY 12,345`, `¥1.2万`, `300元`, or a bare number with the hint's
/// currency; gives the form `12345.00 CNY`.
pub(super) fn parse_money(text: &str, hints: &TextHints) -> Result<String, ValueError> {
    let text = narrow(text);
    let (currency, amount) = split_currency(&text, hints).ok_or(MoneyError::CurrencyMissing)?;
    let money = Money::from_decimal(&currency, parse_number(&amount)?)?;
    Ok(format!("{} {}", money.to_decimal_text(), money.currency()))
}

fn split_currency(text: &str, hints: &TextHints) -> Option<(String, String)> {
    let text = &text.replacen("RMB", "CNY", 1);
    let is_code = |code: &str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic());
    if let Some((code, amount)) = text.split_at_checked(3).filter(|(code, _)| is_code(code)) {
        return Some((code.to_owned(), amount.to_owned()));
    }
    let tail = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at));
    if let Some((amount, code)) = tail.filter(|(_, code)| is_code(code)) {
        return Some((code.to_owned(), amount.to_owned()));
    }
    let hinted = hints.currency.as_deref().map(str::to_ascii_uppercase);
    for (sign, usual, others) in SIGNS {
        if text.contains(sign) {
            let meant = hinted.filter(|code| others.contains(&code.as_str()));
            let currency = meant.unwrap_or_else(|| (*usual).to_owned());
            return Some((currency, text.replacen(sign, "", 1)));
        }
    }
    hinted.map(|currency| (currency, text.to_owned()))
}
