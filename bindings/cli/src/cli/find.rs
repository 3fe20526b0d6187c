//! What can be typed to find records: searches, places, saved filters, lists that stay.

use clap::{Args, Subcommand};

pub(crate) const SEARCH_HELP: &str = "\
Words or their beginnings, Chinese characters, pinyin or its initials, part of a phone number or of an \
e-mail address. All must be found, in any field; \"quotes\" keep words together. Where almost nothing \
is found, one typo in a name is forgiven.

Examples:
  outrider search sanchuan
  outrider search '三川 成都' --entity customer
  outrider search '0113 496'";

/// Arguments of `search`.
#[derive(Debug, Args)]
#[command(after_help = SEARCH_HELP)]
pub(crate) struct SearchArgs {
    /// What to look for
    #[arg(required = true)]
    pub(crate) text: Vec<String>,
    /// Only in these entities, with commas
    #[arg(long = "entity", value_name = "ENTITY", value_delimiter = ',')]
    pub(crate) entities: Vec<String>,
    /// Hits on the page, at most 200
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) limit: u16,
    /// Which page
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) page: u16,
    /// Find archived records too
    #[arg(long)]
    pub(crate) archived: bool,
}

pub(crate) const NEAR_HELP: &str = "\
Examples:
  outrider near 31.2304,121.4737 --within 5km
  outrider near 31.2304,121.4737 --entity customer --limit 10
  outrider near customer:erp:10042";

/// Arguments of `near`.
#[derive(Debug, Args)]
#[command(after_help = NEAR_HELP, allow_negative_numbers = true)]
pub(crate) struct NearArgs {
    /// Degrees north and east with a comma, or a record that has a position
    #[arg(value_name = "LAT,LON", allow_hyphen_values = true)]
    pub(crate) place: String,
    /// Within this distance, such as 500m or 5km; anywhere if not given
    #[arg(long, value_name = "DISTANCE", value_parser = metres)]
    pub(crate) within: Option<u32>,
    /// Only records of this entity
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// Records, at most 1000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
}

/// Reads a distance.
fn metres(text: &str) -> Result<u32, String> {
    let wrong = || "a distance is a number with m or km, such as 500m or 2.5km".to_owned();
    let text = text.trim();
    let (number, unit) = match (text.strip_suffix("km"), text.strip_suffix('m')) {
        (Some(number), _) => (number, 1_000.0),
        (None, Some(number)) => (number, 1.0),
        (None, None) => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let metres = (number * unit).round();
    if (0.0..=f64::from(u32::MAX)).contains(&metres) {
        // Within the limits, and whole.
        Ok(metres as u32)
    } else {
        Err(wrong())
    }
}

/// Conditions and order of a list.
#[derive(Debug, Default, Args)]
pub(crate) struct ConditionArgs {
    /// Only records with this value: field=value, field!=value; field= for none
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) is: Vec<String>,
    /// Only records with at least this value
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) from: Vec<String>,
    /// Only records with at most this value
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) to: Vec<String>,
    /// Only records whose field contains this text
    #[arg(long, value_name = "FIELD=TEXT")]
    pub(crate) contains: Vec<String>,
    /// Sort by this field; by time of creation if not given
    #[arg(long, value_name = "FIELD")]
    pub(crate) sort: Option<String>,
    /// The greatest first
    #[arg(long)]
    pub(crate) desc: bool,
    /// Archived records too
    #[arg(long, visible_alias = "with-archived")]
    pub(crate) archived: bool,
}

pub(crate) const WATCH_HELP: &str = "\
Examples:
  outrider watch opportunity --where sales_stage=negotiation --sort expected_amount --desc
  outrider watch --search sanchuan";

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = WATCH_HELP)]
pub(crate) struct WatchArgs {
    /// The entity, such as customer or opportunity; with --search any if not given
    #[arg(required_unless_present = "search")]
    pub(crate) entity: Option<String>,
    /// Watch what this search finds
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["is", "from", "to", "contains", "sort", "desc"])]
    pub(crate) search: Option<String>,
    #[command(flatten)]
    pub(crate) conditions: ConditionArgs,
    /// Records, at most 500
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    /// Fields to show, with commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
}

/// Saved filters.
#[derive(Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// Keep conditions, order and search of a list under a name; a filter of that name is replaced
    Save(Box<FilterSaveArgs>),
    /// List the saved filters
    List {
        /// Only those for this entity
        #[arg(long, value_name = "ENTITY")]
        entity: Option<String>,
    },
}

/// Arguments of `filter save`.
#[derive(Debug, Args)]
pub(crate) struct FilterSaveArgs {
    /// What to call it
    pub(crate) name: String,
    /// The entity that it lists
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: String,
    #[command(flatten)]
    pub(crate) conditions: ConditionArgs,
    /// What it searches
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// For everybody, also at the office
    #[arg(long)]
    pub(crate) shared: bool,
}

#[cfg(test)]
mod tests {
    use super::metres;

    #[test]
    fn distances_are_read() {
        assert_eq!(metres("500m"), Ok(500));
        assert_eq!(metres("2.5km"), Ok(2_500));
        assert_eq!(metres(" 5 km"), Ok(5_000));
        for wrong in ["5", "km", "-1km", "9e99km", "NaNm", ""] {
            assert!(metres(wrong).is_err(), "{wrong}");
        }
    }
}
