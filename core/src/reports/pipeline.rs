//! The pipeline: what is open at each stage, what was won and lost, where and by whom.
//!
//! Amounts of different currencies are never added up. An opportunity counts in the currency of
//! its amount; without one in that of its product's price; without that in the main currency,
//! which is the one that most opportunities have. Archived opportunities are left out.
//!
//! An amount is weighted by the chance that a person set, else by that of its stage. What was lost
//! or is on hold weighs nothing, what was won weighs all, whatever chance was once set.

use rusqlite::Connection;
use serde::Serialize;

use super::{amount::Amount, sums::Sums};
use crate::{
    replica::{Replica, ReplicaError},
    schema::{Label, Schema},
    store::{StoreError, reports},
};

/// Agents that a report names, at most.
pub const AGENTS_MAX: usize = 50;

/// Where the sales stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PipelineReport {
    /// In the main currency.
    #[serde(flatten)]
    pub main: CurrencyPipeline,
    /// In each other currency, the most used first.
    pub other_currencies: Vec<CurrencyPipeline>,
}

/// Where the sales stand in one currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurrencyPipeline {
    /// ISO code; `None` if no opportunity and no product has one.
    pub currency: Option<String>,
    /// Opportunities.
    pub count: u64,
    /// What was won.
    pub won: Counted,
    /// What was lost.
    pub lost: Counted,
    /// Won of all that were decided, in percent with two decimals; `None` if none was.
    pub win_rate_percent: Option<f64>,
    /// What is open.
    pub open: OpenTotal,
    /// What was won by the regional office of the owner, the most first.
    pub won_by_region: Vec<RegionValue>,
    /// What was won by owner, the most first, at most [`AGENTS_MAX`].
    pub won_by_agent: Vec<AgentValue>,
    /// Who won the most.
    pub best_agent: Option<AgentValue>,
    /// Open opportunities without an amount, at the price of their product.
    pub open_pipeline_at_list_price: ListPriced,
    /// Each stage, in the order of the list.
    pub by_stage: Vec<StageLine>,
}

/// How many, and their amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counted {
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    #[serde(flatten)]
    pub amount: Amount,
}

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OpenTotal {
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    #[serde(flatten)]
    pub amount: Amount,
    /// Their amounts times the chance of winning.
    pub weighted: Amount,
}

/// What was won in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionValue {
    /// The regional office; `None` where the owner has none or is not known.
    pub region: Option<String>,
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    #[serde(flatten)]
    pub amount: Amount,
}

/// What one agent won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentValue {
    /// The user; `None` for opportunities without an owner.
    pub id: Option<String>,
    /// The name; `None` if the user is not on this device.
    pub name: Option<String>,
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    #[serde(flatten)]
    pub amount: Amount,
}

/// Open opportunities without an amount, at list price.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ListPriced {
    /// Opportunities.
    pub count: u64,
    /// The sum of the prices.
    #[serde(flatten)]
    pub amount: Amount,
    /// Opportunities that have neither an amount nor a product with a price.
    pub without_price: u64,
    /// By stage, those with any.
    pub by_stage: Vec<StageValue>,
}

/// What one stage holds at list price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageValue {
    /// Id of the stage.
    pub stage: String,
    /// Opportunities.
    pub count: u64,
    /// The sum of the prices.
    #[serde(flatten)]
    pub amount: Amount,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageLine {
    /// Id of the stage; `None` for opportunities without one.
    pub stage: Option<String>,
    /// Its name for people.
    pub label: Label,
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    #[serde(flatten)]
    pub amount: Amount,
    /// Their amounts times the chance of winning.
    pub weighted: Amount,
}

/// Computes the pipeline of a replica.
///
/// # Errors
///
/// Fails when the store does.
pub fn pipeline(replica: &Replica) -> Result<PipelineReport, ReplicaError> {
    Ok(pipeline_of(replica.store().conn(), replica.schema())?)
}

/// Computes the pipeline from the typed rows of a database, a device's or the server's.
///
/// # Errors
///
/// Fails when the database does.
pub fn pipeline_of(conn: &Connection, schema: &Schema) -> Result<PipelineReport, StoreError> {
    let mut sums = Sums::new(conn, schema);
    reports::opportunity_groups(conn, |group| sums.add(group))?;
    sums.finish()
}
