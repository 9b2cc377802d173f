//! Splitting a text into rows of cells.
//!
//! Most rows have no quotes: they are split at the delimiters and not copied. Others go through
//! `csv-core`.

use csv_core::ReadRecordResult;

use crate::format::Dialect;

/// The cells of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowCells<'a> {
    text: &'a str,
    /// Where each cell ends in the text.
    ends: &'a [usize],
    /// Bytes between two cells.
    gap: usize,
}

impl<'a> RowCells<'a> {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&'a str> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] + self.gap };
        self.text.get(start..end)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |at| self.get(at).unwrap_or_default())
    }
}

/// Splits a text that consists of whole rows.
pub(crate) struct RowSplitter<'a> {
    text: &'a str,
    /// Where the next row begins.
    at: usize,
    /// Lines before the next row.
    lines: u64,
    dialect: Dialect,
    core: csv_core::Reader,
    /// The cells of a row that `core` has split, one after another.
    unquoted: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> RowSplitter<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        let core = csv_core::ReaderBuilder::new()
            .delimiter(dialect.delimiter as u8)
            .quoting(dialect.quoted)
            .build();
        Self { text, at: 0, lines: 0, dialect, core, unquoted: Vec::new(), ends: Vec::new() }
    }

    /// The next row, and the number of lines before it. Empty lines are no rows.
    pub(crate) fn next(&mut self) -> Option<(u64, RowCells<'_>)> {
        let text = self.text;
        let (mut rest, mut line) = (&text[self.at..], "");
        let mut length = 0;
        while line.is_empty() {
            if rest.is_empty() {
                return None;
            }
            (self.at, self.lines) = (text.len() - rest.len(), self.lines + u64::from(length > 0));
            length = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
            line = rest[..length].trim_end_matches('\n');
            line = line.strip_suffix('\r').unwrap_or(line);
            rest = &rest[length..];
        }
        let before = self.lines;
        let is_quoted = self.dialect.quoted && memchr::memchr(b'"', line.as_bytes()).is_some();
        // A lone carriage return ends a row too.
        if is_quoted || memchr::memchr(b'\r', line.as_bytes()).is_some() {
            return Some((before, self.core_row()?));
        }
        self.at += length;
        self.lines += 1;
        self.ends.clear();
        self.ends.extend(memchr::memchr_iter(self.dialect.delimiter as u8, line.as_bytes()));
        self.ends.push(line.len());
        Some((before, RowCells { text: line, ends: &self.ends, gap: 1 }))
    }

    /// Splits the next row with its quotes. `None` if only ends of lines are left.
    fn core_row(&mut self) -> Option<RowCells<'_>> {
        self.core.reset();
        let (mut written, mut cells) = (0, 0);
        let start = self.at;
        self.unquoted.resize(self.unquoted.len().max(1 << 12), 0);
        self.ends.resize(self.ends.capacity().max(64), 0);
        loop {
            let input = &self.text.as_bytes()[self.at..];
            let (output, ends) = (&mut self.unquoted[written..], &mut self.ends[cells..]);
            let (result, read, more, more_cells) = self.core.read_record(input, output, ends);
            self.at += read;
            written += more;
            cells += more_cells;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
                ReadRecordResult::OutputFull => self.unquoted.resize(self.unquoted.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                // The text ends within a row: reading nothing more ends it.
                ReadRecordResult::InputEmpty => {}
            }
        }
        // A carriage return alone was read of a line's end.
        if self.text[..self.at].ends_with('\r') && self.text[self.at..].starts_with('\n') {
            self.at += 1;
        }
        self.lines +=
            memchr::memchr_iter(b'\n', &self.text.as_bytes()[start..self.at]).count() as u64;
        self.ends.truncate(cells);
        // Only whole characters of the text are left out.
        let text = std::str::from_utf8(&self.unquoted[..written]).unwrap_or_default();
        Some(RowCells { text, ends: &self.ends, gap: 0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines before each row, and its cells.
    fn rows(text: &str, dialect: Dialect) -> Vec<(u64, Vec<String>)> {
        let mut splitter = RowSplitter::new(text, dialect);
        let mut rows = Vec::new();
        while let Some((lines, row)) = splitter.next() {
            rows.push((lines, row.iter().map(str::to_owned).collect()));
        }
        rows
    }

    #[test]
    fn rows_are_split_and_lines_are_counted() {
        let comma = Dialect { delimiter: ',', quoted: true };
        let text = "a,b\r\n\n\r\n\"x\ny\",1\r\n,\nc,\"d\"\"e\"";
        let cells = |cells: &[&str]| cells.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        let expected = [
            (0, cells(&["a", "b"])),
            (3, cells(&["x\ny", "1"])),
            (5, cells(&["", ""])),
            (6, cells(&["c", "d\"e"])),
        ];
        assert_eq!(rows(text, comma), expected);
        let tab = Dialect { delimiter: '\t', quoted: false };
        assert_eq!(rows("a\"\tb\n", tab), [(0, cells(&["a\"", "b"]))]);
        let wide = ["x".repeat(9_000), "\"y\"".to_owned()].join(",") + &",z".repeat(200);
        assert_eq!(rows(&wide, comma)[0].1.len(), 202);
    }

    proptest! {
        /// Rows and cells are those that the csv crate reads.
        #[test]
        fn any_text_is_split_as_csv_does(
            text in "[ab,\"é\\n\\r]{0,60}",
            quoted in any::<bool>(),
        ) {
            let dialect = Dialect { delimiter: ',', quoted };
            let mut reader = csv::ReaderBuilder::new()
                .quoting(quoted)
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let found: Vec<Vec<String>> =
                rows(&text, dialect).into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
