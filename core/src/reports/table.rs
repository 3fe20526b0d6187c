//! The pipeline as a table for people, labels in both languages.

use std::fmt;

use super::pipeline::{CurrencyPipeline, PipelineReport};

impl fmt::Display for PipelineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.main.fmt(f)?;
        for other in &self.other_currencies {
            writeln!(f)?;
            other.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for CurrencyPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = self.currency.as_deref().unwrap_or("-");
        writeln!(f, "Pipeline · 销售漏斗 ({currency})")?;
        let head = ["Stage · 销售阶段", "Count · 数量", "Amount · 金额", "Weighted · 加权金额"];
        let mut lines = vec![head.map(str::to_owned)];
        for line in &self.by_stage {
            lines.push([
                format!("{} · {}", line.label.en, line.label.zh),
                line.count.to_string(),
                line.amount.to_string(),
                line.weighted.to_string(),
            ]);
        }
        write_table(f, &lines)?;
        writeln!(f)?;
        write_table(f, &self.totals())?;
        if !self.won_by_region.is_empty() {
            writeln!(f, "\nWon by region · 区域赢单")?;
            let line = |name: &Option<String>, count: u64, amount: String| {
                [name.clone().unwrap_or_else(|| "-".to_owned()), count.to_string(), amount]
            };
            let lines = self.won_by_region.iter();
            let lines = lines.map(|r| line(&r.region, r.count, r.amount.to_string()));
            write_table(f, &lines.collect::<Vec<_>>())?;
            writeln!(f, "\nWon by agent · 销售人员赢单")?;
            let lines = self.won_by_agent.iter();
            let lines = lines.map(|a| line(&a.name, a.count, a.amount.to_string()));
            write_table(f, &lines.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

impl CurrencyPipeline {
    fn totals(&self) -> Vec<[String; 3]> {
        let line = |name: &str, count: String, amount: String| [name.to_owned(), count, amount];
        let rate = self.win_rate_percent.map_or("-".to_owned(), |rate| format!("{rate:.2} %"));
        let listed = &self.open_pipeline_at_list_price;
        let open = &self.open;
        vec![
            line("Won · 赢单", self.won.count.to_string(), self.won.amount.to_string()),
            line("Lost · 输单", self.lost.count.to_string(), self.lost.amount.to_string()),
            line("Win rate · 赢单率", rate, String::new()),
            line("Open · 进行中", open.count.to_string(), open.amount.to_string()),
            line("Open, weighted · 加权", String::new(), open.weighted.to_string()),
            line(
                "Open without amount, at list price · 按目录价",
                listed.count.to_string(),
                listed.amount.to_string(),
            ),
        ]
    }
}

/// Writes lines with the first column to the left and the others to the right.
fn write_table<const N: usize>(f: &mut fmt::Formatter<'_>, lines: &[[String; N]]) -> fmt::Result {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = columns(cell).max(*width);
        }
    }
    for line in lines {
        let mut text = String::from(" ");
        for (place, (width, cell)) in widths.iter().zip(line).enumerate() {
            let gap = " ".repeat(width - columns(cell) + 1);
            if place == 0 {
                text.extend([cell, gap.as_str()]);
            } else {
                text.extend([" ", gap.as_str(), cell]);
            }
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Columns of a terminal that a text takes: Han characters and full-width signs take two.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}
