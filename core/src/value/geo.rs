//! A position on Earth, as a device, a map or a person gave it.
//!
//! Degrees are kept with seven digits after the point, about a centimetre, as decimal text: no
//! binary fractions, so equal positions are equal texts on every replica.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// Digits after the point of a degree.
const DEGREE_DIGITS: u32 = 7;
/// Degrees east or west, at most.
const LON_MAX: i64 = 180;
/// Degrees north or south, at most.
const LAT_MAX: i64 = 90;
/// Metres of accuracy, at most: half the way around the Earth.
const ACCURACY_MAX_M: u32 = 20_037_509;
/// Characters of the word that says where a position comes from, at most.
const SOURCE_CHARS_MAX: usize = 32;
/// Mean radius of the Earth.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A position with its accuracy and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geo {
    lat: Decimal,
    lon: Decimal,
    accuracy_m: Option<u32>,
    source: String,
}

/// How it stands in a document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    lat: String,
    lon: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<u32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    source: String,
}

impl Geo {
    /// A position; degrees are rounded to seven digits, accuracy up to whole metres.
    ///
    /// `None` if it is not on Earth, or the source is no short word of `a-z` and `_`.
    #[must_use]
    pub fn new(
        lat: Decimal,
        lon: Decimal,
        accuracy_m: Option<Decimal>,
        source: &str,
    ) -> Option<Self> {
        let accuracy_m = match accuracy_m {
            None => None,
            Some(metres) => {
                Some(metres.ceil().to_u32().filter(|metres| *metres <= ACCURACY_MAX_M)?)
            }
        };
        let is_word = source.len() <= SOURCE_CHARS_MAX
            && source.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let lat = degrees(lat, LAT_MAX)?;
        let lon = degrees(lon, LON_MAX)?;
        is_word.then(|| Self { lat, lon, accuracy_m, source: source.to_owned() })
    }

    /// Reads the text that stands in a document; `None` if it is not canonical.
    #[must_use]
    pub fn from_canonical(text: &str) -> Option<Self> {
        let Stored { lat, lon, accuracy_m, source } = serde_json::from_str(text).ok()?;
        let read = |text: &str| Decimal::from_str_exact(text).ok();
        let geo = Self::new(read(&lat)?, read(&lon)?, accuracy_m.map(Decimal::from), &source)?;
        (geo.to_canonical() == text).then_some(geo)
    }

    /// The text that stands in a document.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let Self { lat, lon, accuracy_m, source } = self;
        let stored = Stored {
            lat: lat.to_string(),
            lon: lon.to_string(),
            accuracy_m: *accuracy_m,
            source: source.clone(),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Degrees north.
    #[must_use]
    pub fn lat(&self) -> Decimal {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    pub fn lon(&self) -> Decimal {
        self.lon
    }

    /// Within how many metres the true position is, if that is known.
    #[must_use]
    pub fn accuracy_m(&self) -> Option<u32> {
        self.accuracy_m
    }

    /// Where it comes from, such as `gps`; empty if nobody said.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Metres to another position along a great circle, rounded.
    #[must_use]
    pub fn distance_m(&self, other: &Self) -> u32 {
        let radians = |degrees: Decimal| degrees.to_f64().unwrap_or(0.0).to_radians();
        let (lat, other_lat) = (radians(self.lat), radians(other.lat));
        let (d_lat, d_lon) = (other_lat - lat, radians(other.lon) - radians(self.lon));
        let half =
            (d_lat / 2.0).sin().powi(2) + lat.cos() * other_lat.cos() * (d_lon / 2.0).sin().powi(2);
        let metres = 2.0 * EARTH_RADIUS_M * half.sqrt().min(1.0).asin();
        Decimal::try_from(metres.round())
            .ok()
            .and_then(|metres| metres.to_u32())
            .unwrap_or(u32::MAX)
    }
}

fn degrees(value: Decimal, max: i64) -> Option<Decimal> {
    let rounded =
        value.round_dp_with_strategy(DEGREE_DIGITS, RoundingStrategy::MidpointAwayFromZero);
    let max = Decimal::from(max);
    // A negative zero would be a second spelling of the same.
    let rounded = if rounded.is_zero() { Decimal::ZERO } else { rounded.normalize() };
    (-max..=max).contains(&rounded).then_some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: &str, lon: &str) -> Geo {
        Geo::new(lat.parse().unwrap(), lon.parse().unwrap(), None, "").unwrap()
    }

    #[test]
    fn positions_have_one_spelling() {
        let geo = Geo::new(
            "31.230416299999998".parse().unwrap(),
            "121.4737000".parse().unwrap(),
            Some("4.2".parse().unwrap()),
            "gps",
        );
        let text = r#"{"lat":"31.2304163","lon":"121.4737","accuracy_m":5,"source":"gps"}"#;
        assert_eq!(geo.unwrap().to_canonical(), text);
        assert!(Geo::from_canonical(text).is_some());
        assert!(Geo::from_canonical(r#"{"lat":"31.0","lon":"121"}"#).is_none());
        assert!(Geo::from_canonical(r#"{"lon":"121","lat":"31"}"#).is_none());
        assert_eq!(at("-0.00000001", "0").to_canonical(), r#"{"lat":"0","lon":"0"}"#);
        assert!(Geo::new(Decimal::from(91), Decimal::ZERO, None, "").is_none());
    }

    #[test]
    fn distances_are_those_of_the_map() {
        assert_eq!(at("31.2304", "121.4737").distance_m(&at("31.2304", "121.4737")), 0);
        // Shanghai to Beijing is 1,067 km as the crow flies.
        let far = at("31.2304", "121.4737").distance_m(&at("39.9042", "116.4074"));
        assert!((1_060_000..1_075_000).contains(&far), "{far}");
        let near = at("31.2304", "121.4737").distance_m(&at("31.2313", "121.4737"));
        assert_eq!(near, 100);
    }
}
