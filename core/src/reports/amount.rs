//! Sums of money: exact in smallest units, and as a number in main units for readers.

use std::fmt;

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::value::Money;

/// A sum in one currency. As JSON: `value` in main units, `value_minor` exact in smallest ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amount {
    /// In smallest units.
    pub minor: i128,
    /// Digits after the point that the currency has.
    pub digits: u32,
}

impl Amount {
    /// A sum in a currency; one that is unknown has no digits after the point.
    #[must_use]
    pub fn new(minor: i128, currency: Option<&str>) -> Self {
        let unit = currency.and_then(|code| Money::new(code, 0).ok());
        Self { minor, digits: unit.map_or(0, |unit| unit.amount().scale()) }
    }

    /// The sum in main units, for programs: `-1234.50`.
    #[must_use]
    pub fn to_decimal_text(self) -> String {
        self.decimal().unwrap_or_default().to_string()
    }

    /// The sum in main units.
    fn decimal(self) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(self.minor, self.digits).ok()
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Amount", 2)?;
        let decimal = self.decimal().unwrap_or_default().normalize();
        match decimal.to_i64().filter(|_| decimal.scale() == 0) {
            Some(whole) => object.serialize_field("value", &whole)?,
            None => object.serialize_field("value", &decimal.to_f64())?,
        }
        object.serialize_field("value_minor", &self.minor.to_i64())?;
        object.end()
    }
}

impl fmt::Display for Amount {
    /// With a comma before each three digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.decimal().unwrap_or_default().abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut grouped = String::from(if self.minor < 0 { "-" } else { "" });
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        if !fraction.is_empty() {
            grouped.push('.');
            grouped.push_str(fraction);
        }
        f.pad(&grouped)
    }
}
