//! The arithmetic of the pipeline: groups of opportunities added up by currency.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    amount::Amount,
    pipeline::{
        AGENTS_MAX, AgentValue, Counted, CurrencyPipeline, ListPriced, OpenTotal, PipelineReport,
        RegionValue, StageLine, StageValue,
    },
};
use rusqlite::Connection;

use crate::{
    schema::{Choice, Label, Language, Picklist, Schema, StageType},
    store::{
        StoreError,
        reports::{self, Agent, OpportunityGroup},
    },
    value::Value,
};

/// Opportunities and the sum of their amounts in smallest units.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    minor: i128,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.minor += other.minor;
    }
}

/// What one stage holds.
#[derive(Debug, Clone, Copy, Default)]
struct StageSum {
    sum: Sum,
    /// Amounts times chances in percent.
    weighted_percent: i128,
}

/// What one currency adds up to.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    by_stage: BTreeMap<Option<String>, StageSum>,
    won_by_owner: BTreeMap<Option<String>, Sum>,
    at_list_price: BTreeMap<String, Sum>,
    without_price: u64,
}

impl Tally {
    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.without_price += other.without_price;
        for (stage, more) in other.by_stage {
            let known = self.by_stage.entry(stage).or_default();
            known.sum.add(more.sum);
            known.weighted_percent += more.weighted_percent;
        }
        for (owner, more) in other.won_by_owner {
            self.won_by_owner.entry(owner).or_default().add(more);
        }
        for (stage, more) in other.at_list_price {
            self.at_list_price.entry(stage).or_default().add(more);
        }
    }
}

/// Groups of opportunities being added up.
#[derive(Debug)]
pub(super) struct Sums<'r> {
    conn: &'r Connection,
    schema: &'r Schema,
    stages: Option<&'r Picklist>,
    prices: BTreeMap<String, Option<(i64, String)>>,
    by_currency: BTreeMap<Option<String>, Tally>,
}

impl<'r> Sums<'r> {
    pub(super) fn new(conn: &'r Connection, schema: &'r Schema) -> Self {
        let stages = schema.picklist("sales_stage");
        Self { conn, schema, stages, prices: BTreeMap::new(), by_currency: BTreeMap::new() }
    }

