//! Records near a place: through the index of positions, nearest first.
//!
//! A square around the place is read by the index of latitudes, then distances are those on the
//! globe. The square grows until it holds enough, so that a wide search among many records reads no
//! more than it must. It may cross the date line, and at a pole it goes all around.

use rusqlite::{Connection, params};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{StoreError, rows::columns_of};
use crate::{
    ids::{Part, RecordId},
    schema::{Entity, Field, Schema, Type},
    value::Geo,
};

/// Records in one answer, at most.
pub const NEAR_MAX: usize = 1_000;
/// Half the way around the Earth: nothing is farther, in metres.
pub const RADIUS_MAX_M: u32 = 20_037_509;
/// The radius that is tried first, in metres, and how much wider the next one is.
const RADIUS_FIRST_M: u32 = 2_000;
const RADIUS_GROWTH: u32 = 4;
/// Records of one square that are measured, at most.
const SCAN_MAX: usize = 200_000;
/// Metres of one degree of latitude, a little less than it has anywhere: a square is never too small.
const DEGREE_M: f64 = 110_500.0;
/// Ten-millionths of a degree: the unit of the columns.
const UNITS: f64 = 1e7;

/// Where to look.
#[derive(Debug, Clone, PartialEq)]
pub struct NearQuery {
    /// Degrees north and east.
    pub lat: Decimal,
    /// Degrees east.
    pub lon: Decimal,
    /// Only records of this entity; of all that have positions if none.
    pub entity: Option<String>,
    /// Within so many metres, at most [`RADIUS_MAX_M`].
    pub radius_m: u32,
    /// Records, at most [`NEAR_MAX`].
    pub limit: usize,
}

/// A record near a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearRecord {
    /// Name of its entity.
    pub entity: String,
    /// The record.
    pub record: RecordId,
    /// The field that holds its position.
    pub field: String,
    /// How far it is, in metres.
    pub distance_m: u32,
}

/// The field that holds where a record is, if its entity has one.
#[must_use]
pub fn geo_field(entity: &Entity) -> Option<&Field> {
    entity.fields.iter().find(|field| is_place(field))
}

/// Whether the field is a position by which records are found.
#[must_use]
pub fn is_place(field: &Field) -> bool {
    field.ty == Type::Geo && field.kind.is_single() && field.part == Part::Main
}

/// Records near a place, nearest first. Archived ones are left out.
///
/// # Errors
///
/// Returns [`StoreError::Query`] for a place that is not on Earth, an entity that there is not or
/// that has no position; fails when the database does.
pub fn near(
    conn: &Connection,
    schema: &Schema,
    query: &NearQuery,
) -> Result<Vec<NearRecord>, StoreError> {
    let wrong = |words: &str| StoreError::Query(words.to_owned());
    let here = Geo::new(query.lat, query.lon, None, "")
        .ok_or_else(|| wrong("this is no place on Earth: degrees north, then east"))?;
    let entities: Vec<&Entity> = match query.entity.as_deref() {
        None => schema.entities().filter(|entity| geo_field(entity).is_some()).collect(),
        Some(name) => {
            let entity = schema.entity(name).ok_or_else(|| wrong("there is no such entity"))?;
            geo_field(entity).ok_or_else(|| wrong("records of this entity have no position"))?;
            vec![entity]
        }
    };
    let limit = query.limit.clamp(1, NEAR_MAX);
    let radius_m = query.radius_m.min(RADIUS_MAX_M);
    let mut found = Vec::new();
    for entity in entities {
        let Some(field) = geo_field(entity) else { continue };
        let mut within_m = radius_m.min(RADIUS_FIRST_M);
        loop {
            let records = within(conn, entity, field, &here, within_m)?;
            if records.len() >= limit || within_m >= radius_m {
                found.extend(records);
                break;
            }
            within_m = within_m.saturating_mul(RADIUS_GROWTH).min(radius_m);
        }
    }
    found.sort_by_key(|near| (near.distance_m, near.record));
    found.truncate(limit);
    Ok(found)
}

