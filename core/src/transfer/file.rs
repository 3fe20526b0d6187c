//! A mapping file as it is written: TOML, no unknown keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::table::Format;
use crate::schema::DateOrder;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingFile {
    /// The entity that each row makes a record of.
    pub(super) entity: Spanned<String>,
    /// Name of the system that the file comes from.
    pub(super) source: Spanned<String>,
    /// The columns whose values name a row in that system.
    pub(super) key: Spanned<OneOrMany>,
    /// Whether a key may come several times; the second is told apart by its number.
    #[serde(default)]
    pub(super) key_occurrence: bool,
    /// What the file is, if it is not to be found out.
    pub(super) format: Option<Format>,
    /// Its encoding, by the name that the web has for it.
    pub(super) encoding: Option<String>,
    /// What stands between cells.
    pub(super) delimiter: Option<Spanned<char>>,
    /// The sheet of a workbook.
    pub(super) sheet: Option<String>,
    /// The type of the records of a data tree.
    pub(super) record_type: Option<String>,
    /// Names of the columns, for a file whose first row has none.
    pub(super) columns: Option<Vec<String>>,
    /// The field of a record that the rows become rows of.
    pub(super) rows: Option<Spanned<String>>,
    /// Which record that is.
    pub(super) parent: Option<Spanned<FieldEntry>>,
    /// Whether rows that may be the same as what is here are told of.
    #[serde(default = "yes")]
    pub(super) compare: bool,
    /// Whether spaces, width and the like are tidied.
    #[serde(default = "yes")]
    pub(super) clean: bool,
    /// Country (ISO 3166) of telephone numbers without a country's code.
    pub(super) region: Option<String>,
    /// The order of dates, unless a field says otherwise.
    #[serde(default)]
    pub(super) date_order: Order,
    /// The currency of amounts, unless a field says otherwise.
    pub(super) currency: Option<Spanned<String>>,
    /// Minutes east of UTC of times that name no zone.
    #[serde(default)]
    pub(super) utc_offset_minutes: i32,
    /// What each field, or each part of one (`"address.country"`), is made from.
    pub(super) fields: BTreeMap<Spanned<String>, FieldEntry>,
}

/// What a field is made from: one of `column`, `const`, `template` and `sum`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) struct FieldEntry {
    /// The column that holds it.
    pub(super) column: Option<String>,
    /// The same for every row.
    #[serde(rename = "const")]
    pub(super) constant: Option<toml::Value>,
    /// Text with columns in braces.
    pub(super) template: Option<String>,
    /// Columns whose numbers are added.
    pub(super) sum: Option<Vec<String>>,
    /// Values of the column and what they mean.
    pub(super) map: Option<BTreeMap<String, String>>,
    /// The order of dates.
    pub(super) date_order: Option<Order>,
    /// The currency of amounts.
    pub(super) currency: Option<String>,
    /// A factor for numbers and amounts.
    pub(super) times: Option<i64>,
    /// Digits after the point that are kept, for numbers and amounts.
    pub(super) round: Option<u32>,
    /// What stands between the members of a set.
    pub(super) split: Option<String>,
    /// Which record a link means.
    #[serde(rename = "ref")]
    pub(super) reference: Option<ReferenceEntry>,
    /// Whether a required field may be empty.
    #[serde(default)]
    pub(super) allow_empty: bool,
}

/// Which record a link means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceEntry {
    /// Its entity; the link's own if none.
    pub(super) entity: Option<String>,
    /// `key`, `id`, or an indexed field of that entity.
    #[serde(default = "by_key")]
    pub(super) by: String,
    /// The system whose key it is; that of the file if none.
    pub(super) source: Option<String>,
    /// What happens when there is no such record.
    #[serde(default)]
    pub(super) missing: Missing,
}

fn yes() -> bool {
    true
}

fn by_key() -> String {
    "key".to_owned()
}

/// What happens to a row that names a record that is not here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Missing {
    /// The link stays empty until a later import finds the record.
    #[default]
    LeaveEmpty,
    /// The row is rejected.
    Reject,
}

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    #[default]
    Ymd,
}

impl From<Order> for DateOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Mdy => Self::Mdy,
            Order::Dmy => Self::Dmy,
            Order::Ymd => Self::Ymd,
        }
    }
}

/// One name, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected the name of a column, or a list of such names")]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The names.
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}
