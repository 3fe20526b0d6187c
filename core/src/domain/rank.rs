//! The order among the values of a ranked field: priorities, stages, statuses.

use crate::{
    schema::{Field, Type},
    value::Value,
};

/// The rank of a value by the field's picklist; `None` for an unknown or empty one.
#[must_use]
pub fn rank_of(field: &Field, value: &Value) -> Option<i64> {
    let Type::Picklist(list) = &field.ty else { return value.as_int() };
    list.choice(value.as_text()?)?.rank.map(i64::from)
}