/// All records of an entity within a radius, in no order.
fn within(
    conn: &Connection,
    entity: &Entity,
    field: &Field,
    here: &Geo,
    radius_m: u32,
) -> Result<Vec<NearRecord>, StoreError> {
    let columns: Vec<String> = columns_of(field).into_iter().map(|(name, _)| name).collect();
    let [lat_column, lon_column, ..] = columns.as_slice() else { return Ok(Vec::new()) };
    let Square { lat, lons } = square(here, radius_m);
    // Names come from the schema; everything else is a parameter.
    let sql = format!(
        "SELECT id, {lat_column}, {lon_column} FROM {}
         WHERE {lat_column} BETWEEN ?1 AND ?2 AND {lon_column} BETWEEN ?3 AND ?4
             AND {lat_column} IS NOT NULL AND is_archived = 0 LIMIT ?5",
        entity.name
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for lon in lons {
        let limit = i64::try_from(SCAN_MAX).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![lat.0, lat.1, lon.0, lon.1, limit])?;
        while let Some(row) = rows.next()? {
            let degrees = |units: i64| Decimal::new(units, 7);
            let there = Geo::new(degrees(row.get(1)?), degrees(row.get(2)?), None, "");
            let Some(distance_m) = there.map(|there| here.distance_m(&there)) else { continue };
            if distance_m <= radius_m {
                found.push(NearRecord {
                    entity: entity.name.clone(),
                    record: RecordId::from_bytes(row.get(0)?),
                    field: field.name.clone(),
                    distance_m,
                });
            }
        }
    }
    Ok(found)
}

/// Latitudes, and one or two stretches of longitudes, in the unit of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Square {
    lat: (i64, i64),
    lons: Vec<(i64, i64)>,
}

/// What holds everything within a radius of a place.
fn square(here: &Geo, radius_m: u32) -> Square {
    let units =
        |degrees: Decimal| rust_decimal::prelude::ToPrimitive::to_f64(&degrees).unwrap_or_default();
    let (lat, lon) = (units(here.lat()), units(here.lon()));
    let half = f64::from(radius_m) / DEGREE_M;
    let (south, north) = (lat - half, lat + half);
    let whole = (-180.0, 180.0);
    let lons = if south <= -90.0 || north >= 90.0 {
        vec![whole]
    } else {
        // At the edge nearer to a pole a degree of longitude is shortest.
        let narrow = south.abs().max(north.abs()).to_radians().cos();
        let wide = if narrow > 0.0 { half / narrow } else { 360.0 };
        match (lon - wide, lon + wide) {
            _ if wide >= 180.0 => vec![whole],
            (west, east) if west < -180.0 => vec![(-180.0, east), (west + 360.0, 180.0)],
            (west, east) if east > 180.0 => vec![(west, 180.0), (-180.0, east - 360.0)],
            stretch => vec![stretch],
        }
    };
    let column = |degrees: f64| {
        let units = Decimal::try_from((degrees * UNITS).round()).unwrap_or_default();
        rust_decimal::prelude::ToPrimitive::to_i64(&units).unwrap_or_default()
    };
    Square {
        lat: (column(south), column(north)),
        lons: lons.into_iter().map(|(west, east)| (column(west), column(east))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: i64, lon: i64) -> Geo {
        Geo::new(Decimal::from(lat), Decimal::from(lon), None, "").unwrap()
    }

    #[test]
    fn squares_cross_the_date_line_and_go_around_poles() {
        assert_eq!(square(&at(31, 121), 1_000).lons.len(), 1);
        assert_eq!(square(&at(0, 180), 100_000).lons.len(), 2);
        assert_eq!(square(&at(0, -180), 100_000).lons.len(), 2);
        let whole = vec![(-1_800_000_000, 1_800_000_000)];
        assert_eq!(square(&at(90, 10), 1_000).lons, whole);
        assert_eq!(square(&at(-89, 10), 200_000).lons, whole);
        assert_eq!(square(&at(0, 0), RADIUS_MAX_M).lons, whole);
    }
}
