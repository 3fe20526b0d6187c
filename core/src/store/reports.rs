//! Sums over typed rows, for the reports.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;
use crate::ids::RecordId;

/// Opportunities that are alike in everything that a pipeline report asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpportunityGroup {
    /// Id of the stage.
    pub stage: Option<String>,
    /// Chance of winning that a person set, in percent.
    pub probability: Option<i64>,
    /// Currency of the amount; `None` if they have no amount.
    pub currency: Option<String>,
    /// Id of the responsible user.
    pub owner: Option<String>,
    /// Id of the primary product.
    pub product: Option<String>,
    /// How many there are.
    pub count: u64,
    /// The sum of their amounts in smallest units.
    pub amount_minor: i64,
}

/// A user, as reports name one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// The name as the table keeps it.
    pub name: Option<String>,
    /// The regional office.
    pub region: Option<String>,
}

/// Hands every group of opportunities that are not archived to `take`, in a fixed order.
///
/// # Errors
///
/// Fails when the database does, or a sum does not fit into 64 bits.
pub fn opportunity_groups(
    conn: &Connection,
    mut take: impl FnMut(OpportunityGroup) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT sales_stage, probability, expected_amount_currency, owner_id, product_id,
                count(*), coalesce(sum(expected_amount_minor), 0)
         FROM opportunity
         WHERE is_archived = 0
         GROUP BY sales_stage, probability, expected_amount_currency, owner_id, product_id
         ORDER BY sales_stage, probability, expected_amount_currency, owner_id, product_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(OpportunityGroup {
            stage: row.get(0)?,
            probability: row.get(1)?,
            currency: row.get(2)?,
            owner: row.get(3)?,
            product: row.get(4)?,
            count: row.get::<_, i64>(5)?.unsigned_abs(),
            amount_minor: row.get(6)?,
        })?;
    }
    Ok(())
}

/// A user; `None` if it is not on this device.
///
/// # Errors
///
/// Fails when the database does.
pub fn agent(conn: &Connection, id: RecordId) -> Result<Option<Agent>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT name, regional_office FROM user WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok(Agent { name: row.get(0)?, region: row.get(1)? }))
        .optional()?)
}

/// The list price of a product in smallest units, with its currency; `None` if it has none or is
/// not on this device.
///
/// # Errors
///
/// Fails when the database does.
pub fn list_price(conn: &Connection, id: RecordId) -> Result<Option<(i64, String)>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT price_minor, price_currency FROM product
             WHERE id = ?1 AND price_minor IS NOT NULL AND price_currency IS NOT NULL",
        )?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}
