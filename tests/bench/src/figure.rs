//! Figures: a value, the floor beside it, and how they are shown.

use serde::Serialize;

use crate::Outcome;

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// How many records there were.
    pub(crate) records: usize,
    /// What came out: the median of all repetitions.
    pub(crate) value: f64,
    /// In what.
    pub(crate) unit: &'static str,
    /// What plain SQLite took in the same run.
    pub(crate) floor: Option<f64>,
    /// How many times the floor's cost it is.
    pub(crate) ratio: Option<f64>,
}

impl Figure {
    /// A value without a floor.
    pub(crate) fn new(name: &str, records: usize, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), records, value, unit, floor: None, ratio: None }
    }

    /// A cost beside the floor's: less is better.
    pub(crate) fn cost(
        name: &str,
        records: usize,
        (value, floor): (f64, f64),
        unit: &'static str,
    ) -> Self {
        let ratio = Some(value / floor);
        Self { floor: Some(floor), ratio, ..Self::new(name, records, value, unit) }
    }

    /// A cost in microseconds for each of `count`, from the seconds that both sides took.
    pub(crate) fn each(name: &str, records: usize, both: (f64, f64), count: usize) -> Self {
        let micros = |seconds: f64| seconds * 1e6 / count as f64;
        Self::cost(name, records, (micros(both.0), micros(both.1)), "µs")
    }

    /// Records per second, from the seconds that both sides took.
    pub(crate) fn rate(name: &str, records: usize, (seconds, floor): (f64, f64)) -> Self {
        let count = records as f64;
        let ratio = Some(seconds / floor);
        let value = Self::new(name, records, count / seconds, "records/s");
        Self { floor: Some(count / floor), ratio, ..value }
    }
}

/// Prints a line of JSON for each figure.
#[expect(clippy::print_stdout, reason = "figures are what this program says")]
pub(crate) fn print_json(figures: &[Figure]) -> Outcome<()> {
    for figure in figures {
        println!("{}", serde_json::to_string(figure)?);
    }
    Ok(())
}

/// Prints all figures for people.
#[expect(clippy::print_stdout, reason = "figures are what this program says")]
pub(crate) fn print_table(figures: &[Figure]) {
    println!("| figure | records | value | unit | plain SQLite | ratio |");
    println!("|---|---:|---:|---|---:|---:|");
    for figure in figures {
        let floor = figure.floor.map_or_else(String::new, show);
        let ratio = figure.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let Figure { name, records, value, unit, .. } = figure;
        println!("| {name} | {records} | {} | {unit} | {floor} | {ratio} |", show(*value));
    }
}

fn show(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
