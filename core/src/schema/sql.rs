//! Values as columns of tables.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::{
    ids::Part,
    schema::types::{Type, split_period},
    value::{Geo, Money, TimeSpan, Value},
};

/// One column of a value: what is added to the field's name, and the SQL type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Follows the field's name.
    pub suffix: &'static str,
    /// `INTEGER` or `TEXT`.
    pub sql_type: &'static str,
}

/// A value of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<&str> for SqlValue {
    /// Empty text is nothing.
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }
}

/// Texts that the store makes from an entity's definition, each kept from when it is first made.
///
/// They are no part of what an entity is: a clone begins without any, and all compare equal.
#[derive(Debug, Default)]
pub(crate) struct Texts(RwLock<BTreeMap<(&'static str, Part), Arc<str>>>);

impl Texts {
    /// The text named `what` for a part, made by `make` if nobody asked for it before.
    pub(crate) fn get(
        &self,
        what: &'static str,
        part: &Part,
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let name = (what, part.clone());
        // The map is whole at every moment, whatever a holder of the lock died of.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        known.unwrap_or_else(|| {
            let made: Arc<str> = make().into();
            let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
            texts.insert(name, Arc::clone(&made));
            made
        })
    }
}

impl Clone for Texts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Texts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Texts {}

const fn text(suffix: &'static str) -> Column {
    Column { suffix, sql_type: "TEXT" }
}

const fn integer(suffix: &'static str) -> Column {
    Column { suffix, sql_type: "INTEGER" }
}

impl Type {
    /// The columns that a value takes.
    #[must_use]
    pub fn columns(&self) -> &'static [Column] {
        const TEXT: &[Column] = &[text("")];
        const INTEGER: &[Column] = &[integer("")];
        const MONEY: &[Column] = &[integer("_minor"), text("_currency")];
        const PERIOD: &[Column] = &[text("_start"), text("_end")];
        // Degrees in ten-millionths, exact and in order; metres.
        const GEO: &[Column] = &[integer("_lat"), integer("_lon"), integer("_accuracy")];
        const SPAN: &[Column] = &[integer("_start"), integer("_end")];
        match self {
            Self::Money => MONEY,
            Self::Period => PERIOD,
            Self::Geo => GEO,
            Self::TimeSpan => SPAN,
            Self::Bool | Self::Integer { .. } | Self::DateTime => INTEGER,
            Self::Text { .. }
            | Self::Decimal { .. }
            | Self::Date
            | Self::Picklist(_)
            | Self::Link(_)
            | Self::Email
            | Self::Phone
            | Self::Url
            | Self::Address
            | Self::PersonName
            | Self::Sha256
            | Self::Json { .. } => TEXT,
        }
    }

    /// The value in the order of [`Type::columns`]; what is not canonical becomes nothing where
    /// its parts cannot be told apart.
    #[must_use]
    pub fn to_sql(&self, value: &Value) -> Vec<SqlValue> {
        match (self, value) {
            (Self::Money, Value::Text(text)) => match text.parse::<Money>() {
                Ok(money) => vec![SqlValue::Integer(money.minor()), money.currency().into()],
                Err(_) => nothing(self),
            },
            (Self::Period, Value::Text(text)) => match split_period(text) {
                Some((start, end)) => vec![start.into(), end.into()],
                None => nothing(self),
            },
            (Self::Geo, Value::Text(text)) => match Geo::from_canonical(text) {
                Some(geo) => vec![
                    ten_millionths(geo.lat()),
                    ten_millionths(geo.lon()),
                    maybe(geo.accuracy_m().map(i64::from)),
                ],
                None => nothing(self),
            },
            (Self::TimeSpan, Value::Text(text)) => match TimeSpan::from_canonical(text) {
                Ok(span) => vec![SqlValue::Integer(span.start_ms), maybe(span.end_ms)],
                Err(_) => nothing(self),
            },
            (Self::Money | Self::Period | Self::Geo | Self::TimeSpan, _) => nothing(self),
            (Self::Bool | Self::Integer { .. } | Self::DateTime, Value::Text(_)) => nothing(self),
            (_, Value::Null | Value::Bytes(_)) => nothing(self),
            (_, Value::Bool(flag)) => vec![SqlValue::Integer((*flag).into())],
            (_, Value::Int(number)) => vec![SqlValue::Integer(*number)],
            (_, Value::Text(text)) => vec![SqlValue::Text(text.clone())],
        }
    }
}

fn maybe(number: Option<i64>) -> SqlValue {
    number.map_or(SqlValue::Null, SqlValue::Integer)
}

fn ten_millionths(degrees: Decimal) -> SqlValue {
    maybe((degrees * Decimal::from(10_000_000)).to_i64())
}

fn nothing(ty: &Type) -> Vec<SqlValue> {
    vec![SqlValue::Null; ty.columns().len()]
}