    fn choice(&self, stage: Option<&str>) -> Option<&'r Choice> {
        self.stages?.choice(stage?)
    }

    pub(super) fn add(&mut self, group: OpportunityGroup) -> Result<(), StoreError> {
        let choice = self.choice(group.stage.as_deref());
        let stage_type = choice.and_then(|choice| choice.stage_type);
        let has_amount = group.currency.is_some();
        let price = if has_amount { None } else { self.price(group.product.as_deref())? };
        let currency =
            group.currency.clone().or_else(|| price.as_ref().map(|(_, code)| code.clone()));
        let sum = Sum { count: group.count, minor: group.amount_minor.into() };
        let percent = chance_percent(choice, stage_type, group.probability);

        let tally = self.by_currency.entry(currency).or_default();
        tally.count += sum.count;
        let stage = tally.by_stage.entry(group.stage.clone()).or_default();
        stage.sum.add(sum);
        stage.weighted_percent += sum.minor * i128::from(percent);
        if stage_type == Some(StageType::Won) {
            tally.won_by_owner.entry(group.owner).or_default().add(sum);
        }
        if stage_type == Some(StageType::Open) && !has_amount {
            match (price, group.stage) {
                (Some((price, _)), Some(stage)) => {
                    let minor = i128::from(price) * i128::from(group.count);
                    let listed = Sum { count: group.count, minor };
                    tally.at_list_price.entry(stage).or_default().add(listed);
                }
                (Some(_) | None, _) => tally.without_price += group.count,
            }
        }
        Ok(())
    }

    /// The list price of a product, remembered.
    fn price(&mut self, product: Option<&str>) -> Result<Option<(i64, String)>, StoreError> {
        let Some(product) = product else { return Ok(None) };
        if let Some(known) = self.prices.get(product) {
            return Ok(known.clone());
        }
        let price = match product.parse() {
            Ok(id) => reports::list_price(self.conn, id)?,
            Err(_) => None,
        };
        self.prices.insert(product.to_owned(), price.clone());
        Ok(price)
    }

    pub(super) fn finish(mut self) -> Result<PipelineReport, StoreError> {
        let nowhere = self.by_currency.remove(&None).unwrap_or_default();
        let tallies = std::mem::take(&mut self.by_currency);
        let mut tallies: Vec<(Option<String>, Tally)> = tallies.into_iter().collect();
        // Equally frequent ones stay in the order of their codes.
        tallies.sort_by_key(|(_, tally)| Reverse(tally.count));
        let mut tallies = tallies.into_iter();
        let (currency, mut main) = tallies.next().unwrap_or_default();
        main.join(nowhere);
        Ok(PipelineReport {
            main: self.currency_pipeline(currency, main)?,
            other_currencies: tallies
                .map(|(currency, tally)| self.currency_pipeline(currency, tally))
                .collect::<Result<_, _>>()?,
        })
    }

    fn currency_pipeline(
        &self,
        currency: Option<String>,
        tally: Tally,
    ) -> Result<CurrencyPipeline, StoreError> {
        let amount = |minor| Amount::new(minor, currency.as_deref());
        let counted = |sum: Sum| Counted { count: sum.count, amount: amount(sum.minor) };
        let (mut won, mut lost, mut open) = (Sum::default(), Sum::default(), StageSum::default());
        for (stage, sums) in &tally.by_stage {
            match self.choice(stage.as_deref()).and_then(|choice| choice.stage_type) {
                Some(StageType::Won) => won.add(sums.sum),
                Some(StageType::Lost) => lost.add(sums.sum),
                Some(StageType::Open) => {
                    open.sum.add(sums.sum);
                    open.weighted_percent += sums.weighted_percent;
                }
                Some(StageType::Hold) | None => {}
            }
        }
        let (agents, regions) = self.winners(tally.won_by_owner, &amount)?;
        let mut listed = Sum::default();
        tally.at_list_price.values().for_each(|sum| listed.add(*sum));
        let mut by_stage = self.in_order(tally.at_list_price, |stage| Some(stage.as_str()));
        let by_stage = by_stage.drain(..).map(|(stage, sum)| {
            let (count, amount) = (sum.count, amount(sum.minor));
            StageValue { stage, count, amount }
        });
        let lines = self.in_order(tally.by_stage, |stage| stage.as_deref());
        let lines = lines.into_iter().map(|(stage, sums)| StageLine {
            label: self.label(stage.as_deref()),
            stage,
            count: sums.sum.count,
            amount: amount(sums.sum.minor),
            weighted: amount(percent_of(sums.weighted_percent)),
        });
        Ok(CurrencyPipeline {
            count: tally.count,
            won: counted(won),
            lost: counted(lost),
            win_rate_percent: win_rate_percent(won.count, lost.count),
            open: OpenTotal {
                count: open.sum.count,
                amount: amount(open.sum.minor),
                weighted: amount(percent_of(open.weighted_percent)),
            },
            won_by_region: regions,
            best_agent: agents.first().cloned(),
            won_by_agent: agents.into_iter().take(AGENTS_MAX).collect(),
            open_pipeline_at_list_price: ListPriced {
                count: listed.count,
                amount: amount(listed.minor),
                without_price: tally.without_price,
                by_stage: by_stage.collect(),
            },
            by_stage: lines.collect(),
            currency: currency.clone(),
        })
    }

    /// What was won by agent and by region, the most first.
    fn winners(
        &self,
        by_owner: BTreeMap<Option<String>, Sum>,
        amount: &dyn Fn(i128) -> Amount,
    ) -> Result<(Vec<AgentValue>, Vec<RegionValue>), StoreError> {
        let mut agents = Vec::new();
        let mut by_region: BTreeMap<Option<String>, Sum> = BTreeMap::new();
        for (id, sum) in by_owner {
            let known = match id.as_deref().and_then(|id| id.parse().ok()) {
                Some(id) => reports::agent(self.conn, id)?.unwrap_or_default(),
                None => Agent::default(),
            };
            by_region.entry(known.region).or_default().add(sum);
            let name = known.name.map(|name| self.person_name(name));
            agents.push(AgentValue { id, name, count: sum.count, amount: amount(sum.minor) });
        }
        agents.sort_by_key(|agent| Reverse(agent.amount.minor));
        let mut regions: Vec<RegionValue> = by_region
            .into_iter()
            .map(|(region, sum)| RegionValue {
                region,
                count: sum.count,
                amount: amount(sum.minor),
            })
            .collect();
        regions.sort_by_key(|region| Reverse(region.amount.minor));
        Ok((agents, regions))
    }

    /// A name as people read it.
    fn person_name(&self, stored: String) -> String {
        let field = self.schema.entity("user").and_then(|user| user.field("name"));
        match field {
            Some(field) => field.ty.display(&Value::Text(stored), Language::En),
            None => stored,
        }
    }

    fn label(&self, stage: Option<&str>) -> Label {
        let choice = self.choice(stage).map(|choice| choice.label.clone());
        choice.unwrap_or_else(|| match stage {
            Some(id) => Label { en: id.to_owned(), zh: id.to_owned() },
            None => Label { en: "No stage".to_owned(), zh: "无阶段".to_owned() },
        })
    }

    /// Stages in the order of their list, unknown ones last.
    fn in_order<K, V>(
        &self,
        by_stage: BTreeMap<K, V>,
        id: impl Fn(&K) -> Option<&str>,
    ) -> Vec<(K, V)> {
        let place = |stage: Option<&str>| {
            let choices = self.stages.map_or(&[] as &[Choice], |list| &list.choices);
            choices.iter().position(|choice| Some(choice.id.as_str()) == stage)
        };
        let mut ordered: Vec<(K, V)> = by_stage.into_iter().collect();
        ordered.sort_by_key(|(stage, _)| place(id(stage)).unwrap_or(usize::MAX));
        ordered
    }
}

/// The chance of winning in percent.
fn chance_percent(choice: Option<&Choice>, stage_type: Option<StageType>, set: Option<i64>) -> i64 {
    match stage_type {
        Some(StageType::Won) => 100,
        Some(StageType::Lost | StageType::Hold) | None => 0,
        Some(StageType::Open) => {
            set.unwrap_or_else(|| choice.and_then(|c| c.probability).unwrap_or(0).into())
        }
    }
}

/// A sum of amounts times percents as an amount, rounded to the nearest smallest unit.
fn percent_of(sum: i128) -> i128 {
    (sum + 50 * sum.signum()) / 100
}

fn win_rate_percent(won: u64, lost: u64) -> Option<f64> {
    let decided = won + lost;
    if decided == 0 {
        return None;
    }
    // In hundredths of a percent, so that the rounding is exact.
    let rate = (u128::from(won) * 20_000 + u128::from(decided)) / (2 * u128::from(decided));
    u32::try_from(rate).ok().map(|rate| f64::from(rate) / 100.0)
}
