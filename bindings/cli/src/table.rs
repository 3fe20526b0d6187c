//! Aligned tables for terminals; Chinese characters take two places.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{error::CliError, output::Output};

/// Places that one cell may take before it is shortened.
const CELL_WIDTH_MAX: usize = 40;
/// Between two columns.
const GAP: &str = "  ";

/// A table: a head and rows of as many cells.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| shorten(&one_line(&cell.into()))).collect());
    }

    /// Writes the table.
    pub(crate) fn write(&self, output: &mut Output) -> Result<(), CliError> {
        self.lines().iter().try_for_each(|line| output.line(line))
    }

    /// The table as lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().filter_map(|row| row.get(at)).map(|c| c.width()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
                line.push_str(GAP);
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Line breaks and other control characters would break the table, or the terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

fn shorten(text: &str) -> String {
    if text.width() <= CELL_WIDTH_MAX {
        return text.to_owned();
    }
    let mut width = 0;
    let kept = text.chars().take_while(|char| {
        width += char.width().unwrap_or(0);
        width < CELL_WIDTH_MAX
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_end_within_their_width_also_in_chinese() {
        for text in ["很".repeat(60), "long ".repeat(60)] {
            let cell = shorten(&text);
            assert!(cell.width() <= CELL_WIDTH_MAX);
            assert!(cell.ends_with('…'));
        }
        assert_eq!(shorten("上海远行科技"), "上海远行科技");
        assert_eq!(one_line("a\nb\u{1b}c"), "a b c");
    }
}
