//! Reports: what the records add up to.

use outrider_core::reports::{self, CurrencyPipeline};

use crate::{error::CrmError, replica::Replica, values::DecimalNumber};

/// One stage of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PipelineStage {
    /// Id of the stage; nothing for opportunities without one.
    pub stage: Option<String>,
    /// Its name in the user's language.
    pub label: String,
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    pub amount: DecimalNumber,
    /// Their amounts times the chance of winning.
    pub weighted: DecimalNumber,
}

/// What one user won.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OwnerValue {
    /// The name; nothing if the user is not on this device.
    pub name: Option<String>,
    /// Opportunities.
    pub count: u64,
    /// Their amounts.
    pub amount: DecimalNumber,
}

/// Where the sales stand in one currency.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Pipeline {
    /// ISO 4217 code; nothing if no opportunity and no product has one.
    pub currency: Option<String>,
    /// Opportunities.
    pub count: u64,
    /// How many were won.
    pub won_count: u64,
    /// Their amounts.
    pub won_amount: DecimalNumber,
    /// How many were lost.
    pub lost_count: u64,
    /// Their amounts.
    pub lost_amount: DecimalNumber,
    /// Won of all that were decided, in percent.
    pub win_rate_percent: Option<f64>,
    /// How many are open.
    pub open_count: u64,
    /// Their amounts.
    pub open_amount: DecimalNumber,
    /// Their amounts times the chance of winning.
    pub open_weighted: DecimalNumber,
    /// Each stage, in the order of the list.
    pub by_stage: Vec<PipelineStage>,
    /// What was won by owner, the most first, at most 50.
    pub won_by_owner: Vec<OwnerValue>,
}

#[uniffi::export]
impl Replica {
    /// Where the sales stand, by currency, the most used first.
    ///
    /// # Errors
    ///
    /// `Closed`, `Locked`, `Damaged`.
    pub fn pipeline_report(&self) -> Result<Vec<Pipeline>, CrmError> {
        let report = self.with(|replica| {
            replica.check_lease()?;
            reports::pipeline(replica)
        })?;
        let reports::PipelineReport { main, other_currencies } = report;
        Ok(std::iter::once(main).chain(other_currencies).map(|one| self.pipeline(one)).collect())
    }
}

impl Replica {
    fn pipeline(&self, pipeline: CurrencyPipeline) -> Pipeline {
        let CurrencyPipeline {
            currency,
            count,
            won,
            lost,
            win_rate_percent,
            open,
            won_by_region: _,
            won_by_agent,
            best_agent: _,
            open_pipeline_at_list_price: _,
            by_stage,
        } = pipeline;
        let number = |amount: reports::Amount| DecimalNumber(amount.to_decimal_text());
        let by_stage = by_stage.into_iter().map(|line| PipelineStage {
            stage: line.stage,
            label: line.label.get(self.language).to_owned(),
            count: line.count,
            amount: number(line.amount),
            weighted: number(line.weighted),
        });
        let won_by_owner = won_by_agent.into_iter().map(|agent| OwnerValue {
            name: agent.name,
            count: agent.count,
            amount: number(agent.amount),
        });
        Pipeline {
            currency,
            count,
            won_count: won.count,
            won_amount: number(won.amount),
            lost_count: lost.count,
            lost_amount: number(lost.amount),
            win_rate_percent,
            open_count: open.count,
            open_amount: number(open.amount),
            open_weighted: number(open.weighted),
            by_stage: by_stage.collect(),
            won_by_owner: won_by_owner.collect(),
        }
    }
}
