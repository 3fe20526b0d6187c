//! The sales pipeline as a chart and as a table of the same figures.
//!
//! The chart is a few bars: drawn by a template of ours, so that its colours follow the page, in
//! the dark as well, and nothing in it needs a style of its own.

use askama::Template;
use axum::{extract::State, response::Response};
use outrider_core::{
    reports::{CurrencyPipeline, PipelineReport},
    schema::Language,
};

use super::{
    failure::Failure,
    page::{Page, respond},
    session::Session,
    words::Words,
};
use crate::{
    office::{self, OfficeError},
    state::AppState,
};

/// Units across the bars of the chart.
const BARS_WIDTH: u32 = 400;
/// Units from one bar to the next.
const STEP: u32 = 34;

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) weighted_width: u32,
    pub(super) text: String,
}

/// Stages as bars, and the same as a table.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) currency: String,
    pub(super) height: u32,
    pub(super) bars: Vec<Bar>,
    pub(super) lines: Vec<[String; 4]>,
}

/// The stages of one currency.
pub(super) fn chart(pipeline: &CurrencyPipeline, language: Language) -> Chart {
    let stages = pipeline.by_stage.iter().filter(|line| line.count > 0 || line.stage.is_some());
    let most = pipeline.by_stage.iter().map(|line| line.amount.minor).max().unwrap_or(0).max(1);
    let width = |minor: i128| {
        let units = minor.max(0).saturating_mul(BARS_WIDTH.into()) / most;
        u32::try_from(units).unwrap_or(BARS_WIDTH).min(BARS_WIDTH)
    };
    let bar = |(at, line): (u32, &outrider_core::reports::StageLine)| Bar {
        label: line.label.get(language).to_owned(),
        y: at * STEP,
        width: width(line.amount.minor),
        weighted_width: width(line.weighted.minor),
        text: format!("{} · {}", line.count, line.amount),
    };
    let bars: Vec<Bar> = (0..).zip(stages.clone()).map(bar).collect();
    let line = |line: &outrider_core::reports::StageLine| {
        [
            line.label.get(language).to_owned(),
            line.count.to_string(),
            line.amount.to_string(),
            line.weighted.to_string(),
        ]
    };
    Chart {
        currency: pipeline.currency.clone().unwrap_or_default(),
        height: u32::try_from(bars.len()).unwrap_or(0) * STEP + 4,
        bars,
        lines: stages.map(line).collect(),
    }
}

struct Part {
    chart: Chart,
    totals: Vec<[String; 3]>,
    regions: Vec<[String; 3]>,
    agents: Vec<[String; 3]>,
}

#[derive(Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    page: Page,
    parts: Vec<Part>,
}

/// `GET /reports/pipeline`: the pipeline.
pub(super) async fn show_pipeline(
    State(state): State<AppState>,
    session: Session,
) -> Result<Response, Failure> {
    let (position, report) = state
        .run_as(session.eyes(), |storage| {
            let read = storage.read()?;
            Ok::<_, OfficeError>((read.position()?, office::pipeline(&*read)?))
        })
        .await?;
    let words = Words(session.language);
    let PipelineReport { main, other_currencies } = report;
    let parts = [main].iter().chain(&other_currencies).map(|p| part(p, words)).collect();
    let page = Page::new(&session, words.t("nav-pipeline"), "/reports/pipeline").at(position);
    Ok(respond(&PipelinePage { page, parts }))
}

fn part(pipeline: &CurrencyPipeline, words: Words) -> Part {
    let line = |key: &str, count: String, amount: String| [words.t(key), count, amount];
    let rate = pipeline.win_rate_percent.map_or("–".to_owned(), |rate| format!("{rate:.2} %"));
    let listed = &pipeline.open_pipeline_at_list_price;
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "–".to_owned());
    let regions = pipeline.won_by_region.iter();
    let agents = pipeline.won_by_agent.iter();
    Part {
        chart: chart(pipeline, words.0),
        totals: vec![
            line(
                "pipeline-open",
                pipeline.open.count.to_string(),
                pipeline.open.amount.to_string(),
            ),
            line("pipeline-weighted", String::new(), pipeline.open.weighted.to_string()),
            line("pipeline-listed", listed.count.to_string(), listed.amount.to_string()),
            line("pipeline-won", pipeline.won.count.to_string(), pipeline.won.amount.to_string()),
            line(
                "pipeline-lost",
                pipeline.lost.count.to_string(),
                pipeline.lost.amount.to_string(),
            ),
            line("pipeline-rate", String::new(), rate),
        ],
        regions: regions
            .map(|r| [name(&r.region), r.count.to_string(), r.amount.to_string()])
            .collect(),
        agents: agents
            .map(|a| [name(&a.name), a.count.to_string(), a.amount.to_string()])
            .collect(),
    }
}
