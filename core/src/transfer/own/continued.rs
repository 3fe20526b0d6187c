//! Texts of a workbook that are longer than a cell: the rest of them, from the sheet where they go
//! on.

use std::{borrow::Cow, collections::HashMap, io::Read};

use crate::transfer::export::sheet::CONTINUED_MARK;

/// Bytes of all such texts of a workbook, at most: they are kept in memory.
pub(super) const CONTINUED_BYTES_MAX: usize = 64 << 20;

/// By id and column, what comes after the cell's own text.
#[derive(Debug, Default)]
pub(super) struct Continued(HashMap<(String, String), String>);

impl Continued {
    /// Reads the sheet's rows: id, entity, column, number of the piece, text, in their order.
    pub(super) fn read(csv: impl Read) -> Result<Self, String> {
        let mut rest: HashMap<(String, String), String> = HashMap::new();
        let mut left = CONTINUED_BYTES_MAX;
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
        for row in rows.records() {
            let row = row.map_err(|error| error.to_string())?;
            let cell = |at: usize| row.get(at).unwrap_or_default();
            let text = cell(4);
            left = left.checked_sub(text.len()).ok_or_else(|| {
                format!(
                    "its long texts have more than {CONTINUED_BYTES_MAX} bytes; export JSON instead"
                )
            })?;
            rest.entry((cell(0).to_owned(), cell(2).to_owned())).or_default().push_str(text);
        }
        Ok(Self(rest))
    }

    /// The whole text of a cell.
    pub(super) fn whole<'c>(&self, id: &str, column: &str, cell: &'c str) -> Cow<'c, str> {
        let Some(begin) = cell.strip_suffix(CONTINUED_MARK) else { return cell.into() };
        match self.0.get(&(id.to_owned(), column.to_owned())) {
            Some(rest) => [begin, rest].concat().into(),
            None => cell.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_limit_and_only_those_that_go_on_are_joined() {
        let head = "id,entity,column,piece,text\n";
        let csv = format!("{head}7,customer,notes,2,b\n7,customer,notes,3,c\n");
        let rest = Continued::read(csv.as_bytes()).unwrap();
        assert_eq!(rest.whole("7", "notes", "a …(continued)"), "abc");
        assert_eq!(rest.whole("8", "notes", "a …(continued)"), "a …(continued)");
        assert_eq!(rest.whole("7", "notes", "a"), "a");
        let row = |bytes: usize| format!("{head}7,customer,notes,2,{}\n", "x".repeat(bytes));
        assert!(Continued::read(row(CONTINUED_BYTES_MAX).as_bytes()).is_ok());
        let error = Continued::read(row(CONTINUED_BYTES_MAX + 1).as_bytes()).unwrap_err();
        assert!(error.contains("67108864 bytes"), "{error}");
    }
}
