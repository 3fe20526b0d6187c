//! An amount of money: a currency and a whole number of its smallest units, in one register.
//!
//! Amount and currency are never two registers: a merge could then join one side's amount with
//! the other's currency. Canonical text: `CNY 1234500` (1,234,500 fen, which is 12,345.00 yuan).

use std::{fmt, str::FromStr};

use iso_currency::Currency;
use rust_decimal::Decimal;

/// Largest amount in smallest units, either sign: what JavaScript's numbers hold exactly.
pub const MONEY_MINOR_MAX: i64 = 9_007_199_254_740_991;

/// What is wrong with an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// There is no such ISO 4217 code, or it counts no units (gold, test codes).
    #[error("`{0}` is not a currency that amounts are kept in")]
    UnknownCurrency(String),
    /// The amount has no currency and none was agreed.
    #[error("the amount does not say its currency")]
    CurrencyMissing,
    /// The text is not a decimal number.
    #[error("the amount is not a decimal number")]
    MalformedAmount,
    /// The amount has more decimals than its currency.
    #[error("{currency} has {decimals} decimals, the amount has more")]
    TooPrecise {
        /// ISO 4217 code.
        currency: &'static str,
        /// Decimals that the currency has.
        decimals: u32,
    },
    /// The amount is beyond [`MONEY_MINOR_MAX`].
    #[error("the amount is too large")]
    TooLarge,
    /// The text has another form than the canonical one.
    #[error("money is written as `CNY 1234500`")]
    NotCanonical,
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    currency: Currency,
    decimals: u32,
    minor: i64,
}

impl Money {
    /// An amount of `minor` smallest units of the currency with this ISO code, any case.
    ///
    /// # Errors
    ///
    /// The code is unknown, or the amount too large.
    pub fn new(currency: &str, minor: i64) -> Result<Self, MoneyError> {
        let (currency, decimals) = known_currency(currency)?;
        if minor.unsigned_abs() > MONEY_MINOR_MAX.unsigned_abs() {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { currency, decimals, minor })
    }

    /// An amount given in the currency's main units. It is never rounded.
    ///
    /// # Errors
    ///
    /// The code is unknown, the amount too large or too precise for the currency.
    pub fn from_decimal(currency: &str, amount: Decimal) -> Result<Self, MoneyError> {
        let (known, decimals) = known_currency(currency)?;
        let units = amount.normalize();
        if units.scale() > decimals {
            return Err(MoneyError::TooPrecise { currency: known.code(), decimals });
        }
        let factor = Decimal::from(10_i64.pow(decimals));
        let minor = units.checked_mul(factor).ok_or(MoneyError::TooLarge)?;
        Self::new(known.code(), minor.try_into().map_err(|_| MoneyError::TooLarge)?)
    }

    /// An amount from plain decimal text, such as `12345.00`.
    ///
    /// # Errors
    ///
    /// As [`Money::from_decimal`], or the text is not a decimal number.
    pub fn from_decimal_text(currency: &str, amount: &str) -> Result<Self, MoneyError> {
        let amount = Decimal::from_str_exact(amount).map_err(|_| MoneyError::MalformedAmount)?;
        Self::from_decimal(currency, amount)
    }

    /// ISO 4217 code.
    #[must_use]
    pub fn currency(&self) -> &'static str {
        self.currency.code()
    }

    /// The amount in smallest units.
    #[must_use]
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The amount in main units, with all decimals of the currency.
    #[must_use]
    pub fn amount(&self) -> Decimal {
        Decimal::new(self.minor, self.decimals)
    }

    /// The amount in main units as text, such as `12345.00`.
    #[must_use]
    pub fn to_decimal_text(&self) -> String {
        self.amount().to_string()
    }
}

/// The canonical text, `CNY 1234500`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency(), self.minor)
    }
}

/// Reads the canonical text and no other form.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (currency, minor) = text.split_once(' ').ok_or(MoneyError::NotCanonical)?;
        let money = Self::new(currency, minor.parse().map_err(|_| MoneyError::NotCanonical)?)?;
        if money.to_string() == text { Ok(money) } else { Err(MoneyError::NotCanonical) }
    }
}

fn known_currency(code: &str) -> Result<(Currency, u32), MoneyError> {
    let unknown = || MoneyError::UnknownCurrency(code.chars().take(8).collect());
    let currency = Currency::from_code(&code.to_ascii_uppercase()).ok_or_else(unknown)?;
    let decimals = currency.exponent().ok_or_else(unknown)?;
    Ok((currency, u32::from(decimals)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        for (currency, amount, canonical) in [
            ("CNY", "12345.00", "CNY 1234500"),
            ("cny", "12345", "CNY 1234500"),
            ("JPY", "500", "JPY 500"),
            ("KWD", "1.234", "KWD 1234"),
            ("USD", "-0.05", "USD -5"),
        ] {
            let money = Money::from_decimal_text(currency, amount).unwrap();
            assert_eq!(money.to_string(), canonical);
            assert_eq!(canonical.parse::<Money>().unwrap(), money);
        }
    }

    #[test]
    fn amounts_are_refused_rather_than_rounded() {
        let refusal = |currency, amount| Money::from_decimal_text(currency, amount).unwrap_err();
        assert!(matches!(refusal("CNY", "1.005"), MoneyError::TooPrecise { decimals: 2, .. }));
        assert!(matches!(refusal("JPY", "0.5"), MoneyError::TooPrecise { decimals: 0, .. }));
        assert_eq!(refusal("CNY", "99999999999999999"), MoneyError::TooLarge);
        assert_eq!(refusal("CNY", "1e3"), MoneyError::MalformedAmount);
        assert!(matches!(refusal("XAU", "1"), MoneyError::UnknownCurrency(_)));
        assert!(matches!(refusal("ABC", "1"), MoneyError::UnknownCurrency(_)));
    }

    #[test]
    fn only_the_canonical_text_is_read_back() {
        for text in ["cny 1", "CNY  1", "CNY +1", "CNY 01", "CNY -0", "CNY 1.0", "CNY", "1 CNY"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_largest_amount_has_a_limit() {
        assert!(Money::new("CNY", MONEY_MINOR_MAX).is_ok());
        assert!(Money::new("CNY", -MONEY_MINOR_MAX).is_ok());
        assert_eq!(Money::new("CNY", MONEY_MINOR_MAX + 1), Err(MoneyError::TooLarge));
        assert_eq!(Money::new("CNY", i64::MIN), Err(MoneyError::TooLarge));
    }
}
